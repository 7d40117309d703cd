#pragma once
// What policies may want to know of a repository.

#include <map>
#include <string>
#include <string_view>

#include "aws/authorization.h"
#include "registry/registry.h"

namespace kaapi::registry {

// Thread-safe. `registry` must outlive it.
class RepositoryFacts final : public aws::ResourceFacts {
 public:
  explicit RepositoryFacts(Registry& registry) : registry_(registry) {}

  // Of "arn:aws:ecr:REGION:ACCOUNT:repository/NAME". Of anything else, of a repository that is not there, and when the
  // database does not answer (so that the call itself will not succeed either): nothing.
  std::map<std::string, std::string> tags_of(std::string_view arn) const override;
  std::string policy_of(std::string_view arn) const override;

 private:
  Registry& registry_;
};

}  // namespace kaapi::registry
