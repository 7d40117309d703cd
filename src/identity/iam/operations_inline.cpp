// Inline policies of users, groups and roles. One text for all three kinds.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

template <class T>
struct Inline;
template <>
struct Inline<User> {
  static constexpr std::string_view noun = "user";
  static constexpr std::size_t max_size = policy::max_user_inline_size;
};
template <>
struct Inline<Group> {
  static constexpr std::string_view noun = "group";
  static constexpr std::size_t max_size = policy::max_group_inline_size;
};
template <>
struct Inline<Role> {
  static constexpr std::string_view noun = "role";
  static constexpr std::size_t max_size = policy::max_role_inline_size;
};

template <class T>
Error no_such_policy(std::string_view name) {
  return no_such_entity(fmt::format("The {} policy with name {} cannot be found.", Inline<T>::noun, name));
}

template <class T>
Error too_large(const std::string& name) {
  return limit_exceeded(
      fmt::format("Maximum policy size of {} bytes exceeded for {} {}", Inline<T>::max_size, Inline<T>::noun, name));
}

// Where a policy of that name is, or would be.
template <class Policies>
auto place_of(Policies& policies, const std::string& name) {
  return std::lower_bound(policies.begin(), policies.end(), name,
                          [](const InlinePolicy& policy, const std::string& wanted) { return policy.name < wanted; });
}

template <class T, class Op>
Result<typename Op::Response> put_inline(Directory& directory, const CallContext&,
                                         const typename Op::Request& request) {
  const Result<std::shared_ptr<const policy::Document>> document =
      policy::parse(request.PolicyDocument, policy::Kind::identity);
  if (!document) return document.error();
  const Result<void> done = edit_one<T>(directory, key_of(request), [&](const IamState&, T& entity) -> Result<void> {
    if (const Result<void> checked = check_modifiable(entity); !checked) return checked.error();
    std::vector<InlinePolicy>& policies = entity.inline_policies;
    const auto place = place_of(policies, request.PolicyName);
    const PolicyText text{request.PolicyDocument, *document};
    if (place != policies.end() && place->name == request.PolicyName) {
      place->policy = text;
    } else {
      policies.insert(place, {request.PolicyName, text});
    }
    std::size_t size = 0;
    for (const InlinePolicy& policy : policies) size += policy::counted_size(policy.policy.text);
    if (size > Inline<T>::max_size) return too_large<T>(entity.name);
    return ok();
  });
  if (!done) return done.error();
  return typename Op::Response();
}

template <class T, class Op>
Result<typename Op::Response> get_inline(Directory& directory, const CallContext&,
                                         const typename Op::Request& request) {
  const auto state = directory.state();
  const Result<const T*> entity = require<T>(*state, key_of(request));
  if (!entity) return entity.error();
  const auto place = place_of((*entity)->inline_policies, request.PolicyName);
  if (place == (*entity)->inline_policies.end() || place->name != request.PolicyName) {
    return no_such_policy<T>(request.PolicyName);
  }
  typename Op::Response response;
  if constexpr (std::is_same_v<T, User>) response.UserName = (*entity)->name;
  if constexpr (std::is_same_v<T, Group>) response.GroupName = (*entity)->name;
  if constexpr (std::is_same_v<T, Role>) response.RoleName = (*entity)->name;
  response.PolicyName = place->name;
  response.PolicyDocument = encoded(place->policy);
  return response;
}

template <class T, class Op>
Result<typename Op::Response> delete_inline(Directory& directory, const CallContext&,
                                            const typename Op::Request& request) {
  const Result<void> done = edit_one<T>(directory, key_of(request), [&](const IamState&, T& entity) -> Result<void> {
    if (const Result<void> checked = check_modifiable(entity); !checked) return checked.error();
    const auto place = place_of(entity.inline_policies, request.PolicyName);
    if (place == entity.inline_policies.end() || place->name != request.PolicyName) {
      return no_such_policy<T>(request.PolicyName);
    }
    entity.inline_policies.erase(place);
    return ok();
  });
  if (!done) return done.error();
  return typename Op::Response();
}

template <class T, class Op>
Result<typename Op::Response> list_inline(Directory& directory, const CallContext&,
                                          const typename Op::Request& request) {
  const auto state = directory.state();
  const Result<const T*> entity = require<T>(*state, key_of(request));
  if (!entity) return entity.error();
  Rows<const InlinePolicy*> all;
  for (const InlinePolicy& policy : (*entity)->inline_policies) all.emplace_back(policy.name, &policy);
  typename Op::Response response;
  const auto rows = cut(std::move(all), "inline/" + (*entity)->arn, request, response);
  if (!rows) return rows.error();
  for (const auto& [name, policy] : *rows) response.PolicyNames.push_back(name);
  return response;
}

}  // namespace

void add_inline_policy_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  using namespace wire;
  serve<PutUserPolicy>(dispatcher, directory, put_inline<identity::User, PutUserPolicy>);
  serve<PutGroupPolicy>(dispatcher, directory, put_inline<identity::Group, PutGroupPolicy>);
  serve<PutRolePolicy>(dispatcher, directory, put_inline<identity::Role, PutRolePolicy>);
  serve<GetUserPolicy>(dispatcher, directory, get_inline<identity::User, GetUserPolicy>);
  serve<GetGroupPolicy>(dispatcher, directory, get_inline<identity::Group, GetGroupPolicy>);
  serve<GetRolePolicy>(dispatcher, directory, get_inline<identity::Role, GetRolePolicy>);
  serve<DeleteUserPolicy>(dispatcher, directory, delete_inline<identity::User, DeleteUserPolicy>);
  serve<DeleteGroupPolicy>(dispatcher, directory, delete_inline<identity::Group, DeleteGroupPolicy>);
  serve<DeleteRolePolicy>(dispatcher, directory, delete_inline<identity::Role, DeleteRolePolicy>);
  serve<ListUserPolicies>(dispatcher, directory, list_inline<identity::User, ListUserPolicies>);
  serve<ListGroupPolicies>(dispatcher, directory, list_inline<identity::Group, ListGroupPolicies>);
  serve<ListRolePolicies>(dispatcher, directory, list_inline<identity::Role, ListRolePolicies>);
}

}  // namespace kaapi::identity
