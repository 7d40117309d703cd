#pragma once
// `kaapi run-job`: the process in which one job runs, started by the runner. Standard input: {"message": JobMessage,
// "place": JobPlace}. Descriptor 3: a socket on which it asks the runner for actions, one JSON text a line.

#include <string>

#include "actions/runner/place.h"

namespace kaapi::actions::runner {

// Exit codes.
inline constexpr int job_delivered = 0;  // the platform has everything, whatever became of the job
inline constexpr int job_lost = 10;      // the platform is lost, or does not want the job any more
inline constexpr int job_broken = 11;    // the process could not begin; standard error says why

inline constexpr int action_socket = 3;

int run_job_process(BuiltInFinder find_builtin);

// Both ends of the line to the runner.
std::string action_request(std::string_view owner, std::string_view name, std::string_view ref);
struct ActionRequest {
  std::string owner, name, ref;
};
Result<ActionRequest> action_request_from(std::string_view line);
std::string action_answer(const Result<FetchedAction>& fetched);
Result<FetchedAction> action_answer_from(std::string_view line);

}  // namespace kaapi::actions::runner
