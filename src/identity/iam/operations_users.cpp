// Users, and what they could carry but never do here (passwords, MFA devices, certificates).
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

Result<wire::CreateUserResponse> create_user(Directory& directory, const CallContext& context,
                                             const wire::CreateUserRequest& request) {
  Result<Tags> tags = tags_of(request.Tags);
  if (!tags) return tags.error();
  return directory.write([&](Edit& edit) -> Result<wire::CreateUserResponse> {
    const IamState& state = edit.state();
    if (state.users.find(lower(request.UserName)) != nullptr) {
      return already_exists(fmt::format("User with name {} already exists.", request.UserName));
    }
    if (state.users.size() >= max_users) return quota_exceeded("UsersPerAccount", max_users);
    User user;
    user.name = request.UserName;
    user.path = request.Path.value_or("/");
    user.id = new_unique_id(id_prefix::user, directory.ids());
    user.arn = entity_arn(state.account_id, "user", user.path, user.name);
    user.created_at = whole_seconds(context.now);
    user.tags = std::move(*tags);
    user.boundary = request.PermissionsBoundary.value_or("");
    if (!user.boundary.empty()) {
      if (const Result<void> checked = check_attachable(state, user.boundary); !checked) return checked.error();
    }
    wire::CreateUserResponse response;
    response.User = describe(user, true);
    edit.put(std::move(user));
    return response;
  });
}

Result<wire::GetUserResponse> get_user(Directory& directory, const CallContext& context,
                                       const wire::GetUserRequest& request) {
  wire::GetUserResponse response;
  if (!request.UserName && context.is_root) {
    response.User.Path = "/";
    response.User.UserName = context.account_id;
    response.User.UserId = context.account_id;
    response.User.Arn = context.principal_arn;
    return response;
  }
  const auto state = directory.state();
  const Result<const User*> user = user_or_caller(*state, context, request.UserName);
  if (!user) return user.error();
  response.User = describe(**user, true);
  return response;
}

Result<wire::ListUsersResponse> list_users(Directory& directory, const CallContext&,
                                           const wire::ListUsersRequest& request) {
  const auto state = directory.state();
  wire::ListUsersResponse response;
  const auto rows =
      cut(rows_of(state->users, request.PathPrefix), "users" + request.PathPrefix.value_or(""), request, response);
  if (!rows) return rows.error();
  for (const auto& [key, user] : *rows) response.Users.push_back(describe(*user, false));
  return response;
}

// Everything that refers to the user by name follows.
Result<wire::UpdateUserResponse> update_user(Directory& directory, const CallContext&,
                                             const wire::UpdateUserRequest& request) {
  const Result<void> done = directory.write([&](Edit& edit) -> Result<void> {
    const Result<const User*> found = require<User>(edit.state(), request.UserName);
    if (!found) return found.error();
    const User old = **found;
    User user = old;
    user.path = request.NewPath.value_or(user.path);
    user.name = request.NewUserName.value_or(user.name);
    user.arn = entity_arn(edit.state().account_id, "user", user.path, user.name);
    const User* taken = edit.state().users.find(lower(user.name));
    if (taken != nullptr && taken->id != user.id) {
      return already_exists(fmt::format("User with name {} already exists.", user.name));
    }
    for (const std::string& id : user.access_keys) {
      AccessKeyRecord key = *edit.state().access_keys.find(id);
      key.user = user.name;
      edit.put(std::move(key));
    }
    edit.erase(old);
    edit.put(user);
    if (user.arn != old.arn) rename_in_trust(edit, old.arn, user.arn);
    return ok();
  });
  if (!done) return done.error();
  return wire::UpdateUserResponse();
}

Result<wire::DeleteUserResponse> delete_user(Directory& directory, const CallContext&,
                                             const wire::DeleteUserRequest& request) {
  const Result<void> done = directory.write([&](Edit& edit) -> Result<void> {
    const Result<const User*> found = require<User>(edit.state(), request.UserName);
    if (!found) return found.error();
    const User user = **found;
    if (!user.attached.empty()) return delete_conflict("Cannot delete entity, must detach all policies first.");
    if (!user.inline_policies.empty()) return delete_conflict("Cannot delete entity, must delete policies first.");
    if (!user.access_keys.empty()) return delete_conflict("Cannot delete entity, must delete access keys first.");
    if (!user.groups.empty()) return delete_conflict("Cannot delete entity, must remove users from group first.");
    edit.erase(user);
    rename_in_trust(edit, user.arn, user.id);
    return ok();
  });
  if (!done) return done.error();
  return wire::DeleteUserResponse();
}

// Of what nobody has here, the list is empty. Terraform looks at these before it removes a user with force_destroy.
template <class Op>
Result<typename Op::Response> list_none(Directory& directory, const CallContext&, const typename Op::Request& request) {
  if constexpr (requires { request.UserName; }) {
    if (request.UserName) {
      const auto state = directory.state();
      if (const Result<const User*> user = require<User>(*state, *request.UserName); !user) return user.error();
    }
  }
  typename Op::Response response;
  response.IsTruncated = false;
  return response;
}

template <class Op>
Result<typename Op::Response> no_login_profile(Directory& directory, const CallContext& context,
                                               const typename Op::Request& request) {
  const auto state = directory.state();
  const Result<const User*> user = user_or_caller(*state, context, request.UserName);
  if (!user) return user.error();
  return no_such_entity(fmt::format("Login Profile for User {} cannot be found.", (*user)->name));
}

}  // namespace

void add_user_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreateUser>(dispatcher, directory, create_user);
  serve<wire::GetUser>(dispatcher, directory, get_user);
  serve<wire::ListUsers>(dispatcher, directory, list_users);
  serve<wire::UpdateUser>(dispatcher, directory, update_user);
  serve<wire::DeleteUser>(dispatcher, directory, delete_user);
  serve<wire::ListSSHPublicKeys>(dispatcher, directory, list_none<wire::ListSSHPublicKeys>);
  serve<wire::ListMFADevices>(dispatcher, directory, list_none<wire::ListMFADevices>);
  serve<wire::ListVirtualMFADevices>(dispatcher, directory, list_none<wire::ListVirtualMFADevices>);
  serve<wire::ListSigningCertificates>(dispatcher, directory, list_none<wire::ListSigningCertificates>);
  serve<wire::ListServiceSpecificCredentials>(dispatcher, directory, list_none<wire::ListServiceSpecificCredentials>);
  serve<wire::GetLoginProfile>(dispatcher, directory, no_login_profile<wire::GetLoginProfile>);
  serve<wire::DeleteLoginProfile>(dispatcher, directory, no_login_profile<wire::DeleteLoginProfile>);
}

}  // namespace kaapi::identity
