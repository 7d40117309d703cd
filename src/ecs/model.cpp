#include "ecs/model.h"

#include <algorithm>

namespace kaapi::ecs {

std::string_view wire_name(TaskStatus status) {
  switch (status) {
    case TaskStatus::provisioning:
      return "PROVISIONING";
    case TaskStatus::pending:
      return "PENDING";
    case TaskStatus::activating:
      return "ACTIVATING";
    case TaskStatus::running:
      return "RUNNING";
    case TaskStatus::deactivating:
      return "DEACTIVATING";
    case TaskStatus::stopping:
      return "STOPPING";
    case TaskStatus::deprovisioning:
      return "DEPROVISIONING";
    case TaskStatus::stopped:
      return "STOPPED";
  }
  return "";
}

std::string_view wire_name(Health health) {
  switch (health) {
    case Health::unknown:
      return "UNKNOWN";
    case Health::healthy:
      return "HEALTHY";
    case Health::unhealthy:
      return "UNHEALTHY";
  }
  return "";
}

std::string_view wire_name(StopCode code) {
  switch (code) {
    case StopCode::none:
      return "";
    case StopCode::task_failed_to_start:
      return "TaskFailedToStart";
    case StopCode::essential_container_exited:
      return "EssentialContainerExited";
    case StopCode::user_initiated:
      return "UserInitiated";
    case StopCode::service_scheduler_initiated:
      return "ServiceSchedulerInitiated";
  }
  return "";
}

std::string_view wire_name(NetworkMode mode) {
  switch (mode) {
    case NetworkMode::bridge:
      return "bridge";
    case NetworkMode::awsvpc:
      return "awsvpc";
    case NetworkMode::host:
      return "host";
    case NetworkMode::none:
      return "none";
  }
  return "";
}

std::string_view wire_name(DeploymentStatus status) {
  switch (status) {
    case DeploymentStatus::primary:
      return "PRIMARY";
    case DeploymentStatus::active:
      return "ACTIVE";
    case DeploymentStatus::inactive:
      return "INACTIVE";
  }
  return "";
}

std::string_view wire_name(RolloutState state) {
  switch (state) {
    case RolloutState::in_progress:
      return "IN_PROGRESS";
    case RolloutState::completed:
      return "COMPLETED";
    case RolloutState::failed:
      return "FAILED";
  }
  return "";
}

std::string_view wire_name(ServiceStatus status) {
  switch (status) {
    case ServiceStatus::active:
      return "ACTIVE";
    case ServiceStatus::draining:
      return "DRAINING";
    case ServiceStatus::inactive:
      return "INACTIVE";
  }
  return "";
}

bool has_health_check(const Task& task) {
  return std::any_of(task.containers.begin(), task.containers.end(), [](const Container& container) {
    return container.plan.essential && container.plan.health_check.has_value();
  });
}

Health task_health(const Task& task) {
  Health result = has_health_check(task) ? Health::healthy : Health::unknown;
  for (const Container& container : task.containers) {
    if (!container.plan.essential || !container.plan.health_check) continue;
    if (container.state.health == Health::unhealthy) return Health::unhealthy;
    if (container.state.health == Health::unknown) result = Health::unknown;
  }
  return result;
}

std::vector<PortMapping> fixed_host_ports(const Task& task) {
  std::vector<PortMapping> ports;
  if (task.network_mode == NetworkMode::awsvpc) return ports;  // on its own address, not on the machine's
  for (const Container& container : task.containers) {
    std::copy_if(container.plan.ports.begin(), container.plan.ports.end(), std::back_inserter(ports),
                 [](const PortMapping& port) { return port.host_port != 0; });
  }
  return ports;
}

std::string unhealthy_reason(const Task& task) {
  for (const Container& container : task.containers) {
    const bool counts = container.plan.essential && container.plan.health_check;
    if (counts && container.state.health == Health::unhealthy)
      return container.plan.name + ": " + container.state.reason;
  }
  return {};
}

}  // namespace kaapi::ecs
