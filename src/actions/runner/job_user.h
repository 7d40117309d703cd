#pragma once
// As whom a job runs, and how all that it has started is ended.

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace kaapi::actions::runner {

// The user ids of the slots: 61184, 61185, ...: systemd's range for users that exist only while they are needed.
inline constexpr uid_t first_job_uid = 61184;
inline constexpr std::size_t max_slots = 64;

struct JobUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // besides: that of the docker socket
  bool own = false;           // nobody else has this uid, so that all its processes may be ended
};

// `mode`: "auto" (one of its own for each slot where the runner is root, otherwise the runner's user), "off" (the
// runner's user), or a user's name. nullopt: the runner's user. Errors: `NotFound` (no such user), `Invalid` (a name
// where the runner is not root).
Result<std::optional<JobUser>> job_user(std::string_view mode, std::size_t slot);

// Becomes the user, in a child between fork and exec. False: it cannot.
bool become(const JobUser& user);

// Ends all processes of a uid that is the job's own.
void end_processes_of(const JobUser& user);
// Ends the processes that were started with this folder as their RUNNER_TEMP's beginning: those of a job whose process
// ended too early to do it.
void end_processes_in(const std::string& job_folder);

// Deletes the folder with all in it, also folders that are not writable.
void delete_folder(const std::string& folder);

}  // namespace kaapi::actions::runner
