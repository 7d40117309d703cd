// Versions of managed policies.
#include "identity/iam/policy_view.h"

namespace kaapi::identity {
namespace {

Error no_such_version(std::string_view arn, std::string_view id) {
  return no_such_entity(fmt::format("Policy {} version {} does not exist or is not attachable.", arn, id));
}

Result<wire::CreatePolicyVersionResponse> create_version(Directory& directory, const CallContext& context,
                                                         const wire::CreatePolicyVersionRequest& request) {
  Result<PolicyText> document =
      document_of(request.PolicyDocument, policy::Kind::identity, "PolicySize", policy::max_managed_policy_size);
  if (!document) return document.error();
  wire::CreatePolicyVersionResponse response;
  const Result<void> done = edit_one<ManagedPolicy>(
      directory, request.PolicyArn, [&](const IamState&, ManagedPolicy& policy) -> Result<void> {
        if (policy.versions.size() >= max_policy_versions) {
          return limit_exceeded(
              fmt::format("A managed policy can have up to {} versions. Before you create a new version, "
                          "you must delete an existing version.",
                          max_policy_versions));
        }
        policy.versions.push_back({++policy.last_version, std::move(*document), whole_seconds(context.now)});
        policy.updated_at = policy.versions.back().created_at;
        if (request.SetAsDefault.value_or(false)) policy.default_version = policy.last_version;
        response.PolicyVersion = describe_version(policy, policy.versions.back(), false);
        return ok();
      });
  if (!done) return done.error();
  return response;
}

Result<wire::GetPolicyVersionResponse> get_version(Directory& directory, const CallContext&,
                                                   const wire::GetPolicyVersionRequest& request) {
  wire::GetPolicyVersionResponse response;
  if (const policy::AwsManagedPolicy* managed = policy::find_aws_managed_policy(request.PolicyArn)) {
    if (request.VersionId != managed->version_id) return no_such_version(request.PolicyArn, request.VersionId);
    response.PolicyVersion = describe_version(*managed, true);
    return response;
  }
  const auto state = directory.state();
  const Result<const ManagedPolicy*> policy = require<ManagedPolicy>(*state, request.PolicyArn);
  if (!policy) return policy.error();
  const PolicyVersion* version = (*policy)->version(parse_version_id(request.VersionId));
  if (version == nullptr) return no_such_version(request.PolicyArn, request.VersionId);
  response.PolicyVersion = describe_version(**policy, *version, true);
  return response;
}

// The newest first, as AWS shows them.
Result<wire::ListPolicyVersionsResponse> list_versions(Directory& directory, const CallContext&,
                                                       const wire::ListPolicyVersionsRequest& request) {
  const auto state = directory.state();
  Rows<wire::PolicyVersion> all;
  if (const policy::AwsManagedPolicy* managed = policy::find_aws_managed_policy(request.PolicyArn)) {
    all.emplace_back("0", describe_version(*managed, false));
  } else {
    const Result<const ManagedPolicy*> policy = require<ManagedPolicy>(*state, request.PolicyArn);
    if (!policy) return policy.error();
    for (auto version = (*policy)->versions.rbegin(); version != (*policy)->versions.rend(); ++version) {
      const auto from_the_end = static_cast<std::uint32_t>(std::numeric_limits<std::int32_t>::max() - version->number);
      all.emplace_back(fmt::format("{:010}", from_the_end), describe_version(**policy, *version, false));
    }
  }
  wire::ListPolicyVersionsResponse response;
  auto rows = cut(std::move(all), "versions/" + request.PolicyArn, request, response);
  if (!rows) return rows.error();
  response.Versions.emplace();
  for (auto& [key, version] : *rows) response.Versions->push_back(std::move(version));
  return response;
}

Result<wire::DeletePolicyVersionResponse> delete_version(Directory& directory, const CallContext&,
                                                         const wire::DeletePolicyVersionRequest& request) {
  const std::int32_t number = parse_version_id(request.VersionId);
  const Result<void> done = edit_one<ManagedPolicy>(
      directory, request.PolicyArn, [&](const IamState&, ManagedPolicy& policy) -> Result<void> {
        if (policy.version(number) == nullptr) return no_such_version(policy.arn, request.VersionId);
        if (number == policy.default_version) {
          return delete_conflict("Cannot delete the default version of a policy.");
        }
        std::erase_if(policy.versions, [&](const PolicyVersion& version) { return version.number == number; });
        return ok();
      });
  if (!done) return done.error();
  return wire::DeletePolicyVersionResponse();
}

Result<wire::SetDefaultPolicyVersionResponse> set_default(Directory& directory, const CallContext& context,
                                                          const wire::SetDefaultPolicyVersionRequest& request) {
  const std::int32_t number = parse_version_id(request.VersionId);
  const Result<void> done = edit_one<ManagedPolicy>(directory, request.PolicyArn,
                                                    [&](const IamState&, ManagedPolicy& policy) -> Result<void> {
                                                      if (policy.version(number) == nullptr)
                                                        return no_such_version(policy.arn, request.VersionId);
                                                      policy.default_version = number;
                                                      policy.updated_at = whole_seconds(context.now);
                                                      return ok();
                                                    });
  if (!done) return done.error();
  return wire::SetDefaultPolicyVersionResponse();
}

}  // namespace

void add_policy_version_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreatePolicyVersion>(dispatcher, directory, create_version);
  serve<wire::GetPolicyVersion>(dispatcher, directory, get_version);
  serve<wire::ListPolicyVersions>(dispatcher, directory, list_versions);
  serve<wire::DeletePolicyVersion>(dispatcher, directory, delete_version);
  serve<wire::SetDefaultPolicyVersion>(dispatcher, directory, set_default);
}

}  // namespace kaapi::identity
