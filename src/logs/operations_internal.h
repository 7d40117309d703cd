#pragma once
// What the operations share. Private to logs/.

#include <optional>
#include <string>
#include <string_view>

#include "aws/dispatch.h"
#include "aws/gen/logs.h"
#include "logs/errors.h"
#include "logs/store.h"

namespace kaapi::logs {

namespace wire = aws::logs;
using aws::CallContext;

// The same for all operations of one kind: which store, and what time it is.
struct Service {
  LogStore& store;
  const Clock& clock;
};

void add_group_operations(aws::Dispatcher& dispatcher, Service service);
void add_event_operations(aws::Dispatcher& dispatcher, Service service);
void add_tag_operations(aws::Dispatcher& dispatcher, Service service);

// Error: InvalidParameterException for a key that no client may give.
Result<void> check_tags(const Tags& tags);

// "arn:aws:logs:REGION:ACCOUNT:log-group:NAME".
std::string group_arn(const CallContext& context, std::string_view group);
// The group that a name or an ARN (with or without ":*" at its end) means. Error: an ARN of another region or account,
// or of something else.
Result<GroupName> group_of(const CallContext& context, std::string_view identifier);
// The same for a request with logGroupName and logGroupIdentifier, of which there must be one.
Result<GroupName> group_of(const CallContext& context, const std::optional<std::string>& name,
                           const std::optional<std::string>& identifier);

inline Error invalid_next_token() {
  return invalid_parameter("The specified nextToken is invalid.");
}
// The position in a listing's token; none without a token. `scope` as for encode_page_token().
Result<std::optional<std::string>> page_position(std::string_view scope, const std::optional<std::string>& token);

}  // namespace kaapi::logs
