#pragma once
// What goes on when a job's steps are over: the deployments that it asked for. A run is green when they are.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace kaapi::actions {

// AWS_EXECUTION_ENV of a job's steps. AWS's clients send it in the user agent, so that a call can be told to come from
// the job.
inline std::string execution_environment_of(std::int64_t job_id) {
  return fmt::format("kaapi-job-{}", job_id);
}

// Implemented in daemon/, used by runs/. Thread-safe.
class DeploymentWatch {
 public:
  virtual ~DeploymentWatch() = default;
  struct Callbacks {
    std::function<void(std::string line)> tell;  // progress, for the job's log
    // Once, perhaps before follow() returns: nullopt when every deployment of the job has completed or was superseded
    // by a later one, else why one has not.
    std::function<void(std::optional<std::string> failure)> done;
  };
  // Call both with no lock held that the callbacks take; these come from any thread, one at a time.
  virtual void follow(std::int64_t job_id, Callbacks callbacks) = 0;
  // The callbacks of this job are not called any more once this returns, unless it is called from one of them.
  virtual void forget(std::int64_t job_id) = 0;
};

}  // namespace kaapi::actions
