#pragma once
// `kaapi iam why` and `kaapi credentials rotate-root`.

#include <iosfwd>

#include "cli/commands.h"
#include "cli/program.h"

namespace kaapi::cli {

// Tells step by step whether a principal may do something, and which policy decides. Exit code: success when it is
// allowed, exit_denied when it is not.
inline constexpr int exit_denied = 3;
int run_why(const WhyCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);

// Gives the account a new root key; the old one is refused from then on.
int run_rotate_root(const RotateRootCommand& command, const Surroundings& surroundings, std::ostream& out,
                    std::ostream& err);

}  // namespace kaapi::cli
