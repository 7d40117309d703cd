#pragma once
// What every built-in does with its inputs and its waits.

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "actions/builtin/action_host.h"

namespace kaapi::actions {

// "true" and "false" in any case; empty: `otherwise`. Error: `Invalid`, naming the input.
Result<bool> bool_input(const ActionHost& host, std::string_view name, bool otherwise);
// The same of an input's text.
Result<bool> bool_of(std::string_view given, std::string_view name, bool otherwise);
// A whole number from `least` to `most`; empty: `otherwise`. Error: `Invalid`, naming the input and the range.
Result<std::int64_t> number_input(const ActionHost& host, std::string_view name, std::int64_t otherwise,
                                  std::int64_t least, std::int64_t most);
Result<std::int64_t> number_of(std::string_view given, std::string_view name, std::int64_t otherwise,
                               std::int64_t least, std::int64_t most);
// Lines without the spaces around them, empty ones left out.
std::vector<std::string> lines_of(std::string_view text);
// The same, commas separate too.
std::vector<std::string> items_of(std::string_view text);

// A line of the log per line of `text`; carriage returns (progress) keep only what they end with.
void log_lines(ActionHost& host, std::string_view text);
// The commands "::warning::" and "::debug::"; line breaks travel escaped.
void warn(ActionHost& host, std::string_view message);
void debug(ActionHost& host, std::string_view message);

// Waits, but not when the step is cancelled. Error: `Cancelled`.
Result<void> pause(const ActionHost& host, std::chrono::milliseconds duration);

// Lexically below `folder`, or itself. Both absolute and normal.
bool is_below(std::string_view path, std::string_view folder);
// The job's home, for this action to open.
std::string home_folder(const ActionHost& host);
// `path` as seen from the workspace, absolute and normal, no final slash, for this action to open: "~" is HOME. Errors:
// of ActionHost::host_path.
Result<std::string> absolute_path(const ActionHost& host, std::string_view path);
// What is in the file that an input names. Error: `Invalid`, naming the input.
Result<std::string> read_input_file(const ActionHost& host, std::string_view name, std::size_t max_bytes);

}  // namespace kaapi::actions
