#include "logs/operations.h"

#include <fmt/format.h>

#include "base/text.h"
#include "logs/operations_internal.h"

namespace kaapi::logs {

void add_operations(aws::Dispatcher& dispatcher, LogStore& store, const Clock& clock) {
  add_group_operations(dispatcher, {store, clock});
  add_event_operations(dispatcher, {store, clock});
  add_tag_operations(dispatcher, {store, clock});
}

std::string group_arn(const CallContext& context, std::string_view group) {
  return fmt::format("arn:aws:logs:{}:{}:log-group:{}", context.region, context.account_id, group);
}

Result<GroupName> group_of(const CallContext& context, std::string_view identifier) {
  if (!identifier.starts_with("arn:")) return GroupName{context.region, std::string(identifier)};
  const std::string prefix = group_arn(context, "");
  if (!identifier.starts_with(prefix)) {
    return invalid_parameter(
        fmt::format("'{}' does not name a log group of this account and region; its ARN would begin with '{}'.",
                    identifier, prefix));
  }
  std::string_view name = identifier.substr(prefix.size());
  if (name.ends_with(":*")) name.remove_suffix(2);
  return GroupName{context.region, std::string(name)};
}

Result<GroupName> group_of(const CallContext& context, const std::optional<std::string>& name,
                           const std::optional<std::string>& identifier) {
  if (name.has_value() == identifier.has_value()) {
    return invalid_parameter("Exactly one of logGroupName and logGroupIdentifier must be given.");
  }
  return group_of(context, name ? *name : *identifier);
}

Result<std::optional<std::string>> page_position(std::string_view scope, const std::optional<std::string>& token) {
  if (!token) return std::optional<std::string>();
  std::optional<std::string> position = decode_page_token(scope, *token);
  if (!position) return invalid_next_token();
  return position;
}

}  // namespace kaapi::logs
