// What the Docker Engine streams: containers write the output, and name and label what the events tell. The first byte
// picks the stream, the second how it is cut. Properties: no crash; the same is found whatever way the bytes are cut.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "containers/docker_events.h"
#include "containers/docker_json.h"
#include "containers/docker_output.h"

namespace {

using namespace kaapi;

// What came out, and how it ended.
struct Found {
  std::vector<std::string> lines;
  std::string failure;
  friend bool operator==(const Found&, const Found&) = default;
};

template <class Feed>
std::string feed_in_pieces(std::string_view bytes, std::size_t piece, Feed&& feed) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const Result<void> fed = feed(bytes.substr(at, piece));
    if (!fed) return fed.error().code;
  }
  return {};
}

Found output(std::string_view bytes, std::size_t piece, bool tty) {
  Found found;
  containers::OutputParser parser(tty);
  const auto on_line = [&](const containers::OutputLine& line) {
    found.lines.push_back(std::to_string(line.at_nanos) + (line.partial ? "+" : " ") + line.text);
  };
  found.failure = feed_in_pieces(bytes, piece, [&](std::string_view part) { return parser.feed(part, on_line); });
  if (found.failure.empty()) {
    if (const Result<void> end = parser.finish(on_line); !end) found.failure = end.error().code;
  }
  return found;
}

Found events(std::string_view bytes, std::size_t piece) {
  Found found;
  containers::LineSplitter splitter;
  found.failure = feed_in_pieces(bytes, piece, [&](std::string_view part) {
    return splitter.feed(part, [&](std::string_view line) {
      if (const Result<json::value> object = parse_json(line)) {
        const auto event = containers::parse_event(*object);
        found.lines.push_back(event ? event->action + " " + event->event.container : "-");
      }
    });
  });
  return found;
}

// What else the engine answers: one JSON value.
void check_answers(std::string_view text) {
  static_cast<void>(containers::engine_error(500, text));
  const Result<json::value> value = parse_json(text);
  if (!value) return;
  static_cast<void>(containers::parse_container(*value));
  static_cast<void>(containers::parse_list_entry(*value));
  static_cast<void>(containers::parse_image(*value));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t piece = std::max<std::size_t>(data[1], 1);
  switch (data[0]) {
    case 'e':
      if (events(bytes, bytes.size()) != events(bytes, piece)) std::abort();
      break;
    case 'j':
      check_answers(bytes);
      break;
    default: {
      const bool tty = data[0] == 't';
      if (output(bytes, bytes.size(), tty) != output(bytes, piece, tty)) std::abort();
    }
  }
  return 0;
}
