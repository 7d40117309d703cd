#pragma once
// `kaapi runner`: asks the platform for jobs, one for each of its slots, and runs them as child processes.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "actions/runner/action_cache.h"
#include "actions/runner/endpoint.h"
#include "actions/runner/job_child.h"
#include "actions/runner/stop.h"
#include "base/file_descriptor.h"
#include "http/client.h"

namespace kaapi::actions::runner {

inline constexpr std::chrono::milliseconds acquire_retry_min{200}, acquire_retry_max{5'000};

struct RunnerConfig {
  ServerAddress server;
  std::string token;                                // Bearer for acquire
  std::function<std::string()> renewed_token;       // asked when that is refused; empty: there is no newer one
  std::string name;                                 // shown with its jobs
  std::vector<std::string> labels;                  // what it offers; see default_labels()
  std::map<std::string, std::string> label_images;  // of those: jobs run in a container of that image
  std::size_t slots = 2;                            // jobs at once, 1 to max_slots
  std::string work_folder;                          // made if missing; one runner at a time
  std::string job_user = "auto";                    // see slot_user()
  bool sandbox = true;                              // where it can be: see Sandbox
  std::vector<std::string> shared;                  // folders that jobs see besides, read-only
  std::string actions_url = "https://github.com";
  std::vector<std::string> originals;  // built-in actions to be fetched all the same; "all"
  // Without jobs and without an answer of the platform for so long it calls `on_alone`, once. 0: never.
  std::chrono::seconds alone_after{0};
  std::function<void()> on_alone;
  std::string program = "/proc/self/exe";
  std::vector<std::string> arguments = {"kaapi", "run-job"};
};

// "self-hosted", "linux", this machine's architecture, and GitHub's names of its Linux runners.
std::vector<std::string> default_labels();

// Whether the docker client has its buildx plugin, for all users of this machine.
bool has_buildx();
// DOCKER_BUILDKIT for jobs: "1" where `docker build` can use BuildKit, "" where only the classic builder works (Docker
// 23 and later without its buildx plugin).
std::string docker_buildkit();

// start(), then wait for the end of the world and stop(). One thread calls; it has N of its own.
class Supervisor {
 public:
  explicit Supervisor(RunnerConfig config);
  ~Supervisor();  // stops
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Errors: the work folder's (another runner uses it), those of slot_user().
  Result<void> start();
  // Jobs end as cancelled; returns when they have.
  void stop();
  // Takes no more jobs; `on_alone` is called when those that run are over. Thread-safe.
  void leave();
  // No time for order: jobs are ended at once. Thread-safe.
  void hurry() { stop_.raise(StopLevel::kill, "the runner was stopped"); }

 private:
  struct Answer;
  void work(const JobChildConfig& slot);
  // acquire(), and what it gives counts as running from then on.
  std::optional<JobMessage> ask_for_job(std::chrono::milliseconds& wait);
  // nullopt: no job now; the caller asks again after `wait`.
  std::optional<JobMessage> acquire(std::chrono::milliseconds& wait);
  std::optional<Answer> ask(const http::ClientRequest& request);
  void run(const JobChildConfig& slot, const JobMessage& message);
  void look_whether_alone();
  bool leaves();
  // Whether there is another token than the one that was refused.
  bool renew_token(const std::string& refused);
  void refuse_job(const json::value& message, const std::string& reason);
  void report_broken(const JobMessage& message, const std::string& reason);
  bool stopping() const { return stop_.level() != StopLevel::none; }

  const RunnerConfig config_;
  std::string id_;     // see Acquire
  std::string token_;  // guarded by mutex_
  StopSource stop_;
  http::Client client_;
  std::unique_ptr<ActionCache> actions_;
  FileDescriptor lock_file_{-1};
  std::vector<FileDescriptor> claims_;  // of the slots' users
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::int64_t> running_;
  std::size_t asking_ = 0;  // slots
  std::chrono::steady_clock::time_point heard_ =
      std::chrono::steady_clock::now();  // of the platform, or of a job's end
  bool leaving_ = false;
  bool alone_ = false;        // was told
  std::string last_trouble_;  // said once, not with every attempt
  std::vector<std::thread> threads_;
  std::thread aws_looker_;
  std::string aws_client_;  // see JobPlace
};

}  // namespace kaapi::actions::runner
