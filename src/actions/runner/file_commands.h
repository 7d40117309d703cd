#pragma once
// The files that steps write to: GITHUB_ENV, GITHUB_OUTPUT, GITHUB_STATE (NAME=VALUE, or NAME<<MARK with lines up to
// MARK) and GITHUB_PATH (a folder a line). Pure.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace kaapi::actions::runner {

inline constexpr std::size_t max_command_file_bytes = 8UL * 1024 * 1024;
inline constexpr std::size_t max_summary_bytes = 1024UL * 1024;  // of a step, as GitHub's; and of a job

using NamedValues = std::vector<std::pair<std::string, std::string>>;

// Errors: `Invalid`, with the line's number and what was expected; the value itself is not told.
Result<NamedValues> parse_named_values(std::string_view text);
std::vector<std::string> parse_path_lines(std::string_view text);

// Whether a step may set this variable for those that follow: all but NODE_OPTIONS, as on GitHub. What the runner
// itself sets for each program (GITHUB_SHA and the like) stays the runner's.
bool may_set_env(std::string_view name);

}  // namespace kaapi::actions::runner
