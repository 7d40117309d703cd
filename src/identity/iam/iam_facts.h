#pragma once
// What policies may ask of IAM's own resources: their tags.

#include "aws/authorization.h"
#include "identity/iam/directory.h"

namespace kaapi::identity {

// Thread-safe. `directory` must outlive it.
class IamFacts final : public aws::ResourceFacts {
 public:
  explicit IamFacts(const Directory& directory) : directory_(directory) {}

  // Of a user, role, policy, instance profile or OIDC provider.
  std::map<std::string, std::string> tags_of(std::string_view arn) const override;
  // None: a trust policy is asked by STS alone.
  std::string policy_of(std::string_view arn) const override;

 private:
  const Directory& directory_;
};

}  // namespace kaapi::identity
