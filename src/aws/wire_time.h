#pragma once
// Timestamps on the wire, other than JSON's epoch seconds.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace kaapi::aws {

// "2026-07-01T09:30:00Z", with or without a fraction of the second (ISO 8601, UTC only). nullopt when it is anything
// else.
std::optional<Time> parse_wire_time(std::string_view text);

// "20260701T093000Z": SigV4's X-Amz-Date.
std::optional<Time> parse_basic_time(std::string_view text);
std::string format_basic_time(Time time);

}  // namespace kaapi::aws
