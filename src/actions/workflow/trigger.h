#pragma once
// Which workflows an event starts, and whether the inputs that come with it are right. Pure.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/workflow/model.h"
#include "base/error.h"

namespace kaapi::actions::workflow {

// How many changed files are looked at. When there are more, path filters count as met: a workflow too many is better
// than a deployment that silently does not happen.
inline constexpr std::size_t max_changed_files = 3'000;
// Bytes of patterns times bytes of changed paths that are compared for one workflow, a second or two; beyond that as
// with more files.
inline constexpr std::size_t max_path_work = 1'000'000'000;
inline constexpr std::size_t max_input_bytes = 65'535;  // of all inputs of one run together, GitHub's limit

// What was pushed to one ref.
struct Push {
  std::string ref;  // "refs/heads/main", "refs/tags/v1.0.0"
  bool deleted = false;
  // Paths that differ between the old and the new commit. nullopt: unknown, or more than max_changed_files.
  std::optional<std::vector<std::string>> changed;
};

struct Verdict {
  bool starts = false;
  std::string why;  // "the branch \"dev\" does not match on.push.branches"
};

Verdict match_push(const Workflow& workflow, const Push& push);

// A run of the workflow `name` that was requested or completed for a branch.
Verdict match_workflow_run(const Workflow& workflow, std::string_view name, std::string_view type,
                           std::string_view branch);

Verdict match_repository_dispatch(const Workflow& workflow, std::string_view type);

// The inputs context of a run started by hand: defaults filled in, each value of its type. Errors: `Invalid`, naming
// the input and what was expected, when the workflow has no workflow_dispatch, or an input is unknown, missing or
// wrong.
Result<expression::Value> dispatch_inputs(const Workflow& workflow, const std::map<std::string, std::string>& given);

// The inputs context of a called workflow; `given` is what `with` yields, `environment` evaluates defaults.
Result<expression::Value> call_inputs(const Workflow& called,
                                      const std::vector<std::pair<std::string, expression::Value>>& given,
                                      const expression::Environment& environment);

// When the workflow starts by its schedules next. nullopt: never.
std::optional<Time> next_start(const Workflow& workflow, Time after);
// Which of its schedules that is, as written (github.event.schedule); each starts a run of its own.
std::vector<std::string> schedules_at(const Workflow& workflow, Time minute);

}  // namespace kaapi::actions::workflow
