#pragma once
// One step that is being run, and the ways in which its processes act on it: their output with its commands, the files
// they write to, their environment.

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/runner/job_state.h"
#include "actions/runner/process.h"

namespace kaapi::actions::runner {

// Used by the thread that runs the steps.
struct StepFrame {
  Scope& scope;
  const workflow::Step* step = nullptr;
  std::string action;  // GITHUB_ACTION: the step's id, or __run_2
  Texts env{};         // the `env` context: the job's, the scope's, the step's
  Texts own_env{};     // of the step alone
  Texts outputs{};
  std::shared_ptr<Texts> state = std::make_shared<Texts>();        // of the action, from main to post
  StopLevel since = StopLevel::none;                               // how far the job was stopped when the step began
  std::optional<std::chrono::steady_clock::time_point> ends_by{};  // of timeout-minutes
  bool timed_out = false;
  bool faulted = false;                            // it said something that makes it fail
  std::map<std::string, std::size_t> annotated{};  // by level
};

// The lines that processes print: commands in them are obeyed, the rest goes to the log. GitHub's "Workflow commands
// for GitHub Actions". `job` and `frame` must outlive it.
class StepOutput {
 public:
  StepOutput(JobState& job, StepFrame& frame) : job_(job), frame_(frame), long_line_(job.masks) {}

  void write(std::string_view bytes);
  void finish();  // the last line may lack its end
  void line(std::string_view line);

 private:
  bool obey(std::string_view line);
  bool annotation(const std::string& name, std::string_view data, const Texts& properties);
  void piece_of_long_line(std::string_view bytes, bool last);

  JobState& job_;
  StepFrame& frame_;
  std::string pending_;
  MaskStream long_line_;
  std::string long_out_;
  bool in_long_line_ = false;
  std::string resume_;  // stop-commands: the token that ends it
  bool echo_ = false;
};

// The files behind GITHUB_ENV, GITHUB_OUTPUT, GITHUB_PATH, GITHUB_STATE and GITHUB_STEP_SUMMARY: fresh for each
// process.
class CommandFiles {
 public:
  // Errors: the file system's.
  static Result<CommandFiles> make(JobState& job);
  // The variables that name them.
  const Texts& env() const { return env_; }
  // Takes what was written there. Errors: `Invalid`, naming the file's variable and what is wrong in it.
  Result<void> apply(JobState& job, StepFrame& frame);

 private:
  Texts env_;
};

// Every variable that a process of the step sees, but for the command files. PATH is that of the host.
Texts process_env(const JobState& job, const StepFrame& frame);

// A program of the step, wherever the job runs: on the host, or in the job's container.
struct Launch {
  std::vector<std::string> argv;  // argv[0] is looked up in PATH
  std::string directory;          // as the host sees it; empty: the workspace
  Texts env;                      // besides process_env()
  std::string input;
  std::function<void(std::string_view)> on_output, on_error;
  std::function<bool()> enough;  // as ProcessRun's
  bool on_host = false;          // also when the job has a container
};
// Errors: `NotFound`, `Unavailable`. A step that runs out of time has `timed_out` set.
Result<ProcessEnd> launch(JobState& job, StepFrame& frame, const Launch& what);

// Launches it with command files and the step's output, and says how that went.
StepEnd run_program(JobState& job, StepFrame& frame, Launch what);
StepEnd end_of(const JobState& job, const StepFrame& frame, const Result<ProcessEnd>& end);

// The words of a command line as a shell cuts them: spaces, single and double quotes.
std::vector<std::string> words_of(std::string_view command);

void set_output(JobState& job, StepFrame& frame, std::string_view name, std::string_view value);
// For the steps that follow. Error: `Invalid` for a variable that may not be set.
void set_env(JobState& job, StepFrame& frame, std::string_view name, std::string_view value);
void add_path(JobState& job, std::string_view folder);
void add_mask(JobState& job, std::string_view value);

}  // namespace kaapi::actions::runner
