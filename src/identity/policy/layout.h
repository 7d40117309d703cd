#pragma once
// What a parsed JSON value no longer tells of its text: keys that were given twice, and where the statements stand.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "identity/policy/document.h"

namespace kaapi::identity::policy {

struct Layout {
  std::optional<std::string> duplicate_key;  // the first key that stands twice in one object
  Position duplicate_at;
  std::vector<std::pair<Position, Position>> statements;  // the first character, and the one behind the last
};

// `text` must be valid JSON.
Layout read_layout(std::string_view text);

}  // namespace kaapi::identity::policy
