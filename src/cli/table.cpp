#include "cli/table.h"

#include <algorithm>

namespace kaapi::cli {
namespace {

// Characters, not bytes: every byte but UTF-8's continuations begins one.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string_view code_of(Tone tone) {
  switch (tone) {
    case Tone::good:
      return "\x1b[32m";
    case Tone::busy:
      return "\x1b[33m";
    case Tone::bad:
      return "\x1b[31m";
    case Tone::faint:
      return "\x1b[2m";
    case Tone::strong:
      return "\x1b[1m";
    case Tone::plain:
      break;
  }
  return "";
}

// The length of "\x1b[1;31m" at the beginning of `text`: a color, which moves nothing on the screen; 0 for all else.
std::size_t color_length(std::string_view text) {
  if (!text.starts_with("\x1b[")) return 0;
  const std::size_t end = text.find_first_not_of("0123456789;", 2);
  return end != std::string_view::npos && text[end] == 'm' ? end + 1 : 0;
}

}  // namespace

std::string harmless(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20U || c == 0x7F) c = '?';
  }
  return out;
}

std::string terminal_line(std::string_view text, bool colors) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t length = color_length(text.substr(i)); length > 0) {
      if (colors) out += text.substr(i, length);
      i += length;
      continue;
    }
    const char c = text[i++];
    if (c == '\r' && i == text.size()) break;
    out += c == '\t' ? std::string(1, c) : harmless(std::string_view(&c, 1));
  }
  return out;
}

std::string painted(std::string_view text, Tone tone, bool colors) {
  if (!colors || tone == Tone::plain || text.empty()) return std::string(text);
  return std::string(code_of(tone)) + std::string(text) + "\x1b[0m";
}

std::string table(const std::vector<Row>& rows, std::size_t indent, bool colors) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i].text));
  }
  std::string out;
  for (const Row& row : rows) {
    std::string line;
    std::size_t due = indent;  // spaces that the next text needs before it
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string text = harmless(row[i].text);
      const std::size_t padding = widths[i] - width_of(text);
      if (!text.empty()) {
        line.append(due + (row[i].right ? padding : 0), ' ');
        line += painted(text, row[i].tone, colors);
        due = row[i].right ? 0 : padding;
      } else {
        due += padding;
      }
      due += 2;
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace kaapi::cli
