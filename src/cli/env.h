#pragma once
// `kaapi env`: what AWS clients need to know, as lines for a shell.

#include <iosfwd>

#include "cli/commands.h"
#include "cli/program.h"

namespace kaapi::cli {

int run_env(const EnvCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);

}  // namespace kaapi::cli
