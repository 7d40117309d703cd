// The program: its command line, wired to the platform and to the machine.

#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>

#include "cli/program.h"
#include "daemon/data_directory.h"
#include "daemon/machine.h"
#include "daemon/up.h"

namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

}  // namespace

int main(int argc, char** argv) {
  kaapi::cli::Surroundings surroundings;
  surroundings.version = KAAPI_VERSION;
  surroundings.up = [](const kaapi::cli::UpCommand& command) { return kaapi::daemon::run_up(command, KAAPI_VERSION); };
  surroundings.running_endpoint = kaapi::daemon::running_endpoint;
  surroundings.last_endpoint = kaapi::daemon::last_endpoint;
  surroundings.engine = kaapi::daemon::engine_version;
  surroundings.health = kaapi::daemon::ask_health;
  surroundings.disk = kaapi::daemon::disk_space;
  surroundings.variable = variable;
  surroundings.is_root = ::geteuid() == 0;
  surroundings.is_terminal = ::isatty(STDOUT_FILENO) == 1;
  try {
    return kaapi::cli::run_program(argc, argv, surroundings, std::cout, std::cerr);
  } catch (const std::exception& failure) {
    std::cerr << "kaapi: this should not happen: " << failure.what() << "\n";
    return kaapi::cli::exit_failure;
  }
}
