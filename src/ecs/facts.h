#pragma once
// What policies may want to know of clusters, services, tasks and task definitions.

#include <map>
#include <string>
#include <string_view>

#include "aws/authorization.h"
#include "store/database.h"

namespace kaapi::ecs {

// Thread-safe. `database` must outlive it.
class ResourceFacts final : public aws::ResourceFacts {
 public:
  ResourceFacts(store::Database& database, std::string account_id)
      : database_(database), account_id_(std::move(account_id)) {}

  // Of an ARN of this account. Of anything else, of what is not there, and when the database does not answer (so that
  // the call itself will not succeed either): nothing.
  std::map<std::string, std::string> tags_of(std::string_view arn) const override;
  // ECS's resources have none.
  std::string policy_of(std::string_view) const override { return {}; }

 private:
  store::Database& database_;
  std::string account_id_;
};

}  // namespace kaapi::ecs
