#include "actions/git/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

namespace kaapi::actions::git {
namespace {

using Steady = std::chrono::steady_clock;

struct Pipe {
  FileDescriptor reading{-1};
  FileDescriptor writing{-1};
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return make_error(errc::unavailable, fmt::format("no pipe to a program can be made: {}", std::strerror(errno)));
  }
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// To the program's standard input: a socket, because writing to a pipe that nobody reads would end this process.
Result<Pipe> make_input() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return make_error(errc::unavailable, fmt::format("no pipe to a program can be made: {}", std::strerror(errno)));
  }
  return Pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

// What posix_spawn is told besides the program: which descriptors it has, its group, and no signal blocked or ignored
// that this process blocks or ignores.
class SpawnPlan {
 public:
  SpawnPlan(const Pipe& input, const Pipe& output, const Pipe& errors, const std::string& directory) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawn_file_actions_adddup2(&actions_, input.reading.get(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, output.writing.get(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, errors.writing.get(), STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    if (!directory.empty()) ::posix_spawn_file_actions_addchdir_np(&actions_, directory.c_str());
    sigset_t none, usual;
    sigemptyset(&none);
    sigemptyset(&usual);
    for (const int signal : {SIGPIPE, SIGTERM, SIGINT, SIGHUP}) sigaddset(&usual, signal);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setsigdefault(&attributes_, &usual);
    ::posix_spawnattr_setpgroup(&attributes_, 0);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  int spawn(pid_t& pid, const Command& command) const {
    std::vector<char*> arguments = pointers(command.argv);
    std::vector<char*> environment = pointers(command.environment);
    return ::posix_spawnp(&pid, arguments.front(), &actions_, &attributes_, arguments.data(), environment.data());
  }

 private:
  static std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> out;
    out.reserve(texts.size() + 1);
    // posix_spawn takes pointers to what it does not change.
    for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
    out.push_back(nullptr);
    return out;
  }

  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

void stop_blocking(int fd) {
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

int left_ms(Steady::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Steady::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

}  // namespace

bool feed(int fd, std::string_view& bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return true;
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

bool take(int fd, std::string& into, std::size_t max_bytes) {
  std::array<char, 64 * 1024> buffer;
  const std::size_t room = std::min(buffer.size(), max_bytes - std::min(max_bytes, into.size()));
  if (room == 0) return true;
  const ssize_t count = ::read(fd, buffer.data(), room);
  if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
  into.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

bool drain(int fd, std::string& into, std::size_t max_bytes) {
  std::array<char, 64 * 1024> buffer;
  while (true) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count > 0) {
      const std::size_t room = max_bytes - std::min(max_bytes, into.size());
      into.append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
    } else if (count == 0) {
      return false;
    } else if (errno != EINTR) {
      return errno == EAGAIN || errno == EWOULDBLOCK;
    }
  }
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      exit_code_(other.exit_code_),
      input_(std::move(other.input_)),
      output_(std::move(other.output_)),
      errors_(std::move(other.errors_)) {}

Result<Process> Process::start(const Command& command) {
  Result<Pipe> input = make_input();
  Result<Pipe> output = make_pipe();
  Result<Pipe> errors = make_pipe();
  for (const Result<Pipe>* pipe : {&input, &output, &errors}) {
    if (!*pipe) return pipe->error();
  }
  const SpawnPlan plan(*input, *output, *errors, command.directory);
  pid_t pid = -1;
  if (const int failed = plan.spawn(pid, command); failed != 0) {
    return make_error(errc::unavailable,
                      fmt::format("{} cannot be started: {}", command.argv.front(), std::strerror(failed)));
  }
  for (const int fd : {input->writing.get(), output->reading.get(), errors->reading.get()}) stop_blocking(fd);
  return Process(pid, std::move(input->writing), std::move(output->reading), std::move(errors->reading));
}

int Process::reap() {
  // As long as the leader has not been waited for, nobody else can get the group's number.
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  ::kill(-pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return exit_code_;
}

int Process::wait() {
  close_input();
  return pid_ < 0 ? exit_code_ : reap();
}

void Process::end() {
  if (pid_ < 0) return;
  close_input();
  ::kill(-pid_, SIGTERM);
  // The pipes close when the last of the group is gone.
  const Steady::time_point deadline = Steady::now() + end_grace;
  std::string dropped;
  bool output_open = true;
  bool errors_open = true;
  while ((output_open || errors_open) && left_ms(deadline) > 0) {
    std::array<pollfd, 2> waits{pollfd{output_open ? output_.get() : -1, POLLIN, 0},
                                pollfd{errors_open ? errors_.get() : -1, POLLIN, 0}};
    if (::poll(waits.data(), waits.size(), left_ms(deadline)) == 0) break;
    if (waits[0].revents != 0) output_open = drain(output_.get(), dropped, 0);
    if (waits[1].revents != 0) errors_open = drain(errors_.get(), dropped, 0);
  }
  ::kill(-pid_, SIGKILL);
  reap();
}

Result<Finished> run(const Command& command, std::string_view input, const Limits& limits) {
  Result<Process> process = Process::start(command);
  if (!process) return process.error();
  if (input.empty()) process->close_input();
  const Steady::time_point deadline = Steady::now() + limits.timeout;
  Finished finished;
  bool output_open = true;
  bool errors_open = true;
  while (output_open || errors_open) {
    std::array<pollfd, 4> waits{
        pollfd{process->input(), POLLOUT, 0}, pollfd{output_open ? process->output() : -1, POLLIN, 0},
        pollfd{errors_open ? process->errors() : -1, POLLIN, 0}, pollfd{limits.stop_fd, POLLIN, 0}};
    if (::poll(waits.data(), waits.size(), left_ms(deadline)) <= 0 && left_ms(deadline) == 0) {
      process->end();
      return make_error(errc::timed_out,
                        fmt::format("{} did not end within {} s", command.argv.front(), limits.timeout.count() / 1000));
    }
    if (waits[3].revents != 0) {
      process->end();
      return make_error(errc::cancelled, fmt::format("{} was told to end", command.argv.front()));
    }
    if (waits[0].revents != 0 && (!feed(process->input(), input) || input.empty())) process->close_input();
    if (waits[1].revents != 0) output_open = drain(process->output(), finished.output, limits.max_output_bytes + 1);
    if (waits[2].revents != 0) errors_open = drain(process->errors(), finished.errors, max_errors_bytes);
    if (finished.output.size() > limits.max_output_bytes) {
      process->end();
      return make_error(errc::too_large,
                        fmt::format("{} printed more than {} bytes", command.argv.front(), limits.max_output_bytes));
    }
  }
  finished.exit_code = process->wait();
  return finished;
}

}  // namespace kaapi::actions::git
