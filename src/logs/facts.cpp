#include "logs/facts.h"

#include <fmt/format.h>

namespace kaapi::logs {

std::map<std::string, std::string> LogGroupFacts::tags_of(std::string_view arn) const {
  constexpr std::string_view before_region = "arn:aws:logs:";
  if (!arn.starts_with(before_region)) return {};
  arn.remove_prefix(before_region.size());
  const std::string_view region = arn.substr(0, arn.find(':'));
  const std::string before_name = fmt::format("{}:{}:log-group:", region, account_id_);
  if (!arn.starts_with(before_name)) return {};
  arn.remove_prefix(before_name.size());
  // A group's name holds no colon.
  Result<Tags> tags = store_.tags({std::string(region), std::string(arn.substr(0, arn.find(':')))});
  return tags ? std::move(*tags) : Tags();
}

std::string LogGroupFacts::policy_of(std::string_view) const {
  return {};
}

}  // namespace kaapi::logs
