#include "logs/utf8.h"

#include <cstdint>

namespace kaapi::logs {
namespace {

struct Character {
  std::size_t bytes = 0;  // well-formed, or ill-formed to be replaced by one U+FFFD; at least 1
  bool valid = false;
  bool unfinished = false;  // ill-formed only because the text ends here
};

bool between(unsigned char byte, unsigned char low, unsigned char high) {
  return byte >= low && byte <= high;
}

// Table 3-7 of the Unicode standard: the second byte's range depends on the first.
Character read_character(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, true, false};
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (between(first, 0xC2, 0xDF)) {
    length = 2;
  } else if (between(first, 0xE0, 0xEF)) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (between(first, 0xF0, 0xF4)) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return {1, false, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i == text.size()) return {i, false, true};
    if (!between(byte(i), low, high)) return {i, false, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true, false};
}

// The position of the first ill-formed byte, or the size.
std::size_t valid_prefix(std::string_view text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const Character character = read_character(text.substr(at));
    if (!character.valid) break;
    at += character.bytes;
  }
  return at;
}

}  // namespace

std::string to_valid_utf8(std::string bytes) {
  std::size_t at = valid_prefix(bytes);
  if (at == bytes.size()) return bytes;
  std::string out = bytes.substr(0, at);
  const std::string_view text = bytes;
  while (at < text.size()) {
    const Character character = read_character(text.substr(at));
    if (character.valid) {
      out += text.substr(at, character.bytes);
    } else {
      out += "\xEF\xBF\xBD";
    }
    at += character.bytes;
  }
  return out;
}

std::size_t unfinished_utf8_tail(std::string_view bytes) {
  for (std::size_t tail = 1; tail <= 3 && tail <= bytes.size(); ++tail) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - tail]);
    if (byte < 0x80) return 0;
    if (byte >= 0xC0) return read_character(bytes.substr(bytes.size() - tail)).unfinished ? tail : 0;
  }
  return 0;
}

}  // namespace kaapi::logs
