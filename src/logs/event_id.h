#pragma once
// Where an event stands in its stream and group, and the texts that carry it over the wire.

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kaapi::logs {

// Events are ordered by their timestamp, and by the order of arrival where timestamps are equal. `id` counts from 1 and
// is never given twice, so {at, 0} stands before every event of the millisecond `at`.
struct Position {
  std::int64_t at_ms = 0;
  std::int64_t id = 0;
  auto operator<=>(const Position&) const = default;
};

// The 56 decimal digits that CloudWatch calls eventId; texts sort as positions do.
std::string encode_event_id(Position position);
std::optional<Position> decode_event_id(std::string_view text);

// GetLogEvents pages: "f/…" continues after the position, "b/…" goes back from before it.
enum class Direction { forward, backward };
struct EventToken {
  Direction direction = Direction::forward;
  Position position;
};
std::string encode_event_token(EventToken token);
std::optional<EventToken> decode_event_token(std::string_view text);

}  // namespace kaapi::logs
