#include "identity/sts/subject.h"

#include <fmt/format.h>

#include <mutex>

namespace kaapi::identity {
namespace {

// "Permissions for GetSessionToken" in the IAM user guide: without MFA such credentials call nothing of IAM, and of STS
// only AssumeRole and GetCallerIdentity.
const policy::NamedPolicy& session_token_limits() {
  static const policy::NamedPolicy limits{
      "the limits of GetSessionToken credentials",
      policy::parse(
          R"({"Version":"2012-10-17","Statement":{"Sid":"SessionToken","Effect":"Deny","Resource":"*","Action":[
        "iam:*","sts:DecodeAuthorizationMessage","sts:GetAccessKeyInfo","sts:GetSessionToken"]}})",
          policy::Kind::identity)
          .value()};
  return limits;
}

Error gone(std::string_view kind, std::string_view name) {
  return make_error("NoSuchEntity", fmt::format("The {} {} of these temporary credentials was deleted", kind, name),
                    404);
}

Result<policy::Subject> subject_of_role_session(const IamState& state, const Session& session) {
  Result<policy::Subject> subject = subject_of_role(state, session.role_name);
  if (!subject || subject->principal.user_id != session.role_id) return gone("role", session.role_name);
  subject->principal.arn = assumed_role_arn(state.account_id, session);
  subject->principal.user_id = fmt::format("{}:{}", session.role_id, session.session_name);
  return subject;
}

Result<policy::Subject> subject_of_session_token(const IamState& state, const Session& session) {
  Result<policy::Subject> subject =
      session.user_name.empty() ? root_subject(state.account_id) : subject_of_user(state, session.user_name);
  const std::string& id = session.user_name.empty() ? state.account_id : session.user_id;
  if (!subject || subject->principal.user_id != id) return gone("user", session.user_name);
  subject->identity.push_back(session_token_limits());
  return subject;
}

void add_session_policies(const IamState& state, const Session& session, policy::Subject& subject) {
  for (const SessionPolicy& policy : session.policies) {
    if (policy.arn.empty()) {
      subject.session.push_back({"passed with the session", policy.document});
    } else if (auto document = managed_document(state, policy.arn)) {
      subject.session.push_back({policy.arn, std::move(document)});
    }
  }
  // Also when all of them are gone: then nothing is allowed.
  subject.has_session_policies = !session.policies.empty();
}

}  // namespace

std::string assumed_role_arn(std::string_view account_id, const Session& session) {
  return fmt::format("arn:aws:sts::{}:assumed-role/{}/{}", account_id, session.role_name, session.session_name);
}

policy::Subject root_subject(const std::string& account_id) {
  policy::Subject subject;
  subject.root = true;
  subject.principal.arn = fmt::format("arn:aws:iam::{}:root", account_id);
  subject.principal.account_id = account_id;
  subject.principal.type = "Account";
  subject.principal.user_id = account_id;
  return subject;
}

Result<policy::Subject> subject_of_session(const IamState& state, const Session& session) {
  Result<policy::Subject> subject = session.kind == SessionKind::session_token
                                        ? subject_of_session_token(state, session)
                                        : subject_of_role_session(state, session);
  if (subject) add_session_policies(state, session, *subject);
  return subject;
}

Result<policy::Subject> subject_of_key(const IamState& state, const Sessions& sessions,
                                       std::string_view access_key_id) {
  if (const std::shared_ptr<const Session> session = sessions.find(access_key_id)) {
    return subject_of_session(state, *session);
  }
  if (const AccessKeyRecord* key = state.access_keys.find(access_key_id)) return subject_of_user(state, key->user);
  return make_error("NoSuchEntity", "The access key of this call is not known", 404);
}

Subjects::Answer Subjects::of_key(std::string_view access_key_id) {
  const std::shared_ptr<const IamState> state = directory_.state();
  {
    const std::shared_lock lock(mutex_);
    const auto found = state_ == state ? subjects_.find(access_key_id) : subjects_.end();
    if (found != subjects_.end()) return found->second;
  }
  Result<policy::Subject> made = subject_of_key(*state, sessions_, access_key_id);
  if (!made) return made.error();
  auto subject = std::make_shared<const policy::Subject>(std::move(*made));
  const std::unique_lock lock(mutex_);
  if (state_ != state || subjects_.size() >= max_cached_subjects) subjects_.clear();
  state_ = state;
  subjects_.insert_or_assign(std::string(access_key_id), subject);
  return subject;
}

}  // namespace kaapi::identity
