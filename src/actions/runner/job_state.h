#pragma once
// What is known of a job while it runs, and what an expression in one of its steps sees of it.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/expression/expression.h"
#include "actions/protocol/job_message.h"
#include "actions/protocol/runner_api.h"
#include "actions/runner/job_log.h"
#include "actions/runner/place.h"
#include "actions/runner/stop.h"
#include "actions/workflow/model.h"

namespace kaapi::actions::runner {

inline constexpr std::size_t max_annotations_per_step = 10;  // of each level, as GitHub's; the log has them all
inline constexpr std::size_t max_annotations = 50;           // of a job
inline constexpr std::size_t max_job_output_bytes = 1024UL * 1024;

enum class Outcome { success, failure, cancelled, skipped };
std::string_view outcome_text(Outcome outcome);

using Texts = std::map<std::string, std::string>;

// How a step or a part of it ended.
struct StepEnd {
  Outcome outcome = Outcome::success;
  std::string reason;  // for people, when it is not success: "exit code 1"
};

// The steps that see each other's results: those of the job, or those of one use of a composite action. One thread.
struct Scope {
  Scope* above = nullptr;                     // of the step that uses the action; nullptr: the job's
  std::optional<expression::Value> inputs;    // of the action
  Texts env;                                  // of the step that uses it, and of those above
  std::string place;                          // which use of which action, in this job: "/build/__setup_1"
  std::string action_path;                    // the action's folder
  std::string action_repository, action_ref;  // where it was fetched from
  bool failed = false;
  bool began_cancelled = false;  // of an action that runs although the job was cancelled: that is not its own status
  std::vector<std::pair<std::string, expression::Value>> results;  // the `steps` context
};

// Of a step in that scope: no other of the job has it. `action`: its id, or what stands for it.
inline std::string place_of(const Scope& scope, std::string_view action) {
  return std::string(scope.place).append(1, '/').append(action);
}

class JobContainers;
struct ResolvedAction;

// An action's own step at the end of the job.
struct PostStep {
  std::string name;
  std::function<StepEnd()> run;
  std::function<Result<bool>()> wanted;
};

// Used by the thread that runs the steps.
struct JobState {
  const JobMessage& message;
  const JobPlace& place;
  const workflow::Workflow& workflow;
  const workflow::Job& job;
  JobPaths paths;
  LogSink& sink;
  StopSource& stop;
  ActionSource& actions;
  BuiltInFinder find_builtin;

  Masks masks{};
  JobLog log{sink, masks};
  std::string base_path{};                              // PATH of the runner
  std::map<std::string, expression::Value> contexts{};  // those of the message, and `runner`
  Texts env{};                                          // of workflow and job, and what steps wrote to GITHUB_ENV
  std::vector<std::string> added_paths{};               // newest first
  Scope scope{};
  std::vector<PostStep> posts{};
  std::vector<std::shared_ptr<const ResolvedAction>> used{};  // actions
  std::map<std::string, std::shared_ptr<Texts>>
      pre_states{};  // by place_of(): of actions with a step before all others
  // By "owner/name@ref": a tag that moves while the job runs does not give it two versions of an action.
  std::map<std::string, FetchedAction> fetched{};
  std::vector<Annotation> annotations{};
  std::string summary{};
  bool annotations_cut = false;
  bool debug = false;                   // ACTIONS_STEP_DEBUG
  JobContainers* containers = nullptr;  // never nullptr once the job runs
  std::int64_t counter = 0;             // makes names of files and containers unique within the job

  bool cancelled() const { return stop.level() != StopLevel::none; }
  Outcome status() const;  // so far
  // PATH for steps: ours, what steps wrote to GITHUB_PATH, and then `last`.
  std::string search_path(std::string_view last) const;
  std::string unique(std::string_view prefix);
};

// The contexts and functions that a step's expressions see. Valid as long as what it was made of.
class StepEnvironment final : public expression::Environment {
 public:
  // `env`: the `env` context. `action`: the name of the step in GITHUB_ACTION.
  StepEnvironment(const JobState& job, const Scope& scope, const Texts& env, std::string_view action)
      : job_(job), scope_(scope), env_(env), action_(action) {}

  std::optional<expression::Value> context(std::string_view name) const override;
  Result<std::string> hash_files(std::span<const std::string> patterns) const override;
  Result<bool> status(expression::Function function, std::span<const std::string> jobs) const override;

 private:
  expression::Value github() const;
  expression::Value job() const;

  const JobState& job_;
  const Scope& scope_;
  const Texts& env_;
  const std::string action_;
};

expression::Value object_of(const Texts& texts, expression::Object::Case key_case);

// Notes it, masked and bounded; what goes to the log is the caller's.
void annotate(JobState& job, Annotation annotation);

}  // namespace kaapi::actions::runner
