#pragma once
// Regular expressions of the service models.

#include <string_view>

namespace kaapi::aws {

// True when the whole text matches. `regex` is one of the generated tables' (it is compiled once and kept by its
// address). A text that costs the matcher too many steps counts as no match. Thread-safe.
bool matches_pattern(std::string_view regex, std::string_view text);

}  // namespace kaapi::aws
