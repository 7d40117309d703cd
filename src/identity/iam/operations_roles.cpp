// Roles. Service-linked ones: operations_service_linked_roles.cpp.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

constexpr std::string_view reserved_path = "/aws-service-role/";

Result<wire::CreateRoleResponse> create_role(Directory& directory, const CallContext& context,
                                             const wire::CreateRoleRequest& request) {
  Result<Tags> tags = tags_of(request.Tags);
  if (!tags) return tags.error();
  if (request.Path && request.Path->starts_with(reserved_path)) {
    return validation_error(
        fmt::format("Roles below {} belong to AWS's services; make them with CreateServiceLinkedRole", reserved_path));
  }
  return directory.write([&](Edit& edit) -> Result<wire::CreateRoleResponse> {
    const IamState& state = edit.state();
    if (state.roles.find(lower(request.RoleName)) != nullptr) {
      return already_exists(fmt::format("Role with name {} already exists.", request.RoleName));
    }
    if (state.roles.size() >= max_roles) return quota_exceeded("RolesPerAccount", max_roles);
    Result<PolicyText> trust = trust_of(state, request.AssumeRolePolicyDocument, request.RoleName);
    if (!trust) return trust.error();
    Role role;
    role.name = request.RoleName;
    role.path = request.Path.value_or("/");
    role.id = new_unique_id(id_prefix::role, directory.ids());
    role.arn = entity_arn(state.account_id, "role", role.path, role.name);
    role.created_at = whole_seconds(context.now);
    role.trust = std::move(*trust);
    role.description = request.Description.value_or("");
    role.max_session_duration_s = request.MaxSessionDuration.value_or(role.max_session_duration_s);
    role.tags = std::move(*tags);
    role.boundary = request.PermissionsBoundary.value_or("");
    if (!role.boundary.empty()) {
      if (const Result<void> checked = check_attachable(state, role.boundary); !checked) return checked.error();
    }
    wire::CreateRoleResponse response;
    response.Role = describe(role, true);
    edit.put(std::move(role));
    return response;
  });
}

Result<wire::GetRoleResponse> get_role(Directory& directory, const CallContext&, const wire::GetRoleRequest& request) {
  const auto state = directory.state();
  const Result<const Role*> role = require<Role>(*state, request.RoleName);
  if (!role) return role.error();
  wire::GetRoleResponse response;
  response.Role = describe(**role, true);
  response.Role.RoleLastUsed = describe_last_use(directory, **role);
  return response;
}

Result<wire::ListRolesResponse> list_roles(Directory& directory, const CallContext&,
                                           const wire::ListRolesRequest& request) {
  const auto state = directory.state();
  wire::ListRolesResponse response;
  const auto rows =
      cut(rows_of(state->roles, request.PathPrefix), "roles" + request.PathPrefix.value_or(""), request, response);
  if (!rows) return rows.error();
  for (const auto& [key, role] : *rows) response.Roles.push_back(describe(*role, false));
  return response;
}

// What is not given stays. Of a service-linked role only the description may change.
Result<wire::UpdateRoleResponse> update_role(Directory& directory, const CallContext&,
                                             const wire::UpdateRoleRequest& request) {
  const Result<void> done =
      edit_one<Role>(directory, request.RoleName, [&](const IamState&, Role& role) -> Result<void> {
        if (request.MaxSessionDuration) {
          if (const Result<void> checked = check_modifiable(role); !checked) return checked.error();
        }
        if (request.Description) role.description = *request.Description;
        if (request.MaxSessionDuration) role.max_session_duration_s = *request.MaxSessionDuration;
        return ok();
      });
  if (!done) return done.error();
  return wire::UpdateRoleResponse();
}

// Also of service-linked roles.
Result<wire::UpdateRoleDescriptionResponse> update_role_description(Directory& directory, const CallContext&,
                                                                    const wire::UpdateRoleDescriptionRequest& request) {
  wire::UpdateRoleDescriptionResponse response;
  const Result<void> done = edit_one<Role>(directory, request.RoleName, [&](const IamState&, Role& role) {
    role.description = request.Description;
    response.Role = describe(role, true);
    return ok();
  });
  if (!done) return done.error();
  return response;
}

Result<wire::UpdateAssumeRolePolicyResponse> update_assume_role_policy(
    Directory& directory, const CallContext&, const wire::UpdateAssumeRolePolicyRequest& request) {
  const Result<void> done =
      edit_one<Role>(directory, request.RoleName, [&](const IamState& state, Role& role) -> Result<void> {
        if (const Result<void> checked = check_modifiable(role); !checked) return checked.error();
        Result<PolicyText> trust = trust_of(state, request.PolicyDocument, role.name);
        if (!trust) return trust.error();
        role.trust = std::move(*trust);
        return ok();
      });
  if (!done) return done.error();
  return wire::UpdateAssumeRolePolicyResponse();
}

Result<wire::DeleteRoleResponse> delete_role(Directory& directory, const CallContext&,
                                             const wire::DeleteRoleRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::DeleteRoleResponse> {
    const Result<const Role*> found = require<Role>(edit.state(), request.RoleName);
    if (!found) return found.error();
    const Role role = **found;
    if (const Result<void> checked = check_modifiable(role); !checked) return checked.error();
    if (!role.attached.empty()) return delete_conflict("Cannot delete entity, must detach all policies first.");
    if (!role.inline_policies.empty()) return delete_conflict("Cannot delete entity, must delete policies first.");
    for (const auto& [key, profile] : edit.state().instance_profiles.all()) {
      if (profile->role == role.name) {
        return delete_conflict("Cannot delete entity, must remove roles from instance profile first.");
      }
    }
    edit.erase(role);
    rename_in_trust(edit, role.arn, role.id);
    return wire::DeleteRoleResponse();
  });
}

Result<wire::ListInstanceProfilesForRoleResponse> list_instance_profiles_for_role(
    Directory& directory, const CallContext&, const wire::ListInstanceProfilesForRoleRequest& request) {
  const auto state = directory.state();
  const Result<const Role*> role = require<Role>(*state, request.RoleName);
  if (!role) return role.error();
  Rows<const InstanceProfile*> all;
  for (const auto& [key, profile] : state->instance_profiles.all()) {
    if (profile->role == (*role)->name) all.emplace_back(key, profile.get());
  }
  wire::ListInstanceProfilesForRoleResponse response;
  const auto rows = cut(std::move(all), "profiles-of/" + (*role)->name, request, response);
  if (!rows) return rows.error();
  for (const auto& [key, profile] : *rows) response.InstanceProfiles.push_back(describe(*state, *profile, false));
  return response;
}

}  // namespace

void add_role_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreateRole>(dispatcher, directory, create_role);
  serve<wire::GetRole>(dispatcher, directory, get_role);
  serve<wire::ListRoles>(dispatcher, directory, list_roles);
  serve<wire::UpdateRole>(dispatcher, directory, update_role);
  serve<wire::UpdateRoleDescription>(dispatcher, directory, update_role_description);
  serve<wire::UpdateAssumeRolePolicy>(dispatcher, directory, update_assume_role_policy);
  serve<wire::DeleteRole>(dispatcher, directory, delete_role);
  serve<wire::ListInstanceProfilesForRole>(dispatcher, directory, list_instance_profiles_for_role);
}

}  // namespace kaapi::identity
