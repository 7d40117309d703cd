#pragma once
// `kaapi git-hook`, which git runs on the platform's machine during a push.

#include <iosfwd>
#include <string>

#include "cli/program.h"

namespace kaapi::cli {

// `hook`: "pre-receive" or "post-receive". `input`: what git tells of the refs, "BEFORE AFTER REF" lines. Asks the
// platform that KAAPI_GIT_HOOK_URL names. pre-receive: exit_success when the push may be, otherwise one line on `err`
// for each ref that may not. post-receive: prints what was started, and with the push option "wait" follows it.
int run_git_hook(const std::string& hook, const Surroundings& surroundings, std::istream& input, std::ostream& out,
                 std::ostream& err);

}  // namespace kaapi::cli
