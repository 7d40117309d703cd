#include "world.h"

#include <fmt/format.h>

#include "base/log.h"
#include "ecs/state.h"
#include "edges.h"

namespace kaapi::simulation {

using ecs::Task;

namespace {

constexpr Duration trouble_lasts{90'000};
constexpr Duration patience{40 * 60'000};  // virtual time in which a calm world must come to rest
constexpr int max_steps = 200'000;

}  // namespace

World::World(Options options)
    : options_(options),
      random_(options.seed),
      paired_(options.seed % 3 == 2),
      ids_(options.seed + 1),
      engine_(clock_, {containers::FakeEngineConfig::Delivery::manual}) {
  log::set_level(log::Level::off);
  database_ = *store::Database::open(":memory:", ecs::migrations());
  images_ = std::make_unique<TagImages>(*this);
  output_ = std::make_unique<WatchedOutput>(*this);
  executor_ = std::make_unique<QueueExecutor>(*this);
  driver_ = std::make_unique<ecs::TaskDriver>(engine_, *images_, *output_, clock_,
                                              ecs::DriverConfig{"sim", "123456789012", "kaapi-sim"});
  crash_chance_ = chance(0.5) ? 0.004 : 0.0;
  set_up_engine();
}

World::~World() = default;

bool World::chance(double probability) {
  return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

std::int64_t World::between(std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
}

void World::start_platform() {
  ecs::TaskFactory factory = [this](store::Session&, const ecs::Service& service, const ecs::Deployment& deployment,
                                    Time) -> Result<Task> {
    Result<Task> task = make_task();
    task->service_id = service.id;
    task->deployment_id = deployment.id;
    task->started_by = deployment.id;
    task->group = "service:" + service.name;
    return task;
  };
  scheduler_ =
      std::make_unique<ecs::Scheduler>(*database_, *driver_, *executor_, clock_, ids_, std::move(factory), timing_);
  scheduler_->on_work([this] { awake_ = true; });
  events_ = engine_.watch(driver_->our_labels(), [this](const containers::Event& event) {
    if (scheduler_) scheduler_->engine_event(event);
  });
  scheduler_->begin();
  awake_ = true;
}

void World::crash() {
  tell("the platform is gone");
  events_.reset();
  scheduler_.reset();
  executor_->die();
  output_->die();
  while (engine_.undelivered() > 0) engine_.deliver();
  clock_.advance(Duration(between(0, 3'000)));
  tell("the platform starts again");
  start_platform();
}

std::optional<Time> World::next_time() const {
  std::optional<Time> next = wake_at_;
  const auto sooner = [&](std::optional<Time> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  sooner(executor_->next());
  sooner(output_->next());
  if (!calm_) {
    sooner(next_user_);
    sooner(next_trouble_);
    sooner(end_of_trouble_);
  }
  return next;
}

void World::advance_to_next() {
  const std::optional<Time> next = next_time();
  if (next && *next > clock_.now()) clock_.set(*next);
}

void World::dare_to_crash() {
  database_->set_commit_hook([this](bool committed) {
    if (calm_ || !chance(crash_chance_)) return;
    tell("dies {} a commit", committed ? "after" : "before");
    throw Crash();
  });
}

void World::step_scheduler() {
  if (!awake_ && !(wake_at_ && *wake_at_ <= clock_.now())) return;
  const View before = view();
  for (int rounds = 0; rounds < 50; ++rounds) {
    awake_ = false;
    wake_at_ = scheduler_->step();
    if (!awake_ && !(wake_at_ && *wake_at_ <= clock_.now())) break;
  }
  const View after = view();
  if (options_.tell) {
    for (const Task& task : after.tasks) {
      tell("  task {} of {}: {} {} {}{} {}", task.id.substr(0, 6), task.deployment_id.substr(8, 6),
           ecs::wire_name(task.status), ecs::wire_name(ecs::task_health(task)),
           task.desired_running ? "" : "-> STOPPED ", ecs::wire_name(task.stop_code), task.stopped_reason);
    }
    for (const ecs::Deployment& deployment : after.deployments) {
      tell("  deployment {}: {} {} failed {} desired {}", deployment.id.substr(8, 6), ecs::wire_name(deployment.status),
           ecs::wire_name(deployment.rollout_state), deployment.failed_tasks, deployment.desired_count);
    }
  }
  check_step(before, after);
}

std::string World::run() {
  start_platform();
  create_service();
  dare_to_crash();
  next_user_ = clock_.now() + Duration(between(500, 20'000));
  next_trouble_ = clock_.now() + Duration(1'000);
  end_of_trouble_ = clock_.now() + trouble_lasts;
  Time deadline = end_of_trouble_ + patience;
  for (int steps = 0; fault_.empty(); ++steps) {
    if (steps > max_steps) {
      fail("no rest after {} steps", max_steps);
      break;
    }
    try {
      advance_to_next();
      if (!calm_ && clock_.now() >= end_of_trouble_) {
        calm_ = true;
        tell("--- calm ---");
        engine_.disconnect_events();  // whatever was missed is told now
      }
      executor_->run_due();
      if (!calm_ && clock_.now() >= next_user_) user_acts();
      if (!calm_ && clock_.now() >= next_trouble_) trouble();
      engine_.deliver(static_cast<std::size_t>(between(0, 5)) + (calm_ ? 100U : 0U));
      output_->tell_drained();
      step_scheduler();
      if (!calm_ && chance(crash_chance_)) crash();
    } catch (const Crash&) {
      crash();
    }
    if (calm_ && (quiet() || clock_.now() > deadline)) break;
    if (calm_ && !next_time() && !awake_ && engine_.undelivered() == 0) break;
  }
  if (fault_.empty()) check_end();
  return fault_;
}

}  // namespace kaapi::simulation
