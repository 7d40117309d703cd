#pragma once
// Where the audit log lies: FOLDER/audit-1.jsonl, audit-2.jsonl, ... The highest number is written to; a file with a
// higher one after it never changes again.

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace kaapi::audit {

// In the data directory.
inline constexpr std::string_view folder_name = "audit";

// No record is longer, its newline included. Longer lines are damage, and readers pass over them.
inline constexpr std::size_t max_line_bytes = 64UL * 1024;

// Lines are in the order of their times but for what ran at once and a clock that was set; who looks
// for what came after a time reads so far beyond it.
inline constexpr std::chrono::minutes max_disorder{10};

// Between two lines. Positions are ordered by when what follows them was written.
struct Position {
  std::uint64_t file = 0;
  std::uint64_t offset = 0;  // bytes
  auto operator<=>(const Position&) const = default;
};

std::string file_path(const std::string& folder, std::uint64_t number);

// The numbers of the files there, ascending. Errors: those of reading the folder, `NotFound` when it is missing.
Result<std::vector<std::uint64_t>> file_numbers(const std::string& folder);

}  // namespace kaapi::audit
