#pragma once
// What a runner gets of a job: its contexts, with the secrets that it may have.

#include <string>

#include "actions/protocol/job_message.h"
#include "actions/protocol/settings.h"
#include "actions/runs/model.h"

namespace kaapi::actions::runs {

// Of one job, in the clear; made when a runner takes it.
struct JobTokens {
  std::string runner, git, id_request;
};

// Reads `settings`, and nothing else. The token for id tokens is left out where the job may not ask for any. Errors:
// those of the settings; `Invalid` (secrets of a call that cannot be evaluated), `TooLarge` (beyond
// max_job_message_bytes).
Result<JobMessage> make_message(const Run& run, const RunFiles& files, const Job& job, const JobSettings& settings,
                                const JobTokens& tokens);

}  // namespace kaapi::actions::runs
