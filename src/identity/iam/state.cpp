#include "identity/iam/state.h"

#include <fmt/format.h>

#include "base/text.h"
#include "identity/policy/managed.h"

namespace kaapi::identity {
namespace {

template <class T>
const T* by_name(const Table<T>& table, std::string_view name) {
  const T* found = table.find(lower(name));
  return found != nullptr && found->name == name ? found : nullptr;
}

template <class T>
const T* by_arn(const Table<T>& table, std::string_view arn) {
  const std::size_t slash = arn.rfind('/');
  if (slash == std::string_view::npos) return nullptr;
  const T* found = by_name(table, arn.substr(slash + 1));
  return found != nullptr && found->arn == arn ? found : nullptr;
}

// AWS's own policies, understood once.
std::shared_ptr<const policy::Document> aws_document(std::string_view arn) {
  static const auto documents = [] {
    std::map<std::string_view, std::shared_ptr<const policy::Document>> all;
    for (const policy::AwsManagedPolicy& managed : policy::aws_managed_policies()) {
      all.emplace(managed.arn, policy::parse(managed.document, policy::Kind::identity).value());
    }
    return all;
  }();
  const auto found = documents.find(arn);
  return found == documents.end() ? nullptr : found->second;
}

void add_policies(const IamState& state, std::string_view kind, const Entity& entity, policy::Subject& subject) {
  for (const InlinePolicy& policy : entity.inline_policies) {
    subject.identity.push_back(
        {fmt::format("inline policy {} of {} {}", policy.name, kind, entity.name), policy.policy.document});
  }
  for (const std::string& arn : entity.attached) {
    if (auto document = managed_document(state, arn)) subject.identity.push_back({arn, std::move(document)});
  }
}

void add_boundary(const IamState& state, const std::string& arn, policy::Subject& subject) {
  if (arn.empty()) return;
  std::shared_ptr<const policy::Document> document = managed_document(state, arn);
  // A boundary that is gone still bounds: nothing is within it.
  if (document == nullptr) document = std::make_shared<const policy::Document>();
  subject.boundary = policy::NamedPolicy{arn, std::move(document)};
}

Error no_such(std::string_view kind, std::string_view name) {
  return make_error("NoSuchEntity", fmt::format("The {} with name {} cannot be found.", kind, name), 404);
}

}  // namespace

const User* IamState::user(std::string_view name) const {
  return by_name(users, name);
}
const Group* IamState::group(std::string_view name) const {
  return by_name(groups, name);
}
const Role* IamState::role(std::string_view name) const {
  return by_name(roles, name);
}
const InstanceProfile* IamState::instance_profile(std::string_view name) const {
  return by_name(instance_profiles, name);
}
const Role* IamState::role_by_arn(std::string_view arn) const {
  return by_arn(roles, arn);
}
const User* IamState::user_by_arn(std::string_view arn) const {
  return by_arn(users, arn);
}
const Group* IamState::group_by_arn(std::string_view arn) const {
  return by_arn(groups, arn);
}
const ManagedPolicy* IamState::policy(std::string_view arn) const {
  return by_arn(policies, arn);
}
const OidcProvider* IamState::oidc_provider(std::string_view arn) const {
  return oidc_providers.find(arn);
}

std::shared_ptr<const policy::Document> managed_document(const IamState& state, std::string_view arn) {
  if (const ManagedPolicy* policy = state.policy(arn)) return policy->current().policy.document;
  return aws_document(arn);
}

Result<policy::Subject> subject_of_user(const IamState& state, std::string_view user_name) {
  const User* user = state.user(user_name);
  if (user == nullptr) return no_such("user", user_name);
  policy::Subject subject;
  subject.principal.arn = user->arn;
  subject.principal.account_id = state.account_id;
  subject.principal.type = "User";
  subject.principal.user_id = user->id;
  subject.principal.user_name = user->name;
  add_policies(state, "user", *user, subject);
  for (const std::string& name : user->groups) {
    if (const Group* group = state.group(name)) add_policies(state, "group", *group, subject);
  }
  add_boundary(state, user->boundary, subject);
  return subject;
}

Result<policy::Subject> subject_of_role(const IamState& state, std::string_view role_name) {
  const Role* role = state.role(role_name);
  if (role == nullptr) return no_such("role", role_name);
  policy::Subject subject;
  subject.principal.arn = role->arn;
  subject.principal.account_id = state.account_id;
  subject.principal.type = "AssumedRole";
  subject.principal.user_id = role->id;
  subject.principal.role_arn = role->arn;
  add_policies(state, "role", *role, subject);
  add_boundary(state, role->boundary, subject);
  return subject;
}

Result<policy::Subject> subject_of_group(const IamState& state, std::string_view group_name) {
  const Group* group = state.group(group_name);
  if (group == nullptr) return no_such("group", group_name);
  policy::Subject subject;
  subject.principal.account_id = state.account_id;
  add_policies(state, "group", *group, subject);
  return subject;
}

}  // namespace kaapi::identity
