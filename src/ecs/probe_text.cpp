#include "ecs/probe_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::ecs {
namespace {

bool is_utf8(const std::string& text) {
  std::string document;
  JsonWriter(document).value(text);
  return parse_json(document).has_value();
}

std::string cut(std::string_view text) {
  std::size_t size = std::min(text.size(), max_probe_text_bytes);
  // Not inside a character.
  while (size > 0 && size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  return std::string(text.substr(0, size));
}

}  // namespace

std::string probe_text(std::optional<int> exit_code, std::string_view output) {
  output = trim(output);
  std::string line = cut(trim(output.substr(0, output.find('\n'))));
  const bool valid = is_utf8(line);
  for (char& c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) c = ' ';
    if (!valid && byte >= 0x80) c = '?';
  }
  if (!exit_code) return line;
  return line.empty() ? fmt::format("exit code {}", *exit_code) : fmt::format("exit code {}: {}", *exit_code, line);
}

}  // namespace kaapi::ecs
