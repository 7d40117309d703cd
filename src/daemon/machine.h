#pragma once
// What is asked of the machine: Docker, the platform that runs, the disk, its network interfaces. Each waits 3 s at
// most.

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/program.h"

namespace kaapi::daemon {

// Errors: those of reaching it, one line for a person; `Invalid` when DOCKER_HOST is no unix:// address.
Result<cli::EngineVersion> engine_version();

// GET /healthz of a platform at "http://HOST:PORT". Errors: `Invalid` (another kind of URL), `Unavailable`, `TimedOut`.
Result<cli::HealthAnswer> ask_health(const std::string& endpoint);

// Of the file system that holds `folder`, as its owner may use it. Error: `Unavailable`.
Result<cli::DiskSpace> disk_space(const std::string& folder);

// The network interfaces that have this IPv4 address, in the machine's order; usually one, none when it cannot be told.
std::vector<std::string> interfaces_with(const std::string& address);

}  // namespace kaapi::daemon
