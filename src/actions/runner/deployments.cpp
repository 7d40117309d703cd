#include "actions/runner/deployments.h"

#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <mutex>

#include "actions/protocol/fields.h"
#include "actions/protocol/runner_api.h"
#include "actions/runner/endpoint.h"
#include "actions/runner/patience.h"
#include "http/client.h"

namespace kaapi::actions::runner {
namespace {

constexpr std::size_t max_news_bytes = 1024UL * 1024;

// One held request, which the end of the job cuts short.
class HeldRequest {
 public:
  HeldRequest(const JobState& job, http::ClientRequest request, const ServerAddress& server)
      : job_(job), client_(server.endpoint), ended_(::eventfd(0, EFD_CLOEXEC)) {
    http::Client::StreamCallbacks callbacks;
    callbacks.on_head = [this](int status, const http::Headers&) {
      const std::lock_guard lock(mutex_);
      status_ = status;
    };
    callbacks.on_bytes = [this](std::string_view bytes) {
      const std::lock_guard lock(mutex_);
      if (body_.size() + bytes.size() <= max_news_bytes) body_ += bytes;
    };
    callbacks.on_end = [this](const Result<void>& end) {
      const std::lock_guard lock(mutex_);
      if (!end) failure_ = end.error().message;
      ::eventfd_write(ended_.get(), 1);
    };
    stream_ = client_.stream(request, std::move(callbacks));
  }

  Result<std::string> wait() {
    if (!job_.stop.wait(StopLevel::none, std::nullopt, ended_.get())) {
      return make_error(errc::cancelled, job_.stop.reason());
    }
    const std::lock_guard lock(mutex_);
    if (!failure_.empty()) return make_error(errc::unavailable, failure_);
    if (status_ != 200) return make_error(errc::unavailable, fmt::format("the platform answered {}", status_), status_);
    return std::move(body_);
  }

 private:
  const JobState& job_;
  http::Client client_;
  FileDescriptor ended_;
  std::mutex mutex_;  // of what follows: the stream's thread writes it
  int status_ = 0;
  std::string body_, failure_;
  std::unique_ptr<http::Client::Stream> stream_;
};

Result<DeploymentNews> news_from(const std::string& text) {
  const Result<json::value> value = parse_json(text);
  if (!value) return value.error();
  DeploymentNews news;
  Fields fields(*value, "news of deployments");
  fields.read("lines", news.lines);
  fields.read("over", news.over);
  fields.read("failure", news.failure);
  fields.read("known", news.known);
  if (const Result<void> done = fields.done(); !done) return done.error();
  return news;
}

}  // namespace

Result<DeploymentNews> deployment_news(const JobState& job, const std::string& known) {
  const Result<ServerAddress> server = parse_server_address(job.place.server_url);
  if (!server) return server.error();
  http::ClientRequest request;
  request.target = fmt::format("{}jobs/{}/deployments?known={}", runner_api_path, job.message.job_id, known);
  request.headers.add("Authorization", "Bearer " + job.message.token);
  const Result<std::string> body = HeldRequest(job, std::move(request), *server).wait();
  if (!body) return body.error();
  return news_from(*body);
}

StepEnd follow_deployments(JobState& job, DeploymentNews news) {
  std::vector<std::string> told;
  while (true) {
    for (const std::string& line : news.lines) {
      if (std::find(told.begin(), told.end(), line) == told.end()) job.log.line(line);
    }
    told = news.lines;
    if (!news.failure.empty()) {
      job.log.error(news.failure);
      return {Outcome::failure, news.failure};
    }
    if (news.over) return {};
    Result<DeploymentNews> next = deployment_news(job, news.known);
    if (next) {
      news = std::move(*next);
    } else if (!job.stop.wait(StopLevel::none, std::chrono::steady_clock::now() + retry_max)) {
      return {Outcome::cancelled, job.stop.reason()};
    }
  }
}

}  // namespace kaapi::actions::runner
