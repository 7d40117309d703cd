#pragma once
// `kaapi run-job`: the process in which one job runs, started by the runner. Standard input: {"message": JobMessage,
// "place": JobPlace}. Descriptor 3: the socket on which it asks the runner for actions, see action_line.h.

#include <string>

#include "actions/runner/place.h"

namespace kaapi::actions::runner {

// Exit codes.
inline constexpr int job_delivered = 0;  // the platform has everything, whatever became of the job
inline constexpr int job_lost = 10;      // the platform is lost, or does not want the job any more
inline constexpr int job_broken = 11;    // the process could not begin; standard error says why

inline constexpr int action_socket = 3;

int run_job_process(BuiltInFinder find_builtin);

}  // namespace kaapi::actions::runner
