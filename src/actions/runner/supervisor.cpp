#include "actions/runner/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "actions/protocol/runner_api.h"
#include "actions/runner/job_docker.h"
#include "actions/runner/process.h"
#include "actions/runner/sandbox.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

// Beyond what the platform holds a request for.
constexpr std::chrono::seconds acquire_limit = acquire_wait + std::chrono::seconds(15);
constexpr int report_attempts = 5;

http::ClientRequest post(std::string target, const std::string& token, std::string body) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = std::move(target);
  request.headers.add("authorization", "Bearer " + token);
  request.headers.add("content-type", "application/json");
  request.body = std::move(body);
  return request;
}

// What a program says of its version; empty when it cannot.
std::string version_of(const std::string& program) {
  ProcessRun what;
  what.argv = {program, "--version"};
  if (program.empty()) return {};
  std::string out;
  what.on_output = [&out](std::string_view bytes) { out += bytes; };
  what.timeout = std::chrono::seconds(10);
  StopSource never;
  const Result<ProcessEnd> end = run_process(what, never, StopLevel::none);
  return end && end->exit_code == 0 ? out : std::string();
}

std::string client_version() {
  return version_of(find_program("docker", own_search_path(), "/"));
}

// Whether job users get there.
bool is_for_everybody(const std::filesystem::path& program) {
  for (std::filesystem::path at = program; !at.empty(); at = at.parent_path()) {
    struct stat about {};
    if (::stat(at.c_str(), &about) != 0 || (about.st_mode & S_IXOTH) == 0) return false;
    if (at == at.root_path()) return true;
  }
  return false;
}

// See JobPlace::aws_client. "aws-cli/2.9.19 Python/3.11.2 ...": variables name the endpoint from 2.13 and 1.29 on.
std::string aws_client() {
  for (const std::string& folder : split(own_search_path(), ':')) {
    const std::string program = folder + "/aws";
    if (!program.starts_with('/') || !is_for_everybody(program)) continue;
    const std::string version = version_of(program);
    const std::size_t slash = version.find('/');
    if (slash == std::string::npos) return {};
    const std::vector<std::string> numbers = split(std::string_view(version).substr(slash + 1), '.');
    const auto major = numbers.size() > 1 ? parse_number(numbers[0]) : std::nullopt;
    const auto minor = numbers.size() > 1 ? parse_number(numbers[1]) : std::nullopt;
    if (!major || !minor) return {};
    const bool reads = *major > 2 || (*major == 2 && *minor >= 13) || (*major == 1 && *minor >= 29);
    return fmt::format("{}\n{}\n", reads ? "yes" : "no", program);
  }
  return {};
}

// Made with the folder, which one runner has at a time.
Result<std::string> id_of(const std::string& work_folder) {
  constexpr std::size_t digits = 16;
  const std::string path = work_folder + "/.id";
  if (const Result<std::string> kept = read_file(path, digits + 1); kept && trim(*kept).size() == digits) {
    return std::string(trim(*kept));
  }
  SecureIds ids;
  std::string id = ids.hex(digits);
  const Result<void> written = write_file_atomically(path, id + "\n", 0600);
  if (!written) return written.error();
  return id;
}

Result<void> check_shared(const std::string& folder, const std::string& work_folder) {
  const std::string plain = std::filesystem::path(folder).lexically_normal().string();
  const bool whole = plain == "/" || (work_folder + "/").starts_with(plain + "/");
  if (folder.starts_with('/') && !whole) return ok();
  return make_error(errc::invalid,
                    fmt::format("--share {}: expected the absolute path of a folder that the work folder {} is not in",
                                folder, work_folder));
}

}  // namespace

std::vector<std::string> default_labels() {
  utsname about{};
  ::uname(&about);
  const std::string_view machine = about.machine;
  const bool arm = machine == "aarch64";
  std::vector<std::string> labels = {"self-hosted", "linux", arm ? "arm64" : "x64", "ubuntu-latest"};
  for (const char* version : {"ubuntu-24.04", "ubuntu-22.04", "ubuntu-20.04"}) labels.emplace_back(version);
  if (arm) labels.insert(labels.end(), {"ubuntu-24.04-arm", "ubuntu-22.04-arm"});
  return labels;
}

bool has_buildx() {
  for (const char* folder : {"/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins",
                             "/usr/lib/docker/cli-plugins", "/usr/libexec/docker/cli-plugins"}) {
    if (::access(fmt::format("{}/docker-buildx", folder).c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string docker_buildkit() {
  if (has_buildx()) return "1";
  // "Docker version 20.10.24, build ...": up to 22 the client has BuildKit in itself.
  const std::string version = client_version();
  const std::size_t digits = version.find_first_of("0123456789");
  if (digits == std::string::npos) return {};
  const std::string_view major = std::string_view(version).substr(digits, version.find('.', digits) - digits);
  const auto number = parse_number(major);
  return number && *number >= 18 && *number < 23 ? "1" : "";
}

struct Supervisor::Answer {
  int status = 0;
  std::string body;
};

Supervisor::Supervisor(RunnerConfig config)
    : config_(std::move(config)), token_(config_.token), client_(config_.server.endpoint) {}

Supervisor::~Supervisor() {
  stop();
}

Result<void> Supervisor::start() {
  if (const Result<void> made = make_folder(config_.work_folder, 0711); !made) return made.error();
  const std::string lock = config_.work_folder + "/.lock";
  lock_file_ = FileDescriptor(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_file_) return file_error("open", lock);
  if (::flock(lock_file_.get(), LOCK_EX | LOCK_NB) != 0) {
    return make_error(errc::conflict, fmt::format("another runner works in {}: give this one its own with --work",
                                                  config_.work_folder));
  }
  Result<std::string> id = id_of(config_.work_folder);
  if (!id) return id.error();
  id_ = std::move(*id);
  warn_without_docker();
  std::vector<JobChildConfig> slots;
  for (std::size_t number = 0; number < config_.slots; ++number) {
    Result<SlotUser> user = slot_user(config_.job_user);
    if (!user) return user.error();
    JobChildConfig slot;
    slot.user = user->user;
    // Nobody else has it: what runs as it was left behind.
    if (slot.user) {
      end_processes_of(*slot.user);
      delete_files_of(*slot.user);
    }
    claims_.push_back(std::move(user->claim));
    slot.work_folder = config_.work_folder;
    slot.program = config_.program;
    slot.arguments = config_.arguments;
    slots.push_back(std::move(slot));
  }
  clean_up_after_all(config_.work_folder);
  const std::string action_folder = config_.work_folder + "/actions";
  if (const Result<void> made = make_folder(action_folder, 0755); !made) return made.error();
  actions_ = std::make_unique<ActionCache>(config_.actions_url, action_folder);
  std::signal(SIGPIPE, SIG_IGN);
  const std::string buildkit = docker_buildkit();
  for (const std::string& folder : config_.shared) {
    if (const Result<void> good = check_shared(folder, config_.work_folder); !good) return good.error();
  }
  const bool sandbox = config_.sandbox && can_sandbox();
  if (!sandbox && ::geteuid() == 0) {
    log::warn(
        "runner", "jobs see this machine's files, as far as their modes let them, and share /tmp: {}",
        config_.sandbox ? "the kernel does not let this process mount (it wants CAP_SYS_ADMIN)" : "--sandbox off");
  }
  // Files of root's with the set-user-ID bit, which containers can make, are nobody's business. In a sandbox no job
  // comes this way.
  if (sandbox && ::chmod(config_.work_folder.c_str(), 0700) != 0)
    return file_error("set the mode of", config_.work_folder);
  for (JobChildConfig& slot : slots) {
    slot.place.server_url = config_.server.url;
    slot.place.action_folder = action_folder;
    slot.place.runner_name = config_.name;
    slot.place.label_images = config_.label_images;
    slot.place.originals = config_.originals;
    slot.place.docker_buildkit = buildkit;
    slot.buildx = has_buildx();
    slot.sandbox = slot.user && slot.user->own && sandbox;
    slot.shared = config_.shared;
    slot.place.lost_after_ms = std::chrono::milliseconds(runner_lost_after).count();
    threads_.emplace_back([this, slot] { work(slot); });
  }
  // Beside the first jobs, which find out themselves.
  aws_looker_ = std::thread([this] {
    std::string found = aws_client();
    const std::lock_guard guard(mutex_);
    aws_client_ = std::move(found);
  });
  log::info("runner", "{} asks {} for jobs, {} at once, labels {}", config_.name, config_.server.url, config_.slots,
            fmt::join(config_.labels, ", "));
  return ok();
}

void Supervisor::stop() {
  stop_.raise(StopLevel::cancel, "the runner was stopped");
  {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  if (aws_looker_.joinable()) aws_looker_.join();
}

void Supervisor::work(const JobChildConfig& slot) {
  std::chrono::milliseconds wait{0};
  while (!stopping()) {
    if (leaves()) {
      look_whether_alone();
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping(); });
      return;
    }
    if (const std::optional<JobMessage> message = ask_for_job(wait)) {
      run(slot, *message);
      continue;
    }
    look_whether_alone();
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [this] { return stopping(); });
  }
}

std::optional<JobMessage> Supervisor::ask_for_job(std::chrono::milliseconds& wait) {
  {
    const std::lock_guard lock(mutex_);
    ++asking_;
  }
  std::optional<JobMessage> message = acquire(wait);
  const std::lock_guard lock(mutex_);
  --asking_;
  if (message) running_.insert(message->job_id);
  return message;
}

void Supervisor::leave() {
  const std::lock_guard lock(mutex_);
  leaving_ = true;
  changed_.notify_all();
}

bool Supervisor::leaves() {
  const std::lock_guard lock(mutex_);
  return leaving_;
}

void Supervisor::look_whether_alone() {
  {
    const std::lock_guard lock(mutex_);
    // Another slot may have a job by now, of which nothing is known yet.
    if (asking_ > 0) return;
    const bool unheard =
        config_.alone_after.count() > 0 && std::chrono::steady_clock::now() - heard_ >= config_.alone_after;
    if (!running_.empty() || !(leaving_ || unheard) || std::exchange(alone_, true)) return;
    log::info("runner", "no job runs, and {}: this runner ends",
              leaving_ ? "it was asked to leave then" : "the platform does not answer");
  }
  if (config_.on_alone) config_.on_alone();
}

// Waits for the answer, or for the runner's end.
std::optional<Supervisor::Answer> Supervisor::ask(const http::ClientRequest& request) {
  Answer answer;
  bool over = false;
  bool whole = false;
  http::Client::StreamCallbacks callbacks;
  callbacks.on_head = [&](int status, const http::Headers&) {
    const std::lock_guard lock(mutex_);
    answer.status = status;
  };
  callbacks.on_bytes = [&](std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (answer.body.size() + bytes.size() <= max_job_message_bytes) answer.body += bytes;
  };
  callbacks.on_end = [&](const Result<void>& end) {
    const std::lock_guard lock(mutex_);
    over = true;
    whole = end.has_value();
    if (!end) answer.body = end.error().message;
    changed_.notify_all();
  };
  auto stream = client_.stream(request, std::move(callbacks));
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, acquire_limit, [&] { return over || leaving_ || stopping(); });
  }
  // No callback runs any more after this.
  stream.reset();
  if (!over) return std::nullopt;
  if (!whole) answer.status = 0;
  return answer;
}

std::optional<JobMessage> Supervisor::acquire(std::chrono::milliseconds& wait) {
  Acquire what;
  what.name = config_.name;
  what.labels = config_.labels;
  what.id = id_;
  std::string token;
  {
    const std::lock_guard lock(mutex_);
    token = token_;
    what.running.assign(running_.begin(), running_.end());
  }
  const std::optional<Answer> answer =
      ask(post(fmt::format("{}acquire", runner_api_path), token, json::serialize(to_json(what))));
  std::string trouble;
  if (answer && answer->status != 0 && answer->status < 500) {
    const std::lock_guard lock(mutex_);
    heard_ = std::chrono::steady_clock::now();
  }
  if (!answer) {
    trouble = "no answer in time";
  } else if (answer->status == 204) {
    wait = std::chrono::milliseconds(0);
    const std::lock_guard lock(mutex_);
    last_trouble_.clear();
    return std::nullopt;
  } else if (answer->status == 200) {
    const Result<json::value> value = parse_json(answer->body);
    Result<JobMessage> message = value ? job_message_from(*value) : Result<JobMessage>(value.error());
    if (message) {
      wait = std::chrono::milliseconds(0);
      return std::move(*message);
    }
    trouble = "a job that cannot be read: " + message.error().message;
    if (value) refuse_job(*value, trouble);
  } else {
    http::ClientResponse said;
    said.status = answer->status;
    said.body = answer->body;
    trouble = answer->status == 0 ? answer->body : answer_text(said);
    if (answer->status == 401 && renew_token(token)) {
      wait = std::chrono::milliseconds(0);
      return std::nullopt;
    }
    if (answer->status == 401) trouble += "; is the token file the one that the platform wrote?";
  }
  wait = std::clamp(wait * 2, acquire_retry_min, acquire_retry_max);
  const std::lock_guard lock(mutex_);
  if (!stopping() && std::exchange(last_trouble_, trouble) != trouble) {
    log::warn("runner", "no jobs from {}: {}; trying again", config_.server.url, trouble);
  }
  return std::nullopt;
}

bool Supervisor::renew_token(const std::string& refused) {
  if (!config_.renewed_token) return false;
  std::string newer = config_.renewed_token();
  const std::lock_guard lock(mutex_);
  if (newer.empty() || newer == refused) return token_ != refused;
  log::info("runner", "the runner token was refused, and there is a newer one now");
  token_ = std::move(newer);
  return true;
}

void Supervisor::run(const JobChildConfig& slot, const JobMessage& message) {
  log::info("runner", "job {} begins: {} of {}", message.job_id, message.name, message.repository);
  JobChildConfig own = slot;
  {
    const std::lock_guard lock(mutex_);
    own.place.aws_client = aws_client_;
  }
  const JobChildEnd end = run_job_child(own, message, *actions_, stop_);
  if (!end.delivered) {
    log::error("runner", "job {}: {}", message.job_id, end.reason);
    report_broken(message, end.reason);
  }
  log::info("runner", "job {} is over", message.job_id);
  const std::lock_guard lock(mutex_);
  running_.erase(message.job_id);
  heard_ = std::chrono::steady_clock::now();
}

// As far as it can be read: otherwise the platform offers it again until it gives up.
void Supervisor::refuse_job(const json::value& message, const std::string& reason) {
  JobMessage known;
  known.job_id = int_member(message, "job_id");
  known.token = string_member(message, "token");
  if (known.job_id != 0 && !known.token.empty()) report_broken(known, "the runner got " + reason);
}

// The job's process could not say itself how it ended.
void Supervisor::report_broken(const JobMessage& message, const std::string& reason) {
  Completion completion;
  completion.conclusion = stopping() ? "cancelled" : "failure";
  completion.reason = reason;
  const http::ClientRequest request = post(fmt::format("{}jobs/{}/complete", runner_api_path, message.job_id),
                                           message.token, json::serialize(to_json(completion)));
  std::chrono::milliseconds wait = acquire_retry_min;
  for (int attempt = 0; attempt < report_attempts; ++attempt) {
    const Result<http::ClientResponse> answer = client_.send(request, std::chrono::seconds(10));
    if (answer && answer->status < 500) return;
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, wait, [this] { return stopping(); });
    wait *= 2;
  }
  log::warn("runner", "the platform could not be told how job {} ended", message.job_id);
}

}  // namespace kaapi::actions::runner
