#pragma once
// "did you mean": the known name that is nearest to a misspelt one.

#include <span>
#include <string>
#include <string_view>

namespace kaapi::actions::expression {

// " (did you mean \"timeout-minutes\"?)", or empty when none of the names is near. Case does not count.
std::string did_you_mean(std::string_view written, std::span<const std::string_view> known);

}  // namespace kaapi::actions::expression
