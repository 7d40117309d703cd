// Instance profiles: stored, for clients that make them; no machine here takes one.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

Result<wire::CreateInstanceProfileResponse> create_profile(Directory& directory, const CallContext& context,
                                                           const wire::CreateInstanceProfileRequest& request) {
  Result<Tags> tags = tags_of(request.Tags);
  if (!tags) return tags.error();
  return directory.write([&](Edit& edit) -> Result<wire::CreateInstanceProfileResponse> {
    const IamState& state = edit.state();
    if (state.instance_profiles.find(lower(request.InstanceProfileName)) != nullptr) {
      return already_exists(fmt::format("Instance Profile {} already exists.", request.InstanceProfileName));
    }
    if (state.instance_profiles.size() >= max_instance_profiles) {
      return quota_exceeded("InstanceProfilesPerAccount", max_instance_profiles);
    }
    InstanceProfile profile;
    profile.name = request.InstanceProfileName;
    profile.path = request.Path.value_or("/");
    profile.id = new_unique_id(id_prefix::instance_profile, directory.ids());
    profile.arn = entity_arn(state.account_id, "instance-profile", profile.path, profile.name);
    profile.created_at = whole_seconds(context.now);
    profile.tags = std::move(*tags);
    wire::CreateInstanceProfileResponse response;
    response.InstanceProfile = describe(state, profile, true);
    edit.put(std::move(profile));
    return response;
  });
}

Result<wire::GetInstanceProfileResponse> get_profile(Directory& directory, const CallContext&,
                                                     const wire::GetInstanceProfileRequest& request) {
  const auto state = directory.state();
  const Result<const InstanceProfile*> profile = require<InstanceProfile>(*state, request.InstanceProfileName);
  if (!profile) return profile.error();
  wire::GetInstanceProfileResponse response;
  response.InstanceProfile = describe(*state, **profile, true);
  return response;
}

Result<wire::ListInstanceProfilesResponse> list_profiles(Directory& directory, const CallContext&,
                                                         const wire::ListInstanceProfilesRequest& request) {
  const auto state = directory.state();
  wire::ListInstanceProfilesResponse response;
  const auto rows = cut(rows_of(state->instance_profiles, request.PathPrefix),
                        "instance-profiles" + request.PathPrefix.value_or(""), request, response);
  if (!rows) return rows.error();
  for (const auto& [key, profile] : *rows) response.InstanceProfiles.push_back(describe(*state, *profile, false));
  return response;
}

Result<wire::DeleteInstanceProfileResponse> delete_profile(Directory& directory, const CallContext&,
                                                           const wire::DeleteInstanceProfileRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::DeleteInstanceProfileResponse> {
    const Result<const InstanceProfile*> found = require<InstanceProfile>(edit.state(), request.InstanceProfileName);
    if (!found) return found.error();
    const InstanceProfile profile = **found;
    if (!profile.role.empty()) {
      return delete_conflict("Cannot delete entity, must remove roles from instance profile first.");
    }
    edit.erase(profile);
    return wire::DeleteInstanceProfileResponse();
  });
}

Result<wire::AddRoleToInstanceProfileResponse> add_role(Directory& directory, const CallContext&,
                                                        const wire::AddRoleToInstanceProfileRequest& request) {
  const Result<void> done = edit_one<InstanceProfile>(
      directory, request.InstanceProfileName, [&](const IamState& state, InstanceProfile& profile) -> Result<void> {
        const Result<const Role*> role = require<Role>(state, request.RoleName);
        if (!role) return role.error();
        if (const Result<void> checked = check_modifiable(**role); !checked) return checked.error();
        if (!profile.role.empty()) return quota_exceeded("InstanceSessionsPerInstanceProfile", 1);
        profile.role = (*role)->name;
        return ok();
      });
  if (!done) return done.error();
  return wire::AddRoleToInstanceProfileResponse();
}

Result<wire::RemoveRoleFromInstanceProfileResponse> remove_role(
    Directory& directory, const CallContext&, const wire::RemoveRoleFromInstanceProfileRequest& request) {
  const Result<void> done = edit_one<InstanceProfile>(
      directory, request.InstanceProfileName, [&](const IamState&, InstanceProfile& profile) -> Result<void> {
        if (profile.role != request.RoleName) {
          return no_such_entity(fmt::format("The role with name {} cannot be found.", request.RoleName));
        }
        profile.role.clear();
        return ok();
      });
  if (!done) return done.error();
  return wire::RemoveRoleFromInstanceProfileResponse();
}

}  // namespace

void add_instance_profile_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreateInstanceProfile>(dispatcher, directory, create_profile);
  serve<wire::GetInstanceProfile>(dispatcher, directory, get_profile);
  serve<wire::ListInstanceProfiles>(dispatcher, directory, list_profiles);
  serve<wire::DeleteInstanceProfile>(dispatcher, directory, delete_profile);
  serve<wire::AddRoleToInstanceProfile>(dispatcher, directory, add_role);
  serve<wire::RemoveRoleFromInstanceProfile>(dispatcher, directory, remove_role);
}

}  // namespace kaapi::identity
