#pragma once
// What is wrong with a workflow file or an action's metadata, and where: several faults at once, for the push's output.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kaapi::actions::workflow {

inline constexpr std::size_t max_faults = 20;         // told of one file
inline constexpr std::size_t max_quoted_bytes = 120;  // of what was found, in a message

// A place in a file, both from 1. Columns count bytes.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
  friend bool operator==(const Position&, const Position&) = default;
  friend bool operator<(const Position& a, const Position& b) {
    return a.line != b.line ? a.line < b.line : a.column < b.column;
  }
};

struct Fault {
  Position position;
  std::string message;  // what was found and what was expected
};

// Collects the faults of one file. Not thread-safe.
class Faults {
 public:
  void add(Position position, std::string message);
  bool empty() const { return faults_.empty(); }
  bool full() const { return faults_.size() >= max_faults; }
  // In the order of the file.
  std::vector<Fault> take();

 private:
  std::vector<Fault> faults_;
};

// ".github/workflows/cd.yml:12:7: message".
std::string format_fault(std::string_view file, const Fault& fault);

// "jobs" in quotes, cut where it is long, one line.
std::string quoted(std::string_view text);

}  // namespace kaapi::actions::workflow
