#pragma once
// Docker's event stream as bytes arrive: JSON objects one after the other, and what they mean for us.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "containers/engine.h"

namespace kaapi::containers {

// Longest JSON object accepted: an event carries all labels of its container.
inline constexpr std::size_t max_json_line_bytes = 1024 * 1024;

// Splits a stream into lines, whatever way it is cut. One thread at a time.
class LineSplitter {
 public:
  // Empty lines are dropped, also a CR before the newline. Error: `TooLarge` for a line over max_json_line_bytes.
  Result<void> feed(std::string_view bytes, const std::function<void(std::string_view line)>& on_line);
  // What came after the last newline.
  std::string rest() { return std::move(pending_); }

 private:
  std::string pending_;
};

struct DockerEvent {
  Event event;
  std::int64_t at_nanos = 0;
  std::string action;
};

// One object of GET /events, or nullopt for what we do not watch. Labels: the attributes that are not Docker's own.
std::optional<DockerEvent> parse_event(const json::value& object);

}  // namespace kaapi::containers
