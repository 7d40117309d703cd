#pragma once
// The rules of a job's environment, at every moment when it may go on. Pure.

#include "actions/runs/advance.h"
#include "actions/runs/model.h"

namespace kaapi::actions::runs {

// Whether the rules of the job's environment, as they are now, let it go on: they may have changed since it came, and
// what it is about to get are the environment's secrets and a token in its name. Otherwise the job is over or waits,
// with the reason. True for a job without one.
bool may_enter_environment(const Run& run, Job& job, const Facts& facts, Time now);

}  // namespace kaapi::actions::runs
