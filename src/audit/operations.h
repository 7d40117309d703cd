#pragma once
// CloudTrail's LookupEvents over the audit log.

#include <cstdint>

#include "audit/log.h"
#include "aws/dispatch.h"

namespace kaapi::audit {

inline constexpr std::int32_t max_lookup_results = 50;
// Of the log, per call; then the answer has the events found so far and a token to go on with.
inline constexpr std::uint64_t max_lookup_bytes = 32 * 1024 * 1024;

// `log` must outlive the dispatcher's last call. Events of all regions are found, whichever is asked: there is one log.
void add_operations(aws::Dispatcher& dispatcher, const Log& log);

}  // namespace kaapi::audit
