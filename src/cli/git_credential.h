#pragma once
// `kaapi git-credential`, which git runs on anybody's machine to log in.

#include <iosfwd>
#include <string>

#include "cli/commands.h"
#include "cli/program.h"

namespace CLI {
class App;
}

namespace kaapi::cli {

struct GitCredentialCommand : TargetOptions {
  std::string action;  // "get"; git also asks "store" and "erase", which do nothing
};
// Answers in git-credential(1)'s form with the target's keys, when the URL asked for is the target's; else nothing, so
// that git goes on to ask others.
int run_git_credential(const GitCredentialCommand& command, const Surroundings& surroundings, std::istream& input,
                       std::ostream& out, std::ostream& err);

// Adds git-credential, and git-hook, which --help does not show. After parsing, `chosen` runs the one that was asked
// for; it stays empty when it was none of these.
void add_git_commands(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen);

}  // namespace kaapi::cli
