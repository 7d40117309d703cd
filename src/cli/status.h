#pragma once
// `kaapi status`: what runs, asked by the AWS APIs, of a platform or of AWS itself.

#include <iosfwd>
#include <string>

#include "aws/sigv4.h"
#include "cli/commands.h"
#include "cli/program.h"

namespace kaapi::cli {

int run_status(const StatusCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);

// Whom to ask, and as whom.
struct Target {
  std::string endpoint;  // empty: AWS itself
  std::string region;
  aws::Credentials credentials;
};

// From the environment when it has credentials and no --data was given, else from the data directory.
// Errors: those of reading the account; `NotFound` says how to start.
Result<Target> find_target(const StatusCommand& command, const Surroundings& surroundings);

}  // namespace kaapi::cli
