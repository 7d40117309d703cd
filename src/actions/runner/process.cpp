#include "actions/runner/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t read_bytes = 64UL * 1024;

struct Pipe {
  FileDescriptor reading{-1}, writing{-1};
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return make_error(errc::unavailable, fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  Pipe made;
  made.reading = FileDescriptor(ends[0]);
  made.writing = FileDescriptor(ends[1]);
  return made;
}

void make_nonblocking(const FileDescriptor& descriptor) {
  if (descriptor) ::fcntl(descriptor.get(), F_SETFL, O_NONBLOCK);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// What posix_spawn is told, freed with it.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  void put(const FileDescriptor& from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from.get(), to); }
  void enter(const std::string& directory) {
    if (!directory.empty()) ::posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str());
  }
  Result<pid_t> start(const ProcessRun& run) const {
    std::vector<char*> argv = pointers(run.argv);
    std::vector<char*> env = pointers(run.env);
    pid_t child = -1;
    const int failed = ::posix_spawn(&child, run.argv[0].c_str(), &actions_, &attributes_, argv.data(), env.data());
    if (failed == 0) return child;
    const bool missing = failed == ENOENT || failed == ENOTDIR || failed == EACCES;
    return make_error(missing ? errc::not_found : errc::unavailable,
                      fmt::format("cannot run {} in {}: {}", run.argv[0], run.directory.empty() ? "." : run.directory,
                                  std::strerror(failed)));
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

// One process on its way. Used by one thread.
class Running {
 public:
  Running(const ProcessRun& run, StopSource& stop, StopLevel since) : run_(run), stop_(stop), since_(since) {}

  Result<ProcessEnd> run() {
    if (const Result<void> started = start(); !started) return started.error();
    if (run_.timeout) timeout_at_ = Clock::now() + *run_.timeout;
    while (true) {
      wait();
      escalate();
      if (!exited_) reap();
      if (exited_ && ((!output_ && !errors_) || Clock::now() >= drained_at_)) break;
    }
    return end_;
  }

 private:
  Result<void> start() {
    Result<Pipe> in = make_pipe();
    if (!in) return in.error();
    Result<Pipe> out = make_pipe();
    if (!out) return out.error();
    SpawnPlan plan;
    plan.put(in->reading, STDIN_FILENO);
    plan.put(out->writing, STDOUT_FILENO);
    FileDescriptor errors_end(-1);
    if (run_.on_error) {
      Result<Pipe> errors = make_pipe();
      if (!errors) return errors.error();
      plan.put(errors->writing, STDERR_FILENO);
      errors_ = std::move(errors->reading);
      errors_end = std::move(errors->writing);
    } else {
      plan.put(out->writing, STDERR_FILENO);
    }
    plan.enter(run_.directory);
    const Result<pid_t> child = plan.start(run_);
    if (!child) return child.error();
    child_ = *child;
    exit_event_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, child_, 0)));
    output_ = std::move(out->reading);
    if (!run_.input.empty()) input_ = std::move(in->writing);
    make_nonblocking(output_);
    make_nonblocking(errors_);
    make_nonblocking(input_);
    return ok();
  }

  int wait_ms() const {
    std::optional<Clock::time_point> until = signal_at_;
    const auto sooner = [&until](const std::optional<Clock::time_point>& when) {
      if (when && (!until || *when < *until)) until = when;
    };
    if (!ending_) sooner(timeout_at_);
    sooner(stop_.next_deadline());
    if (exited_) sooner(drained_at_);
    if (!until) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  }

  void wait() {
    const bool may_stop = stop_.level() <= since_ || (ending_ && stop_.level() != StopLevel::kill);
    const StopLevel above = stop_.level() <= since_ ? since_ : StopLevel::cancel;
    std::array<pollfd, 5> waited = {pollfd{exited_ ? -1 : exit_event_.get(), POLLIN, 0},
                                    pollfd{output_.get(), POLLIN, 0}, pollfd{errors_.get(), POLLIN, 0},
                                    pollfd{input_.get(), POLLOUT, 0},
                                    pollfd{may_stop ? stop_.descriptor(above) : -1, POLLIN, 0}};
    if (::poll(waited.data(), waited.size(), wait_ms()) < 0) return;
    if (waited[1].revents != 0) take(output_, run_.on_output);
    if (waited[2].revents != 0) take(errors_, run_.on_error);
    if (waited[3].revents != 0) give();
    if (run_.enough && !exited_ && run_.enough()) ::kill(-child_, SIGKILL);
  }

  void take(FileDescriptor& from, const std::function<void(std::string_view)>& to) {
    const ssize_t got = ::read(from.get(), buffer_.data(), buffer_.size());
    if (got > 0) {
      if (to) to(std::string_view(buffer_.data(), static_cast<std::size_t>(got)));
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
      from = FileDescriptor(-1);
    }
  }

  void give() {
    const std::string_view left = run_.input.substr(given_);
    const ssize_t written = ::write(input_.get(), left.data(), left.size());
    if (written > 0) given_ += static_cast<std::size_t>(written);
    const bool broken = written < 0 && errno != EAGAIN && errno != EINTR;
    if (broken || given_ == run_.input.size()) input_ = FileDescriptor(-1);
  }

  void reap() {
    int status = 0;
    if (::waitpid(child_, &status, WNOHANG) != child_) return;
    exited_ = true;
    drained_at_ = Clock::now() + output_grace;
    end_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    signal_at_.reset();
  }

  // Begins to end it when it is time, and goes on from signal to signal.
  void escalate() {
    stop_.tick();
    if (exited_) return;
    const auto now = Clock::now();
    if (!ending_) {
      const bool stopped = stop_.level() > since_;
      const bool late = timeout_at_ && now >= *timeout_at_;
      if (!stopped && !late) return;
      ending_ = true;
      end_.how = stopped ? ProcessEnd::How::stopped : ProcessEnd::How::timed_out;
      signal(stop_.level() == StopLevel::kill ? SIGKILL : SIGINT);
    } else if (stop_.level() == StopLevel::kill && last_signal_ != SIGKILL) {
      signal(SIGKILL);
    } else if (signal_at_ && now >= *signal_at_) {
      signal(last_signal_ == SIGINT ? SIGTERM : SIGKILL);
    }
  }

  void signal(int number) {
    ::kill(-child_, number);
    last_signal_ = number;
    signal_at_.reset();
    if (number == SIGINT) signal_at_ = Clock::now() + interrupt_grace;
    if (number == SIGTERM) signal_at_ = Clock::now() + terminate_grace;
  }

  const ProcessRun& run_;
  StopSource& stop_;
  const StopLevel since_;
  pid_t child_ = -1;
  FileDescriptor exit_event_{-1}, output_{-1}, errors_{-1}, input_{-1};
  std::size_t given_ = 0;
  bool exited_ = false;
  bool ending_ = false;
  int last_signal_ = 0;
  std::optional<Clock::time_point> timeout_at_, signal_at_;
  Clock::time_point drained_at_{};
  ProcessEnd end_;
  std::vector<char> buffer_ = std::vector<char>(read_bytes);
};

bool may_run(const std::string& path) {
  struct stat about {};
  return ::stat(path.c_str(), &about) == 0 && S_ISREG(about.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

// Parents by process, from /proc.
std::map<pid_t, pid_t> all_parents() {
  std::map<pid_t, pid_t> parents;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failed)) {
    const auto pid = parse_number(entry.path().filename().string());
    if (!pid) continue;
    const Result<std::string> stat = read_file(entry.path().string() + "/stat", 4096);
    if (!stat) continue;
    // The name in parentheses may hold anything; behind the last one come state and parent.
    const std::size_t behind = stat->rfind(") ");
    if (behind == std::string::npos || stat->size() < behind + 5) continue;
    const std::string_view rest = std::string_view(*stat).substr(behind + 4);
    const auto parent = parse_number(rest.substr(0, rest.find(' ')));
    if (parent) parents[static_cast<pid_t>(*pid)] = static_cast<pid_t>(*parent);
  }
  return parents;
}

bool descends(const std::map<pid_t, pid_t>& parents, pid_t process, pid_t from) {
  for (std::size_t depth = 0; depth < parents.size(); ++depth) {
    const auto found = parents.find(process);
    if (found == parents.end()) return false;
    if (found->second == from) return true;
    process = found->second;
  }
  return false;
}

}  // namespace

Result<ProcessEnd> run_process(const ProcessRun& run, StopSource& stop, StopLevel since) {
  if (run.argv.empty() || run.argv[0].empty()) return make_error(errc::not_found, "there is no program to run");
  return Running(run, stop, since).run();
}

std::string own_search_path() {
  const char* path = std::getenv("PATH");
  return path == nullptr ? "/usr/bin:/bin" : path;
}

std::string find_program(std::string_view name, std::string_view path, std::string_view directory) {
  if (name.find('/') != std::string_view::npos) {
    const std::string full = name.starts_with('/') ? std::string(name) : fmt::format("{}/{}", directory, name);
    return may_run(full) ? full : std::string();
  }
  if (name.empty()) return {};
  for (const std::string& folder : split(path, ':')) {
    if (folder.empty()) continue;
    std::string full = fmt::format("{}/{}", folder, name);
    if (may_run(full)) return full;
  }
  return {};
}

void adopt_orphans() {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

void end_descendants() {
  // The usual case costs no look at /proc.
  if (::waitpid(-1, nullptr, WNOHANG) < 0 && errno == ECHILD) return;
  // Again as long as there are children: a process that is being killed may just have started another.
  while (true) {
    const std::map<pid_t, pid_t> parents = all_parents();
    for (const auto& [process, parent] : parents) {
      if (descends(parents, process, ::getpid())) ::kill(process, SIGKILL);
    }
    if (::waitpid(-1, nullptr, 0) < 0 && errno == ECHILD) return;
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
}

}  // namespace kaapi::actions::runner
