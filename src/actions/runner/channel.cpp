#include "actions/runner/channel.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/log.h"

namespace kaapi::actions::runner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t max_command_bytes = 64UL * 1024;

bool write_all(int descriptor, std::string_view bytes, std::int64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(descriptor, bytes.data(), bytes.size(), at);
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += written;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Channel>> Channel::open(ChannelConfig config, StopSource& stop) {
  FileDescriptor spool(::open(config.spool_path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!spool) return file_error("make the log's file", config.spool_path);
  return std::unique_ptr<Channel>(new Channel(std::move(config), stop, std::move(spool)));
}

Channel::Channel(ChannelConfig config, StopSource& stop, FileDescriptor spool)
    : config_(std::move(config)),
      stop_(stop),
      spool_(std::move(spool)),
      client_(config_.server.endpoint),
      commands_client_(config_.server.endpoint),
      patience_(config_.lost_after) {
  thread_ = std::thread([this] { work(); });
}

Channel::~Channel() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Channel::append(std::string_view lines) {
  const std::lock_guard lock(mutex_);
  if (full_ || lines.empty()) return;
  std::string last;
  if (size_ + static_cast<std::int64_t>(lines.size()) > max_job_log_bytes) {
    full_ = true;
    last = fmt::format("[the log ends here: it has more than {} MiB]\n", max_job_log_bytes >> 20);
    lines = last;
  }
  if (!write_all(spool_.get(), lines, size_)) {
    full_ = true;
    log::error("runner", "the log of job {} cannot be kept: {}", config_.job_id,
               file_error("write", config_.spool_path).message);
    return;
  }
  size_ += static_cast<std::int64_t>(lines.size());
  if (!send_planned_) {
    send_planned_ = true;
    send_at_ = Clock::now() + report_interval;
    changed_.notify_all();
  } else if (size_ - sent_ >= static_cast<std::int64_t>(report_now_bytes)) {
    send_at_ = Clock::now();
    changed_.notify_all();
  }
}

std::int64_t Channel::size() const {
  const std::lock_guard lock(mutex_);
  return size_;
}

void Channel::step(StepUpdate update) {
  const std::lock_guard lock(mutex_);
  const std::int64_t number = update.number;
  steps_.insert_or_assign(number, std::move(update));
  if (send_planned_) return;
  send_planned_ = true;
  send_at_ = Clock::now() + report_interval;
  changed_.notify_all();
}

Result<void> Channel::finish(const Completion& completion) {
  std::unique_lock lock(mutex_);
  completion_ = json::serialize(to_json(completion));
  send_planned_ = true;
  send_at_ = Clock::now();
  changed_.notify_all();
  finished_.wait(lock, [this] { return completed_ || !lost_.empty(); });
  if (!lost_.empty()) return make_error(errc::unavailable, lost_);
  return ok();
}

std::string Channel::path(std::string_view what) const {
  return fmt::format("{}jobs/{}/{}", runner_api_path, config_.job_id, what);
}

bool Channel::anything_left() const {
  return sent_ < size_ || !steps_.empty() || (completion_ && !completed_);
}

void Channel::work() {
  std::unique_lock lock(mutex_);
  while (!ending_ && lost_.empty() && !completed_) {
    listen(lock);
    const auto now = Clock::now();
    if (send_planned_ && now >= send_at_ && (!retry_at_ || now >= *retry_at_)) {
      send_planned_ = false;
      if (!send_all(lock) || anything_left()) {
        send_planned_ = true;
        send_at_ = Clock::now();
      }
      continue;
    }
    std::optional<Clock::time_point> until;
    if (send_planned_) until = retry_at_ ? std::max(send_at_, *retry_at_) : send_at_;
    if (listening_ == Listening::no && (!until || listen_at_ < *until)) until = listen_at_;
    if (until) {
      changed_.wait_until(lock, *until);
    } else {
      changed_.wait(lock);
    }
  }
  // Destroyed without the lock: its callbacks take it.
  const std::unique_ptr<http::Client::Stream> held = std::move(commands_);
  lock.unlock();
}

bool Channel::send_all(std::unique_lock<std::mutex>& lock) {
  // Where a step begins is told before what it says, so that whoever follows shows them in that order.
  return send_steps(lock) && send_log(lock) && send_completion(lock);
}

bool Channel::send_log(std::unique_lock<std::mutex>& lock) {
  while (sent_ < size_ && lost_.empty()) {
    const auto length = static_cast<std::size_t>(std::min<std::int64_t>(size_ - sent_, max_log_chunk_bytes));
    std::string bytes(length, '\0');
    const ssize_t got = ::pread(spool_.get(), bytes.data(), length, sent_);
    if (got <= 0) {
      lose(file_error("read the log back from", config_.spool_path).message);
      return false;
    }
    bytes.resize(static_cast<std::size_t>(got));
    const auto answer = post(lock, fmt::format("log?offset={}", sent_), std::move(bytes), "text/plain; charset=utf-8");
    if (!answer) return false;
    if (answer->status == 409) {
      const Result<json::value> body = parse_json(answer->body);
      const std::int64_t there = body ? int_member(*body, "size", -1) : -1;
      if (there < 0 || there >= sent_) {
        lose(fmt::format("the platform refuses the log: {}", answer_text(*answer)));
        return false;
      }
      sent_ = there;
    } else {
      sent_ += got;
    }
  }
  return true;
}

bool Channel::send_steps(std::unique_lock<std::mutex>& lock) {
  if (steps_.empty()) return true;
  std::map<std::int64_t, StepUpdate> sending = std::exchange(steps_, {});
  json::array list;
  for (const auto& [number, update] : sending) list.push_back(to_json(update));
  if (post(lock, "steps", json::serialize(json::object{{"steps", std::move(list)}}), "application/json")) return true;
  // What has been said since is newer.
  steps_.merge(sending);
  return false;
}

bool Channel::send_completion(std::unique_lock<std::mutex>& lock) {
  if (!completion_ || completed_ || sent_ < size_ || !steps_.empty()) return true;
  if (!post(lock, "complete", *completion_, "application/json")) return false;
  completed_ = true;
  finished_.notify_all();
  return true;
}

std::optional<http::ClientResponse> Channel::post(std::unique_lock<std::mutex>& lock, std::string_view what,
                                                  std::string body, std::string_view type) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = path(what);
  request.headers.add("authorization", "Bearer " + config_.token);
  request.headers.add("content-type", std::string(type));
  request.body = std::move(body);
  lock.unlock();
  Result<http::ClientResponse> answer = client_.send(request, request_timeout);
  lock.lock();
  if (!judge(answer)) return std::nullopt;
  return std::move(*answer);
}

bool Channel::judge(const Result<http::ClientResponse>& answer) {
  const int status = answer ? answer->status : 0;
  if ((status >= 200 && status < 300) || status == 409) {
    patience_.answered();
    retry_at_.reset();
    return true;
  }
  const std::string failure = answer ? answer_text(*answer) : answer.error().message;
  if (status >= 400 && status < 500 && status != 408 && status != 429) {
    lose(fmt::format("the platform does not take this job's reports: {}", failure));
    return false;
  }
  const auto now = Clock::now();
  if (const auto pause = patience_.not_answered(now)) {
    retry_at_ = now + *pause;
  } else {
    lose(fmt::format("the platform has not answered for {} s: {}", config_.lost_after.count() / 1000, failure));
  }
  return false;
}

void Channel::lose(std::string reason) {
  if (!lost_.empty()) return;
  log::warn("runner", "job {} is given up: {}", config_.job_id, reason);
  lost_ = std::move(reason);
  stop_.raise(StopLevel::kill, lost_);
  finished_.notify_all();
}

void Channel::listen(std::unique_lock<std::mutex>& lock) {
  if (listening_ == Listening::answered) {
    listening_ = Listening::no;
    std::unique_ptr<http::Client::Stream> over = std::move(commands_);
    lock.unlock();
    over.reset();  // without the lock: its callbacks take it
    lock.lock();
    const Result<json::value> body = parse_json(command_body_);
    if (command_status_ == 200 && body && bool_member(*body, "cancel")) {
      stop_.raise(StopLevel::cancel, string_member(*body, "reason", "cancelled"));
      // Nothing else can be asked of a job.
      listening_ = Listening::held;
    }
  }
  if (listening_ != Listening::no || Clock::now() < listen_at_) return;
  listening_ = Listening::held;
  command_status_ = 0;
  command_body_.clear();
  http::ClientRequest request;
  request.target = path("commands");
  request.headers.add("authorization", "Bearer " + config_.token);
  http::Client::StreamCallbacks callbacks;
  callbacks.on_head = [this](int status, const http::Headers&) {
    const std::lock_guard inner(mutex_);
    command_status_ = status;
  };
  callbacks.on_bytes = [this](std::string_view bytes) {
    const std::lock_guard inner(mutex_);
    if (command_body_.size() + bytes.size() <= max_command_bytes) command_body_ += bytes;
  };
  callbacks.on_end = [this](const Result<void>& end) { heard(end); };
  lock.unlock();
  auto stream = commands_client_.stream(request, std::move(callbacks));
  lock.lock();
  commands_ = std::move(stream);
}

void Channel::heard(const Result<void>& end) {
  const std::lock_guard lock(mutex_);
  http::ClientResponse answer;
  answer.status = command_status_;
  answer.body = command_body_;
  const bool fine = judge(end ? Result<http::ClientResponse>(answer) : Result<http::ClientResponse>(end.error()));
  listen_at_ = fine ? Clock::now() : retry_at_.value_or(Clock::now() + retry_max);
  listening_ = Listening::answered;
  changed_.notify_all();
}

}  // namespace kaapi::actions::runner
