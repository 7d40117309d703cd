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
  return policy ? std::move(*policy) : std::string();
}

}  // namespace kaapi::registry
