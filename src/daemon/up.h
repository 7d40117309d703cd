#pragma once
// `kaapi up`: one platform as one process, from its first line to its exit code.

#include <string>

#include "cli/commands.h"

namespace kaapi::daemon {

// Stays until SIGTERM, SIGINT or SIGHUP (a second one ends the process at once). 0: ended in order; 1: could not start,
// one line on stderr says why.
int run_up(const cli::UpCommand& command, const std::string& version);

}  // namespace kaapi::daemon
