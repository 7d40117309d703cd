#pragma once
// Reusable workflows: jobs with `uses` unfolded to the workflows that they call, within one repository. Pure.

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actions/workflow/fault.h"
#include "actions/workflow/model.h"

namespace kaapi::actions::workflow {

// GitHub's limits: the caller and nine below it; distinct workflows called by one run.
inline constexpr std::size_t max_call_depth = 10;
inline constexpr std::size_t max_called_workflows = 50;
inline constexpr std::size_t max_calls = 1'000;  // ours: calls in the whole tree

// The parsed file of that path in the same commit; null when there is none or it has faults.
using WorkflowLookup = std::function<std::shared_ptr<const Workflow>(std::string_view path)>;

// A job that calls a workflow, and the calls within that.
struct CalledWorkflow {
  std::string job;  // the id of the calling job
  std::shared_ptr<const Workflow> workflow;
  std::vector<CalledWorkflow> calls;
};

struct FileFault {
  std::string path;
  Fault fault;
};

struct ExpandedCalls {
  std::vector<CalledWorkflow> calls;
  std::vector<FileFault> faults;  // at most max_faults
};

// Checks each call against the called workflow's interface: it exists and has workflow_call, inputs and secrets are
// known, required ones are given, values without expressions are of their type; no circle, limits kept.
ExpandedCalls expand_calls(const Workflow& workflow, const WorkflowLookup& lookup);

}  // namespace kaapi::actions::workflow
