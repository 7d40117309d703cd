#include <fmt/format.h>

#include <optional>

#include "identity/iam/iam_facts.h"
#include "identity/request_context.h"
#include "identity/sts/assume.h"
#include "identity/sts/session_rules.h"
#include "identity/sts/subject.h"

namespace kaapi::identity {
namespace {

namespace wire = aws::sts;

constexpr std::string_view action = "sts:AssumeRole";

// Who asks.
struct Asker {
  policy::Subject subject;
  Tags tags;
  std::shared_ptr<const Session> session;  // nullptr: a long-lived key

  bool is_role() const { return !subject.principal.role_arn.empty(); }
};

Result<Asker> asker_of(const StsRooms& rooms, const IamState& state, const aws::CallContext& context) {
  Asker asker;
  if (!rooms.auth || context.is_root) {
    asker.subject = root_subject(state.account_id);
    return asker;
  }
  asker.session = rooms.sessions.find(context.access_key_id);
  Result<policy::Subject> subject = subject_of_key(state, rooms.sessions, context.access_key_id);
  if (!subject)
    return make_error("InvalidClientTokenId", "The security token included in the request is invalid.", 403);
  asker.subject = std::move(*subject);
  if (const User* user = state.user(asker.subject.principal.user_name)) asker.tags = user->tags;
  if (const Role* role = state.role_by_arn(asker.subject.principal.role_arn)) asker.tags = role->tags;
  return asker;
}

Result<void> check_unsupported(const wire::AssumeRoleRequest& request) {
  if (request.SerialNumber || request.TokenCode) {
    return make_error(aws::access_denied,
                      "MultiFactorAuthentication failed: there are no MFA devices here; leave SerialNumber and "
                      "TokenCode out",
                      403);
  }
  if (request.ProvidedContexts) {
    return make_error("ValidationError", "ProvidedContexts are not supported; leave them out");
  }
  return ok();
}

std::vector<std::pair<std::string, std::string>> tags_of(const wire::AssumeRoleRequest& request) {
  std::vector<std::pair<std::string, std::string>> tags;
  if (!request.Tags) return tags;
  for (const wire::Tag& tag : *request.Tags) tags.emplace_back(tag.Key, tag.Value);
  return tags;
}

// The source identity stays through a chain of roles.
Result<std::string> source_identity(const wire::AssumeRoleRequest& request, const Asker& asker) {
  const std::string settled = asker.session == nullptr ? std::string() : asker.session->source_identity;
  const std::string asked = request.SourceIdentity.value_or(settled);
  if (settled.empty() || asked == settled) return asked;
  return make_error(aws::access_denied, "The source identity of the calling session cannot be changed", 403);
}

// A role's trust must allow each thing that the new session brings along.
Result<void> check_rights(const StsRooms& rooms, const aws::CallContext& context, const Asker& asker, const Role& role,
                          const wire::AssumeRoleRequest& request, const Session& session) {
  const std::vector<std::pair<std::string, std::string>> tags = tags_of(request);
  aws::Access access{std::string(action), role.arn, {}};
  access.conditions =
      session_conditions(request.RoleSessionName, tags, request.TransitiveTagKeys.value_or(std::vector<std::string>()),
                         session.source_identity);
  if (request.ExternalId) access.conditions["sts:externalid"] = {*request.ExternalId};
  const IamFacts facts(rooms.directory);
  const RequestContext conditions(context, access, asker.subject.principal, asker.tags, asker.session.get(), &facts);
  const auto check = [&](std::string_view what) { return may_assume(asker.subject, role, what, conditions); };
  if (const Result<void> allowed = check(action); !allowed) return allowed.error();
  if (!session.tags.empty()) {
    if (const Result<void> allowed = check("sts:TagSession"); !allowed) return allowed.error();
  }
  return session.source_identity.empty() ? ok() : check("sts:SetSourceIdentity");
}

Result<Session> prepare(const IamState& state, const Asker& asker, const Role& role,
                        const wire::AssumeRoleRequest& request, Time now) {
  Session session;
  session.kind = SessionKind::assumed_role;
  session.role_name = role.name;
  session.role_id = role.id;
  session.session_name = request.RoleSessionName;
  const Result<Duration> duration = role_session_duration(role, request.DurationSeconds, asker.is_role());
  if (!duration) return duration.error();
  session.expires_at = now + *duration;
  Result<std::vector<SessionPolicy>> policies = session_policies(state, request.Policy, request.PolicyArns);
  if (!policies) return policies.error();
  session.policies = std::move(*policies);
  Result<SessionTags> tags = session_tags(
      tags_of(request), request.TransitiveTagKeys.value_or(std::vector<std::string>()), asker.session.get());
  if (!tags) return tags.error();
  session.tags = std::move(tags->tags);
  session.transitive_tag_keys = std::move(tags->transitive);
  Result<std::string> identity = source_identity(request, asker);
  if (!identity) return identity.error();
  session.source_identity = std::move(*identity);
  return session;
}

}  // namespace

Result<wire::AssumeRoleResponse> assume_role(const StsRooms& rooms, const aws::CallContext& context,
                                             const wire::AssumeRoleRequest& request) {
  if (const Result<void> checked = check_role_arn(request.RoleArn); !checked) return checked.error();
  if (const Result<void> checked = check_unsupported(request); !checked) return checked.error();
  const std::shared_ptr<const IamState> state = rooms.directory.state();
  const Result<Asker> asker = asker_of(rooms, *state, context);
  if (!asker) return asker.error();
  if (rooms.auth && asker->subject.root) {
    return make_error(aws::access_denied, "Roles may not be assumed by root accounts.", 403);
  }
  const Role* role = state->role_by_arn(request.RoleArn);
  if (role == nullptr) return no_such_role(asker->subject.principal, request.RoleArn, action);
  Result<Session> session = prepare(*state, *asker, *role, request, context.now);
  // Who may not assume the role learns nothing else about it.
  if (rooms.auth) {
    Session asked;
    if (session) asked = *session;
    if (const Result<void> allowed = check_rights(rooms, context, *asker, *role, request, asked); !allowed) {
      return allowed.error();
    }
  }
  if (!session) return session.error();
  const Result<std::optional<std::int32_t>> packed = packed_percent(*session);
  if (!packed) return packed.error();
  const Result<std::shared_ptr<const Session>> made = rooms.sessions.create(std::move(*session));
  if (!made) return made.error();
  wire::AssumeRoleResponse response;
  response.Credentials = credentials_of(**made);
  response.AssumedRoleUser = assumed_role_user(**made, state->account_id);
  response.PackedPolicySize = *packed;
  if (!(*made)->source_identity.empty()) response.SourceIdentity = (*made)->source_identity;
  return response;
}

}  // namespace kaapi::identity
