#include "cli/checks.h"

#include <fmt/format.h>

#include "base/text.h"

namespace kaapi::cli {

CLI::Validator whole_number(std::int64_t lowest, std::optional<std::int64_t> highest) {
  return checked_by([lowest, highest](const std::string& text) -> Result<std::int64_t> {
    const std::optional<std::int64_t> number = parse_number(text);
    if (number && *number >= lowest && (!highest || *number <= *highest)) return *number;
    return make_error(errc::invalid, fmt::format("\"{}\" does not fit: expected a whole number from {}{}", text, lowest,
                                                 highest ? fmt::format(" to {}", *highest) : ""));
  });
}

CLI::Validator run_id() {
  return checked_by([](const std::string& text) -> Result<std::int64_t> {
    const std::optional<std::int64_t> number = parse_number(text);
    if (number && *number >= 1) return *number;
    return make_error(errc::invalid,
                      fmt::format("\"{}\" is no id of a run: expected a number from 1, as kaapi run list shows", text));
  });
}

}  // namespace kaapi::cli
