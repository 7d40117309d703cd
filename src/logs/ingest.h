#pragma once
// The rules that PutLogEvents applies to a batch (its description in the CloudWatch Logs API reference), free of I/O.

#include <optional>
#include <span>

#include "base/clock.h"
#include "base/error.h"
#include "logs/store.h"

namespace kaapi::logs {

inline constexpr std::size_t max_batch_bytes = 1'048'576;  // messages, and 26 bytes for each
inline constexpr std::size_t max_batch_events = 10'000;
inline constexpr std::size_t max_put_event_bytes = 1'048'576;
inline constexpr std::int64_t max_batch_span_ms = 24 * 3'600'000;
inline constexpr std::int64_t max_ahead_ms = 2 * 3'600'000;
inline constexpr std::int64_t max_age_ms = 14 * 86'400'000;

// The share of a batch that is stored, and why the rest is not. Indexes count from 0.
struct Admission {
  std::size_t first = 0;                     // the first event that is stored
  std::size_t end = 0;                       // behind the last
  std::optional<std::size_t> too_new_start;  // inclusive
  std::optional<std::size_t> too_old_end;    // exclusive: older than 14 days
  std::optional<std::size_t> expired_end;    // exclusive: older than the group's retention
  bool rejected_any() const { return too_new_start || too_old_end || expired_end; }
};

// Error `InvalidParameterException` when the whole batch is refused: empty, too large, not in order, or over more than
// 24 hours.
Result<Admission> admit(std::span<const NewEvent> events, std::optional<std::int64_t> retention_days, Time now);

}  // namespace kaapi::logs
