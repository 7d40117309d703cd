// GetAccountAuthorizationDetails: everything at once, page by page.
#include "identity/iam/policy_view.h"

namespace kaapi::identity {
namespace {

// One line of the listing: exactly one pointer is set.
struct Line {
  const User* user = nullptr;
  const Group* group = nullptr;
  const Role* role = nullptr;
  const ManagedPolicy* policy = nullptr;
  const policy::AwsManagedPolicy* aws_policy = nullptr;
};

std::vector<wire::AttachedPolicy> attached_of(const Entity& entity) {
  std::vector<wire::AttachedPolicy> shown;
  for (const std::string& arn : entity.attached) shown.push_back({std::string(name_in_arn(arn)), arn});
  return shown;
}

std::vector<wire::PolicyDetail> inline_of(const Entity& entity) {
  std::vector<wire::PolicyDetail> shown;
  for (const InlinePolicy& policy : entity.inline_policies) shown.push_back({policy.name, encoded(policy.policy)});
  return shown;
}

template <class Detail>
void show_entity(const Entity& entity, Detail& shown) {
  shown.Path = entity.path;
  shown.Arn = entity.arn;
  shown.CreateDate = entity.created_at;
  shown.AttachedManagedPolicies = attached_of(entity);
}

wire::UserDetail detail(const User& user) {
  wire::UserDetail shown;
  show_entity(user, shown);
  shown.UserName = user.name;
  shown.UserId = user.id;
  shown.UserPolicyList = inline_of(user);
  shown.GroupList = user.groups;
  shown.PermissionsBoundary = describe_boundary(user.boundary);
  shown.Tags = wire_tags(user.tags);
  return shown;
}

wire::GroupDetail detail(const Group& group) {
  wire::GroupDetail shown;
  show_entity(group, shown);
  shown.GroupName = group.name;
  shown.GroupId = group.id;
  shown.GroupPolicyList = inline_of(group);
  return shown;
}

using Profiles = std::multimap<std::string_view, const InstanceProfile*>;

wire::RoleDetail detail(const Directory& directory, const IamState& state, const Profiles& profiles, const Role& role) {
  wire::RoleDetail shown;
  show_entity(role, shown);
  shown.RoleName = role.name;
  shown.RoleId = role.id;
  shown.AssumeRolePolicyDocument = encoded(role.trust);
  shown.RolePolicyList = inline_of(role);
  shown.PermissionsBoundary = describe_boundary(role.boundary);
  shown.Tags = wire_tags(role.tags);
  shown.RoleLastUsed = describe_last_use(directory, role);
  shown.InstanceProfileList.emplace();
  const auto [first, last] = profiles.equal_range(role.name);
  for (auto profile = first; profile != last; ++profile) {
    shown.InstanceProfileList->push_back(describe(state, *profile->second, false));
  }
  return shown;
}

wire::ManagedPolicyDetail detail(const wire::Policy& policy) {
  wire::ManagedPolicyDetail shown;
  shown.PolicyName = policy.PolicyName;
  shown.PolicyId = policy.PolicyId;
  shown.Arn = policy.Arn;
  shown.Path = policy.Path;
  shown.DefaultVersionId = policy.DefaultVersionId;
  shown.AttachmentCount = policy.AttachmentCount;
  shown.PermissionsBoundaryUsageCount = policy.PermissionsBoundaryUsageCount;
  shown.IsAttachable = policy.IsAttachable;
  shown.Description = policy.Description;
  shown.CreateDate = policy.CreateDate;
  shown.UpdateDate = policy.UpdateDate;
  shown.PolicyVersionList.emplace();
  return shown;
}

wire::ManagedPolicyDetail detail(const ManagedPolicy& policy, const PolicyUse& use) {
  wire::ManagedPolicyDetail shown = detail(describe(policy, use, true));
  for (const PolicyVersion& version : policy.versions) {
    shown.PolicyVersionList->push_back(describe_version(policy, version, true));
  }
  return shown;
}

wire::ManagedPolicyDetail detail(const policy::AwsManagedPolicy& policy, const PolicyUse& use) {
  wire::ManagedPolicyDetail shown = detail(describe(policy, use, true));
  shown.PolicyVersionList->push_back(describe_version(policy, true));
  return shown;
}

// Of AWS's own policies only those in use.
Rows<Line> lines_of(const IamState& state, const PolicyUses& uses, const std::vector<std::string>& filter) {
  Rows<Line> lines;
  const auto wanted = [&](std::string_view kind) {
    return filter.empty() || std::find(filter.begin(), filter.end(), kind) != filter.end();
  };
  if (wanted("User")) {
    for (const auto& [key, user] : state.users.all()) lines.emplace_back("1" + key, Line{.user = user.get()});
  }
  if (wanted("Group")) {
    for (const auto& [key, group] : state.groups.all()) lines.emplace_back("2" + key, Line{.group = group.get()});
  }
  if (wanted("Role")) {
    for (const auto& [key, role] : state.roles.all()) lines.emplace_back("3" + key, Line{.role = role.get()});
  }
  if (wanted("LocalManagedPolicy")) {
    for (const auto& [key, policy] : state.policies.all()) lines.emplace_back("4" + key, Line{.policy = policy.get()});
  }
  if (wanted("AWSManagedPolicy")) {
    for (const policy::AwsManagedPolicy& policy : policy::aws_managed_policies()) {
      if (uses.contains(policy.arn)) lines.emplace_back("5" + std::string(policy.name), Line{.aws_policy = &policy});
    }
  }
  return lines;
}

Result<wire::GetAccountAuthorizationDetailsResponse> get_details(
    Directory& directory, const CallContext&, const wire::GetAccountAuthorizationDetailsRequest& request) {
  const auto state = directory.state();
  const std::vector<std::string> filter = request.Filter.value_or(std::vector<std::string>());
  const PolicyUses uses = uses_of_all(*state);
  const auto use = [&](std::string_view arn) {
    const auto found = uses.find(arn);
    return found == uses.end() ? PolicyUse() : found->second;
  };
  Profiles profiles;
  for (const auto& [key, profile] : state->instance_profiles.all()) profiles.emplace(profile->role, profile.get());

  wire::GetAccountAuthorizationDetailsResponse response;
  const auto rows =
      cut(lines_of(*state, uses, filter), fmt::format("details/{}", fmt::join(filter, ",")), request, response);
  if (!rows) return rows.error();
  response.UserDetailList.emplace();
  response.GroupDetailList.emplace();
  response.RoleDetailList.emplace();
  response.Policies.emplace();
  for (const auto& [key, line] : *rows) {
    if (line.user != nullptr) response.UserDetailList->push_back(detail(*line.user));
    if (line.group != nullptr) response.GroupDetailList->push_back(detail(*line.group));
    if (line.role != nullptr) {
      response.RoleDetailList->push_back(detail(directory, *state, profiles, *line.role));
    }
    if (line.policy != nullptr) response.Policies->push_back(detail(*line.policy, use(line.policy->arn)));
    if (line.aws_policy != nullptr) response.Policies->push_back(detail(*line.aws_policy, use(line.aws_policy->arn)));
  }
  return response;
}

}  // namespace

void add_authorization_details(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::GetAccountAuthorizationDetails>(dispatcher, directory, get_details);
}

}  // namespace kaapi::identity
