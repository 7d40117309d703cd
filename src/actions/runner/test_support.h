#pragma once
// For tests: a job run in this process with what it reported, and a platform that only knows runners.

#include <fmt/format.h>
#include <sys/stat.h>

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "actions/runner/action_cache.h"
#include "actions/runner/job_runner.h"
#include "base/test_directory.h"
#include "base/text.h"
#include "http/server.h"

namespace kaapi::actions::runner {

inline void write_text(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path) << text;
}

// Log lines without their times.
inline std::string without_times(std::string_view log) {
  std::string out;
  for (const std::string& line : split(log, '\n')) {
    if (line.empty()) continue;
    out += line.substr(std::min<std::size_t>(line.find(' ') + 1, line.size())) + "\n";
  }
  return out;
}

class KeptReports final : public JobReports, public LogSink {
 public:
  LogSink& log() override { return *this; }
  void step(StepUpdate update) override { steps[update.number] = std::move(update); }
  void append(std::string_view lines) override {
    text += lines;
    if (on_lines) on_lines(lines);
  }
  std::int64_t size() const override { return static_cast<std::int64_t>(text.size()); }

  std::string text;
  std::map<std::int64_t, StepUpdate> steps;
  std::function<void(std::string_view)> on_lines;
};

class NoActions final : public ActionSource {
 public:
  Result<FetchedAction> fetch(std::string_view, std::string_view, std::string_view) override {
    return make_error(errc::not_found, "no actions here");
  }
};

inline JobMessage message_of(std::string_view workflow) {
  JobMessage message;
  message.run_id = 7;
  message.job_id = 11;
  message.token = "job-token-0123456789";
  message.git_token = "git-token-0123456789";
  message.id_request_token = "id-request-0123456789";
  message.name = "build";
  message.repository = "kaapi/demo";
  message.workflow_path = ".github/workflows/ci.yml";
  message.workflow_text = workflow;
  message.job = "build";
  message.labels = {"ubuntu-latest"};
  message.contexts["github"] = json::object{{"ref", "refs/heads/main"}, {"sha", "abc"}, {"event_name", "push"}};
  message.event = json::object{{"ref", "refs/heads/main"}};
  return message;
}

// The steps of a job "build".
inline std::string job_of(std::string_view steps) {
  std::string text = "on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n";
  for (const std::string& line : split(steps, '\n')) text += "      " + line + "\n";
  return text;
}

// Runs jobs in this process. `message`, `place` and the rest may be changed before run().
struct JobRig {
  TestDirectory folder;
  JobMessage message;
  JobPlace place;
  StopSource stop;
  KeptReports reports;
  NoActions no_actions;
  ActionSource* actions = &no_actions;
  BuiltInFinder find_builtin = nullptr;
  Completion completion;

  explicit JobRig(std::string_view workflow) : message(message_of(workflow)) {
    place.server_url = "http://127.0.0.1:9";
    place.folder = folder.path();
    place.runner_name = "test";
  }
  std::string workspace() const { return folder.path() + "/work/demo/demo"; }
  void put(const std::string& path, std::string_view text) const { write_text(workspace() + "/" + path, text); }

  // The log.
  std::string run() {
    JobTools tools{*actions, find_builtin, stop};
    tools.base_path = std::getenv("PATH");
    completion = run_job(message, place, tools, reports);
    return log();
  }
  std::string log() const { return without_times(reports.text); }
  std::vector<std::string> steps() const {
    std::vector<std::string> list;
    for (const auto& [number, step] : reports.steps) list.push_back(fmt::format("{}: {}", step.name, step.conclusion));
    return list;
  }
};

// The platform's side of runner_api.h, kept in memory. Thread-safe.
class FakePlatform {
 public:
  FakePlatform() {
    http::ServerConfig config;
    config.worker_threads = 16;
    config.port = 0;
    server_.emplace(config);
    server_->route("/", max_job_message_bytes, [this](const http::Request& request) { return answer(request); });
    const Result<void> started = server_->start();
    if (!started) throw std::runtime_error(started.error().message);
  }
  ~FakePlatform() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    server_->stop();
  }

  std::string url() const { return fmt::format("http://127.0.0.1:{}", server_->port()); }
  void offer(JobMessage message) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(message));
    changed_.notify_all();
  }
  void cancel(std::string reason) {
    const std::lock_guard lock(mutex_);
    cancel_ = std::move(reason);
    changed_.notify_all();
  }
  // As if it were away: every request is answered `status`.
  void fail_with(int status) {
    const std::lock_guard lock(mutex_);
    failing_ = status;
  }
  // Waits until the condition holds; false after 20 s.
  template <class Condition>
  bool wait(const Condition& condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), condition);
  }
  std::optional<Completion> wait_completion() {
    wait([this] { return completion.has_value(); });
    const std::lock_guard lock(mutex_);
    return completion;
  }
  std::size_t request_count() {
    const std::lock_guard lock(mutex_);
    return requests.size();
  }
  std::string log_text() {
    const std::lock_guard lock(mutex_);
    return without_times(log);
  }

  // Read under wait(), or when all is over.
  std::string log;
  std::map<std::int64_t, StepUpdate> steps;
  std::optional<Completion> completion;
  std::vector<std::string> requests;
  std::vector<Acquire> acquires;
  bool lose_next_log_answer = false;

 private:
  http::Response answer(const http::Request& request) {
    std::unique_lock lock(mutex_);
    const std::string path = request.head.path;
    requests.push_back(request.head.method + " " + path);
    changed_.notify_all();
    if (failing_ != 0) return http::Response::json(failing_, R"({"message": "away"})");
    if (path.ends_with("/acquire")) return acquire(request, lock);
    if (path.ends_with("/commands")) return commands(lock);
    if (path.ends_with("/log")) return take_log(request);
    if (path.ends_with("/steps")) {
      const json::value body = parse_json(request.body).value();
      for (const json::value& one : body.at("steps").as_array()) {
        const StepUpdate step = step_update_from(one).value();
        steps[step.number] = step;
      }
    } else if (path.ends_with("/complete")) {
      const json::value body = parse_json(request.body).value();
      completion = completion_from(body).value();
    } else {
      return http::Response::json(404, R"({"message": "no such path"})");
    }
    changed_.notify_all();
    return http::Response::text(204, "");
  }
  http::Response acquire(const http::Request& request, std::unique_lock<std::mutex>& lock) {
    if (request.head.headers.find("authorization") != "Bearer runner-token") {
      return http::Response::json(401, R"({"message": "unknown token"})");
    }
    const json::value body = parse_json(request.body).value();
    acquires.push_back(acquire_from(body).value());
    changed_.wait(lock, [this] { return ending_ || !queue_.empty(); });
    if (ending_) return http::Response::text(204, "");
    const JobMessage message = queue_.front();
    queue_.pop_front();
    return http::Response::json(200, json::serialize(to_json(message)));
  }
  http::Response commands(std::unique_lock<std::mutex>& lock) {
    changed_.wait(lock, [this] { return ending_ || !cancel_.empty() || completion.has_value(); });
    if (cancel_.empty()) return http::Response::text(204, "");
    return http::Response::json(200, json::serialize(json::object{{"cancel", true}, {"reason", cancel_}}));
  }
  http::Response take_log(const http::Request& request) {
    const auto offset = static_cast<std::size_t>(parse_number(request.head.query_parameter("offset").value()).value());
    if (offset > log.size()) {
      return http::Response::json(409, fmt::format(R"({{"size": {}}})", log.size()));
    }
    const std::size_t known = log.size() - offset;
    if (known < request.body.size()) log += request.body.substr(known);
    changed_.notify_all();
    if (std::exchange(lose_next_log_answer, false)) return http::Response::json(503, R"({"message": "lost"})");
    return http::Response::text(204, "");
  }

  std::optional<http::Server> server_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<JobMessage> queue_;
  std::string cancel_;
  int failing_ = 0;
  bool ending_ = false;
};

}  // namespace kaapi::actions::runner
