#pragma once
// The program's own log, to stderr. One line per fact, with the folder that speaks. Never a secret.

#include <fmt/format.h>

#include <string_view>
#include <utility>

#include "base/error.h"

namespace kaapi::log {

enum class Level { debug, info, warn, error, off };

// "debug", "info", "warn", "error" or "off". Error: `Invalid`, naming the choices.
Result<Level> parse_level(std::string_view name);

// Process-wide; call before threads start. Default: info.
void set_level(Level level);
bool enabled(Level level);

// Thread-safe; one write per line.
void write(Level level, std::string_view who, std::string_view text);

template <class... Args>
void debug(std::string_view who, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) {
    write(Level::debug, who, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <class... Args>
void info(std::string_view who, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) {
    write(Level::info, who, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <class... Args>
void warn(std::string_view who, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warn)) {
    write(Level::warn, who, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <class... Args>
void error(std::string_view who, fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::error)) {
    write(Level::error, who, fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace kaapi::log
