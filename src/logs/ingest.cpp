#include "logs/ingest.h"

#include <fmt/format.h>

#include <algorithm>

#include "logs/errors.h"

namespace kaapi::logs {
namespace {

Result<void> check_sizes(std::span<const NewEvent> events) {
  if (events.empty() || events.size() > max_batch_events) {
    return invalid_parameter(fmt::format("A batch must have between 1 and {} log events, and this one has {}.",
                                         max_batch_events, events.size()));
  }
  std::size_t bytes = 0;
  for (const NewEvent& event : events) {
    const std::size_t size = event.message.size() + event_overhead_bytes;
    if (event.message.empty()) return invalid_parameter("A log event must have a message.");
    if (size > max_put_event_bytes) {
      return invalid_parameter(
          fmt::format("Log event too large: {} bytes exceeds limit of {}", size, max_put_event_bytes));
    }
    bytes += size;
  }
  if (bytes > max_batch_bytes) {
    return invalid_parameter(fmt::format("Upload too large: {} bytes exceeds limit of {}", bytes, max_batch_bytes));
  }
  return ok();
}

}  // namespace

Result<Admission> admit(std::span<const NewEvent> events, std::optional<std::int64_t> retention_days, Time now) {
  const Result<void> sizes = check_sizes(events);
  if (!sizes) return sizes.error();
  const auto earlier = [](const NewEvent& a, const NewEvent& b) { return a.at_ms < b.at_ms; };
  if (!std::is_sorted(events.begin(), events.end(), earlier)) {
    return invalid_parameter("Log events in a single PutLogEvents request must be in chronological order.");
  }
  // Sorted, so each bound is one index.
  const auto first_from = [&](std::int64_t at_ms) {
    const auto found = std::lower_bound(events.begin(), events.end(), NewEvent{at_ms, ""}, earlier);
    return static_cast<std::size_t>(found - events.begin());
  };
  const std::size_t young = first_from(to_millis(now) - max_age_ms);
  const std::size_t kept = retention_days ? first_from(to_millis(now) - *retention_days * 86'400'000) : 0;
  const std::size_t ahead = first_from(to_millis(now) + max_ahead_ms + 1);
  Admission admission;
  admission.first = std::max(young, kept);
  admission.end = std::max(ahead, admission.first);
  if (young > 0) admission.too_old_end = young;
  if (kept > young) admission.expired_end = kept;
  if (ahead < events.size()) admission.too_new_start = ahead;
  if (admission.first < admission.end &&
      events[admission.end - 1].at_ms - events[admission.first].at_ms > max_batch_span_ms) {
    return invalid_parameter(
        "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
  }
  return admission;
}

}  // namespace kaapi::logs
