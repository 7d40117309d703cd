#pragma once
// What policies may want to know of a log group.

#include <map>
#include <string>
#include <string_view>

#include "aws/authorization.h"
#include "logs/store.h"

namespace kaapi::logs {

// Thread-safe. `store` must outlive it.
class LogGroupFacts final : public aws::ResourceFacts {
 public:
  LogGroupFacts(LogStore& store, std::string account_id) : store_(store), account_id_(std::move(account_id)) {}

  // Of "arn:aws:logs:REGION:ACCOUNT:log-group:NAME", with or without what follows for its streams. Of anything else, of
  // a group that is not there, and when the database does not answer (so that the call itself will not succeed either):
  // nothing.
  std::map<std::string, std::string> tags_of(std::string_view arn) const override;
  // Log groups have none.
  std::string policy_of(std::string_view arn) const override;

 private:
  LogStore& store_;
  std::string account_id_;
};

}  // namespace kaapi::logs
