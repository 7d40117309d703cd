#pragma once
// The command line: from arguments to one command, and its exit code.

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "cli/commands.h"

namespace kaapi::cli {

// Exit codes of every command.
inline constexpr int exit_success = 0;
inline constexpr int exit_failure = 1;
inline constexpr int exit_usage = 2;

// What `kaapi doctor` is told of Docker, of a platform and of a disk.
struct EngineVersion {
  std::string version;  // "20.10.24"
  std::string api;      // "1.41"
};
struct HealthAnswer {
  int status = 0;
  std::string date;  // of the answer's head; empty: none
  std::string body;
};
struct DiskSpace {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;
};

// What the command line needs of the rest of the program and of the machine. Handed over in daemon/; tests bring their
// own.
struct Surroundings {
  std::function<int(const UpCommand&)> up;
  // The endpoint of the platform that runs on a data directory now.
  std::function<std::optional<std::string>(const std::string& data_dir)> running_endpoint;
  // The same, or of the one that ran there last.
  std::function<std::optional<std::string>(const std::string& data_dir)> last_endpoint;
  std::function<Result<EngineVersion>()> engine;
  std::function<Result<HealthAnswer>(const std::string& endpoint)> health;  // GET /healthz
  std::function<Result<DiskSpace>(const std::string& folder)> disk;
  // The environment: nullopt when the variable is unset or empty.
  std::function<std::optional<std::string>(const char* name)> variable;
  bool is_root = false;
  bool is_terminal = false;  // of `out`
  std::string version;
};

// A command that has been parsed and only has to be run.
using ChosenCommand = std::function<int(const Surroundings&, std::ostream& out, std::ostream& err)>;

// Runs the command that the arguments (without the program's name) ask for. What a command tells goes to `out`,
// everything else to `err`, each failure as one line that begins with "kaapi: ".
int run_program(int argc, const char* const* argv, const Surroundings& surroundings, std::ostream& out,
                std::ostream& err);

// KAAPI_DATA, else /var/lib/kaapi for root, else $XDG_DATA_HOME/kaapi, else ~/.local/share/kaapi, else ./kaapi-data.
std::string default_data_dir(const Surroundings& surroundings);

}  // namespace kaapi::cli
