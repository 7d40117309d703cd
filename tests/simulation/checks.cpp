// What must hold after each step, and what must have come of it in the end.

#include <algorithm>

#include "ecs/rollout.h"
#include "ecs/state.h"
#include "edges.h"

namespace kaapi::simulation {

using ecs::Task;

namespace {

constexpr Duration long_enough{3 * 60'000};  // to see that a bad version without a breaker gets nowhere

// Once the trouble is over. Without a health check nobody notices that a version is never ready.
bool works(Behaviour behaviour, bool checked) {
  return (!checked && behaviour == Behaviour::never_healthy) || behaviour == Behaviour::good ||
         behaviour == Behaviour::slow || behaviour == Behaviour::crashes_soon;
}

}  // namespace

World::View World::view() {
  View result;
  database_->set_commit_hook({});
  const Result<void> read = database_->read([&](store::Session& session) -> Result<void> {
    result.service = ecs::find_service(session, service_id_);
    result.deployments = ecs::open_deployments(session, service_id_);
    result.tasks = ecs::open_tasks_of_service(session, service_id_);
    return ok();
  });
  if (!read) fail("the store cannot be read: {}", read.error().message);
  dare_to_crash();
  return result;
}

int World::live(const View& view) {
  return static_cast<int>(std::count_if(view.tasks.begin(), view.tasks.end(), [](const Task& task) {
    return task.desired_running && task.status != ecs::TaskStatus::stopped;
  }));
}

bool World::is_healthy(const Task& task) const {
  if (!task.desired_running || task.status != ecs::TaskStatus::running) return false;
  return checked_ ? ecs::task_health(task) == ecs::Health::healthy : clock_.now() >= *task.started_at + timing_.settle;
}

int World::healthy(const View& view) const {
  return static_cast<int>(
      std::count_if(view.tasks.begin(), view.tasks.end(), [&](const Task& task) { return is_healthy(task); }));
}

// The engine's copy of what a container wrote goes with it. A world does not live as long as ecs::drain_limit.
void World::check_removal(const std::string& container) {
  const bool watched = std::exchange(watching_, true);
  const Result<containers::Container> found = engine_.inspect(container);
  watching_ = watched;
  if (!found || is_pause(*found) || !found->started_at || stored_.contains(found->id)) return;
  fail("container {} is removed with output that is not stored", found->name);
}

void World::check_step(const View& before, const View& after) {
  if (!after.service) return fail("the service is lost");
  std::map<std::string, const Task*> old;
  for (const Task& task : before.tasks) old.emplace(task.id, &task);
  bool any_new = false;
  bool stopped_healthy = false;
  std::map<std::string, std::set<std::string>> digests;
  for (const Task& task : after.tasks) {
    const auto known = old.find(task.id);
    any_new = any_new || known == old.end();
    const bool was_healthy = known != old.end() && is_healthy(*known->second);
    const bool our_doing = !task.desired_running && task.stop_code == ecs::StopCode::service_scheduler_initiated;
    stopped_healthy = stopped_healthy || (was_healthy && our_doing && ecs::task_health(task) != ecs::Health::unhealthy);
    if (task.resolved) digests[task.deployment_id].insert(task.containers[0].state.image_digest);
  }
  if (any_new && live(after) > ecs::upper_bound(*after.service)) {
    fail("{} tasks, above the upper bound {}", live(after), ecs::upper_bound(*after.service));
  }
  if (stopped_healthy && healthy(after) < ecs::lower_bound(*after.service)) {
    fail("{} healthy tasks after our own stops, below the lower bound {}", healthy(after),
         ecs::lower_bound(*after.service));
  }
  for (const auto& [deployment, of] : digests) {
    if (of.size() > 1) fail("deployment {} runs {} different digests", deployment, of.size());
  }
  const auto primaries = std::count_if(
      after.deployments.begin(), after.deployments.end(),
      [](const ecs::Deployment& deployment) { return deployment.status == ecs::DeploymentStatus::primary; });
  if (primaries != 1) fail("{} PRIMARY deployments", primaries);
  if (after.service->desired_count != asked_count_) fail("the desired count that was acknowledged is lost");
}

// Nothing is under way and nothing is due soon.
bool World::quiet() {
  if (!executor_->idle() || engine_.undelivered() > 0 || awake_) return false;
  const View now = view();
  const ecs::Deployment* primary = nullptr;
  for (const ecs::Deployment& deployment : now.deployments) {
    if (deployment.status == ecs::DeploymentStatus::primary) primary = &deployment;
  }
  if (primary == nullptr) return false;
  const bool ends = primary->rollout_state == ecs::RolloutState::completed && now.deployments.size() == 1 &&
                    live(now) == asked_count_ && healthy(now) == asked_count_;
  const bool failed = primary->rollout_state == ecs::RolloutState::failed && !primary->is_rollback;
  const bool hopeless = !now.service->breaker_enabled && !works(asked_behaviour_, checked_) &&
                        clock_.now() > end_of_trouble_ + long_enough;
  return ends || failed || hopeless;
}

void World::check_end() {
  const View now = view();
  check_outcome(now);
  check_acknowledged();
  check_containers(now);
  check_namespaces();
}

// It converged on what was asked for last, or rolled back and says so.
void World::check_outcome(const View& now) {
  const ecs::Deployment& primary = now.deployments.front();
  const bool good = works(asked_behaviour_, checked_);
  // ceil(lower) and floor(upper) may meet: then nothing may be started before something stops, nor stopped before
  // something starts.
  const bool stuck_by_bounds = ecs::lower_bound(*now.service) >= ecs::upper_bound(*now.service) && asked_count_ > 0;
  // A deployment of no tasks completes whatever its version is like; scaling it out later is no deployment.
  if (!good && zero_since_update_) return;
  if (primary.rollout_state == ecs::RolloutState::completed) {
    if (healthy(now) != asked_count_) fail("completed with {} healthy tasks of {}", healthy(now), asked_count_);
    if (primary.id != asked_deployment_) {
      check_rolled_back(now);
    } else if (!good && asked_count_ > 0) {
      fail("a version that never works is COMPLETED");
    }
  } else if (stuck_by_bounds) {
    return;
  } else if (good && primary.id == asked_deployment_ && primary.rollout_state == ecs::RolloutState::in_progress) {
    fail("a good version did not complete");
  } else if (!good && now.service->breaker_enabled && asked_count_ > 0 &&
             primary.rollout_state == ecs::RolloutState::in_progress) {
    fail("the breaker did not trip");
  }
}

void World::check_rolled_back(const View& now) {
  const Result<std::optional<ecs::Deployment>> asked =
      database_->read([&](store::Session& session) -> Result<std::optional<ecs::Deployment>> {
        return ecs::find_deployment(session, asked_deployment_);
      });
  if (!*asked) return fail("the deployment that was acknowledged is lost");
  if ((*asked)->rollout_state != ecs::RolloutState::failed)
    fail("another deployment is PRIMARY, and the one asked for is not FAILED");
  if (!now.service->breaker_rollback || !now.service->breaker_enabled) fail("rolled back without being asked to");
}

void World::check_acknowledged() {
  const Result<void> read = database_->read([&](store::Session& session) -> Result<void> {
    for (const std::string& id : one_off_) {
      if (!ecs::find_task(session, id)) fail("task {} was acknowledged and is lost", id);
    }
    return ok();
  });
  if (!read) fail("the store cannot be read: {}", read.error().message);
}

// The engine has what RUNNING tasks need, and nothing of finished ones.
void World::check_containers(const View& now) {
  const Result<std::set<std::string>> known =
      database_->read([&](store::Session& session) -> Result<std::set<std::string>> {
        std::set<std::string> names;
        for (const Task& task : ecs::unfinished_tasks(session)) {
          for (std::size_t i = 0; i < task.containers.size(); ++i) {
            names.insert(ecs::TaskDriver::container_name(task, i));
          }
          if (ecs::TaskNetwork::is_shared(task)) names.insert(ecs::TaskNetwork::pause_name(task));
        }
        return names;
      });
  std::set<std::string> present;
  for (const containers::Container& container : containers_now()) {
    if (container.status == containers::ContainerStatus::running) present.insert(container.name);
    if (!known->contains(container.name)) fail("container {} was left behind", container.name);
  }
  for (const Task& task : now.tasks) {
    if (task.status != ecs::TaskStatus::running) continue;
    for (std::size_t i = 0; i < task.containers.size(); ++i) {
      const std::string name = ecs::TaskDriver::container_name(task, i);
      if (!present.contains(name)) fail("a RUNNING task has no container: {}", name);
    }
  }
}

void World::check_namespaces() {
  std::map<std::string, std::set<std::string>> namespaces;
  for (const containers::Container& container : containers_now()) {
    if (container.status != containers::ContainerStatus::running || is_pause(container)) continue;
    namespaces[container.labels.at("kaapi.task")].insert(engine_.spec(container.id)->network);
  }
  for (const auto& [task, of] : namespaces) {
    if (of.size() > 1) fail("the containers of task {} are in {} namespaces", task, of.size());
  }
}

}  // namespace kaapi::simulation
