// Managed policies attached to users, groups and roles, and permissions boundaries. One text for all three kinds.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

template <class T>
constexpr std::string_view attached_quota = "";
template <>
constexpr std::string_view attached_quota<User> = "PoliciesPerUser";
template <>
constexpr std::string_view attached_quota<Group> = "PoliciesPerGroup";
template <>
constexpr std::string_view attached_quota<Role> = "PoliciesPerRole";

template <class T, class Op>
Result<typename Op::Response> attach(Directory& directory, const CallContext&, const typename Op::Request& request) {
  const Result<void> done =
      edit_one<T>(directory, key_of(request), [&](const IamState& state, T& entity) -> Result<void> {
        if (const Result<void> checked = check_modifiable(entity); !checked) return checked.error();
        if (const Result<void> checked = check_attachable(state, request.PolicyArn); !checked) return checked.error();
        std::vector<std::string>& attached = entity.attached;
        if (std::find(attached.begin(), attached.end(), request.PolicyArn) != attached.end()) return ok();
        if (attached.size() >= max_attached_policies) return quota_exceeded(attached_quota<T>, max_attached_policies);
        attached.push_back(request.PolicyArn);
        return ok();
      });
  if (!done) return done.error();
  return typename Op::Response();
}

template <class T, class Op>
Result<typename Op::Response> detach(Directory& directory, const CallContext&, const typename Op::Request& request) {
  const Result<void> done = edit_one<T>(directory, key_of(request), [&](const IamState&, T& entity) -> Result<void> {
    if (const Result<void> checked = check_modifiable(entity); !checked) return checked.error();
    if (std::erase(entity.attached, request.PolicyArn) == 0) {
      return no_such_entity(fmt::format("Policy {} was not found.", request.PolicyArn));
    }
    return ok();
  });
  if (!done) return done.error();
  return typename Op::Response();
}

// "/service-role/" of "arn:aws:iam::aws:policy/service-role/X".
std::string_view path_in_arn(std::string_view arn) {
  const std::size_t first = arn.find('/');
  return first == std::string_view::npos ? std::string_view() : arn.substr(first, arn.rfind('/') - first + 1);
}

template <class T, class Op>
Result<typename Op::Response> list_attached(Directory& directory, const CallContext&,
                                            const typename Op::Request& request) {
  const auto state = directory.state();
  const Result<const T*> entity = require<T>(*state, key_of(request));
  if (!entity) return entity.error();
  Rows<std::string> all;
  for (const std::string& arn : (*entity)->attached) {
    if (!request.PathPrefix || path_in_arn(arn).starts_with(*request.PathPrefix)) all.emplace_back(arn, arn);
  }
  std::sort(all.begin(), all.end());
  typename Op::Response response;
  const auto rows = cut(std::move(all), fmt::format("attached/{}{}", (*entity)->arn, request.PathPrefix.value_or("")),
                        request, response);
  if (!rows) return rows.error();
  response.AttachedPolicies.emplace();
  for (const auto& [key, arn] : *rows) response.AttachedPolicies->push_back({std::string(name_in_arn(arn)), arn});
  return response;
}

template <class T, class Op>
Result<typename Op::Response> put_boundary(Directory& directory, const CallContext&,
                                           const typename Op::Request& request) {
  const Result<void> done =
      edit_one<T>(directory, key_of(request), [&](const IamState& state, T& entity) -> Result<void> {
        if (const Result<void> checked = check_modifiable(entity); !checked) return checked.error();
        if (const Result<void> checked = check_attachable(state, request.PermissionsBoundary); !checked)
          return checked.error();
        entity.boundary = request.PermissionsBoundary;
        return ok();
      });
  if (!done) return done.error();
  return typename Op::Response();
}

template <class T, class Op>
Result<typename Op::Response> delete_boundary(Directory& directory, const CallContext&,
                                              const typename Op::Request& request) {
  const Result<void> done = edit_one<T>(directory, key_of(request), [&](const IamState&, T& entity) -> Result<void> {
    if (const Result<void> checked = check_modifiable(entity); !checked) return checked.error();
    entity.boundary.clear();
    return ok();
  });
  if (!done) return done.error();
  return typename Op::Response();
}

}  // namespace

void add_attached_policy_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  using namespace wire;
  serve<AttachUserPolicy>(dispatcher, directory, attach<identity::User, AttachUserPolicy>);
  serve<AttachGroupPolicy>(dispatcher, directory, attach<identity::Group, AttachGroupPolicy>);
  serve<AttachRolePolicy>(dispatcher, directory, attach<identity::Role, AttachRolePolicy>);
  serve<DetachUserPolicy>(dispatcher, directory, detach<identity::User, DetachUserPolicy>);
  serve<DetachGroupPolicy>(dispatcher, directory, detach<identity::Group, DetachGroupPolicy>);
  serve<DetachRolePolicy>(dispatcher, directory, detach<identity::Role, DetachRolePolicy>);
  serve<ListAttachedUserPolicies>(dispatcher, directory, list_attached<identity::User, ListAttachedUserPolicies>);
  serve<ListAttachedGroupPolicies>(dispatcher, directory, list_attached<identity::Group, ListAttachedGroupPolicies>);
  serve<ListAttachedRolePolicies>(dispatcher, directory, list_attached<identity::Role, ListAttachedRolePolicies>);
  serve<PutUserPermissionsBoundary>(dispatcher, directory, put_boundary<identity::User, PutUserPermissionsBoundary>);
  serve<PutRolePermissionsBoundary>(dispatcher, directory, put_boundary<identity::Role, PutRolePermissionsBoundary>);
  serve<DeleteUserPermissionsBoundary>(dispatcher, directory,
                                       delete_boundary<identity::User, DeleteUserPermissionsBoundary>);
  serve<DeleteRolePermissionsBoundary>(dispatcher, directory,
                                       delete_boundary<identity::Role, DeleteRolePermissionsBoundary>);
}

}  // namespace kaapi::identity
