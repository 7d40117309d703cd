#include "identity/sts/keys.h"

#include <fmt/format.h>

#include "identity/sts/subject.h"

namespace kaapi::identity {

Keys::Keys(Account account, Directory& directory, const Sessions& sessions)
    : directory_(directory), sessions_(sessions), account_(std::make_shared<const Account>(std::move(account))) {}

std::shared_ptr<const Account> Keys::account() const {
  const std::lock_guard lock(mutex_);
  return account_;
}

void Keys::replace_root(const Account& account) {
  auto replaced = std::make_shared<const Account>(account);
  const std::lock_guard lock(mutex_);
  account_ = std::move(replaced);
}

std::optional<aws::AccessKey> Keys::find(std::string_view access_key_id) const {
  if (const std::shared_ptr<const Session> session = sessions_.find(access_key_id)) return find_session(*session);
  if (std::optional<aws::AccessKey> key = find_user_key(*directory_.state(), access_key_id)) return key;
  const std::shared_ptr<const Account> root = account();
  if (access_key_id != root->access_key_id) return std::nullopt;
  aws::AccessKey key;
  key.secret = root->secret_access_key;
  key.account_id = root->account_id;
  key.principal_arn = root->root_arn();
  key.user_id = root->account_id;
  key.is_root = true;
  return key;
}

void Keys::used(std::string_view access_key_id, std::string_view service, std::string_view region) const {
  const std::shared_ptr<const Session> session = sessions_.find(access_key_id);
  if (session == nullptr) {
    directory_.note_use(access_key_id, service, region);
  } else if (session->kind != SessionKind::session_token) {
    directory_.note_role_use(session->role_name, session->role_id, service, region);
  }
}

std::optional<aws::AccessKey> Keys::find_session(const Session& session) const {
  aws::AccessKey key;
  const std::shared_ptr<const IamState> state = directory_.state();
  if (session.kind != SessionKind::session_token) {
    const Role* role = state->role(session.role_name);
    if (role == nullptr || role->id != session.role_id) return std::nullopt;
    key.principal_arn = assumed_role_arn(state->account_id, session);
    key.user_id = fmt::format("{}:{}", session.role_id, session.session_name);
  } else if (!session.user_name.empty()) {
    const User* user = state->user(session.user_name);
    if (user == nullptr || user->id != session.user_id) return std::nullopt;
    key.principal_arn = user->arn;
    key.user_id = user->id;
  } else {
    // Root's, as long as the key that asked for it: is_root stays false, so that the session's own limits are looked
    // at.
    const std::shared_ptr<const Account> root = account();
    if (session.owner != root->access_key_id) return std::nullopt;
    key.principal_arn = root->root_arn();
    key.user_id = root->account_id;
  }
  key.secret = session.secret_access_key;
  key.session_token = session.token;
  key.account_id = state->account_id;
  key.expires_at = session.expires_at;
  return key;
}

bool Keys::is_known(std::string_view access_key_id) const {
  return sessions_.find(access_key_id) != nullptr || directory_.state()->access_keys.find(access_key_id) != nullptr ||
         access_key_id == account()->access_key_id;
}

}  // namespace kaapi::identity
