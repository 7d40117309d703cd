#pragma once
// Starting a process of a step and seeing it to its end.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/runner/stop.h"
#include "base/error.h"

namespace kaapi::actions::runner {

// Between the signals that end a step, as GitHub's runner: SIGINT, SIGTERM, SIGKILL.
inline constexpr std::chrono::milliseconds interrupt_grace{7'500};
inline constexpr std::chrono::milliseconds terminate_grace{2'500};
// A process left behind may hold the step's output open; what it writes for so long still counts.
inline constexpr std::chrono::milliseconds output_grace{500};

struct ProcessRun {
  std::vector<std::string> argv;  // argv[0]: the path of the program
  std::string directory;
  std::vector<std::string> env;  // "NAME=VALUE"
  std::string_view input;        // must stay until the end
  // Bytes as they come, on the calling thread. Without on_error, standard error goes where standard output does.
  std::function<void(std::string_view)> on_output;
  std::function<void(std::string_view)> on_error;
  std::optional<std::chrono::milliseconds> timeout;
  // Asked after each piece of output: true ends the process at once, as if it had exited by itself.
  std::function<bool()> enough;
};

struct ProcessEnd {
  enum class How { exited, timed_out, stopped };
  How how = How::exited;
  int exit_code = 0;  // 128 + signal when one ended it
};

// Starts it in a process group of its own and waits. It ends with signals to that group when `timeout` has passed, or
// when the job is stopped beyond `since`, the level at which the step began. Errors: `NotFound` (no such program or
// folder), `Unavailable`.
Result<ProcessEnd> run_process(const ProcessRun& run, StopSource& stop, StopLevel since);

// The file that a shell would run for `name`: itself when it has a slash (below `directory` when relative), else the
// first in `path` ("/usr/bin:/bin") that may be executed; empty when there is none.
std::string find_program(std::string_view name, std::string_view path, std::string_view directory);
// PATH of this process, or what a shell takes without one.
std::string own_search_path();

// Makes this process the one that orphans below it become children of.
void adopt_orphans();
// Ends all descendants of this process and reaps them. Only for a process that has adopted its orphans and waits for
// nothing else.
void end_descendants();

}  // namespace kaapi::actions::runner
