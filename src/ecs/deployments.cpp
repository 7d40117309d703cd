#include "ecs/deployments.h"

#include <fmt/format.h>

#include <algorithm>

#include "ecs/state.h"

namespace kaapi::ecs {

void begin_deployment(store::Session& session, Service& service, Deployment next, Time now) {
  const std::vector<Task> tasks = open_tasks_of_service(session, service.id);
  for (Deployment& old : open_deployments(session, service.id)) {
    if (old.status != DeploymentStatus::primary) continue;
    old.status = DeploymentStatus::active;
    old.desired_count = static_cast<int>(std::count_if(tasks.begin(), tasks.end(), [&](const Task& task) {
      return task.deployment_id == old.id && task.desired_running;
    }));
    old.updated_at = now;
    save_deployment(session, old);
  }
  next.service_id = service.id;
  next.status = DeploymentStatus::primary;
  next.rollout_state = RolloutState::in_progress;
  next.rollout_reason = fmt::format("ECS deployment {} in progress.", next.id);
  next.desired_count = service.desired_count;
  next.created_at = now;
  next.updated_at = now;
  save_deployment(session, next);
  service.family = next.family;
  service.revision = next.revision;
  service.steady = false;
  save_service(session, service);
}

}  // namespace kaapi::ecs
