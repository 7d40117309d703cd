#include "identity/sts/assume.h"

#include <fmt/format.h>

#include "base/text.h"
#include "identity/sts/subject.h"

namespace kaapi::identity {
namespace {

// Names nobody.
class NoContext final : public policy::Context {
 public:
  std::optional<std::vector<std::string>> find(std::string_view) const override { return std::nullopt; }
};

Error denied(std::string message) {
  return make_error(aws::access_denied, std::move(message), 403);
}

}  // namespace

Result<void> may_assume(const policy::Subject& subject, const Role& role, std::string_view action,
                        const policy::Context& context) {
  const policy::Request request{action, role.arn, context};
  const policy::Decision trusted = policy::evaluate_trust(*role.trust.document, subject.principal, request);
  if (trusted.effect != policy::Effect::allowed) return denied(policy::refusal(subject.principal, request, trusted));
  // A web identity has no policies of its own.
  if (!subject.principal.federated.empty()) return ok();
  // The trust policy is the role's resource policy: what it grants, to whom, and what limits the caller all the same
  // (denies, boundaries, session policies) are the rules for any resource.
  const policy::NamedPolicy trust{fmt::format("of role {}", role.name), role.trust.document};
  const policy::Decision decision = policy::evaluate(subject, request, &trust);
  if (decision.effect != policy::Effect::allowed) return denied(policy::refusal(subject.principal, request, decision));
  return ok();
}

Error no_such_role(const policy::Principal& who, std::string_view role_arn, std::string_view action) {
  const NoContext nothing;
  policy::Decision decision;
  decision.layer = "trust";
  return denied(policy::refusal(who, {action, role_arn, nothing}, decision));
}

Result<void> check_role_arn(std::string_view arn) {
  // arn:aws:iam::123456789012:role/path/NAME
  const std::vector<std::string> parts = split(arn, ':');
  constexpr std::string_view kind = "role/";
  const bool good = parts.size() == 6 && parts[0] == "arn" && parts[2] == "iam" && parts[3].empty() &&
                    parts[4].size() == 12 && parts[5].starts_with(kind) && parts[5].size() > kind.size();
  if (good) return ok();
  return make_error("ValidationError", fmt::format("Request ARN is invalid: {} is not the ARN of a role, like "
                                                   "arn:aws:iam::123456789012:role/NAME",
                                                   arn));
}

aws::sts::Credentials credentials_of(const Session& session) {
  aws::sts::Credentials credentials;
  credentials.AccessKeyId = session.access_key_id;
  credentials.SecretAccessKey = session.secret_access_key;
  credentials.SessionToken = session.token;
  credentials.Expiration = session.expires_at;
  return credentials;
}

aws::sts::AssumedRoleUser assumed_role_user(const Session& session, std::string_view account_id) {
  aws::sts::AssumedRoleUser user;
  user.Arn = assumed_role_arn(account_id, session);
  user.AssumedRoleId = fmt::format("{}:{}", session.role_id, session.session_name);
  return user;
}

aws::ConditionValues session_conditions(const std::string& session_name,
                                        const std::vector<std::pair<std::string, std::string>>& tags,
                                        const std::vector<std::string>& transitive,
                                        const std::string& source_identity) {
  aws::ConditionValues conditions;
  conditions["sts:rolesessionname"] = {session_name};
  for (const auto& [key, value] : tags) {
    conditions["aws:requesttag/" + lower(key)] = {value};
    conditions["aws:tagkeys"].push_back(key);
  }
  if (!transitive.empty()) conditions["sts:transitivetagkeys"] = transitive;
  if (!source_identity.empty()) conditions["sts:sourceidentity"] = {source_identity};
  return conditions;
}

}  // namespace kaapi::identity
