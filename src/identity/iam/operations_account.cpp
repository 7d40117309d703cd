// The account: its alias, and how much of everything there is.
#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

Result<wire::CreateAccountAliasResponse> create_alias(Directory& directory, const CallContext&,
                                                      const wire::CreateAccountAliasRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::CreateAccountAliasResponse> {
    edit.set_alias(request.AccountAlias);  // replaces the one before
    return wire::CreateAccountAliasResponse();
  });
}

Result<wire::DeleteAccountAliasResponse> delete_alias(Directory& directory, const CallContext&,
                                                      const wire::DeleteAccountAliasRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::DeleteAccountAliasResponse> {
    if (edit.state().alias != request.AccountAlias) {
      return no_such_entity(fmt::format("The Account Alias {} cannot be found.", request.AccountAlias));
    }
    edit.set_alias("");
    return wire::DeleteAccountAliasResponse();
  });
}

Result<wire::ListAccountAliasesResponse> list_aliases(Directory& directory, const CallContext&,
                                                      const wire::ListAccountAliasesRequest& request) {
  const auto state = directory.state();
  Rows<std::string> all;
  if (!state->alias.empty()) all.emplace_back(state->alias, state->alias);
  wire::ListAccountAliasesResponse response;
  const auto rows = cut(std::move(all), "aliases", request, response);
  if (!rows) return rows.error();
  for (const auto& [key, alias] : *rows) response.AccountAliases.push_back(alias);
  return response;
}

Result<wire::GetAccountSummaryResponse> get_summary(Directory& directory, const CallContext&,
                                                    const wire::GetAccountSummaryRequest&) {
  const auto state = directory.state();
  std::size_t versions = 0;
  for (const auto& [key, policy] : state->policies.all()) versions += policy->versions.size();
  const std::pair<std::string_view, std::size_t> counts[] = {
      {"Users", state->users.size()},
      {"UsersQuota", max_users},
      {"Groups", state->groups.size()},
      {"GroupsQuota", max_groups},
      {"Roles", state->roles.size()},
      {"RolesQuota", max_roles},
      {"Policies", state->policies.size()},
      {"PoliciesQuota", max_managed_policies},
      {"PolicyVersionsInUse", versions},
      {"PolicyVersionsInUseQuota", max_managed_policies * max_policy_versions},
      {"VersionsPerPolicyQuota", max_policy_versions},
      {"InstanceProfiles", state->instance_profiles.size()},
      {"InstanceProfilesQuota", max_instance_profiles},
      {"Providers", state->oidc_providers.size()},
      {"GroupsPerUserQuota", max_groups_per_user},
      {"AccessKeysPerUserQuota", max_access_keys_per_user},
      {"AttachedPoliciesPerUserQuota", max_attached_policies},
      {"AttachedPoliciesPerGroupQuota", max_attached_policies},
      {"AttachedPoliciesPerRoleQuota", max_attached_policies},
      {"PolicySizeQuota", policy::max_managed_policy_size},
      {"UserPolicySizeQuota", policy::max_user_inline_size},
      {"GroupPolicySizeQuota", policy::max_group_inline_size},
      {"RolePolicySizeQuota", policy::max_role_inline_size},
      {"AssumeRolePolicySizeQuota", policy::max_trust_policy_size},
      {"AccountAccessKeysPresent", 1},  // the root key is always there
      {"AccountPasswordPresent", 0},
      {"AccountMFAEnabled", 0},
      {"AccountSigningCertificatesPresent", 0},
      {"MFADevices", 0},
      {"MFADevicesInUse", 0},
      {"ServerCertificates", 0},
      {"ServerCertificatesQuota", 0},
      {"SigningCertificatesPerUserQuota", 0},
      {"GlobalEndpointTokenVersion", 1},
  };
  wire::GetAccountSummaryResponse response;
  response.SummaryMap.emplace();
  for (const auto& [name, count] : counts) {
    (*response.SummaryMap)[std::string(name)] = static_cast<std::int32_t>(count);
  }
  return response;
}

}  // namespace

void add_account_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreateAccountAlias>(dispatcher, directory, create_alias);
  serve<wire::DeleteAccountAlias>(dispatcher, directory, delete_alias);
  serve<wire::ListAccountAliases>(dispatcher, directory, list_aliases);
  serve<wire::GetAccountSummary>(dispatcher, directory, get_summary);
}

}  // namespace kaapi::identity
