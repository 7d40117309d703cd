#include "containers/docker_output.h"

#include <chrono>

#include "base/text.h"

namespace kaapi::containers {
namespace {

constexpr std::size_t frame_header_bytes = 8;
constexpr std::size_t max_timestamp_bytes = 40;
constexpr std::int64_t nanos_per_second = 1'000'000'000;

std::optional<std::int64_t> digits(std::string_view text, std::size_t from, std::size_t count) {
  return from + count <= text.size() ? parse_number(text.substr(from, count)) : std::nullopt;
}

// Seconds east of UTC of "Z" or "+02:00".
std::optional<std::int64_t> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") {
    return 0;
  }
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') {
    return std::nullopt;
  }
  const auto hours = digits(text, 1, 2);
  const auto minutes = digits(text, 4, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) {
    return std::nullopt;
  }
  return (*hours * 3600 + *minutes * 60) * (text[0] == '-' ? -1 : 1);
}

// "2026-…Z text" without its newline: one line, or nullopt when it does not begin with a timestamp.
std::optional<OutputLine> parse_line(OutputStream stream, bool partial, std::string_view text) {
  const std::size_t space = text.substr(0, max_timestamp_bytes).find(' ');
  const auto at = parse_rfc3339_nanos(text.substr(0, space));
  if (space == std::string_view::npos || !at) {
    return std::nullopt;
  }
  OutputLine line;
  line.stream = stream;
  line.at_nanos = *at;
  line.partial = partial;
  line.text = text.substr(space + 1);
  return line;
}

Error no_timestamp() {
  return make_error(errc::damaged, "the engine sent a line of output without a timestamp");
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339_nanos(std::string_view text) {
  const auto year = digits(text, 0, 4);
  const auto month = digits(text, 5, 2);
  const auto day = digits(text, 8, 2);
  const auto hour = digits(text, 11, 2);
  const auto minute = digits(text, 14, 2);
  const auto second = digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':' || *hour > 23 || *minute > 59 ||
      *second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // The years that 64 bits of nanoseconds hold.
  if (!date.ok() || *year < 1678 || *year > 2261) {
    return std::nullopt;
  }
  std::size_t at = 19;
  std::int64_t nanos = 0;
  if (at < text.size() && text[at] == '.') {
    std::int64_t unit = nanos_per_second / 10;
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9' && unit > 0; ++at, unit /= 10) {
      nanos += (text[at] - '0') * unit;
    }
    if (at == 20) {
      return std::nullopt;
    }
  }
  const auto offset = parse_offset(text.substr(at));
  if (!offset) {
    return std::nullopt;
  }
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return (days * 86400 + *hour * 3600 + *minute * 60 + *second - *offset) * nanos_per_second + nanos;
}

Result<void> FrameDecoder::feed(std::string_view bytes, const OnFrame& on_frame) {
  std::string joined;
  if (!pending_.empty()) {
    joined = std::move(pending_);
    pending_.clear();
    joined += bytes;
    bytes = joined;
  }
  while (bytes.size() >= frame_header_bytes) {
    const auto byte = [&](std::size_t index) {
      return static_cast<std::size_t>(static_cast<unsigned char>(bytes[index]));
    };
    const std::size_t size = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
    if (byte(0) > 3 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0 || size > max_frame_bytes) {
      return make_error(errc::damaged, "the engine sent bytes that are no frames of a multiplexed stream");
    }
    if (bytes.size() < frame_header_bytes + size) {
      break;
    }
    on_frame(static_cast<Kind>(byte(0)), bytes.substr(frame_header_bytes, size));
    bytes.remove_prefix(frame_header_bytes + size);
  }
  pending_.assign(bytes);
  return ok();
}

Result<void> OutputParser::feed(std::string_view bytes, const OnLine& on_line) {
  if (tty_) {
    return feed_raw(bytes, on_line);
  }
  std::optional<Error> failure;
  Result<void> split = frames_.feed(bytes, [&](FrameDecoder::Kind kind, std::string_view payload) {
    if (kind == FrameDecoder::Kind::engine_error) {
      failure = internal_error(std::string(trim(payload)));
      return;
    }
    const bool partial = !payload.ends_with('\n');
    if (!partial) {
      payload.remove_suffix(1);
    }
    const OutputStream stream = kind == FrameDecoder::Kind::err ? OutputStream::err : OutputStream::out;
    if (auto line = parse_line(stream, partial, payload)) {
      on_line(std::move(*line));
    } else {
      failure = no_timestamp();
    }
  });
  if (failure) {
    return *failure;
  }
  return split;
}

// A terminal's output comes as "TIMESTAMP text\r\n"; a piece that fills Docker's buffer is followed by the next
// timestamp at once.
Result<void> OutputParser::feed_raw(std::string_view bytes, const OnLine& on_line) {
  raw_ += bytes;
  std::size_t begin = 0;
  while (begin < raw_.size()) {
    const std::string_view rest = std::string_view(raw_).substr(begin);
    const std::size_t space = rest.find(' ');
    if (space > max_timestamp_bytes && rest.size() > max_timestamp_bytes) {
      return no_timestamp();
    }
    if (space == std::string_view::npos) {
      break;
    }
    const std::size_t longest = space + 1 + output_piece_bytes;
    const std::size_t newline = rest.find('\n', space + 1);
    const bool partial = newline == std::string_view::npos ? rest.size() >= longest : newline >= longest;
    if (newline == std::string_view::npos && !partial) {
      break;
    }
    std::string_view text = rest.substr(0, partial ? longest : newline);
    begin += partial ? longest : newline + 1;
    if (!partial && text.ends_with('\r')) {
      text.remove_suffix(1);
    }
    auto line = parse_line(OutputStream::out, partial, text);
    if (!line) {
      return no_timestamp();
    }
    on_line(std::move(*line));
  }
  raw_.erase(0, begin);
  return ok();
}

Result<void> OutputParser::finish(const OnLine& on_line) {
  if (!frames_.at_border()) {
    return make_error(errc::damaged, "the engine's output ended in the middle of a frame");
  }
  if (raw_.empty()) {
    return ok();
  }
  // Docker writes no newline after a piece that the container did not end with one.
  auto line = parse_line(OutputStream::out, true, raw_);
  raw_.clear();
  if (!line) {
    return no_timestamp();
  }
  on_line(std::move(*line));
  return ok();
}

}  // namespace kaapi::containers
