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

// Why a step may not set this variable for those that follow: an error (NODE_OPTIONS, as GitHub) or only a warning,
// because the runner's own value stays (GITHUB_*, RUNNER_*).
enum class EnvRule { allowed, ignored, refused };
EnvRule rule_for_env(std::string_view name);

}  // namespace kaapi::actions::runner
