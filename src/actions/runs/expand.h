#pragma once
// From a job of a workflow file to the jobs that run: its matrix, and everything of it that the server evaluates. Pure.

#include <string>
#include <vector>

#include "actions/runs/model.h"

namespace kaapi::actions::runs {

struct Expanded {
  // Jobs that cannot be evaluated are over already, with the reason.
  std::vector<Job> jobs;
  std::string why;  // when there are none: why the job failed
};

// `environment` has github, vars, inputs and needs. `room`: how many jobs the run may still have.
Expanded expand(const workflow::Job& job, const RunFiles& files, const expression::Environment& environment,
                std::size_t room);

// The outputs of a called workflow whose jobs are over; `contexts` are those of its scope. Error: `Invalid`.
Result<json::object> call_outputs(const workflow::Workflow& called, const workflow::RunState& state,
                                  const expression::Environment& contexts);

}  // namespace kaapi::actions::runs
