#pragma once
// Whom a command that is a client asks, and as whom: a platform, or AWS itself.

#include <iosfwd>
#include <string>

#include "aws/client.h"
#include "aws/sigv4.h"
#include "cli/commands.h"
#include "cli/program.h"

namespace kaapi::cli {

struct Target {
  std::string endpoint;  // empty: AWS itself
  std::string region;
  aws::Credentials credentials;
};

// From the environment when it has credentials and no --data was given, else from the data directory.
// Errors: those of reading the account; `NotFound` and `Unavailable` (its platform does not run) say how to start.
Result<Target> find_target(const TargetOptions& options, const Surroundings& surroundings);

// A client of the target, for calls that a person waits for.
aws::Client client_of(const Target& target);

// The error as a line for a person, with what to do when nobody answered.
std::string explained(const Error& error, const Target& target);

// Prints the failure, and is the exit code.
int fail(std::string_view message, std::ostream& err);

}  // namespace kaapi::cli
