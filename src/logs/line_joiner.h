#pragma once
// Makes events of the pieces that one output stream of one container delivers, and knows which pieces they cover. Free
// of I/O.

#include <cstdint>
#include <string>
#include <vector>

#include "containers/engine.h"
#include "logs/store.h"

namespace kaapi::logs {

// Longer lines become several events. The limit that CloudWatch had for an event for most of its life.
inline constexpr std::size_t max_joined_bytes = 262'144 - event_overhead_bytes;

// Starts at a cursor: pieces that it covers are skipped when the engine delivers them again. Empty lines make no event,
// because CloudWatch takes no empty message (Docker's awslogs driver drops them too). Not thread-safe.
class LineJoiner {
 public:
  explicit LineJoiner(OutputCursor start = {});

  // Takes the next piece and appends the events that it finishes.
  void add(containers::OutputLine piece, std::vector<NewEvent>& events);
  // The container ended: what was not finished by a newline becomes an event.
  void finish(std::vector<NewEvent>& events);
  // What the events handed out so far cover.
  const OutputCursor& cursor() const { return cursor_; }

 private:
  bool seen_before(const containers::OutputLine& piece);
  // Cuts events off the front of the line: everything when `all`, else what must go to stay within the limit.
  void cut(bool all, std::vector<NewEvent>& events);

  OutputCursor replay_;  // skip up to here
  bool replaying_ = false;
  std::int64_t replayed_pieces_ = 0;  // seen again at replay_.at_nanos

  std::string line_;                // the unfinished line
  std::int64_t line_at_nanos_ = 0;  // its first piece
  std::int64_t at_nanos_ = 0;       // the last piece taken
  std::int64_t pieces_ = 0;         // taken at that timestamp
  OutputCursor cursor_;
};

// From where the engine must deliver again so that nothing is missed.
std::int64_t follow_from_nanos(const OutputCursors& cursors);

}  // namespace kaapi::logs
