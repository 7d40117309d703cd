#pragma once
// Docker's output streams as bytes arrive: frames of attached and logged output, and the lines inside with their
// timestamps. Format: "Attach to a container", section "Stream format", of the Docker Engine API.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "containers/engine.h"

namespace kaapi::containers {

// Longest frame accepted; Docker's own are at most 16 KiB of output (logs) or 32 KiB (exec).
inline constexpr std::size_t max_frame_bytes = 1024 * 1024;
// Docker cuts a line into pieces of this many bytes.
inline constexpr std::size_t output_piece_bytes = 16 * 1024;

// Nanoseconds since the Unix epoch of "2026-07-01T09:30:00.000000001Z" (any number of fraction digits up to 9, any
// offset), or nullopt.
std::optional<std::int64_t> parse_rfc3339_nanos(std::string_view text);

// Splits a multiplexed stream into frames. One thread at a time.
class FrameDecoder {
 public:
  enum class Kind { in = 0, out = 1, err = 2, engine_error = 3 };
  using OnFrame = std::function<void(Kind kind, std::string_view payload)>;

  // Errors: `Damaged` when the bytes are no multiplexed stream; the decoder is of no use then.
  Result<void> feed(std::string_view bytes, const OnFrame& on_frame);
  // False in the middle of a frame.
  bool at_border() const { return pending_.empty(); }

 private:
  std::string pending_;
};

// Turns the answer of /containers/ID/logs?timestamps=1 into lines. One thread at a time.
class OutputParser {
 public:
  using OnLine = std::function<void(OutputLine)>;

  // `tty`: the container has a terminal, whose output carries no frames and is all `out`.
  explicit OutputParser(bool tty) : tty_(tty) {}

  // Errors: `Damaged`; `InternalError` with the words of the engine when it reports one inside the stream.
  Result<void> feed(std::string_view bytes, const OnLine& on_line);
  // The end of the stream: delivers an unfinished last line. Error: `Damaged` in the middle of a frame.
  Result<void> finish(const OnLine& on_line);

 private:
  Result<void> feed_raw(std::string_view bytes, const OnLine& on_line);

  bool tty_;
  FrameDecoder frames_;
  std::string raw_;  // terminal output whose line has not ended yet
};

}  // namespace kaapi::containers
