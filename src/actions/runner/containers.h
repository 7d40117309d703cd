#pragma once
// `container` and `services` of a job, on Docker by its own command line client: a network of the job's own, the
// services' health waited for, steps run by `docker exec`. GitHub's "Running jobs in a container" and "About service
// containers".

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/runner/job_state.h"

namespace kaapi::actions::runner {

// Every container and network of a job has this label with the job's id, so that the runner finds what is left over.
inline constexpr std::string_view container_label = "kaapi.job";
inline constexpr std::size_t max_services = 32;
inline constexpr std::chrono::minutes container_wait{10};  // until services are healthy

struct ContainerExec {
  std::vector<std::string> argv;
  std::vector<std::string> env;
};

struct StepFrame;

// Used by the thread that runs the steps. `job` must outlive it.
class JobContainers {
 public:
  // Whether the job has any: by itself, or because one of its labels means an image.
  static bool needed(const JobState& job);

  explicit JobContainers(JobState& job) : job_(job) {}

  // Starts them; the log tells how. Errors: what failed and what docker said; what was started stays until stop().
  Result<void> start(StepFrame& frame);
  void stop(StepFrame& frame);

  bool steps_inside() const { return !container_.empty(); }
  // A path of the host as the job's container sees it; the same when steps run on the host.
  std::string to_inside(std::string_view path) const;
  // Members of the `job` context: container, services.
  expression::Object context() const;
  const std::string& network() const { return network_; }

  // Secrets travel in the environment of the docker client, not on its command line.
  ContainerExec exec(const std::vector<std::string>& argv, const std::string& directory, Texts env) const;

 private:
  struct Plan;
  Result<std::vector<Plan>> plans(StepFrame& frame) const;
  Result<Plan> plan(const workflow::Container& container, const expression::Environment& environment) const;
  Result<void> start_one(StepFrame& frame, const Plan& plan);
  Result<void> wait_healthy(StepFrame& frame, const Plan& plan, const std::string& container);
  Result<std::string> docker(StepFrame& frame, std::vector<std::string> arguments, std::string input = {},
                             bool quiet = false);
  Result<void> log_in(StepFrame& frame, const Plan& plan);
  void note_ports(StepFrame& frame, const Plan& plan, const std::string& container);

  JobState& job_;
  std::string network_;
  std::string started_;         // the container of the steps, from its creation on
  std::string container_;       // the same, once steps can run in it
  std::string container_path_;  // its PATH
  std::map<std::string, std::string> services_;
  std::map<std::string, Texts> ports_;  // of a service: container's port → host's
};

// Adds `-e` for each variable to a docker command line; values go to the client's environment, `client`.
void pass_env(const Texts& inner, std::vector<std::string>& argv, Texts& client);

}  // namespace kaapi::actions::runner
