#pragma once
// The signed API of models/runs.json: StartRun, DescribeRun, ReviewDeployment and so on.

#include <functional>
#include <string>
#include <string_view>

#include "actions/protocol/storage.h"
#include "actions/runs/conductor.h"
#include "aws/dispatch.h"

namespace kaapi::actions::runs {

struct OperationsConfig {
  // Where the platform's repositories are; who signs for another region is told so. Empty: every region.
  std::string region;
  // Whether there is such a repository; empty: all are. Called from many threads.
  std::function<bool(std::string_view repository)> exists;
};

// A caller as the record of a run and the reviewers of an environment name it. Pure.
Actor actor_of(const aws::CallContext& context);

// `conductor` and `storage` must outlive the dispatcher.
void add_run_operations(aws::Dispatcher& dispatcher, Conductor& conductor, const JobStorage& storage,
                        OperationsConfig config);

}  // namespace kaapi::actions::runs
