#pragma once
// `container` and `services` of a job, on Docker by its own command line client: a network of the job's own, the
// services' health waited for, steps run by `docker exec`. GitHub's "Running jobs in a container" and "About service
// containers".

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/runner/job_state.h"
#include "actions/runner/platform_relay.h"

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

  // The job's network, made when it is first asked for, with the platform at its gateway. Errors: what docker said.
  Result<void> ensure_network(StepFrame& frame);

  // Whether there is something to stop.
  bool any() const { return !network_.empty(); }
  bool steps_inside() const { return !container_.empty(); }
  // A path of the host, or a URL of the platform, as the job's container has it; the same when steps run on the host.
  std::string to_inside(std::string_view text) const;
  // The other way round: a path of the job's container, or of the host, as the host has it. Error: `Invalid`, for what
  // is in the container alone; says what is not.
  Result<std::string> to_host(std::string_view path) const;
  // Variables for a container of the job's network: URLs of the platform as it reaches them, for git as well, and no
  // proxy in between.
  void for_network(Texts& env) const;
  // An image that was built for this job, and goes with it.
  void note_image(std::string image) { images_.push_back(std::move(image)); }
  // Members of the `job` context: container, services.
  expression::Object context() const;
  const std::string& network() const { return network_; }

  // Secrets travel in the environment of the docker client, not on its command line. `own_path`: the PATH that the
  // workflow's env gives; empty: the image's.
  ContainerExec exec(const std::vector<std::string>& argv, const std::string& directory, Texts env,
                     const std::string& own_path) const;

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

  struct Mount;
  std::array<Mount, 4> mounts() const;
  std::string inside(std::string_view path) const;
  std::string to_network(std::string_view text) const;
  void open_relay(StepFrame& frame);
  Result<void> pull(StepFrame& frame, const Plan& plan);

  JobState& job_;
  std::string network_;
  std::unique_ptr<PlatformRelay> relay_;  // nullptr: containers reach the platform as everybody does
  std::vector<std::string> images_;
  std::string started_;         // the container of the steps, from its creation on
  std::string container_;       // the same, once steps can run in it
  std::string container_path_;  // its PATH
  std::map<std::string, std::string> services_;
  std::map<std::string, Texts> ports_;  // of a service: container's port → host's
};

// Adds `-e` for each variable to a docker command line; values go to the client's environment, `client`.
void pass_env(const Texts& inner, std::vector<std::string>& argv, Texts& client);

}  // namespace kaapi::actions::runner
