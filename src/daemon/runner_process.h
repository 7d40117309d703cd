#pragma once
// The runner that `kaapi up` brings along: a process of its own, so that its jobs outlive a platform that is killed.

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "http/threads.h"

namespace kaapi::daemon {

// A runner that ends by itself is started again after this, so that one that cannot start costs little.
inline constexpr std::chrono::milliseconds runner_restart_delay{2'000};

struct RunnerProcessConfig {
  std::vector<std::string> command;  // the program and its arguments; no secret among them
  std::string pid_file;              // remembers the process for the next start of the platform
  std::string log_file;              // takes what it writes
};

// Which process a pid file names, if that is still the same process. Pure but for /proc.
struct KnownProcess {
  int pid = 0;
  std::string command;  // as it was started
};
std::optional<KnownProcess> living_process(const std::string& pid_file);

// start() and stop() from one thread.
class RunnerProcess {
 public:
  explicit RunnerProcess(RunnerProcessConfig config) : config_(std::move(config)) {}
  ~RunnerProcess();  // leaves the process alone
  RunnerProcess(const RunnerProcess&) = delete;
  RunnerProcess& operator=(const RunnerProcess&) = delete;

  // Goes on with the runner of before when it still lives and was started by the same command; otherwise starts one.
  // From now on one that ends is replaced. Errors: `Unavailable` (it cannot be started, or a file cannot be written).
  Result<void> start();
  // Asks it to end and waits so long; then it is killed. Harmless when none runs.
  void stop(std::chrono::milliseconds grace);

 private:
  Result<void> launch();
  bool adopt();
  void watch();
  std::string command_text() const;

  const RunnerProcessConfig config_;
  int pid_ = 0;
  bool child_ = false;
  FileDescriptor process_{-1};  // pidfd
  FileDescriptor stop_{-1};     // eventfd: wakes watch()
  http::Thread thread_;
};

}  // namespace kaapi::daemon
