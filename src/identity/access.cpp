#include "identity/access.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/text.h"
#include "identity/request_context.h"
#include "identity/sts/authorization_message.h"

namespace kaapi::identity {
namespace {

// Who asks, with what the condition keys need to know of them.
struct Asker {
  std::shared_ptr<const policy::Subject> subject;
  Tags tags;
  std::shared_ptr<const Session> session;  // nullptr: a long-lived key, or nobody who calls
};

Tags tags_of(const IamState& state, const policy::Principal& principal) {
  if (const User* user = state.user(principal.user_name)) return user->tags;
  if (const Role* role = state.role_by_arn(principal.role_arn)) return role->tags;
  return {};
}

std::string allowed_because(const policy::Decision& decision) {
  if (decision.layer == "root") return "the account's root";
  return fmt::format("{} policy {}, {}", decision.layer, decision.policy, decision.statement);
}

// "ecr" of "arn:aws:ecr:…".
std::string_view service_of(std::string_view arn) {
  constexpr std::string_view start = "arn:aws:";
  if (!arn.starts_with(start)) return {};
  arn.remove_prefix(start.size());
  return arn.substr(0, arn.find(':'));
}

// "NAME" of "arn:aws:sts::A:assumed-role/NAME/SESSION", "arn:aws:iam::A:role/path/NAME" or "…:user/NAME".
std::string_view part_of(std::string_view arn, std::string_view kind) {
  const std::size_t at = arn.find(kind);
  return at == std::string_view::npos ? std::string_view() : arn.substr(at + kind.size());
}

Result<policy::Subject> subject_by_arn(const IamState& state, std::string_view arn) {
  if (arn == fmt::format("arn:aws:iam::{}:root", state.account_id)) return root_subject(state.account_id);
  if (const std::string_view session = part_of(arn, ":assumed-role/"); !session.empty()) {
    Result<policy::Subject> subject = subject_of_role(state, session.substr(0, session.find('/')));
    if (subject) subject->principal.arn = arn;
    return subject;
  }
  const std::string_view name = arn.substr(arn.rfind('/') + 1);
  if (arn.find(":role/") != std::string_view::npos) return subject_of_role(state, name);
  if (arn.find(":user/") != std::string_view::npos) return subject_of_user(state, name);
  return make_error(errc::invalid, fmt::format("'{}' is no ARN of a user, a role, a role's session or the root user",
                                               arn.substr(0, 300)));
}

}  // namespace

std::string AccessControl::arn_of(const aws::CallContext& context, std::string_view type, std::string_view name) const {
  if (name.starts_with("arn:")) return std::string(name);
  const std::shared_ptr<const IamState> state = directory_.state();
  if (type == "role") {
    if (const Role* role = state->role(name)) return role->arn;
  } else if (type == "user") {
    if (const User* user = state->user(name)) return user->arn;
  } else if (type == "group") {
    if (const Group* group = state->group(name)) return group->arn;
  } else if (type == "instance-profile") {
    if (const InstanceProfile* profile = state->instance_profile(name)) return profile->arn;
  }
  return fmt::format("arn:aws:iam::{}:{}/{}", context.account_id, type, name);
}

const aws::ResourceFacts* AccessControl::facts(std::string_view arn) const {
  const auto found = facts_.find(service_of(arn));
  return found == facts_.end() ? nullptr : found->second;
}

std::optional<policy::NamedPolicy> AccessControl::resource_policy(std::string_view arn) const {
  const aws::ResourceFacts* known = facts(arn);
  const std::string text = known == nullptr ? std::string() : known->policy_of(arn);
  if (text.empty()) return std::nullopt;
  auto document = resource_policies_.parse(text);
  if (!document) {
    // It was checked when it was set. What cannot be read may hold a deny, so nobody but root gets past it.
    log::error("identity", "the policy of {} cannot be read: {}", arn, document.error().message);
    document = policy::parse(
        R"({"Version":"2012-10-17","Statement":[{"Sid":"Unreadable","Effect":"Deny","Principal":"*","Action":"*"}]})",
        policy::Kind::resource);
  }
  return policy::NamedPolicy{fmt::format("of {}", arn), std::move(*document)};
}

Result<std::string> AccessControl::judge(const aws::CallContext& context, const std::vector<aws::Access>& accesses,
                                         std::string* encoded) const {
  auto subject = subjects_.of_key(context.access_key_id);
  if (!subject) {
    return make_error(aws::access_denied, "Who made this call is no longer known: the user or role was deleted");
  }
  const Asker asker{*subject, tags_of(*directory_.state(), (*subject)->principal),
                    sessions_.find(context.access_key_id)};
  std::string reason;
  for (const aws::Access& access : accesses) {
    const RequestContext conditions(context, access, asker.subject->principal, asker.tags, asker.session.get(),
                                    facts(access.resource));
    const policy::Request request{access.action, access.resource, conditions};
    const std::optional<policy::NamedPolicy> own = resource_policy(access.resource);
    policy::Decision decision = policy::evaluate(*asker.subject, request, own ? &*own : nullptr);
    if (decision.effect != policy::Effect::allowed) {
      const policy::Principal& who = asker.subject->principal;
      if (encoded != nullptr) *encoded = encode_authorization_message(sealer_, who, request, decision);
      return make_error(aws::access_denied, policy::refusal(who, request, decision));
    }
    if (reason.empty()) reason = allowed_because(decision);
  }
  return reason;
}

Result<std::string> AccessControl::authorize(const aws::CallContext& context,
                                             const std::vector<aws::Access>& accesses) const {
  return judge(context, accesses, nullptr);
}

Result<std::string> AccessControl::authorize_encoded(const aws::CallContext& context,
                                                     const std::vector<aws::Access>& accesses,
                                                     std::string& encoded) const {
  encoded.clear();
  return judge(context, accesses, &encoded);
}

Result<Explanation> AccessControl::explain(const aws::CallContext& context, std::string_view principal_arn,
                                           const aws::Access& access) const {
  const std::shared_ptr<const IamState> state = directory_.state();
  const Result<policy::Subject> subject = subject_by_arn(*state, principal_arn);
  if (!subject) return subject.error();
  const Tags tags = tags_of(*state, subject->principal);
  const RequestContext conditions(context, access, subject->principal, tags, nullptr, facts(access.resource));
  const policy::Request request{access.action, access.resource, conditions};
  const std::optional<policy::NamedPolicy> own = resource_policy(access.resource);
  policy::Trace trace;
  Explanation explanation;
  explanation.decision = policy::evaluate(*subject, request, own ? &*own : nullptr, &trace);
  explanation.steps = std::move(trace.steps);
  explanation.reason = explanation.decision.effect == policy::Effect::allowed
                           ? allowed_because(explanation.decision)
                           : policy::refusal(subject->principal, request, explanation.decision);
  return explanation;
}

}  // namespace kaapi::identity
