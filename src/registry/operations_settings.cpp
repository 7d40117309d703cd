// The ECR operations on what is set on a repository: tags, policies, scanning, mutability.
#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "registry/lifecycle_policy.h"
#include "registry/names.h"
#include "registry/operations_common.h"

namespace kaapi::registry {
namespace {

namespace ecr = aws::ecr;

Result<RepositoryKey> key_of_arn(const Registry& registry, const aws::CallContext& context, const std::string& arn) {
  std::optional<RepositoryKey> key = repository_of_arn(arn, registry.config().account_id);
  if (!key || key->region != context.region) {
    return invalid_parameter("resourceArn",
                             fmt::format("must be the ARN of a repository, such as '{}'",
                                         repository_arn(context.region, registry.config().account_id, "NAME")));
  }
  return std::move(*key);
}

Result<ecr::TagResourceResponse> tag_resource(Registry& registry, const aws::CallContext& context,
                                              const ecr::TagResourceRequest& request) {
  const Result<RepositoryKey> key = key_of_arn(registry, context, request.resourceArn);
  if (!key) return key.error();
  const Result<ResourceTags> tags = tags_of(request.tags);
  if (!tags) return tags.error();
  if (Result<void> tagged = registry.catalog().add_resource_tags(*key, *tags); !tagged) return tagged.error();
  return ecr::TagResourceResponse{};
}

Result<ecr::UntagResourceResponse> untag_resource(Registry& registry, const aws::CallContext& context,
                                                  const ecr::UntagResourceRequest& request) {
  const Result<RepositoryKey> key = key_of_arn(registry, context, request.resourceArn);
  if (!key) return key.error();
  Result<void> untagged = registry.catalog().remove_resource_tags(*key, request.tagKeys);
  if (!untagged) return untagged.error();
  return ecr::UntagResourceResponse{};
}

Result<ecr::ListTagsForResourceResponse> list_tags(Registry& registry, const aws::CallContext& context,
                                                   const ecr::ListTagsForResourceRequest& request) {
  const Result<RepositoryKey> key = key_of_arn(registry, context, request.resourceArn);
  if (!key) return key.error();
  const Result<ResourceTags> tags = registry.catalog().resource_tags(*key);
  if (!tags) return tags.error();
  ecr::ListTagsForResourceResponse response;
  response.tags.emplace();
  for (const auto& [name, value] : *tags) response.tags->push_back({name, value});
  return response;
}

Result<ecr::PutImageScanningConfigurationResponse> put_scanning(
    Registry& registry, const aws::CallContext& context, const ecr::PutImageScanningConfigurationRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  const bool scan_on_push = request.imageScanningConfiguration.scanOnPush.value_or(false);
  if (Result<void> set = registry.catalog().set_scan_on_push(*key, scan_on_push); !set) return set.error();
  ecr::PutImageScanningConfigurationResponse response;
  response.registryId = registry.config().account_id;
  response.repositoryName = key->name;
  response.imageScanningConfiguration.emplace().scanOnPush = scan_on_push;
  return response;
}

Result<ecr::PutImageTagMutabilityResponse> put_mutability(Registry& registry, const aws::CallContext& context,
                                                          const ecr::PutImageTagMutabilityRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  Result<void> served =
      check_mutability(request.imageTagMutability, request.imageTagMutabilityExclusionFilters.has_value());
  if (!served) return served.error();
  Result<void> set = registry.catalog().set_tag_mutability(*key, request.imageTagMutability);
  if (!set) return set.error();
  ecr::PutImageTagMutabilityResponse response;
  response.registryId = registry.config().account_id;
  response.repositoryName = key->name;
  response.imageTagMutability = request.imageTagMutability;
  return response;
}

// ---- Repository policies.

Result<void> check_policy(const PolicyValidator& validate, std::string_view text) {
  const Result<json::value> value = parse_json(text);
  Result<void> valid = ok();
  if (!value) {
    valid = value.error();
  } else if (!value->is_object()) {
    valid = make_error(errc::invalid, "it is no JSON object");
  } else if (validate) {
    valid = validate(text);
  }
  if (valid) return valid;
  return invalid_parameter("PolicyText", "Invalid repository policy provided: " + valid.error().message);
}

Result<ecr::SetRepositoryPolicyResponse> set_policy(Registry& registry, const PolicyValidator& validate,
                                                    const aws::CallContext& context,
                                                    const ecr::SetRepositoryPolicyRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  if (Result<void> valid = check_policy(validate, request.policyText); !valid) return valid.error();
  if (Result<void> set = registry.catalog().set_policy(*key, request.policyText); !set) return set.error();
  ecr::SetRepositoryPolicyResponse response;
  response.registryId = registry.config().account_id;
  response.repositoryName = key->name;
  response.policyText = request.policyText;
  return response;
}

// Of Get and Delete, which answer the same.
template <class Response>
Result<Response> policy_response(const Registry& registry, const RepositoryKey& key, Result<std::string> policy) {
  if (!policy) return policy.error();
  Response response;
  response.registryId = registry.config().account_id;
  response.repositoryName = key.name;
  response.policyText = std::move(*policy);
  return response;
}

Result<ecr::GetRepositoryPolicyResponse> get_policy(Registry& registry, const aws::CallContext& context,
                                                    const ecr::GetRepositoryPolicyRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  return policy_response<ecr::GetRepositoryPolicyResponse>(registry, *key, registry.catalog().policy(*key));
}

Result<ecr::DeleteRepositoryPolicyResponse> delete_policy(Registry& registry, const aws::CallContext& context,
                                                          const ecr::DeleteRepositoryPolicyRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  return policy_response<ecr::DeleteRepositoryPolicyResponse>(registry, *key, registry.catalog().remove_policy(*key));
}

// ---- Lifecycle policies.

Result<ecr::PutLifecyclePolicyResponse> put_lifecycle(Registry& registry, const aws::CallContext& context,
                                                      const ecr::PutLifecyclePolicyRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  if (const auto rules = parse_lifecycle_policy(request.lifecyclePolicyText); !rules) return rules.error();
  Result<void> set = registry.catalog().set_lifecycle_policy(*key, request.lifecyclePolicyText);
  if (!set) return set.error();
  // The policy is in force whatever becomes of its first use: it is used again every day.
  if (const Result<std::size_t> expired = registry.expire_images(*key); !expired) {
    log::warn("registry", "the lifecycle policy of repository {} could not be applied yet: {}", key->name,
              expired.error().message);
  }
  ecr::PutLifecyclePolicyResponse response;
  response.registryId = registry.config().account_id;
  response.repositoryName = key->name;
  response.lifecyclePolicyText = request.lifecyclePolicyText;
  return response;
}

template <class Response>
Result<Response> lifecycle_response(const Registry& registry, const RepositoryKey& key,
                                    Result<StoredLifecyclePolicy> policy) {
  if (!policy) return policy.error();
  Response response;
  response.registryId = registry.config().account_id;
  response.repositoryName = key.name;
  response.lifecyclePolicyText = std::move(policy->text);
  response.lastEvaluatedAt = policy->evaluated_at;
  return response;
}

Result<ecr::GetLifecyclePolicyResponse> get_lifecycle(Registry& registry, const aws::CallContext& context,
                                                      const ecr::GetLifecyclePolicyRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  return lifecycle_response<ecr::GetLifecyclePolicyResponse>(registry, *key, registry.catalog().lifecycle_policy(*key));
}

Result<ecr::DeleteLifecyclePolicyResponse> delete_lifecycle(Registry& registry, const aws::CallContext& context,
                                                            const ecr::DeleteLifecyclePolicyRequest& request) {
  const Result<RepositoryKey> key = key_of(registry, context, request.repositoryName, request.registryId);
  if (!key) return key.error();
  return lifecycle_response<ecr::DeleteLifecyclePolicyResponse>(registry, *key,
                                                                registry.catalog().remove_lifecycle_policy(*key));
}

}  // namespace

Result<void> check_mutability(std::string_view mutability, bool has_filters) {
  if (!mutability.ends_with("_WITH_EXCLUSION") && !has_filters) return ok();
  return invalid_parameter("imageTagMutability", "must be MUTABLE or IMMUTABLE; exclusion filters are not served here");
}

Result<ResourceTags> tags_of(const std::vector<ecr::Tag>& wanted) {
  constexpr std::size_t max_key_length = 128;
  constexpr std::size_t max_value_length = 256;
  ResourceTags tags;
  for (const ecr::Tag& tag : wanted) {
    if (tag.Key.empty() || tag.Key.size() > max_key_length || tag.Value.size() > max_value_length) {
      return make_error(ecr::error::InvalidTagParameterException,
                        fmt::format("The tag key '{}' must have 1 to {} characters, its value at most {}", tag.Key,
                                    max_key_length, max_value_length));
    }
    if (lower(tag.Key).starts_with("aws:")) {
      return make_error(ecr::error::InvalidTagParameterException,
                        fmt::format("The tag key '{}' must not begin with 'aws:', which is reserved", tag.Key));
    }
    if (!tags.emplace(tag.Key, tag.Value).second) {
      return make_error(ecr::error::InvalidTagParameterException,
                        fmt::format("The tag key '{}' is given twice", tag.Key));
    }
  }
  return tags;
}

void add_settings_operations(aws::Dispatcher& dispatcher, Registry& registry, PolicyValidator validate) {
  const auto bind = [&registry](auto operation) {
    return [&registry, operation](const aws::CallContext& context, const auto& request) {
      return operation(registry, context, request);
    };
  };
  serve<ecr::TagResource>(dispatcher, bind(tag_resource));
  serve<ecr::UntagResource>(dispatcher, bind(untag_resource));
  serve<ecr::ListTagsForResource>(dispatcher, bind(list_tags));
  serve<ecr::PutImageScanningConfiguration>(dispatcher, bind(put_scanning));
  serve<ecr::PutImageTagMutability>(dispatcher, bind(put_mutability));
  serve<ecr::SetRepositoryPolicy>(
      dispatcher, [&registry, validate = std::move(validate)](const aws::CallContext& context,
                                                              const ecr::SetRepositoryPolicyRequest& request) {
        return set_policy(registry, validate, context, request);
      });
  serve<ecr::GetRepositoryPolicy>(dispatcher, bind(get_policy));
  serve<ecr::DeleteRepositoryPolicy>(dispatcher, bind(delete_policy));
  serve<ecr::PutLifecyclePolicy>(dispatcher, bind(put_lifecycle));
  serve<ecr::GetLifecyclePolicy>(dispatcher, bind(get_lifecycle));
  serve<ecr::DeleteLifecyclePolicy>(dispatcher, bind(delete_lifecycle));
}

}  // namespace kaapi::registry
