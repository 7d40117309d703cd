#include "actions/builtin/ecs_calls.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "actions/builtin/aws_session.h"
#include "actions/builtin/deployment_progress.h"
#include "actions/builtin/inputs.h"

namespace kaapi::actions {
namespace {

std::string event_lines(const DeploymentProgress& progress) {
  if (progress.events.empty()) return {};
  return fmt::format("\nThe service's newest events:\n  {}", fmt::join(progress.events, "\n  "));
}

}  // namespace

EcsCalls::EcsCalls(ActionHost& host, const aws::ClientConfig& config)
    : host_(host),
      client_(std::make_unique<aws::Client>(config)),
      poll_interval_(config.endpoint_url.empty() ? aws_poll_interval : platform_poll_interval) {}

Result<EcsCalls> EcsCalls::open(ActionHost& host) {
  const Result<aws::ClientConfig> config = session_config(host, "ecs");
  if (!config) return config.error();
  return EcsCalls(host, *config);
}

Result<json::value> EcsCalls::call(std::string_view operation, const json::object& request, std::string_view doing) {
  Result<json::value> answer = call_with_retries(host_, {}, [&] { return client_->call("ecs", operation, request); });
  if (answer || answer.error().code == errc::cancelled) return answer;
  return make_error(errc::invalid, fmt::format("could not {}: {}", doing, described(answer.error())));
}

Result<json::value> EcsCalls::service(const std::string& cluster, const std::string& name) {
  const json::object request = {{"cluster", cluster}, {"services", json::array{name}}};
  const Result<json::value> answer = call("DescribeServices", request, fmt::format("read the service {}", name));
  if (!answer) return answer.error();
  const json::value* services = find_member(*answer, "services");
  if (services == nullptr || !services->is_array() || services->as_array().empty()) {
    const json::value* failures = find_member(*answer, "failures");
    const bool has_reason = failures != nullptr && failures->is_array() && !failures->as_array().empty();
    return make_error(errc::invalid,
                      fmt::format("there is no service {} in the cluster {}: {}", name, cluster,
                                  has_reason ? string_member(failures->as_array().front(), "reason") : "MISSING"));
  }
  json::value found = services->as_array().front();
  const std::string status = string_member(found, "status");
  if (status != "ACTIVE") return make_error(errc::invalid, fmt::format("the service {} is {}", name, status));
  return found;
}

Result<void> EcsCalls::wait_for_deployment(const std::string& cluster, const std::string& service_name,
                                           const std::string& deployment_id, std::chrono::minutes at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  std::set<std::string> seen;
  std::string shown;
  for (bool first = true;; first = false) {
    const Result<json::value> now = service(cluster, service_name);
    if (!now) return now.error();
    const DeploymentProgress progress = deployment_progress(*now, deployment_id);
    for (const std::string& message : new_events(*now, seen, first)) host_.log(message);
    if (progress.state == DeploymentProgress::State::completed) {
      host_.log(fmt::format("The deployment of {} is complete: {}", service_name, progress.counts));
      return ok();
    }
    if (progress.state == DeploymentProgress::State::failed) {
      return make_error(errc::invalid, fmt::format("the deployment {} of the service {} failed: {}{}", deployment_id,
                                                   service_name, progress.reason, event_lines(progress)));
    }
    if (progress.counts != shown) host_.log(progress.counts);
    shown = progress.counts;
    if (std::chrono::steady_clock::now() >= end) {
      return make_error(
          errc::timed_out,
          fmt::format("the deployment {} of the service {} is not complete after {} minutes "
                      "('wait-for-minutes'): {}{}",
                      deployment_id, service_name, at_most.count(), progress.counts, event_lines(progress)));
    }
    if (const Result<void> waited = pause(host_, poll_interval_); !waited) return waited;
  }
}

Result<json::value> EcsCalls::wait_for_tasks(const std::string& cluster, const json::array& tasks,
                                             std::chrono::minutes at_most) {
  const auto end = std::chrono::steady_clock::now() + at_most;
  const json::object request = {{"cluster", cluster}, {"tasks", tasks}};
  while (true) {
    Result<json::value> now = call("DescribeTasks", request, "read the tasks");
    if (!now) return now;
    const json::value* list = find_member(*now, "tasks");
    const bool stopped = list != nullptr && list->is_array() &&
                         std::all_of(list->as_array().begin(), list->as_array().end(), [](const json::value& task) {
                           return string_member(task, "lastStatus") == "STOPPED";
                         });
    if (stopped) return now;
    if (std::chrono::steady_clock::now() >= end) {
      return make_error(errc::timed_out, fmt::format("the tasks have not stopped after {} minutes ('wait-for-minutes')",
                                                     at_most.count()));
    }
    if (const Result<void> waited = pause(host_, poll_interval_); !waited) return waited.error();
  }
}

}  // namespace kaapi::actions
