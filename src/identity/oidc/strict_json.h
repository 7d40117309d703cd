#pragma once
// JSON that two readers cannot understand differently: a name that stands twice in one object is refused at any level,
// because a token whose "sub" stands twice means one thing to who checks it and another to who uses it.

#include <cstddef>
#include <string_view>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::identity::oidc {

inline constexpr std::size_t max_strict_json_depth = 16;

// One JSON object (RFC 8259), well-formed UTF-8, with nothing behind it. Error: `Invalid`, a piece of a sentence:
// "holds the member 'sub' twice".
Result<json::object> parse_strict_object(std::string_view text);

}  // namespace kaapi::identity::oidc
