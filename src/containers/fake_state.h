#pragma once
// What a FakeEngine holds: images, networks, containers, and who listens. Private to FakeEngine.

#include <deque>
#include <map>
#include <mutex>
#include <set>

#include "containers/fake_delivery.h"
#include "containers/fake_engine.h"

namespace kaapi::containers {

struct FakeFollower {
  std::shared_ptr<FakeSubscriber> subscriber;
  std::function<void(OutputLine)> on_line;
  std::function<void(Result<void>)> on_end;
};

struct FakeContainer {
  Container now;
  ContainerSpec spec;
  std::vector<std::string> more_networks;  // beside the spec's
  std::string stop_signal;
  bool was_started = false;
  std::vector<OutputLine> lines;
  std::vector<FakeFollower> followers;
};

struct FakeWatcher {
  std::shared_ptr<FakeSubscriber> subscriber;
  std::map<std::string, std::string> labels;
  std::function<void(const Event&)> on_event;
};

// Images by whatever name they answer to.
class FakeImages {
 public:
  Image add(const std::string& reference, Image image);
  // By reference (":latest" implied), digest or id; nullptr when there is none.
  const Image* find(const std::string& reference) const;
  void remove(const std::string& reference);

 private:
  std::map<std::string, Image> images_;
};

// Its methods expect `mutex` to be held, but for the hooks', fail() and answer().
class FakeEngine::State {
 public:
  State(const Clock& clock_, FakeEngineConfig config_)
      : clock(clock_), config(config_), delivery(config_.delivery == FakeEngineConfig::Delivery::thread) {}

  // Records the call and asks the failure hook.
  std::optional<Error> fail(std::string_view call, const std::string& subject);
  // The answer of a call, unless it is to be lost.
  template <class T>
  Result<T> answer(std::string_view call, const std::string& subject, Result<T> result) {
    const FailureHook hook = locked_copy(answer_loss);
    if (const auto lost = hook ? hook(call, subject) : std::nullopt) {
      return *lost;
    }
    return result;
  }
  template <class Hook>
  Hook locked_copy(const Hook& hook) {
    const std::lock_guard lock(mutex);
    return hook;
  }

  FakeContainer* find(const std::string& container);
  FakeContainer* running(const std::string& container);
  Result<std::string> create(const ContainerSpec& spec);
  Result<void> ensure_network(const NetworkSpec& spec);
  Result<void> connect(FakeContainer& box, const std::string& network);
  Result<void> start(FakeContainer& box);
  void end(FakeContainer& box, int exit_code, bool oom_killed);
  void erase(FakeContainer& box);
  void emit(EventKind kind, const FakeContainer& box, int exit_code = 0);
  void emit_reconnected();
  void append(FakeContainer& box, OutputStream stream, std::string text, bool partial);
  std::int64_t next_nanos();
  std::string next_id();

  const Clock& clock;
  const FakeEngineConfig config;

  std::mutex mutex;
  FailureHook failure;
  FailureHook answer_loss;
  ExecHook exec;
  SignalHook signal;
  StartHook on_start;
  EventFilter event_filter;
  std::vector<FakeCall> calls;

  FakeImages local;
  FakeImages remote;
  std::map<std::string, RegistryLogin> logins;
  std::map<std::string, NetworkSpec> networks = {{"bridge", {}}, {"host", {}}, {"none", {}}};
  std::map<std::string, std::size_t> network_numbers = {{"bridge", 0}};
  std::map<std::string, std::size_t> addresses_given;
  std::deque<FakeContainer> containers;  // in the order they were created
  std::vector<FakeWatcher> watchers;
  std::uint64_t ids_given = 0;
  std::int64_t last_nanos = 0;
  std::uint16_t last_dynamic_port = 0;

  FakeDelivery delivery;  // last: its thread ends before the rest goes

 private:
  std::optional<Error> join_networks(FakeContainer& box);
  std::optional<Error> join_network(FakeContainer& box, const std::string& network);
  std::optional<Error> bind_ports(FakeContainer& box);
  bool port_taken(const PortBinding& port) const;
  std::string next_address(const std::string& network);
};

}  // namespace kaapi::containers
