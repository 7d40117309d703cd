#pragma once
// The temporary credentials of task roles: what the containers of a task call AWS with. Source of the rules: "Amazon
// ECS task IAM role" in the ECS developer guide.

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "identity/iam/directory.h"
#include "identity/sts/sessions.h"

namespace kaapi::identity {

inline constexpr std::chrono::hours task_session_duration{6};
// Credentials with less than this left are replaced by new ones; the old ones hold until their end.
inline constexpr std::chrono::hours task_session_renewal{1};
inline constexpr std::string_view task_service_principal = "ecs-tasks.amazonaws.com";

struct TaskRole {
  std::string role;      // name or ARN, as the task definition says it
  std::string task_id;   // becomes the session's name and owner
  std::string task_arn;  // aws:SourceArn for the trust policy
};

struct TaskRoleCredentials {
  std::string role_arn;
  std::shared_ptr<const Session> session;
};

// Thread-safe; calls may wait for the disk. `directory`, `sessions` and `clock` must outlive it.
class TaskCredentials {
 public:
  TaskCredentials(const Directory& directory, Sessions& sessions, const Clock& clock)
      : directory_(directory), sessions_(sessions), clock_(clock) {}

  // The task's credentials: the same until they come near their end. Errors: AccessDenied, in ECS's words and with the
  // reason, when there is no such role or its trust policy does not let ECS assume it; those of Sessions::create().
  Result<TaskRoleCredentials> credentials(const TaskRole& task);

  // The task has ended: all its credentials are worth nothing from now on. Harmless when it has none.
  Result<void> revoke(std::string_view task_id);
  // After a start: whatever belongs to other tasks than these is revoked.
  Result<void> revoke_all_but(const std::set<std::string>& task_ids);

 private:
  Result<TaskRoleCredentials> create(const TaskRole& task, const Role& role);

  const Directory& directory_;
  Sessions& sessions_;
  const Clock& clock_;

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Session>, std::less<>> newest_;  // by task
};

}  // namespace kaapi::identity
