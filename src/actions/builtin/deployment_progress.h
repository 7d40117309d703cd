#pragma once
// How far a deployment of a service is, read from what DescribeServices answers. Pure.

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace kaapi::actions {

// How many of a service's newest events a failure shows.
inline constexpr std::size_t shown_events = 5;

struct DeploymentProgress {
  enum class State { in_progress, completed, failed };
  State state = State::in_progress;
  std::string reason;               // of a failure, one sentence
  std::string counts;               // "1 of 2 tasks running, 1 pending"
  std::vector<std::string> events;  // newest first, at most shown_events
};

// `service` is one of DescribeServices' services. Completed as the waiter ServicesStable says it: the deployment is
// COMPLETED, it is the only one left, and all its tasks run. Failed: it is FAILED, or another one took its place (a
// roll-back, a later update).
DeploymentProgress deployment_progress(const json::value& service, std::string_view deployment_id);

// The id of the deployment that an UpdateService has made, from its answer's service.
std::string primary_deployment(const json::value& service);

// Messages of events that are new since the last call, oldest first; `seen` remembers ids. The first call takes those
// that are there as seen and answers none.
std::vector<std::string> new_events(const json::value& service, std::set<std::string>& seen, bool first);

}  // namespace kaapi::actions
