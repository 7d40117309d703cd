// Groups and who is in them.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

bool is_member(const User& user, const std::string& group) {
  return std::find(user.groups.begin(), user.groups.end(), group) != user.groups.end();
}

Rows<const User*> members_of(const IamState& state, const std::string& group) {
  Rows<const User*> rows;
  for (const auto& [key, user] : state.users.all()) {
    if (is_member(*user, group)) rows.emplace_back(key, user.get());
  }
  return rows;
}

Result<wire::CreateGroupResponse> create_group(Directory& directory, const CallContext& context,
                                               const wire::CreateGroupRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::CreateGroupResponse> {
    const IamState& state = edit.state();
    if (state.groups.find(lower(request.GroupName)) != nullptr) {
      return already_exists(fmt::format("Group with name {} already exists.", request.GroupName));
    }
    if (state.groups.size() >= max_groups) return quota_exceeded("GroupsPerAccount", max_groups);
    Group group;
    group.name = request.GroupName;
    group.path = request.Path.value_or("/");
    group.id = new_unique_id(id_prefix::group, directory.ids());
    group.arn = entity_arn(state.account_id, "group", group.path, group.name);
    group.created_at = whole_seconds(context.now);
    wire::CreateGroupResponse response;
    response.Group = describe(group);
    edit.put(std::move(group));
    return response;
  });
}

Result<wire::GetGroupResponse> get_group(Directory& directory, const CallContext&,
                                         const wire::GetGroupRequest& request) {
  const auto state = directory.state();
  const Result<const Group*> group = require<Group>(*state, request.GroupName);
  if (!group) return group.error();
  wire::GetGroupResponse response;
  response.Group = describe(**group);
  const auto rows = cut(members_of(*state, (*group)->name), "members/" + (*group)->name, request, response);
  if (!rows) return rows.error();
  for (const auto& [key, user] : *rows) response.Users.push_back(describe(*user, false));
  return response;
}

Result<wire::ListGroupsResponse> list_groups(Directory& directory, const CallContext&,
                                             const wire::ListGroupsRequest& request) {
  const auto state = directory.state();
  wire::ListGroupsResponse response;
  const auto rows =
      cut(rows_of(state->groups, request.PathPrefix), "groups" + request.PathPrefix.value_or(""), request, response);
  if (!rows) return rows.error();
  for (const auto& [key, group] : *rows) response.Groups.push_back(describe(*group));
  return response;
}

Result<wire::ListGroupsForUserResponse> list_groups_for_user(Directory& directory, const CallContext&,
                                                             const wire::ListGroupsForUserRequest& request) {
  const auto state = directory.state();
  const Result<const User*> user = require<User>(*state, request.UserName);
  if (!user) return user.error();
  Rows<const Group*> all;
  for (const std::string& name : (*user)->groups) all.emplace_back(name, state->group(name));
  wire::ListGroupsForUserResponse response;
  const auto rows = cut(std::move(all), "groups-of/" + (*user)->name, request, response);
  if (!rows) return rows.error();
  for (const auto& [name, group] : *rows) response.Groups.push_back(describe(*group));
  return response;
}

// Its members follow a new name.
Result<wire::UpdateGroupResponse> update_group(Directory& directory, const CallContext&,
                                               const wire::UpdateGroupRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::UpdateGroupResponse> {
    const Result<const Group*> found = require<Group>(edit.state(), request.GroupName);
    if (!found) return found.error();
    const Group old = **found;
    Group group = old;
    group.path = request.NewPath.value_or(group.path);
    group.name = request.NewGroupName.value_or(group.name);
    group.arn = entity_arn(edit.state().account_id, "group", group.path, group.name);
    const Group* taken = edit.state().groups.find(lower(group.name));
    if (taken != nullptr && taken->id != group.id) {
      return already_exists(fmt::format("Group with name {} already exists.", group.name));
    }
    if (group.name != old.name) {
      std::vector<User> members;
      for (const auto& [key, user] : members_of(edit.state(), old.name)) members.push_back(*user);
      for (User& user : members) {
        std::replace(user.groups.begin(), user.groups.end(), old.name, group.name);
        std::sort(user.groups.begin(), user.groups.end());
        edit.put(std::move(user));
      }
    }
    edit.erase(old);
    edit.put(std::move(group));
    return wire::UpdateGroupResponse();
  });
}

Result<wire::DeleteGroupResponse> delete_group(Directory& directory, const CallContext&,
                                               const wire::DeleteGroupRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::DeleteGroupResponse> {
    const Result<const Group*> found = require<Group>(edit.state(), request.GroupName);
    if (!found) return found.error();
    const Group group = **found;
    if (!group.attached.empty()) return delete_conflict("Cannot delete entity, must detach all policies first.");
    if (!group.inline_policies.empty()) return delete_conflict("Cannot delete entity, must delete policies first.");
    if (!members_of(edit.state(), group.name).empty()) {
      return delete_conflict("Cannot delete entity, must remove users from group first.");
    }
    edit.erase(group);
    return wire::DeleteGroupResponse();
  });
}

// Adding a member and removing somebody who is none change nothing and succeed.
template <class Op>
Result<typename Op::Response> change_membership(Directory& directory, const typename Op::Request& request,
                                                bool member) {
  return directory.write([&](Edit& edit) -> Result<typename Op::Response> {
    const Result<const Group*> group = require<Group>(edit.state(), request.GroupName);
    if (!group) return group.error();
    const Result<const User*> found = require<User>(edit.state(), request.UserName);
    if (!found) return found.error();
    if (is_member(**found, request.GroupName) == member) return typename Op::Response();
    User user = **found;
    if (member) {
      if (user.groups.size() >= max_groups_per_user) return quota_exceeded("GroupsPerUser", max_groups_per_user);
      user.groups.insert(std::upper_bound(user.groups.begin(), user.groups.end(), request.GroupName),
                         request.GroupName);
    } else {
      std::erase(user.groups, request.GroupName);
    }
    edit.put(std::move(user));
    return typename Op::Response();
  });
}

Result<wire::AddUserToGroupResponse> add_user_to_group(Directory& directory, const CallContext&,
                                                       const wire::AddUserToGroupRequest& request) {
  return change_membership<wire::AddUserToGroup>(directory, request, true);
}

Result<wire::RemoveUserFromGroupResponse> remove_user_from_group(Directory& directory, const CallContext&,
                                                                 const wire::RemoveUserFromGroupRequest& request) {
  return change_membership<wire::RemoveUserFromGroup>(directory, request, false);
}

}  // namespace

void add_group_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreateGroup>(dispatcher, directory, create_group);
  serve<wire::GetGroup>(dispatcher, directory, get_group);
  serve<wire::ListGroups>(dispatcher, directory, list_groups);
  serve<wire::ListGroupsForUser>(dispatcher, directory, list_groups_for_user);
  serve<wire::UpdateGroup>(dispatcher, directory, update_group);
  serve<wire::DeleteGroup>(dispatcher, directory, delete_group);
  serve<wire::AddUserToGroup>(dispatcher, directory, add_user_to_group);
  serve<wire::RemoveUserFromGroup>(dispatcher, directory, remove_user_from_group);
}

}  // namespace kaapi::identity
