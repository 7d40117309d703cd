#include "logs/line_joiner.h"

#include <algorithm>
#include <utility>

#include "logs/utf8.h"

namespace kaapi::logs {
namespace {

constexpr std::int64_t nanos_per_ms = 1'000'000;
// Engines stamp stdout and stderr in two threads, so one stream's pieces may come this much after later ones of the
// other.
constexpr std::int64_t stream_skew_nanos = 10'000'000'000;

// How much of `text` fits an event without cutting a character.
std::size_t fitting(std::string_view text) {
  if (text.size() <= max_joined_bytes) return text.size();
  return max_joined_bytes - unfinished_utf8_tail(text.substr(0, max_joined_bytes));
}

}  // namespace

LineJoiner::LineJoiner(OutputCursor start)
    : replay_(start),
      replaying_(start.at_nanos != 0 || start.pieces != 0),
      line_(start.carry),
      line_at_nanos_(start.at_nanos),
      at_nanos_(start.at_nanos),
      pieces_(start.pieces),
      cursor_(std::move(start)) {}

bool LineJoiner::seen_before(const containers::OutputLine& piece) {
  if (!replaying_) return false;
  if (piece.at_nanos < replay_.at_nanos) return true;
  if (piece.at_nanos == replay_.at_nanos && replayed_pieces_ < replay_.pieces) {
    ++replayed_pieces_;
    return true;
  }
  replaying_ = false;
  return false;
}

void LineJoiner::cut(bool all, std::vector<NewEvent>& events) {
  while (line_.size() > max_joined_bytes || (all && !line_.empty())) {
    const std::size_t size = fitting(line_);
    events.push_back({line_at_nanos_ / nanos_per_ms, to_valid_utf8(line_.substr(0, size))});
    line_.erase(0, size);
  }
}

void LineJoiner::add(containers::OutputLine piece, std::vector<NewEvent>& events) {
  if (seen_before(piece)) return;
  const bool full = !line_.empty() && line_.size() + piece.text.size() > max_joined_bytes;
  if (full) {
    // Cut between pieces, where a cursor can stand; a character that the cut would split goes to the next event.
    const std::size_t tail = unfinished_utf8_tail(line_);
    std::string carry = line_.substr(line_.size() - tail);
    line_.erase(line_.size() - tail);
    cut(true, events);
    line_ = carry;
    line_at_nanos_ = piece.at_nanos;
    cursor_ = {at_nanos_, pieces_, std::nullopt, std::move(carry)};
  }
  pieces_ = piece.at_nanos == at_nanos_ ? pieces_ + 1 : 1;
  at_nanos_ = piece.at_nanos;
  if (line_.empty()) line_at_nanos_ = piece.at_nanos;
  line_ += piece.text;
  if (!piece.partial) {
    cut(true, events);
    cursor_ = {at_nanos_, pieces_, std::nullopt, ""};
    return;
  }
  if (line_.size() > max_joined_bytes) {
    // One piece beyond the limit goes out whole, for the cursor cannot stand inside it.
    std::string carry = line_.substr(line_.size() - unfinished_utf8_tail(line_));
    line_.resize(line_.size() - carry.size());
    cut(true, events);
    line_ = carry;
    cursor_ = {at_nanos_, pieces_, std::nullopt, std::move(carry)};
    return;
  }
  if (!cursor_.pending_at_nanos) cursor_.pending_at_nanos = piece.at_nanos;
}

void LineJoiner::finish(std::vector<NewEvent>& events) {
  cut(true, events);
  cursor_ = {at_nanos_, pieces_, std::nullopt, ""};
}

std::int64_t follow_from_nanos(const OutputCursors& cursors) {
  if (cursors.empty()) return 0;
  std::int64_t oldest = cursors.size() < 2 ? 0 : std::numeric_limits<std::int64_t>::max();
  std::int64_t newest = 0;
  std::int64_t pending = std::numeric_limits<std::int64_t>::max();
  for (const auto& [stream, cursor] : cursors) {
    oldest = std::min(oldest, cursor.at_nanos);
    newest = std::max(newest, cursor.at_nanos);
    if (cursor.pending_at_nanos) pending = std::min(pending, *cursor.pending_at_nanos);
  }
  return std::min(pending, std::max(oldest, newest - stream_skew_nanos));
}

}  // namespace kaapi::logs
