#pragma once
// Running one step: its condition, its environment, what it runs, and what becomes of it.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "actions/runner/step_frame.h"
#include "actions/workflow/action.h"

namespace kaapi::actions::runner {

inline constexpr std::size_t max_composite_depth = 10;  // as GitHub's

// How a step ended, before (outcome) and after (conclusion) continue-on-error.
struct StepDone {
  Outcome outcome = Outcome::success;
  Outcome conclusion = Outcome::success;
  std::string reason;
  std::string name;  // as shown
};

// Runs it and notes its result in the scope. `begin` is told the step's name before anything of it runs. `depth`: how
// many composite actions it is within. `ends_by`: of the step around it.
StepDone run_step(JobState& job, Scope& scope, const workflow::Step& step, std::string action,
                  const std::function<void(const std::string& name)>& begin, std::size_t depth = 0,
                  std::optional<std::chrono::steady_clock::time_point> ends_by = std::nullopt);

// `run:`, with the shells that GitHub documents.
StepEnd run_script(JobState& job, StepFrame& frame);

// What a `uses:` stands for on this machine.
struct ResolvedAction {
  const BuiltIn* builtin = nullptr;
  workflow::Action action;  // unless it is built in
  std::string folder;       // of its action.yml; empty for docker://
  std::string image;        // docker://IMAGE
  std::string repository, ref;
};
// Errors: `NotFound` (no action.yml there), `Invalid` (its faults), those of fetching.
Result<std::shared_ptr<const ResolvedAction>> resolve_action(JobState& job, const workflow::ActionReference& reference);

// `uses:`. `name`: the step's, for its post step.
StepEnd run_action(JobState& job, StepFrame& frame, const std::string& name, std::size_t depth);

// The pieces of run_action(). `inputs` by name as action.yml writes them.
StepEnd run_composite(JobState& job, StepFrame& frame, const ResolvedAction& action, const Texts& inputs,
                      std::size_t depth);
StepEnd run_javascript(JobState& job, StepFrame& frame, const ResolvedAction& action, const std::string& file,
                       const Texts& inputs);
StepEnd run_builtin(JobState& job, StepFrame& frame, const ResolvedAction& action, const Texts& inputs, bool post);
// `entrypoint`: instead of the action's own; may be empty.
StepEnd run_docker_action(JobState& job, StepFrame& frame, const ResolvedAction& action, const Texts& inputs,
                          const std::string& entrypoint);

// INPUT_NAME, STATE_NAME: what JavaScript and Docker actions see.
Texts action_env(const StepFrame& frame, const Texts& inputs);

// What an action runs before all steps of the job, or, of a composite one, the actions that it uses. An action that
// cannot be had has none; its own step tells why. `action`: as in StepFrame.
std::vector<PostStep> pre_steps(JobState& job, Scope& scope, const workflow::Step& step, const std::string& action,
                                std::size_t depth = 0);

}  // namespace kaapi::actions::runner
