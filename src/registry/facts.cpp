#include "registry/facts.h"

namespace kaapi::registry {

std::map<std::string, std::string> RepositoryFacts::tags_of(std::string_view arn) const {
  const std::optional<RepositoryKey> key = repository_of_arn(arn, registry_.config().account_id);
  if (!key) return {};
  Result<ResourceTags> tags = registry_.catalog().resource_tags(*key);
  return tags ? std::move(*tags) : ResourceTags();
}

std::string RepositoryFacts::policy_of(std::string_view arn) const {
  const std::optional<RepositoryKey> key = repository_of_arn(arn, registry_.config().account_id);
  if (!key) return {};
  Result<std::string> policy = registry_.catalog().policy(*key);
  if (policy) return std::move(*policy);
  const bool none = policy.error().status < 500;
  return none ? std::string() : "the policy cannot be read: " + policy.error().message;
}

}  // namespace kaapi::registry
