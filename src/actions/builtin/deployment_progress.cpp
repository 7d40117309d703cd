#include "actions/builtin/deployment_progress.h"

#include <fmt/format.h>

#include <algorithm>

namespace kaapi::actions {
namespace {

const json::array& list_of(const json::value& value, std::string_view name) {
  static const json::array none;
  const json::value* found = find_member(value, name);
  return found != nullptr && found->is_array() ? found->as_array() : none;
}

// Why a deployment that is no longer the service's own did not come to its end.
std::string displaced(const json::array& deployments, const json::value& own) {
  const auto primary = std::find_if(deployments.begin(), deployments.end(),
                                    [](const json::value& each) { return string_member(each, "status") == "PRIMARY"; });
  const std::string state = string_member(own, "rolloutStateReason");
  const std::string by = primary == deployments.end() ? "" : string_member(*primary, "rolloutStateReason");
  if (!state.empty()) return state;
  return fmt::format("another deployment took its place{}{}", by.empty() ? "" : ": ", by);
}

}  // namespace

std::string primary_deployment(const json::value& service) {
  for (const json::value& each : list_of(service, "deployments")) {
    if (string_member(each, "status") == "PRIMARY") return string_member(each, "id");
  }
  return {};
}

DeploymentProgress deployment_progress(const json::value& service, std::string_view deployment_id) {
  DeploymentProgress progress;
  for (const json::value& event : list_of(service, "events")) {
    if (progress.events.size() == shown_events) break;
    progress.events.push_back(string_member(event, "message"));
  }
  const json::array& deployments = list_of(service, "deployments");
  const auto own = std::find_if(deployments.begin(), deployments.end(),
                                [&](const json::value& each) { return string_member(each, "id") == deployment_id; });
  const json::value& found = own == deployments.end() ? json::value() : *own;
  const std::int64_t running = int_member(found, "runningCount");
  const std::int64_t desired = int_member(found, "desiredCount");
  progress.counts =
      fmt::format("{} of {} tasks running, {} pending", running, desired, int_member(found, "pendingCount"));
  const std::string rollout = string_member(found, "rolloutState");
  if (rollout == "FAILED" || own == deployments.end() || string_member(found, "status") != "PRIMARY") {
    progress.state = DeploymentProgress::State::failed;
    progress.reason = displaced(deployments, found);
    return progress;
  }
  // A service of another controller has no rollout state.
  const bool rolled_out = rollout.empty() || rollout == "COMPLETED";
  if (rolled_out && deployments.size() == 1 && running == desired) {
    progress.state = DeploymentProgress::State::completed;
  }
  return progress;
}

std::vector<std::string> new_events(const json::value& service, std::set<std::string>& seen, bool first) {
  std::vector<std::string> messages;
  for (const json::value& event : list_of(service, "events")) {
    if (!seen.insert(string_member(event, "id")).second || first) continue;
    messages.push_back(string_member(event, "message"));
  }
  std::reverse(messages.begin(), messages.end());
  return messages;
}

}  // namespace kaapi::actions
