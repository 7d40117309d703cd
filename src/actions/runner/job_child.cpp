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

#include "actions/docker/gate.h"
#include "actions/runner/containers.h"
#include "actions/runner/job_process.h"
#include "actions/runner/process.h"
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

Result<void> make_job_folder(const std::string& folder, const std::optional<JobUser>& user) {
  delete_folder(folder);
  if (::mkdir(folder.c_str(), 0700) != 0) return file_error("make the job's folder", folder);
  if (user && ::chown(folder.c_str(), user->uid, user->gid) != 0) return file_error("give away", folder);
  return ok();
}

// Everything that the child needs is made before the fork: in between only what is safe in a program with threads.
class Child {
 public:
  // `docker_host`: instead of the runner's own, where it is not empty.
  Child(const JobChildConfig& config, std::string folder, std::string docker_host, ActionCache& actions,
        StopSource& stop)
      : config_(config),
        folder_(std::move(folder)),
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
    line_ = FileDescriptor(line[0]);
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
    for (const std::string& variable : variables) env.push_back(const_cast<char*>(variable.c_str()));
    env.push_back(nullptr);
    pid_ = ::fork();
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
          pollfd{exit_event_.get(), POLLIN, 0}, pollfd{line_.get(), POLLIN, 0},
          pollfd{stopping_ == StopLevel::kill ? -1 : stop_.descriptor(stopping_), POLLIN, 0}};
      ::poll(waited.data(), waited.size(), wait_ms());
      int status = 0;
      if (::waitpid(pid_, &status, WNOHANG) == pid_) return status;
      if (waited[1].revents != 0) answer();
      push();
    }
  }

 private:
  [[noreturn]] void run_child(int input, int line, int program, char* const* argv, char* const* env) const {
    ::setsid();
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    std::signal(SIGPIPE, SIG_DFL);
    // Out of the way of 0 to 3, then into place; the copies are not closed by exec.
    const int high_input = ::fcntl(input, F_DUPFD_CLOEXEC, 10);
    const int high_line = ::fcntl(line, F_DUPFD_CLOEXEC, 10);
    const int high_program = ::fcntl(program, F_DUPFD_CLOEXEC, 10);
    ::dup2(high_input, STDIN_FILENO);
    ::dup2(high_line, action_socket);
    // System V memory and message queues of its own. In a container the kernel may refuse; then jobs share them.
    if (config_.user) ::unshare(CLONE_NEWIPC);
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

  // A request for an action. Whatever it says, the answer is one line.
  void answer() {
    std::array<char, 4096> buffer{};
    const ssize_t got = ::recv(line_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got <= 0 || asked_.size() > buffer.size()) {
      if (got == 0 || asked_.size() > buffer.size()) line_ = FileDescriptor(-1);
      return;
    }
    asked_ += std::string_view(buffer.data(), std::min(static_cast<std::size_t>(got), buffer.size()));
    const std::size_t end = asked_.find('\n');
    if (end == std::string::npos) return;
    const Result<ActionRequest> request = action_request_from(std::string_view(asked_).substr(0, end));
    asked_.erase(0, end + 1);
    Result<FetchedAction> fetched =
        request ? actions_.fetch(request->owner, request->name, request->ref) : Result<FetchedAction>(request.error());
    const std::string line = action_answer(fetched) + "\n";
    ::send(line_.get(), line.data(), line.size(), MSG_NOSIGNAL);
  }

  const JobChildConfig& config_;
  const std::string folder_;
  const std::string docker_host_;
  ActionCache& actions_;
  StopSource& stop_;
  pid_t pid_ = -1;
  FileDescriptor exit_event_{-1}, line_{-1};
  std::string asked_;
  StopLevel stopping_ = StopLevel::none;
  std::optional<Clock::time_point> push_at_;
  Clock::time_point give_up_at_{};
};

// Containers, networks and volumes with the job's label.
void remove_containers(const std::string& folder, const std::string& label) {
  const char* path = std::getenv("PATH");
  const std::string docker = find_program("docker", path == nullptr ? "/usr/bin:/bin" : path, "/");
  if (docker.empty()) return;
  StopSource never;
  const auto run = [&](const std::vector<std::string>& arguments) {
    ProcessRun what;
    what.argv.push_back(docker);
    what.argv.insert(what.argv.end(), arguments.begin(), arguments.end());
    what.env = {fmt::format("PATH={}", path == nullptr ? "/usr/bin:/bin" : path), "HOME=" + folder};
    std::string out;
    what.on_output = [&out](std::string_view bytes) { out += bytes; };
    what.on_error = [](std::string_view) {};
    what.timeout = std::chrono::minutes(1);
    const Result<ProcessEnd> end = run_process(what, never, StopLevel::none);
    std::vector<std::string> ids;
    for (const std::string& id : split(out, '\n')) {
      if (end && end->exit_code == 0 && !id.empty()) ids.push_back(id);
    }
    return ids;
  };
  const auto remove = [&run](std::vector<std::string> command, const std::vector<std::string>& ids) {
    if (ids.empty()) return;
    command.insert(command.end(), ids.begin(), ids.end());
    run(command);
  };
  remove({"rm", "--force", "--volumes"}, run({"ps", "-aq", "--filter", "label=" + label}));
  remove({"network", "rm"}, run({"network", "ls", "-q", "--filter", "label=" + label}));
  remove({"volume", "rm"}, run({"volume", "ls", "-q", "--filter", "label=" + label}));
}

// What a job's containers are known by. With a uid of its own that is part of it: two platforms on this machine may
// have jobs of the same number.
docker::Owner owner_of(std::string_view job_id, const std::optional<JobUser>& user) {
  const bool own = user && user->own;
  return {std::string(container_label), own ? fmt::format("{}.{}", job_id, user->uid) : std::string(job_id)};
}

// The job's socket, where its user is its own and the engine is on this machine; nullptr: it uses the engine's own, if
// its user may.
Result<std::unique_ptr<docker::Gate>> docker_of(const JobChildConfig& config, const std::string& folder,
                                                std::string_view job_id) {
  if (!config.user || !config.user->own) return std::unique_ptr<docker::Gate>();
  docker::GateConfig gate;
  if (const char* host = std::getenv("DOCKER_HOST"); host != nullptr && *host != '\0') {
    const std::string_view address = host;
    if (!address.starts_with("unix://")) return std::unique_ptr<docker::Gate>();
    gate.engine_socket = address.substr(7);
  }
  const std::string sockets(docker::socket_folder);
  if (const Result<void> made = make_folder(sockets, 0711); !made) return made.error();
  gate.socket = fmt::format("{}/{}.sock", sockets, config.user->uid);
  gate.pins = fmt::format("{}/{}.folders", sockets, config.user->uid);
  gate.uid = config.user->uid;
  gate.gid = config.user->gid;
  gate.owner = owner_of(job_id, config.user);
  gate.job_folder = fs::absolute(folder).lexically_normal().string();
  if (!config.place.action_folder.empty()) {
    gate.shared_folder = fs::absolute(config.place.action_folder).lexically_normal().string();
  }
  gate.buildx = config.buildx;
  return docker::Gate::open(std::move(gate));
}

void clean_up(const std::string& folder, std::string_view job_id, const std::optional<JobUser>& user, bool orderly,
              bool has_containers) {
  if (user) {
    end_processes_of(*user);
    delete_files_of(*user);
  }
  if (!orderly) end_processes_in(folder);
  if (has_containers || ::access((folder + "/containers").c_str(), F_OK) == 0) {
    const docker::Owner owner = owner_of(job_id, user);
    remove_containers(folder, fmt::format("{}={}", owner.label, owner.value));
  }
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
  if (const Result<void> made = make_job_folder(folder, config.user); !made) return {false, made.error().message};
  Result<std::unique_ptr<docker::Gate>> gate = docker_of(config, folder, id);
  if (!gate) return {false, "no Docker socket for the job: " + gate.error().message};
  const std::string socket = *gate ? fmt::format("unix://{}/{}.sock", docker::socket_folder, config.user->uid) : "";
  Child child(config, folder, socket, actions, stop);
  JobChildEnd end;
  if (const Result<void> started = child.start(message); !started) {
    end.reason = started.error().message;
  } else {
    const auto limit = std::chrono::seconds(message.timeout_s) + cancel_grace + std::chrono::minutes(1);
    end = judge(child.wait(limit));
  }
  const bool has_containers = *gate && (*gate)->made_any();
  // Before its containers go, so that none of them makes another.
  gate->reset();
  clean_up(folder, id, config.user, end.delivered, has_containers);
  return end;
}

void clean_up_after_all(const std::string& work_folder) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(work_folder, failed)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("job-")) continue;
    struct stat about {};
    const bool known = ::lstat(entry.path().c_str(), &about) == 0;
    const std::string id = name.substr(4);
    if (known && about.st_uid >= first_job_uid && about.st_uid < first_job_uid + max_job_uids) {
      // Of its containers only: the uid may be another runner's by now.
      JobUser was;
      was.uid = about.st_uid;
      was.own = true;
      const docker::Owner owner = owner_of(id, was);
      remove_containers(entry.path().string(), fmt::format("{}={}", owner.label, owner.value));
    }
    clean_up(entry.path().string(), id, std::nullopt, false, false);
  }
}

}  // namespace kaapi::actions::runner
