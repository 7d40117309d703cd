#pragma once
// What goes on when a job's steps are over: the deployments that it asked for. A job is green when they are.

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kaapi::actions {

// AWS_EXECUTION_ENV of a job's steps. AWS's clients send it in the user agent, so that a call can be told to come from
// the job.
inline std::string execution_environment_of(std::int64_t job_id) {
  return fmt::format("kaapi-job-{}", job_id);
}

struct DeploymentNews {
  std::vector<std::string> lines;  // how each deployment stands now, for people: "web: 1 of 2 new tasks run"
  bool over = false;               // all have completed, have failed, or were superseded by a later one
  std::string failure;             // why one has not completed; empty: none, or not yet
  std::string known;               // what of this is to be shown when asking for what comes after it
};

// Implemented in daemon/, used by runs/. Thread-safe.
class DeploymentWatch {
 public:
  virtual ~DeploymentWatch() = default;
  // Waits until the job's deployments stand otherwise than `known` (empty: nothing is known), but not longer than
  // `wait`.
  virtual DeploymentNews news(std::int64_t job_id, std::string_view known, std::chrono::milliseconds wait) = 0;
};

}  // namespace kaapi::actions
