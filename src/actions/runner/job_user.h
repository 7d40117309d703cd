#pragma once
// As whom a job runs, and how all that it has started is ended.

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace kaapi::actions::runner {

// The user ids of slots: 61184, 61185, ...: systemd's range for users that exist only while they are needed.
inline constexpr uid_t first_job_uid = 61184;
inline constexpr std::size_t max_slots = 64;
inline constexpr std::size_t max_job_uids = 1'024;  // of all runners on this machine
// Where root's runners agree on who has which: a file of each uid, locked as long as it is taken.
inline constexpr std::string_view job_uid_folder = "/run/kaapi-job-users";

struct JobUser {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // besides; of a named user its own
  bool own = false;           // nobody else has this uid, so that all its processes may be ended
};

// Of a slot. `claim` must live as long as the user is used: while it does, no other runner of this machine gets the
// uid.
struct SlotUser {
  std::optional<JobUser> user;  // nullopt: the runner's user
  FileDescriptor claim{-1};
};

// `mode`: "auto" (one of its own for each slot where the runner is root, otherwise the runner's user), "off" (the
// runner's user), or a user's name. Errors: `NotFound` (no such user), `Invalid` (a name where the runner is not root),
// `Conflict` (every uid is taken), those of the file.
Result<SlotUser> slot_user(std::string_view mode);

// Becomes the user, in a child between fork and exec, and one whose uid is the job's own never another: programs with
// the setuid bit have no power over it, be it a file that its container has made as root. False: it cannot.
bool become(const JobUser& user);

// Ends all processes of a uid that is the job's own.
void end_processes_of(const JobUser& user);
// Deletes what a uid that is the job's own has left where everybody may write: /tmp, /var/tmp and /dev/shm. The next
// job with this uid is perhaps of another repository.
void delete_files_of(const JobUser& user);
// Ends the processes that were started with this folder as their RUNNER_TEMP's beginning: those of a job whose process
// ended too early to do it.
void end_processes_in(const std::string& job_folder);

// Makes the folder if it is missing, and sets its mode.
Result<void> make_folder(const std::string& path, mode_t mode);
// Deletes the folder with all in it, also folders that are not writable.
void delete_folder(const std::string& folder);

}  // namespace kaapi::actions::runner
