#pragma once
// One job as a child process, from its folder to its end with all that it has started.

#include <optional>
#include <string>
#include <vector>

#include "actions/protocol/job_message.h"
#include "actions/runner/action_cache.h"
#include "actions/runner/job_user.h"
#include "actions/runner/place.h"
#include "actions/runner/stop.h"

namespace kaapi::actions::runner {

// After the runner is stopped: how long jobs have to end as cancelled before they are killed.
inline constexpr std::chrono::seconds shutdown_grace{30};
inline constexpr std::chrono::seconds kill_grace{10};

// What is the same for all jobs of a slot.
struct JobChildConfig {
  JobPlace place;  // without `folder`
  std::string work_folder;
  // One of the job's own gets a Docker socket of its own too, see actions/docker/gate.h.
  std::optional<JobUser> user;
  bool buildx = false;              // see GateConfig
  bool sandbox = false;             // see Sandbox
  std::vector<std::string> shared;  // folders that the job sees besides, read-only
  // The program and its arguments; the program is opened, so that a user who may not see its folder can run it.
  std::string program = "/proc/self/exe";
  std::vector<std::string> arguments = {"kaapi", "run-job"};
};

struct JobChildEnd {
  bool delivered = false;  // the platform knows how the job ended, or does not want to
  std::string reason;      // otherwise: what became of the process, for people
};

// Runs it to its end; `stop` raised to cancel ends it as cancelled, raised to kill at once. One thread for each job.
JobChildEnd run_job_child(const JobChildConfig& config, const JobMessage& message, ActionCache& actions,
                          StopSource& stop);

// What jobs of an earlier runner on this folder have left: processes, containers, folders.
void clean_up_after_all(const std::string& work_folder);

}  // namespace kaapi::actions::runner
