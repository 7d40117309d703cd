// Managed policies: the customer's own, and AWS's by name. Versions: operations_policy_versions.cpp.
#include "identity/iam/policy_view.h"

namespace kaapi::identity {
namespace {

Result<wire::CreatePolicyResponse> create_policy(Directory& directory, const CallContext& context,
                                                 const wire::CreatePolicyRequest& request) {
  Result<Tags> tags = tags_of(request.Tags);
  if (!tags) return tags.error();
  Result<PolicyText> document =
      document_of(request.PolicyDocument, policy::Kind::identity, "PolicySize", policy::max_managed_policy_size);
  if (!document) return document.error();
  return directory.write([&](Edit& edit) -> Result<wire::CreatePolicyResponse> {
    const IamState& state = edit.state();
    if (state.policies.find(lower(request.PolicyName)) != nullptr) {
      return already_exists(
          fmt::format("A policy called {} already exists. Duplicate names are not allowed.", request.PolicyName));
    }
    if (state.policies.size() >= max_managed_policies) {
      return quota_exceeded("PoliciesPerAccount", max_managed_policies);
    }
    ManagedPolicy policy;
    policy.name = request.PolicyName;
    policy.path = request.Path.value_or("/");
    policy.id = new_unique_id(id_prefix::managed_policy, directory.ids());
    policy.arn = entity_arn(state.account_id, "policy", policy.path, policy.name);
    policy.description = request.Description.value_or("");
    policy.tags = std::move(*tags);
    policy.created_at = policy.updated_at = whole_seconds(context.now);
    policy.versions.push_back({1, std::move(*document), policy.created_at});
    wire::CreatePolicyResponse response;
    response.Policy = describe(policy, PolicyUse(), true);
    edit.put(std::move(policy));
    return response;
  });
}

Result<wire::GetPolicyResponse> get_policy(Directory& directory, const CallContext&,
                                           const wire::GetPolicyRequest& request) {
  const auto state = directory.state();
  const PolicyUse use = use_of(*state, request.PolicyArn);
  wire::GetPolicyResponse response;
  if (const policy::AwsManagedPolicy* managed = policy::find_aws_managed_policy(request.PolicyArn)) {
    response.Policy = describe(*managed, use, true);
    return response;
  }
  const Result<const ManagedPolicy*> policy = require<ManagedPolicy>(*state, request.PolicyArn);
  if (!policy) return policy.error();
  response.Policy = describe(**policy, use, true);
  return response;
}

// The customer's come first, then AWS's.
Rows<wire::Policy> all_policies(const IamState& state, const wire::ListPoliciesRequest& request) {
  const std::string scope = request.Scope.value_or("All");
  const std::string prefix = request.PathPrefix.value_or("/");
  const bool only_attached = request.OnlyAttached.value_or(false);
  const PolicyUses uses = uses_of_all(state);
  Rows<wire::Policy> rows;
  const auto add = [&](std::string key, const auto& policy) {
    const auto found = uses.find(policy.arn);
    const PolicyUse use = found == uses.end() ? PolicyUse() : found->second;
    if (!policy.path.starts_with(prefix)) return;
    if (only_attached && use.attachments + use.boundaries == 0) return;
    if (request.PolicyUsageFilter == "PermissionsPolicy" && use.attachments == 0) return;
    if (request.PolicyUsageFilter == "PermissionsBoundary" && use.boundaries == 0) return;
    rows.emplace_back(std::move(key), describe(policy, use, false));
  };
  if (scope != "AWS") {
    for (const auto& [key, policy] : state.policies.all()) add("1" + key, *policy);
  }
  if (scope != "Local") {
    for (const policy::AwsManagedPolicy& managed : policy::aws_managed_policies()) {
      add("2" + std::string(managed.name), managed);
    }
  }
  return rows;
}

Result<wire::ListPoliciesResponse> list_policies(Directory& directory, const CallContext&,
                                                 const wire::ListPoliciesRequest& request) {
  const auto state = directory.state();
  const std::string scope =
      fmt::format("policies{}/{}/{}{}", request.Scope.value_or("All"), request.OnlyAttached.value_or(false),
                  request.PolicyUsageFilter.value_or(""), request.PathPrefix.value_or("/"));
  wire::ListPoliciesResponse response;
  auto rows = cut(all_policies(*state, request), scope, request, response);
  if (!rows) return rows.error();
  response.Policies.emplace();
  for (auto& [key, policy] : *rows) response.Policies->push_back(std::move(policy));
  return response;
}

Result<wire::DeletePolicyResponse> delete_policy(Directory& directory, const CallContext&,
                                                 const wire::DeletePolicyRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::DeletePolicyResponse> {
    const Result<const ManagedPolicy*> found = require<ManagedPolicy>(edit.state(), request.PolicyArn);
    if (!found) return found.error();
    const ManagedPolicy policy = **found;
    const PolicyUse use = use_of(edit.state(), policy.arn);
    if (use.attachments + use.boundaries > 0) {
      return delete_conflict("Cannot delete a policy attached to entities.");
    }
    if (policy.versions.size() > 1) {
      return delete_conflict(
          "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
          "The default version is deleted with the policy.");
    }
    edit.erase(policy);
    return wire::DeletePolicyResponse();
  });
}

// Who has it: users, groups and roles in that order.
enum class Holder { user, group, role };
struct HolderRow {
  Holder kind;
  const Entity* entity;
};

Rows<HolderRow> holders_of(const IamState& state, const wire::ListEntitiesForPolicyRequest& request) {
  const std::string filter = request.EntityFilter.value_or("");
  const std::string prefix = request.PathPrefix.value_or("/");
  Rows<HolderRow> rows;
  const auto add = [&](Holder kind, char order, const std::string& key, const Entity& entity,
                       std::string_view boundary) {
    const bool attached =
        std::find(entity.attached.begin(), entity.attached.end(), request.PolicyArn) != entity.attached.end();
    const bool bounds = boundary == request.PolicyArn;
    const bool wanted = (attached && request.PolicyUsageFilter != "PermissionsBoundary") ||
                        (bounds && request.PolicyUsageFilter != "PermissionsPolicy");
    if (wanted && entity.path.starts_with(prefix)) rows.emplace_back(order + key, HolderRow{kind, &entity});
  };
  if (filter.empty() || filter == "User") {
    for (const auto& [key, user] : state.users.all()) add(Holder::user, '1', key, *user, user->boundary);
  }
  if (filter.empty() || filter == "Group") {
    for (const auto& [key, group] : state.groups.all()) add(Holder::group, '2', key, *group, "");
  }
  if (filter.empty() || filter == "Role") {
    for (const auto& [key, role] : state.roles.all()) add(Holder::role, '3', key, *role, role->boundary);
  }
  return rows;
}

Result<wire::ListEntitiesForPolicyResponse> list_entities_for_policy(
    Directory& directory, const CallContext&, const wire::ListEntitiesForPolicyRequest& request) {
  const auto state = directory.state();
  if (managed_document(*state, request.PolicyArn) == nullptr) {
    return no_such_entity(fmt::format("Policy {} was not found.", request.PolicyArn));
  }
  const std::string scope = fmt::format("entities/{}/{}/{}{}", request.PolicyArn, request.EntityFilter.value_or(""),
                                        request.PolicyUsageFilter.value_or(""), request.PathPrefix.value_or("/"));
  wire::ListEntitiesForPolicyResponse response;
  const auto rows = cut(holders_of(*state, request), scope, request, response);
  if (!rows) return rows.error();
  response.PolicyUsers.emplace();
  response.PolicyGroups.emplace();
  response.PolicyRoles.emplace();
  for (const auto& [key, holder] : *rows) {
    const Entity& entity = *holder.entity;
    if (holder.kind == Holder::user) response.PolicyUsers->push_back({entity.name, entity.id});
    if (holder.kind == Holder::group) response.PolicyGroups->push_back({entity.name, entity.id});
    if (holder.kind == Holder::role) response.PolicyRoles->push_back({entity.name, entity.id});
  }
  return response;
}

}  // namespace

void add_policy_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreatePolicy>(dispatcher, directory, create_policy);
  serve<wire::GetPolicy>(dispatcher, directory, get_policy);
  serve<wire::ListPolicies>(dispatcher, directory, list_policies);
  serve<wire::DeletePolicy>(dispatcher, directory, delete_policy);
  serve<wire::ListEntitiesForPolicy>(dispatcher, directory, list_entities_for_policy);
}

}  // namespace kaapi::identity
