#include "actions/runner/log_commands.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

// %25 last, so that what it yields is not read again.
std::string unescape(std::string_view text, bool property) {
  static constexpr std::array<std::pair<std::string_view, char>, 5> escapes = {
      {{"%0D", '\r'}, {"%0A", '\n'}, {"%25", '%'}, {"%3A", ':'}, {"%2C", ','}}};
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    bool found = false;
    if (text[at] == '%') {
      for (std::size_t i = 0; i < (property ? 5U : 3U) && !found; ++i) {
        if (text.substr(at, 3) != escapes[i].first) continue;
        out += escapes[i].second;
        at += 2;
        found = true;
      }
    }
    if (!found) out += text[at];
  }
  return out;
}

}  // namespace

std::optional<LogCommand> parse_log_command(std::string_view line) {
  const std::size_t start = line.find_first_not_of(" \t");
  if (start == std::string_view::npos || !line.substr(start).starts_with("::")) return std::nullopt;
  line.remove_prefix(start + 2);
  const std::size_t end = line.find("::");
  if (end == std::string_view::npos || end == 0) return std::nullopt;
  const std::string_view head = line.substr(0, end);
  LogCommand command;
  const std::size_t space = head.find(' ');
  command.name = lower(head.substr(0, space));
  command.data = unescape(line.substr(end + 2), false);
  if (space == std::string_view::npos) return command;
  for (const std::string& property : split(head.substr(space + 1), ',')) {
    const std::size_t equals = property.find('=');
    if (equals == std::string::npos) continue;
    const std::string_view name = trim(std::string_view(property).substr(0, equals));
    if (!name.empty()) command.properties[lower(name)] = unescape(std::string_view(property).substr(equals + 1), true);
  }
  return command;
}

}  // namespace kaapi::actions::runner
