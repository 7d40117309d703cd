#pragma once
// Text tables for terminals. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace kaapi::cli {

enum class Tone { plain, good, busy, bad, faint, strong };

struct Cell {
  Cell(std::string content, Tone color = Tone::plain, bool right_aligned = false)
      : text(std::move(content)), tone(color), right(right_aligned) {}
  std::string text;
  Tone tone;
  bool right;
};
using Row = std::vector<Cell>;

// With the terminal's codes around it when `colors`.
std::string painted(std::string_view text, Tone tone, bool colors);

// Columns as wide as their widest cell, two spaces between, `indent` before; no space at a line's end. Control
// characters in cells become '?': texts come from other machines.
std::string table(const std::vector<Row>& rows, std::size_t indent, bool colors);

// The same text without control characters.
std::string harmless(std::string_view text);

// A line of a job's log: it may have tabs, and colors, which are left out unless `colors`. Whatever else would steer a
// terminal becomes '?'.
std::string terminal_line(std::string_view text, bool colors);

}  // namespace kaapi::cli
