#pragma once
// The query protocol's texts as trees that codec.h reads.

#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::aws {

inline constexpr std::size_t max_form_parameters = 4000;
inline constexpr std::size_t max_form_depth = 16;
inline constexpr std::size_t max_form_name_bytes = 512;

// A form ("Action=X&Tags.member.1.Key=a") as nested objects with every leaf a text:
// {"Action": "X", "Tags": {"member": {"1": {"Key": "a"}}}}. Error: MalformedQueryString.
Result<json::value> parse_form(std::string_view form);

// The first parameter of that name, still percent-encoded, without building the tree; empty when there is none.
std::string_view form_parameter(std::string_view form, std::string_view name);

}  // namespace kaapi::aws
