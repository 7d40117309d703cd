#include "identity/policy/context.h"

#include <utility>

#include "base/text.h"

namespace kaapi::identity::policy {

void MapContext::set(std::string_view key, std::vector<std::string> values) {
  values_[lower(key)] = std::move(values);
}

std::optional<std::vector<std::string>> MapContext::find(std::string_view lower_case_key) const {
  const auto found = values_.find(lower_case_key);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace kaapi::identity::policy
