#include "http/chunked.h"

#include <algorithm>
#include <cstring>

#include "http/limits.h"

namespace kaapi::http {
namespace {

constexpr std::size_t max_size_digits = 15;  // far below 2^63, so that sizes never overflow

int hex_value(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

bool is_text(char byte) {
  return byte == '\t' || (static_cast<unsigned char>(byte) >= 0x20 && byte != 0x7f);
}

}  // namespace

Result<ChunkDecoder::Progress> ChunkDecoder::decode(std::span<char> bytes) {
  Progress progress;
  while (progress.consumed < bytes.size() && !finished()) {
    if (state_ == State::data) {
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size() - progress.consumed));
      std::memmove(bytes.data() + progress.produced, bytes.data() + progress.consumed, take);
      progress.produced += take;
      progress.consumed += take;
      remaining_ -= take;
      if (remaining_ == 0) state_ = State::data_cr;
    } else if (!step(bytes[progress.consumed++])) {
      return make_error(errc::invalid, "malformed chunked body");
    }
  }
  return progress;
}

bool ChunkDecoder::step(char byte) {
  switch (state_) {
    case State::size:
      return size_digit(byte);
    case State::extension:
      if (byte == '\r') {
        state_ = State::size_lf;
        return true;
      }
      return is_text(byte) && ++line_bytes_ <= max_chunk_line_bytes;
    case State::size_lf:
      if (byte == '\n') end_size_line();
      return byte == '\n';
    case State::data_cr:
      state_ = State::data_lf;
      return byte == '\r';
    case State::data_lf:
      state_ = State::size;
      return byte == '\n';
    case State::trailer:
      state_ = byte == '\r' ? State::end_lf : State::trailer_line;
      return byte == '\r' || (is_text(byte) && ++trailer_bytes_ <= max_trailer_bytes);
    case State::trailer_line:
      if (byte == '\r') {
        state_ = State::trailer_lf;
        return true;
      }
      return is_text(byte) && ++trailer_bytes_ <= max_trailer_bytes;
    case State::trailer_lf:
      state_ = State::trailer;
      return byte == '\n';
    case State::end_lf:
      state_ = State::finished;
      return byte == '\n';
    case State::data:
    case State::finished:
      break;
  }
  return false;
}

bool ChunkDecoder::size_digit(char byte) {
  if (const int value = hex_value(byte); value >= 0) {
    remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(value);
    return ++digits_ <= max_size_digits;
  }
  if (digits_ == 0) return false;
  if (byte == '\r') {
    state_ = State::size_lf;
    return true;
  }
  state_ = State::extension;
  return byte == ';' || byte == ' ' || byte == '\t';
}

void ChunkDecoder::end_size_line() {
  state_ = remaining_ == 0 ? State::trailer : State::data;
  digits_ = 0;
  line_bytes_ = 0;
}

}  // namespace kaapi::http
