#pragma once
// `kaapi runner` and `kaapi run-job`.

#include <cstddef>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/log.h"

namespace CLI {
class App;
}

namespace kaapi::cli {

struct RunnerCommand {
  std::string server;               // "http://127.0.0.1:4566"
  std::string token_file;           // one line; only its owner may read it
  std::string name;                 // empty: the machine's
  std::vector<std::string> labels;  // "gpu", "debian=docker://debian:bookworm"; empty: the usual ones
  std::size_t slots = 2;
  std::string work_dir = "/var/lib/kaapi-runner";
  std::string job_user = "auto";
  std::string sandbox = "auto";
  std::int64_t alone_after_s = 0;
  std::vector<std::string> shared;
  std::string actions_url = "https://github.com";
  std::vector<std::string> originals;
  std::string log_level = "info";
};

// "gpu" or "debian=docker://debian:bookworm". Error: `Invalid`.
struct RunnerLabel {
  std::string name;
  std::string image;  // empty: on the host
};
Result<RunnerLabel> parse_runner_label(std::string_view text);

struct RunnerCommands {
  CLI::App* runner = nullptr;
  CLI::App* run_job = nullptr;
};
RunnerCommands add_runner_commands(CLI::App& program, RunnerCommand& command);

// Stays until SIGTERM or SIGINT; a second one ends jobs at once.
int run_runner(const RunnerCommand& command, std::ostream& err);
// One job, from standard input. Started by `kaapi runner`.
int run_runner_job();

}  // namespace kaapi::cli
