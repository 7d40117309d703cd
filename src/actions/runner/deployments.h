#pragma once
// After a job's steps: how the deployments go on that they asked for. See protocol/deployments.h.

#include <functional>
#include <optional>
#include <string>

#include "actions/protocol/deployments.h"
#include "actions/runner/job_state.h"
#include "base/error.h"

namespace kaapi::actions::runner {

// Asks the platform once, for what is not known yet; waits for its answer, which may take up to acquire_wait, or until
// the job is stopped. Errors: `Unavailable` (no answer, or one that cannot be read), `Cancelled`.
Result<DeploymentNews> deployment_news(const JobState& job, const std::string& known);

// Tells every change in the job's log until all are over. A platform that goes away meanwhile is asked again, until the
// channel gives it up. `first`: what deployment_news answered first.
StepEnd follow_deployments(JobState& job, DeploymentNews first);

}  // namespace kaapi::actions::runner
