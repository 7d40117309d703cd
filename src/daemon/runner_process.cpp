#include "daemon/runner_process.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/log.h"

extern char** environ;

namespace kaapi::daemon {
namespace {

constexpr mode_t private_file = 0600;

// When a process began, in clock ticks since the machine's start: a number given to another process later has another.
// proc(5), /proc/pid/stat, field 22; the second field is in parentheses and may hold spaces. Empty: no such process.
std::string started_at(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream fields(line.substr(name_end + 1));
  std::string field;
  constexpr int fields_until_start = 20;  // 3 to 22
  for (int i = 0; i < fields_until_start; ++i) fields >> field;
  // One that has ended and waits for its parent does not live.
  return line.compare(name_end, 3, ") Z") == 0 ? std::string() : field;
}

FileDescriptor open_process(int pid) {
  return FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

void signal_process(const FileDescriptor& process, int signal) {
  ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0);
}

// True when it has ended within the time; -1: however long it takes. Also returns, false, when `stop` is written to.
bool wait_for_end(const FileDescriptor& process, int stop, int timeout_ms) {
  pollfd waits[2] = {{process.get(), POLLIN, 0}, {stop, POLLIN, 0}};
  while (::poll(waits, stop < 0 ? 1 : 2, timeout_ms) < 0) {
    if (errno != EINTR) return false;
  }
  return (waits[0].revents & POLLIN) != 0;
}

// A new session, default signals, nothing of ours open but the log.
class Spawn {
 public:
  Spawn() {
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_init(&actions_);
    sigset_t none;
    sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    sigset_t ignored;
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    ::posix_spawnattr_setsigdefault(&attributes_, &ignored);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | static_cast<short>(POSIX_SPAWN_SETSID));
  }
  ~Spawn() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;

  // 0, or errno.
  int run(const std::vector<std::string>& command, const std::string& log_file, pid_t& pid) {
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                       private_file);
    ::posix_spawn_file_actions_adddup2(&actions_, STDOUT_FILENO, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    return ::posix_spawn(&pid, arguments[0], &actions_, &attributes_, arguments.data(), environ);
  }

 private:
  posix_spawnattr_t attributes_{};
  posix_spawn_file_actions_t actions_{};
};

}  // namespace

std::optional<KnownProcess> living_process(const std::string& pid_file) {
  std::ifstream file(pid_file);
  KnownProcess known;
  std::string began;
  if (!(file >> known.pid >> began) || known.pid <= 0) return std::nullopt;
  file.ignore(1);
  std::getline(file, known.command);
  if (began != started_at(known.pid)) return std::nullopt;
  return known;
}

RunnerProcess::~RunnerProcess() {
  if (stop_) ::eventfd_write(stop_.get(), 1);
  thread_.join();
}

std::string RunnerProcess::command_text() const {
  return fmt::format("{}", fmt::join(config_.command, " "));
}

bool RunnerProcess::adopt() {
  const std::optional<KnownProcess> known = living_process(config_.pid_file);
  if (!known) return false;
  FileDescriptor process = open_process(known->pid);
  if (!process) return false;
  if (known->command != command_text()) {
    // It would ask at an address of before.
    signal_process(process, SIGTERM);
    return false;
  }
  pid_ = known->pid;
  child_ = false;
  process_ = std::move(process);
  log::info("runner", "going on with the runner of before (process {})", pid_);
  std::array<char, 4096> program{};
  const ssize_t bytes = ::readlink(fmt::format("/proc/{}/exe", pid_).c_str(), program.data(), program.size());
  if (bytes > 0 && std::string_view(program.data(), static_cast<std::size_t>(bytes)).ends_with(" (deleted)")) {
    // Of an older build: it ends its jobs, and watch() starts one of this build.
    signal_process(process_, SIGUSR1);
  }
  return true;
}

Result<void> RunnerProcess::launch() {
  pid_t pid = 0;
  if (const int wrong = Spawn().run(config_.command, config_.log_file, pid); wrong != 0) {
    return make_error(errc::unavailable,
                      fmt::format("the runner cannot be started ({}): {}", config_.command[0], std::strerror(wrong)));
  }
  const std::string text = fmt::format("{} {} {}\n", pid, started_at(pid), command_text());
  const FileDescriptor file(::open(config_.pid_file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, private_file));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    const Error wrong = file_error("cannot write", config_.pid_file);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
    return wrong;
  }
  pid_ = pid;
  child_ = true;
  process_ = open_process(pid);
  return ok();
}

Result<void> RunnerProcess::start() {
  stop_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC));
  if (!adopt()) {
    if (const Result<void> launched = launch(); !launched) return launched.error();
  }
  if (thread_.start([this] { watch(); })) return ok();
  return internal_error("the machine has no room for another thread");
}

void RunnerProcess::watch() {
  while (wait_for_end(process_, stop_.get(), -1)) {
    if (child_) ::waitpid(pid_, nullptr, 0);
    log::warn("runner", "the runner (process {}) has ended; it is started again. Its log is {}", pid_,
              config_.log_file);
    // Whoever stops us cuts the wait short.
    pollfd stopped{stop_.get(), POLLIN, 0};
    if (::poll(&stopped, 1, static_cast<int>(runner_restart_delay.count())) != 0) return;
    if (const Result<void> launched = launch(); !launched) {
      log::error("runner", "{}", launched.error().message);
      return;
    }
  }
}

void RunnerProcess::stop(std::chrono::milliseconds grace) {
  if (!stop_) return;
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
  signal_process(process_, SIGTERM);
  if (!wait_for_end(process_, -1, static_cast<int>(grace.count()))) {
    log::warn("runner", "the runner (process {}) did not end within {} ms and is killed", pid_, grace.count());
    signal_process(process_, SIGKILL);
    wait_for_end(process_, -1, static_cast<int>(grace.count()));
  }
  if (child_) ::waitpid(pid_, nullptr, 0);
  ::unlink(config_.pid_file.c_str());
  stop_ = FileDescriptor(-1);
}

}  // namespace kaapi::daemon
