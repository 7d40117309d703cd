#include "identity/sts/task_credentials.h"

#include <fmt/format.h>

#include "identity/policy/context.h"
#include "identity/policy/evaluate.h"

namespace kaapi::identity {
namespace {

std::string role_arn_of(std::string_view role, const std::string& account_id) {
  if (role.starts_with("arn:")) return std::string(role);
  return fmt::format("arn:aws:iam::{}:role/{}", account_id, role);
}

Error cannot_assume(std::string_view role_arn, std::string_view why) {
  return make_error("AccessDenied",
                    fmt::format("ECS was unable to assume the role '{}' that was provided for this task. Please verify "
                                "that the role being passed has the proper trust relationship and permissions and that "
                                "your IAM user has permissions to pass this role. ({})",
                                role_arn, why),
                    403);
}

// What the trust policy is asked: may ECS assume this role for that task?
Result<void> check_trust(const Role& role, const TaskRole& task, const std::string& account_id, Time now) {
  if (!role.trust.document) return cannot_assume(role.arn, "it has no trust policy");
  policy::Principal service;
  service.type = "AWSService";
  service.service = task_service_principal;
  policy::MapContext context;
  context.set("aws:SourceAccount", {account_id});
  context.set("aws:SourceArn", {task.task_arn});
  context.set("aws:PrincipalIsAWSService", {"true"});
  context.set("aws:PrincipalServiceName", {std::string(task_service_principal)});
  context.set("aws:CurrentTime", {format_time(now)});
  context.set("aws:EpochTime", {fmt::to_string(to_millis(now) / 1000)});
  context.set("sts:RoleSessionName", {task.task_id});
  const policy::Request request{"sts:AssumeRole", role.arn, context};
  const policy::Decision decision = policy::evaluate_trust(*role.trust.document, service, request);
  if (decision.effect == policy::Effect::allowed && !decision.through_account) return ok();
  if (decision.effect == policy::Effect::explicit_deny) {
    return cannot_assume(role.arn, fmt::format("{} of its trust policy denies sts:AssumeRole to the service {}",
                                               decision.statement, task_service_principal));
  }
  return cannot_assume(role.arn, fmt::format("its trust policy does not allow sts:AssumeRole to the service {}",
                                             task_service_principal));
}

}  // namespace

Result<TaskRoleCredentials> TaskCredentials::credentials(const TaskRole& task) {
  const std::shared_ptr<const IamState> state = directory_.state();
  const std::string arn = role_arn_of(task.role, directory_.account_id());
  // A name says nothing of the path, which is part of the ARN.
  const Role* role = task.role.starts_with("arn:") ? state->role_by_arn(arn) : state->role(task.role);
  if (role == nullptr) return cannot_assume(arn, "there is no such role");
  const Time now = clock_.now();

  const std::lock_guard lock(mutex_);
  const auto known = newest_.find(task.task_id);
  const bool good = known != newest_.end() && known->second->role_id == role->id && now < known->second->expires_at &&
                    sessions_.find(known->second->access_key_id) != nullptr;
  if (good && known->second->expires_at - now >= task_session_renewal) {
    return TaskRoleCredentials{role->arn, known->second};
  }
  Result<TaskRoleCredentials> made = create(task, *role);
  // Old ones that are about to end are better than none; whether the role may still be assumed is no such question.
  if (!made && made.error().code != "AccessDenied" && good) return TaskRoleCredentials{role->arn, known->second};
  return made;
}

Result<TaskRoleCredentials> TaskCredentials::create(const TaskRole& task, const Role& role) {
  const Time now = clock_.now();
  if (const Result<void> trusted = check_trust(role, task, directory_.account_id(), now); !trusted) {
    return trusted.error();
  }
  Session session;
  session.kind = SessionKind::task_role;
  session.role_name = role.name;
  session.role_id = role.id;
  session.session_name = task.task_id;
  session.owner = task.task_id;
  session.expires_at = now + task_session_duration;
  Result<std::shared_ptr<const Session>> made = sessions_.create(std::move(session));
  if (!made) return made.error();
  newest_[task.task_id] = *made;
  return TaskRoleCredentials{role.arn, std::move(*made)};
}

Result<void> TaskCredentials::revoke(std::string_view task_id) {
  const std::lock_guard lock(mutex_);
  if (const auto known = newest_.find(task_id); known != newest_.end()) newest_.erase(known);
  return sessions_.revoke_owner(task_id);
}

Result<void> TaskCredentials::revoke_all_but(const std::set<std::string>& task_ids) {
  for (const std::string& owner : sessions_.owners(SessionKind::task_role)) {
    if (task_ids.contains(owner)) continue;
    if (const Result<void> revoked = revoke(owner); !revoked) return revoked.error();
  }
  return ok();
}

}  // namespace kaapi::identity
