#pragma once
// `kaapi status`: what runs, asked by the AWS APIs, of a platform or of AWS itself.

#include <iosfwd>

#include "cli/commands.h"
#include "cli/program.h"

namespace kaapi::cli {

int run_status(const StatusCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);

}  // namespace kaapi::cli
