#pragma once
// Workflow commands in a step's output, `::error file=app.js,line=1::message`. Pure. GitHub's "Workflow commands".

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kaapi::actions::runner {

struct LogCommand {
  std::string name;                               // in lower case: "error"
  std::map<std::string, std::string> properties;  // names in lower case, values unescaped
  std::string data;                               // unescaped
};

// A line that is a command by its form, after spaces; nullopt for other lines. Whether the name is known is for the
// caller to say.
std::optional<LogCommand> parse_log_command(std::string_view line);

}  // namespace kaapi::actions::runner
