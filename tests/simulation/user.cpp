// What users ask for.

#include "ecs/deployments.h"
#include "ecs/lifecycle.h"
#include "ecs/state.h"
#include "edges.h"

namespace kaapi::simulation {

using ecs::Task;

namespace {

constexpr std::string_view image_name = "app:latest";
constexpr std::string_view region = "us-east-1";
constexpr std::string_view cluster = "c";

}  // namespace

// The task definition of the simulation: one container, or two, with a health check and a log.
Result<Task> World::make_task() {
  Task task;
  task.id = ids_.hex(32);
  task.region = region;
  task.cluster = cluster;
  task.family = "app";
  task.revision = 1;
  task.created_at = clock_.now();
  ecs::Container container;
  container.plan.name = "web";
  container.plan.image = image_name;
  ecs::HealthCheck check;
  check.command = {"/health"};
  check.interval = Duration(10'000);
  check.retries = 2;
  if (checked_) container.plan.health_check = check;
  container.plan.stop_timeout = Duration(5'000);
  container.plan.log = ecs::LogTarget{std::string(region), "g", "s/" + task.id, false};
  task.containers.push_back(container);
  if (paired_) {
    task.network_mode = ecs::NetworkMode::awsvpc;
    container.plan.name = "side";
    container.plan.health_check.reset();
    task.containers.push_back(std::move(container));
  }
  return task;
}

void World::push_version(Behaviour behaviour) {
  ++version_;
  const std::string digest = images_->current();
  behaviours_[digest] = behaviour;
  engine_.add_remote_image("app@" + digest);
}

void World::create_service() {
  push_version(chance(0.8) ? Behaviour::good : Behaviour::crashes_at_start);
  ecs::Service service;
  service.region = region;
  service.cluster = cluster;
  service.name = "web";
  checked_ = chance(0.7);
  service.desired_count = static_cast<int>(between(1, 5));
  service.minimum_healthy_percent = chance(0.6) ? 100 : static_cast<int>(between(0, 9)) * 10;
  service.maximum_percent =
      chance(0.6) ? 200 : std::max(service.minimum_healthy_percent + 50, static_cast<int>(between(10, 20)) * 10);
  service.breaker_enabled = chance(0.6);
  service.breaker_rollback = chance(0.7);
  service.created_at = clock_.now();
  ecs::Deployment deployment;
  deployment.id = "ecs-svc/" + ids_.decimal(19);
  const Result<void> created = database_->write([&](store::Session& session) -> Result<void> {
    ecs::insert_service(session, service);
    ecs::begin_deployment(session, service, deployment, clock_.now());
    return ok();
  });
  if (!created) fail("the service could not be made: {}", created.error().message);
  service_id_ = service.id;
  asked_deployment_ = deployment.id;
  asked_behaviour_ = behaviours_.at(images_->current());
  asked_count_ = service.desired_count;
  tell("service with {} tasks, {}..{} %, breaker {} rollback {}", service.desired_count,
       service.minimum_healthy_percent, service.maximum_percent, service.breaker_enabled, service.breaker_rollback);
  scheduler_->service_changed(service_id_);
}

void World::update() {
  static constexpr Behaviour all[] = {
      Behaviour::good,         Behaviour::good,          Behaviour::slow,         Behaviour::crashes_at_start,
      Behaviour::crashes_soon, Behaviour::never_healthy, Behaviour::image_missing};
  push_version(all[between(0, 6)]);
  ecs::Deployment deployment;
  deployment.id = "ecs-svc/" + ids_.decimal(19);
  const Result<void> updated = database_->write([&](store::Session& session) -> Result<void> {
    ecs::Service service = *ecs::find_service(session, service_id_);
    ecs::begin_deployment(session, service, deployment, clock_.now());
    return ok();
  });
  if (!updated) return fail("an update was refused: {}", updated.error().message);
  asked_deployment_ = deployment.id;
  asked_behaviour_ = behaviours_.at(images_->current());
  zero_since_update_ = asked_count_ == 0;
  tell("update to version {} ({}): {}", version_, static_cast<int>(asked_behaviour_), deployment.id);
  scheduler_->service_changed(service_id_);
}

void World::scale() {
  const int count = static_cast<int>(between(0, 6));
  const Result<void> scaled = database_->write([&](store::Session& session) -> Result<void> {
    ecs::Service service = *ecs::find_service(session, service_id_);
    service.desired_count = count;
    service.steady = false;
    ecs::save_service(session, service);
    return ok();
  });
  if (!scaled) return fail("scaling was refused: {}", scaled.error().message);
  asked_count_ = count;
  zero_since_update_ = zero_since_update_ || count == 0;
  tell("scale to {}", count);
  scheduler_->service_changed(service_id_);
}

void World::stop_some_task() {
  const View now = view();
  if (now.tasks.empty()) return;
  const std::string id =
      now.tasks[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(now.tasks.size()) - 1))].id;
  const Result<void> stopped = database_->write([&](store::Session& session) -> Result<void> {
    std::optional<Task> task = ecs::find_task(session, id);
    ecs::request_stop(*task, ecs::StopCode::user_initiated, "by hand", clock_.now());
    ecs::save_task(session, *task);
    return ok();
  });
  if (stopped) tell("StopTask {}", id);
  scheduler_->task_changed(id);
}

void World::run_task() {
  Task task = *make_task();
  task.group = "family:app";
  const Result<void> accepted = database_->write([&](store::Session& session) -> Result<void> {
    ecs::save_task(session, task);
    return ok();
  });
  if (!accepted) return fail("RunTask was refused: {}", accepted.error().message);
  one_off_.push_back(task.id);
  tell("RunTask {}", task.id);
  scheduler_->task_changed(task.id);
}

void World::user_acts() {
  // A death inside leaves it open whether the change was made, for the user as for us; deaths right after it are drawn
  // elsewhere.
  database_->set_commit_hook({});
  act_as_user();
  dare_to_crash();
}

void World::act_as_user() {
  next_user_ = clock_.now() + Duration(between(500, 25'000));
  switch (between(0, 9)) {
    case 0:
      scale();
      break;
    case 1:
      stop_some_task();
      break;
    case 2:
      run_task();
      break;
    case 3:
    case 4:
      break;
    default:
      update();
  }
}

}  // namespace kaapi::simulation
