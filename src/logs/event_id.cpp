#include "logs/event_id.h"

#include <fmt/format.h>

#include "base/text.h"

namespace kaapi::logs {
namespace {

// "3", the timestamp, the number of arrival, zeros: the length and look of CloudWatch's.
constexpr std::size_t at_digits = 20;
constexpr std::size_t id_digits = 19;
constexpr std::string_view tail = "0000000000000000";
constexpr std::size_t length = 1 + at_digits + id_digits + tail.size();
static_assert(length == 56);

}  // namespace

std::string encode_event_id(Position position) {
  return fmt::format("3{:020}{:019}{}", position.at_ms, position.id, tail);
}

std::optional<Position> decode_event_id(std::string_view text) {
  if (text.size() != length || text.front() != '3' || !text.ends_with(tail)) return std::nullopt;
  const std::optional<std::int64_t> at_ms = parse_number(text.substr(1, at_digits));
  const std::optional<std::int64_t> id = parse_number(text.substr(1 + at_digits, id_digits));
  if (!at_ms || !id) return std::nullopt;
  return Position{*at_ms, *id};
}

std::string encode_event_token(EventToken token) {
  return (token.direction == Direction::forward ? "f/" : "b/") + encode_event_id(token.position);
}

std::optional<EventToken> decode_event_token(std::string_view text) {
  if (!text.starts_with("f/") && !text.starts_with("b/")) return std::nullopt;
  const std::optional<Position> position = decode_event_id(text.substr(2));
  if (!position) return std::nullopt;
  return EventToken{text.front() == 'f' ? Direction::forward : Direction::backward, *position};
}

}  // namespace kaapi::logs
