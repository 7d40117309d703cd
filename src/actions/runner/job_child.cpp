#include "actions/runner/job_child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
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

#include "actions/runner/action_line.h"
#include "actions/runner/job_docker.h"
#include "actions/runner/job_process.h"
#include "actions/runner/sandbox.h"
#include "base/file_descriptor.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

// What a job's process may know of the runner's environment. It is a list of names because anything else could be a
// secret of the platform.
constexpr std::array<const char*, 13> kept_variables = {
    "PATH",        "LANG",     "LC_ALL",        "TZ",           "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY",
    "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "DOCKER_HOST"};

Error failure(std::string_view what) {
  return make_error(errc::unavailable, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

// The job's message as a file without a name: the child reads it when it likes, and it is in no folder.
Result<FileDescriptor> message_file(const JobMessage& message, const JobPlace& place) {
  FileDescriptor file(::memfd_create("job", MFD_CLOEXEC));
  if (!file) return failure("keep the job's message");
  const std::string text = json::serialize(json::object{{"message", to_json(message)}, {"place", to_json(place)}});
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(file.get(), left.data(), left.size());
    if (written <= 0) return failure("keep the job's message");
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

Result<void> make_job_folder(const std::string& folder, const JobChildConfig& config) {
  unmount(folder);
  delete_folder(folder);
  if (::mkdir(folder.c_str(), 0700) != 0) return file_error("make the job's folder", folder);
  const std::optional<JobUser>& user = config.user;
  if (user && ::chown(folder.c_str(), user->uid, user->gid) != 0) return file_error("give away", folder);
  return config.sandbox ? mount_harmless(folder) : ok();
}

// Everything that the child needs is made before the fork: in between only what is safe in a program with threads.
class Child {
 public:
  // `docker_host`: instead of the runner's own, where it is not empty.
  Child(const JobChildConfig& config, std::string folder, const std::optional<Sandbox>& sandbox,
        std::string docker_host, ActionCache& actions, StopSource& stop)
      : config_(config),
        folder_(std::move(folder)),
        sandbox_(sandbox),
        docker_host_(std::move(docker_host)),
        actions_(actions),
        stop_(stop) {}

  Result<void> start(const JobMessage& message) {
    JobPlace place = config_.place;
    place.folder = folder_;
    Result<FileDescriptor> input = message_file(message, place);
    if (!input) return input.error();
    std::array<int, 2> line{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line.data()) != 0) return failure("make a socket");
    desk_.emplace(FileDescriptor(line[0]), actions_);
    const FileDescriptor theirs(line[1]);
    const FileDescriptor program(::open(config_.program.c_str(), O_PATH | O_CLOEXEC));
    if (!program) return file_error("open", config_.program);
    std::vector<char*> argv;
    for (const std::string& word : config_.arguments) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    std::vector<std::string> variables;
    for (const char* name : kept_variables) {
      if (std::string_view(name) == "DOCKER_HOST" && !docker_host_.empty()) continue;
      if (const char* value = std::getenv(name)) variables.push_back(fmt::format("{}={}", name, value));
    }
    if (!docker_host_.empty()) variables.push_back(fmt::format("DOCKER_HOST={}", docker_host_));
    // By which it is found if the runner must clean up after it.
    variables.push_back(fmt::format("RUNNER_TEMP={}/work/_temp", folder_));
    std::vector<char*> env;
    env.reserve(variables.size() + 1);
    for (const std::string& variable : variables) env.push_back(const_cast<char*>(variable.c_str()));
    env.push_back(nullptr);
    // Not fork(): the child is the first process of its own, in a sandbox. Until it runs its program, nothing is done
    // that fork() would make safe.
    const int flags = sandbox_ ? Sandbox::clone_flags() : 0;
    pid_ = static_cast<pid_t>(::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0));
    if (pid_ < 0) return failure("start a process");
    if (pid_ == 0) run_child(input->get(), theirs.get(), program.get(), argv.data(), env.data());
    exit_event_ = FileDescriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    return ok();
  }

  // The status of waitpid().
  int wait(std::chrono::seconds limit) {
    give_up_at_ = Clock::now() + limit;
    while (true) {
      std::array<pollfd, 3> waited = {
          pollfd{exit_event_.get(), POLLIN, 0}, pollfd{desk_->descriptor(), POLLIN, 0},
          pollfd{stopping_ == StopLevel::kill ? -1 : stop_.descriptor(stopping_), POLLIN, 0}};
      ::poll(waited.data(), waited.size(), wait_ms());
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) return status;
      if (waited[1].revents != 0) desk_->read();
      push();
    }
  }

 private:
  [[noreturn]] void run_child(int input, int line, int program, char* const* argv, char* const* env) const {
    ::setsid();
    // The first process of a sandbox does not hear what it has no handler for: it waits until there is one.
    sigset_t later;
    ::sigemptyset(&later);
    ::sigaddset(&later, SIGTERM);
    ::sigaddset(&later, SIGHUP);
    ::sigaddset(&later, SIGINT);
    ::sigprocmask(SIG_SETMASK, &later, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    // Out of the way of 0 to 3, then into place; the copies are not closed by exec.
    const int high_input = ::fcntl(input, F_DUPFD_CLOEXEC, 10);
    const int high_line = ::fcntl(line, F_DUPFD_CLOEXEC, 10);
    const int high_program = ::fcntl(program, F_DUPFD_CLOEXEC, 10);
    ::dup2(high_input, STDIN_FILENO);
    ::dup2(high_line, action_socket);
    // System V memory and message queues of its own. In a container the kernel may refuse; then jobs share them.
    if (config_.user && !sandbox_) ::unshare(CLONE_NEWIPC);
    if (sandbox_ && !sandbox_->enter()) ::_exit(job_broken);
    if (::chdir(folder_.c_str()) != 0 || (config_.user && !become(*config_.user))) ::_exit(job_broken);
    ::umask(022);
    ::syscall(SYS_execveat, high_program, "", argv, env, AT_EMPTY_PATH);
    ::_exit(job_broken);
  }

  int wait_ms() const {
    const Clock::time_point until = push_at_ ? std::min(*push_at_, give_up_at_) : give_up_at_;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
  }

  // From "please" to "now".
  void push() {
    const auto now = Clock::now();
    if (stopping_ == StopLevel::none && stop_.level() != StopLevel::none) {
      stopping_ = StopLevel::cancel;
      ::kill(pid_, SIGTERM);
      push_at_ = now + shutdown_grace;
      return;
    }
    const bool hard = stop_.level() == StopLevel::kill && stopping_ != StopLevel::kill;
    if (!hard && (!push_at_ || now < *push_at_) && now < give_up_at_) return;
    if (stopping_ != StopLevel::kill && now < give_up_at_) {
      // A second one: it ends its steps at once and still tells the platform.
      stopping_ = StopLevel::kill;
      ::kill(pid_, SIGTERM);
      push_at_ = now + kill_grace;
      return;
    }
    ::kill(pid_, SIGKILL);
    push_at_.reset();
    give_up_at_ = now + kill_grace;
  }

  const JobChildConfig& config_;
  const std::string folder_;
  const std::optional<Sandbox>& sandbox_;
  const std::string docker_host_;
  ActionCache& actions_;
  StopSource& stop_;
  pid_t pid_ = -1;
  FileDescriptor exit_event_{-1};
  std::optional<ActionDesk> desk_;
  StopLevel stopping_ = StopLevel::none;
  std::optional<Clock::time_point> push_at_;
  Clock::time_point give_up_at_{};
};

std::string plain_path(const std::string& path) {
  return fs::absolute(path).lexically_normal().string();
}

// nullopt: the job has none. `socket`: of Docker, empty for none.
Result<std::optional<Sandbox>> sandbox_of(const JobChildConfig& config, const std::string& folder,
                                          const std::string& socket) {
  if (!config.sandbox) return std::optional<Sandbox>();
  SandboxConfig wanted;
  wanted.work_folder = plain_path(config.work_folder);
  wanted.job_folder = plain_path(folder);
  wanted.docker_socket = socket;
  wanted.shared = config.shared;
  if (!config.place.action_folder.empty()) wanted.shared.push_back(plain_path(config.place.action_folder));
  Result<Sandbox> made = Sandbox::prepare(wanted);
  if (!made) return made.error();
  return std::optional(std::move(*made));
}

// `config`: nullptr for what an earlier runner has left. `docker`: nullptr where all that is left there has been
// removed.
void clean_up(const std::string& folder, const JobChildConfig* config, bool orderly, JobDocker* docker) {
  if (config != nullptr && config->user) {
    // Of a sandbox the kernel has ended all with the first one.
    if (!config->sandbox) end_processes_of(*config->user);
    delete_files_of(*config->user);
  }
  if (!orderly) end_processes_in(folder);
  if (docker != nullptr) docker->close();
  unmount(folder);
  delete_folder(folder);
}

JobChildEnd judge(int status) {
  JobChildEnd end;
  if (WIFEXITED(status)) {
    const int code = WEXITSTATUS(status);
    end.delivered = code == job_delivered || code == job_lost;
    end.reason = fmt::format("the job's process ended with exit code {}; the runner's own log says why", code);
  } else {
    end.reason = fmt::format("the job's process was ended by signal {} ({})", WTERMSIG(status),
                             WTERMSIG(status) == SIGKILL ? "killed, perhaps for want of memory" : "it crashed");
  }
  return end;
}

}  // namespace

JobChildEnd run_job_child(const JobChildConfig& config, const JobMessage& message, ActionCache& actions,
                          StopSource& stop) {
  const std::string id = fmt::format("{}", message.job_id);
  const std::string folder = fmt::format("{}/job-{}", config.work_folder, id);
  const auto cannot = [&](const std::string& why, JobDocker* docker) {
    clean_up(folder, &config, true, docker);
    return JobChildEnd{false, why};
  };
  if (const Result<void> made = make_job_folder(folder, config); !made) return cannot(made.error().message, nullptr);
  Result<JobDocker> docker = JobDocker::open(config, folder, id);
  if (!docker) return cannot(docker.error().message, nullptr);
  const std::string socket = docker->socket();
  const auto sandbox = sandbox_of(config, folder, socket);
  if (!sandbox) return cannot("no sandbox for the job: " + sandbox.error().message, &*docker);
  Child child(config, folder, *sandbox, socket.empty() ? "" : "unix://" + socket, actions, stop);
  JobChildEnd end;
  if (const Result<void> started = child.start(message); !started) {
    end.reason = started.error().message;
  } else {
    const auto limit = std::chrono::seconds(message.timeout_s) + cancel_grace + std::chrono::minutes(1);
    end = judge(child.wait(limit));
  }
  clean_up(folder, &config, end.delivered, &*docker);
  return end;
}

void clean_up_after_all(const std::string& work_folder) {
  clean_up_docker(work_folder);
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(work_folder, failed)) {
    const bool folder = entry.symlink_status(failed).type() == fs::file_type::directory;
    if (!folder || !entry.path().filename().string().starts_with("job-")) continue;
    clean_up(entry.path().string(), nullptr, false, nullptr);
  }
}

}  // namespace kaapi::actions::runner
