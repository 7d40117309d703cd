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

  // Of "arn:aws:ecr:REGION:ACCOUNT:repository/NAME". Of anything else, and of a repository that is not there: nothing.
  std::map<std::string, std::string> tags_of(std::string_view arn) const override;
  // The same. When the database does not answer, a text that is no policy: there may be a deny in it.
  std::string policy_of(std::string_view arn) const override;

 private:
  Registry& registry_;
};

}  // namespace kaapi::registry
