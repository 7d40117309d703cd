#pragma once
// `kaapi run start|list|show|watch|log|cancel|rerun|approve|reject|artifacts|delete|dispatch|runners|token|tokens`: the
// runs of a repository's workflows.

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/program.h"

namespace CLI {
class App;
}

namespace kaapi::cli {

// Of a run that was followed.
inline constexpr int exit_cancelled = 3;
inline constexpr int exit_unseen = 4;  // its end

struct RunOptions : TargetOptions {
  std::string repository;  // empty: the one that can be meant, see repository_of()
  bool json = false;
};

struct StartRunCommand : RunOptions {
  std::string workflow;             // "cd.yml", its path or its name
  std::string ref;                  // empty: the default branch
  std::vector<std::string> fields;  // "NAME=VALUE"
  bool watch = false;
};
struct ListRunsCommand : RunOptions {
  std::string workflow, ref, status;  // empty: all
  int limit = 20;
};
// What is asked about one run.
struct RunCommand : RunOptions {
  std::string run_id;  // digits; empty, where that is allowed: the newest
};
struct JobLogCommand : RunCommand {
  std::string job;  // its name or id; empty: all jobs
  bool failed = false;
};
struct RerunCommand : RunCommand {
  bool failed = false;
  bool watch = false;
};
struct ReviewCommand : RunCommand {
  std::string environment;  // empty: every one that waits
  std::string comment;
  bool approve = true;
};
struct DispatchCommand : RunOptions {
  std::string event_type;
  std::string payload;  // a JSON object
};
struct RunnerTokenCommand : RunOptions {
  std::string name;
  bool take_back = false;
};

// Each prints what it did or shows, and is the exit code.
int run_start_run(const StartRunCommand& command, const Surroundings& surroundings, std::ostream& out,
                  std::ostream& err);
int run_list_runs(const ListRunsCommand& command, const Surroundings& surroundings, std::ostream& out,
                  std::ostream& err);
int run_show_run(const RunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
// Follows it to its end: success 0, failure 1, cancelled exit_cancelled; exit_unseen when that cannot be followed.
int run_watch_run(const RunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_job_log(const JobLogCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_cancel_run(const RunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_delete_run(const RunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_rerun(const RerunCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_review(const ReviewCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_list_artifacts(const RunCommand& command, const Surroundings& surroundings, std::ostream& out,
                       std::ostream& err);
int run_dispatch(const DispatchCommand& command, const Surroundings& surroundings, std::ostream& out,
                 std::ostream& err);
int run_list_runners(const RunOptions& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_runner_token(const RunnerTokenCommand& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err);
int run_list_runner_tokens(const RunOptions& command, const Surroundings& surroundings, std::ostream& out,
                           std::ostream& err);

// Adds the group `run` to the program. After parsing, `chosen` runs the one that was asked for; it stays as it is when
// it was none of these. `data_dir` is the default of --data.
void add_run_commands(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen);

}  // namespace kaapi::cli
