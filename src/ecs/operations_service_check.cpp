#include "ecs/operations_service_check.h"

#include "ecs/deployments.h"
#include "ecs/operations.h"
#include "ecs/wire.h"

namespace kaapi::ecs {
namespace {

constexpr int max_maximum_percent = 10'000;
constexpr int max_grace_s = std::numeric_limits<std::int32_t>::max() / 1000;

Result<void> check_configuration(const wire::DeploymentConfiguration& from) {
  if (from.strategy && *from.strategy != "ROLLING") {
    return invalid_parameter(unsupported(fmt::format("deploymentConfiguration.strategy {}", *from.strategy)));
  }
  if (from.alarms && from.alarms->enable) return invalid_parameter(unsupported("deploymentConfiguration.alarms"));
  if (from.lifecycleHooks && !from.lifecycleHooks->empty()) {
    return invalid_parameter(unsupported("deploymentConfiguration.lifecycleHooks"));
  }
  if (from.bakeTimeInMinutes.value_or(0) != 0) {
    return invalid_parameter(unsupported("deploymentConfiguration.bakeTimeInMinutes"));
  }
  if (from.linearConfiguration) return invalid_parameter(unsupported("deploymentConfiguration.linearConfiguration"));
  if (from.canaryConfiguration) return invalid_parameter(unsupported("deploymentConfiguration.canaryConfiguration"));
  return ok();
}

}  // namespace

Result<void> check_desired_count(std::int32_t desired_count) {
  if (desired_count >= 0 && desired_count <= max_desired_count) return ok();
  return invalid_parameter(
      fmt::format("desiredCount must be between 0 and {}, not {}.", max_desired_count, desired_count));
}

Result<void> check_grace_period(const std::optional<std::int32_t>& seconds) {
  if (!seconds || (*seconds >= 0 && *seconds <= max_grace_s)) return ok();
  return invalid_parameter(
      fmt::format("healthCheckGracePeriodSeconds must be between 0 and {}, not {}.", max_grace_s, *seconds));
}

Result<void> apply_configuration(Service& service, const std::optional<wire::DeploymentConfiguration>& configuration) {
  if (!configuration) return ok();
  if (Result<void> checked = check_configuration(*configuration); !checked) return checked;
  const int minimum = configuration->minimumHealthyPercent.value_or(service.minimum_healthy_percent);
  const int maximum = configuration->maximumPercent.value_or(service.maximum_percent);
  if (minimum < 0 || minimum > 100) {
    return invalid_parameter(fmt::format("minimumHealthyPercent must be between 0 and 100, not {}.", minimum));
  }
  if (maximum < 100 || maximum > max_maximum_percent) {
    return invalid_parameter(
        fmt::format("maximumPercent must be between 100 and {}, not {}.", max_maximum_percent, maximum));
  }
  if (minimum == 100 && maximum == 100) {
    return invalid_parameter(
        "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block deployments.");
  }
  service.minimum_healthy_percent = minimum;
  service.maximum_percent = maximum;
  if (configuration->deploymentCircuitBreaker) {
    service.breaker_enabled = configuration->deploymentCircuitBreaker->enable;
    service.breaker_rollback = configuration->deploymentCircuitBreaker->rollback;
  }
  return ok();
}

void start_deployment(store::Session& session, const CallContext& context, std::string id, Service& service,
                      const wire::Service& settings, Time now) {
  Deployment deployment;
  deployment.started_by = aws::execution_environment(context.user_agent);
  deployment.id = std::move(id);
  deployment.family = service.family;
  deployment.revision = service.revision;
  if (settings.networkConfiguration) deployment.network_configuration = aws::to_json(*settings.networkConfiguration);
  deployment.launch_type = settings.launchType.value_or("EC2");
  begin_deployment(session, service, std::move(deployment), now);
}

wire::Service show_service(store::Session& session, const CallContext& context, const Service& service,
                           bool with_tags) {
  ServiceView view;
  view.service = service;
  view.deployments = open_deployments(session, service.id);
  view.counts = count_tasks_by_deployment(session, service.id);
  view.events = list_events(session, service.id);
  return to_wire(context, std::move(view), with_tags);
}

}  // namespace kaapi::ecs
