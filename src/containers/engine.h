#pragma once
// The container engine as the product needs it. Two implementations: DockerEngine (Docker Engine API 1.41 or newer,
// over its Unix socket) and FakeEngine (in memory, for tests and the simulation); containers/conformance_test.cpp runs
// on both.

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace kaapi::containers {

// The code of a pull that the registry refused.
inline constexpr std::string_view access_denied = "AccessDenied";

struct PortBinding {
  std::uint16_t container_port = 0;
  std::uint16_t host_port = 0;   // 0: the engine picks one
  std::string protocol = "tcp";  // tcp, udp
  std::string host_ip;           // as bound; empty: all
};

struct ContainerSpec {
  std::string name;                      // derived from ids: creating it again finds the first one
  std::string image;                     // anything the engine accepts: reference, reference@digest, image id
  std::vector<std::string> entry_point;  // empty: the image's
  std::vector<std::string> command;      // empty: the image's
  std::vector<std::pair<std::string, std::string>> environment;
  std::map<std::string, std::string> labels;
  std::string working_directory;  // empty: the image's
  std::string user;               // empty: the image's
  std::string hostname;
  std::string network;  // name of a network, "bridge", "host", "none", or "container:NAME"
  std::vector<PortBinding> ports;
  std::int64_t memory_bytes = 0;              // hard limit; 0: none
  std::int64_t memory_reservation_bytes = 0;  // 0: none
  std::int64_t cpu_shares = 0;                // relative weight; 0: default
  std::int64_t nano_cpus = 0;                 // hard limit; 0: none
  std::optional<bool> init;                   // run a small init as process 1
  bool read_only_root = false;
  bool privileged = false;
  bool tty = false;
};

// A bridge network.
struct NetworkSpec {
  std::string name;
  std::map<std::string, std::string> labels;  // when it is made
  std::string subnet;                         // "10.1.0.0/16"; empty: the engine picks one
  std::string gateway;    // an address in the subnet, which the machine then has; empty: the engine picks one
  bool internal = false;  // leads to the machine and nowhere else: no container's default route goes through it
  bool isolated = false;  // its containers do not reach each other
};

enum class ContainerStatus { created, running, paused, exited, removing, dead };

struct Container {
  std::string id;
  std::string name;
  std::string image;     // as in the spec
  std::string image_id;  // "sha256:…"
  std::map<std::string, std::string> labels;
  ContainerStatus status = ContainerStatus::created;
  int exit_code = 0;  // meaningful when exited or dead
  bool oom_killed = false;
  std::string error;  // the engine's words when it could not start
  std::optional<Time> started_at;
  std::optional<Time> finished_at;
  std::map<std::string, std::string> addresses;  // network name -> IPv4 address
  std::map<std::string, std::string> mac_addresses;
  std::vector<PortBinding> ports;  // as bound
};

struct Image {
  std::string id;                         // "sha256:…"
  std::vector<std::string> repo_digests;  // "localhost:4566/app@sha256:…"
  std::string stop_signal;                // empty: SIGTERM
};

struct RegistryLogin {
  std::string user;
  std::string password;
};

struct ExecResult {
  int exit_code = 0;
  std::string output;  // stdout and stderr, the first 4 KiB
};

struct EngineInfo {
  std::string version;
  std::string api_version;
};

enum class EventKind { start, die, oom, destroy, reconnected };
// `reconnected`: the event stream was interrupted; whoever keeps state must look again (container is empty).
struct Event {
  EventKind kind = EventKind::start;
  std::string container;  // id
  std::map<std::string, std::string> labels;
  int exit_code = 0;  // with die
  Time at{};
};

enum class OutputStream { out, err };
// One line that a container wrote (without its newline), or a piece of one when it is longer than the engine's buffer
// (partial).
struct OutputLine {
  OutputStream stream = OutputStream::out;
  std::int64_t at_nanos = 0;  // the engine's timestamp
  bool partial = false;       // the line goes on in the next piece of the same stream
  std::string text;
};

// Ends what it stands for when destroyed, and waits for a callback in progress.
class Subscription {
 public:
  virtual ~Subscription() = default;
};

// Thread-safe. Calls block until the engine has answered; each has a deadline inside. Errors common to all:
// `Unavailable` (the engine does not answer), `TimedOut`, `NotFound` (no such container, image or network), `Conflict`,
// `Invalid` (the engine refuses the request as it stands: a broken reference, a command that is not in the image),
// `InternalError` with the engine's message.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual Result<EngineInfo> info() = 0;
  // Whether the engine takes new calls, asked over a connection of its own: one that is shutting down goes on serving
  // those that are open, and tells of the ends of its containers there. Waits a second at most.
  virtual Result<void> ping() = 0;

  // Makes the image available locally. Errors: `NotFound` (no such image or tag), `AccessDenied`, `Unavailable`; the
  // message is the engine's or the registry's.
  virtual Result<Image> pull(const std::string& reference, const std::optional<RegistryLogin>& login) = 0;
  virtual Result<Image> inspect_image(const std::string& reference) = 0;
  // Makes an image of one layer from a tar archive, under this name and tag; an image that had them before loses them.
  // Containers run `entry_point` unless their spec says otherwise.
  virtual Result<Image> import_image(const std::string& reference, std::string archive,
                                     const std::vector<std::string>& entry_point) = 0;

  // Creates the container, or finds the one with this name and the same labels (a retry). Returns its id. Error:
  // `Conflict` when the name belongs to a container with other labels.
  virtual Result<std::string> create(const ContainerSpec& spec) = 0;
  // Harmless when it already runs. Errors: `Conflict` when a host port is taken; others with the engine's message.
  virtual Result<void> start(const std::string& container) = 0;
  // Sends one signal ("SIGTERM"; empty: the container's own stop signal). Harmless when it does not run.
  virtual Result<void> signal(const std::string& container, std::string_view signal) = 0;
  // Removes it, killing it first when it runs. Harmless when it is gone.
  virtual Result<void> remove(const std::string& container) = 0;
  virtual Result<Container> inspect(const std::string& container) = 0;
  // Every container, running or not, that has all of these labels. Fewer fields than inspect(): no exit code, no times.
  virtual Result<std::vector<Container>> list(const std::map<std::string, std::string>& labels) = 0;
  // Runs a command inside and waits for its end. Error `TimedOut` after `timeout` (the command may still be running
  // then).
  virtual Result<ExecResult> exec(const std::string& container, const std::vector<std::string>& command,
                                  std::chrono::milliseconds timeout) = 0;

  // Makes sure that a bridge network of this name exists. Errors: `Conflict` when one exists that is no bridge or has
  // another gateway than the one asked for, and when another network has the subnet.
  virtual Result<void> ensure_network(const NetworkSpec& spec) = 0;
  // Puts a container on one more network, from its next start on when it does not run. Harmless when it is on it.
  // Errors: `NotFound` (a network that is not there may show at the start only), `Invalid` for a container without a
  // network namespace of its own.
  virtual Result<void> connect(const std::string& network, const std::string& container) = 0;
  // Errors: `NotFound`, `Conflict` while containers use it.
  virtual Result<void> remove_network(const std::string& name) = 0;

  // Events of containers with all of these labels, from now on, reconnecting by itself. Callbacks are quick and do not
  // call back in.
  virtual std::unique_ptr<Subscription> watch(const std::map<std::string, std::string>& labels,
                                              std::function<void(const Event&)> on_event) = 0;
  // Output from `since_nanos` (inclusive; 0: everything) on, until the container has ended and everything was delivered
  // (on_end with success) or the engine was lost (on_end with an error; `Conflict`: the container was never started).
  // Callbacks of one subscription come one at a time; on_end may destroy it.
  virtual std::unique_ptr<Subscription> follow_output(const std::string& container, std::int64_t since_nanos,
                                                      std::function<void(OutputLine)> on_line,
                                                      std::function<void(Result<void>)> on_end) = 0;
};

}  // namespace kaapi::containers
