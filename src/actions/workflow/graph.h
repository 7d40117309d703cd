#pragma once
// Which jobs of a run may start now, and which never will: needs and if. Pure; called again whenever a job is over.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/workflow/model.h"
#include "base/error.h"

namespace kaapi::actions::workflow {

// How a job ended, with GitHub's words. Of a matrix: the worst of its jobs; failure is success where continue-on-error
// says so.
enum class Outcome { success, failure, cancelled, skipped };
std::string_view outcome_name(Outcome outcome);
Outcome worse(Outcome a, Outcome b);

struct JobState {
  bool started = false;
  std::optional<Outcome> outcome;  // once it is over
  expression::Value outputs;       // an object, for needs.ID.outputs
};

// What to do with a job that has not started.
struct JobDecision {
  std::string job;
  enum class Action { wait, start, skip, fail } action = Action::wait;
  Outcome outcome = Outcome::skipped;  // of skip and fail
  std::string why;                     // "needs build, which failed"
};

struct RunState {
  std::map<std::string, JobState> jobs;  // by id as in the file; absent: not started
  bool cancelled = false;                // somebody asked for it
};

// A decision for every job that has neither started nor ended, in the file's order. `environment` has github, vars and
// inputs; needs is made here. A condition that cannot be evaluated fails its job. Calling it again after carrying out
// its decisions goes on from there: a skipped job may let others be skipped.
std::vector<JobDecision> plan_jobs(const Workflow& workflow, const RunState& run,
                                   const expression::Environment& environment);

// The needs context of a job: result and outputs of each job it needs directly.
expression::Value needs_context(const Workflow& workflow, const Job& job, const RunState& run);

// How the run ended; nullopt while a job is not over.
std::optional<Outcome> run_outcome(const Workflow& workflow, const RunState& run);

// concurrency, evaluated. nullopt: the group is '', so nothing excludes anything.
struct ConcurrencyGroup {
  std::string group;
  bool cancel_in_progress = false;
};
Result<std::optional<ConcurrencyGroup>> evaluate_concurrency(const Concurrency& concurrency,
                                                             const expression::Environment& environment);

// What a newcomer to a group does: at most one runs and one waits, and the newest waits.
struct Admission {
  bool starts = false;           // otherwise it waits
  bool cancels_running = false;  // then it waits until that has ended
  std::optional<std::string> cancels_waiting;
};
Admission admit(const ConcurrencyGroup& group, const std::optional<std::string>& running,
                const std::optional<std::string>& waiting);

}  // namespace kaapi::actions::workflow
