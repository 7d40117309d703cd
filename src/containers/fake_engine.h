#pragma once
// The Engine in memory, for tests and the simulation: deterministic, on the caller's clock, with a handle on everything
// that can go wrong. Same rules as Docker's where the product can see them (conformance_test.cpp).

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "containers/engine.h"

namespace kaapi::containers {

struct FakeEngineConfig {
  // Events and output reach their subscribers on a thread of the engine (as with Docker), or when the test calls
  // deliver().
  enum class Delivery { thread, manual };
  Delivery delivery = Delivery::thread;
  std::uint16_t first_dynamic_port = 32768;
};

struct FakeCall {
  std::string call;     // "start": the name of the Engine's method
  std::string subject;  // container id or name as given, image reference, network name
};

// Thread-safe. `clock` must outlive it, and it its subscriptions. Hooks run without the engine's lock on the calling
// thread and may call the engine; they are set before use.
class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(const Clock& clock, FakeEngineConfig config = {});
  ~FakeEngine() override;

  // --- What the test decides ---
  // An image that is present. Empty id and digest: derived from the reference.
  Image add_image(const std::string& reference, Image image = {});
  // An image that a registry has: pull() brings it, and again after it was changed here.
  Image add_remote_image(const std::string& reference, Image image = {});
  void remove_remote_image(const std::string& reference);
  // The images a registry gives only to this login.
  void require_login(const std::string& reference, RegistryLogin login);

  // Asked before each call has any effect; an error is the call's answer. `call` is the method's name ("start").
  using FailureHook = std::function<std::optional<Error>(std::string_view call, const std::string& subject)>;
  void set_failure(FailureHook hook);
  // Asked after a call had its effect: an error makes an answer that got lost on the way.
  void set_answer_loss(FailureHook hook);
  // What a command inside gives. Default: exit code 0, no output.
  using ExecHook =
      std::function<Result<ExecResult>(const Container& container, const std::vector<std::string>& command)>;
  void set_exec(ExecHook hook);
  // What a signal does: the exit code, or nullopt to go on. Default: SIGTERM 143, SIGINT 130, others are ignored.
  // SIGKILL always ends with 137.
  using SignalHook = std::function<std::optional<int>(const Container& container, std::string_view signal)>;
  void set_signal(SignalHook hook);
  // What happens right after a start: the container ends with this code at once. Default: it keeps running.
  using StartHook = std::function<std::optional<int>(const Container& container)>;
  void set_start(StartHook hook);

  // By id or name; false when no such container runs.
  bool exit(const std::string& container, int exit_code, bool oom_killed = false);
  // One line (without newline), or a piece of one. False when there is no such container.
  bool append_output(const std::string& container, OutputStream stream, std::string text, bool partial = false);

  // How many times an event is delivered: 0 lost, 2 doubled. Default: 1. Runs inside the engine: it must not call back
  // in.
  using EventFilter = std::function<int(const Event& event)>;
  void set_event_filter(EventFilter filter);
  // Every watch() hears `reconnected`; events that are not delivered yet are lost.
  void disconnect_events();
  // The engine's process ends and starts again: running containers end with 137 (or go on, as with Docker's
  // live-restore), their followers get an error, events not yet delivered are lost, and every watch() hears
  // `reconnected`.
  void restart_engine(bool keep_containers);

  // Delivery::manual: calls subscribers on this thread, at most `limit` times. Returns how many calls were made.
  std::size_t deliver(std::size_t limit = SIZE_MAX);
  std::size_t undelivered() const;

  // --- What the test looks at ---
  std::vector<FakeCall> calls() const;
  void clear_calls();
  std::optional<ContainerSpec> spec(const std::string& container) const;
  std::size_t container_count() const;
  std::size_t running_count() const;

  // --- Engine ---
  Result<EngineInfo> info() override;
  Result<void> ping() override;
  Result<Image> pull(const std::string& reference, const std::optional<RegistryLogin>& login) override;
  Result<Image> inspect_image(const std::string& reference) override;
  Result<Image> import_image(const std::string& reference, std::string archive,
                             const std::vector<std::string>& entry_point) override;
  Result<std::string> create(const ContainerSpec& spec) override;
  Result<void> start(const std::string& container) override;
  Result<void> signal(const std::string& container, std::string_view signal) override;
  Result<void> remove(const std::string& container) override;
  Result<Container> inspect(const std::string& container) override;
  Result<std::vector<Container>> list(const std::map<std::string, std::string>& labels) override;
  Result<ExecResult> exec(const std::string& container, const std::vector<std::string>& command,
                          std::chrono::milliseconds timeout) override;
  Result<void> ensure_network(const NetworkSpec& spec) override;
  Result<void> connect(const std::string& network, const std::string& container) override;
  Result<void> remove_network(const std::string& name) override;
  std::unique_ptr<Subscription> watch(const std::map<std::string, std::string>& labels,
                                      std::function<void(const Event&)> on_event) override;
  std::unique_ptr<Subscription> follow_output(const std::string& container, std::int64_t since_nanos,
                                              std::function<void(OutputLine)> on_line,
                                              std::function<void(Result<void>)> on_end) override;

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace kaapi::containers
