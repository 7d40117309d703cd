#pragma once
// Reading the XML of query answers, as a client.

#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::aws {

inline constexpr std::size_t max_xml_depth = 32;

// One document as a tree: an element with children is an object, one without is its text, children of the same name are
// an array. The root's own name is the only member of the result. Attributes are dropped; document types and entities
// other than XML's five and character numbers are refused. Error: `Invalid`, with the position.
Result<json::value> parse_xml(std::string_view text);

}  // namespace kaapi::aws
