#include "ecs/rollout.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace kaapi::ecs {
namespace {

constexpr Time now = from_millis(10'000'000);
constexpr RolloutTiming timing;

// Builds snapshots in a few words.
struct World {
  Snapshot snapshot;

  explicit World(int desired, int min = 100, int max = 200) {
    snapshot.service.id = 1;
    snapshot.service.name = "web";
    snapshot.service.desired_count = desired;
    snapshot.service.minimum_healthy_percent = min;
    snapshot.service.maximum_percent = max;
  }
  Deployment& deployment(const std::string& id, DeploymentStatus status, RolloutState state) {
    Deployment deployment;
    deployment.id = id;
    deployment.status = status;
    deployment.rollout_state = state;
    deployment.desired_count = snapshot.service.desired_count;
    snapshot.deployments.push_back(deployment);
    return snapshot.deployments.back();
  }
  World& tasks(const std::string& deployment_id, int count, TaskStatus status, Health health) {
    for (int i = 0; i < count; ++i) {
      TaskView task;
      task.id = "t" + std::to_string(snapshot.tasks.size());
      task.deployment_id = deployment_id;
      task.status = status;
      task.health = health;
      task.has_health_check = true;
      task.started_at = now - Duration(60'000);
      task.ever_healthy = health == Health::healthy;
      snapshot.tasks.push_back(task);
    }
    return *this;
  }
  World& healthy(const std::string& id, int count) { return tasks(id, count, TaskStatus::running, Health::healthy); }
  World& pending(const std::string& id, int count) { return tasks(id, count, TaskStatus::pending, Health::unknown); }
  RolloutPlan plan() const { return rollout(snapshot, timing, now); }
};

int started(const RolloutPlan& plan, const std::string& id) {
  int count = 0;
  for (const StartTasks& starts : plan.starts) count += starts.deployment_id == id ? starts.count : 0;
  return count;
}

bool told(const RolloutPlan& plan, const std::string& part) {
  return std::any_of(plan.events.begin(), plan.events.end(),
                     [&](const std::string& event) { return event.find(part) != std::string::npos; });
}

const Deployment* changed(const RolloutPlan& plan, const std::string& id) {
  for (const Deployment& deployment : plan.deployments) {
    if (deployment.id == id) return &deployment;
  }
  return nullptr;
}

World update(int desired, int old_healthy, int new_healthy, int new_pending, int min = 100, int max = 200) {
  World world(desired, min, max);
  world.deployment("new", DeploymentStatus::primary, RolloutState::in_progress);
  world.deployment("old", DeploymentStatus::active, RolloutState::completed);
  world.healthy("old", old_healthy).healthy("new", new_healthy).pending("new", new_pending);
  return world;
}

TEST(Rollout, BoundsRoundAsDocumented) {
  Service service;
  service.desired_count = 5;
  service.minimum_healthy_percent = 50;
  service.maximum_percent = 150;
  EXPECT_EQ(lower_bound(service), 3);
  EXPECT_EQ(upper_bound(service), 7);
  EXPECT_EQ(breaker_threshold(1), 3);
  EXPECT_EQ(breaker_threshold(25), 13);
  EXPECT_EQ(breaker_threshold(1000), 200);
}

struct Row {
  const char* what;
  int desired, min, max, old_healthy, new_healthy, new_pending;
  int starts, stops;
};

class RollingTable : public testing::TestWithParam<Row> {};

TEST_P(RollingTable, StartsAndStopsAsTheBoundsAllow) {
  const Row& row = GetParam();
  const RolloutPlan plan =
      update(row.desired, row.old_healthy, row.new_healthy, row.new_pending, row.min, row.max).plan();
  EXPECT_EQ(started(plan, "new"), row.starts) << row.what;
  EXPECT_EQ(static_cast<int>(plan.stops.size()), row.stops) << row.what;
}

INSTANTIATE_TEST_SUITE_P(Bounds, RollingTable,
                         testing::Values(Row{"all new at once within 200 %", 2, 100, 200, 2, 0, 0, 2, 0},
                                         Row{"nothing to do while they start", 2, 100, 200, 2, 0, 2, 0, 0},
                                         Row{"one new healthy frees one old", 2, 100, 200, 2, 1, 1, 0, 1},
                                         Row{"all new healthy frees all old", 2, 100, 200, 2, 2, 0, 0, 2},
                                         Row{"150 % of 4 leaves room for two", 4, 100, 150, 4, 0, 0, 2, 0},
                                         Row{"old make room down to 50 %", 4, 50, 100, 4, 0, 0, 0, 2},
                                         Row{"then the room is used", 4, 50, 100, 2, 0, 0, 2, 0},
                                         Row{"no room is needed at 200 %, so nobody is stopped early", 4, 50, 200, 4, 0,
                                             0, 4, 0},
                                         Row{"0 % may stop all when it must", 1, 0, 100, 1, 0, 0, 0, 1},
                                         Row{"a first deployment", 3, 100, 200, 0, 0, 0, 3, 0},
                                         Row{"more wanted than before", 5, 100, 200, 2, 0, 0, 5, 0},
                                         Row{"none wanted any more", 0, 100, 200, 2, 0, 0, 0, 2}));

TEST(Rollout, CompletesWhenTheNewOnesCarryTheLoad) {
  const RolloutPlan plan = update(2, 0, 2, 0).plan();
  const Deployment* deployment = changed(plan, "new");
  ASSERT_NE(deployment, nullptr);
  EXPECT_EQ(deployment->rollout_state, RolloutState::completed);
  EXPECT_EQ(deployment->rollout_reason, "ECS deployment new completed.");
  EXPECT_EQ(changed(plan, "old")->status, DeploymentStatus::inactive);
  EXPECT_TRUE(told(plan, "(deployment new) deployment completed."));
  EXPECT_TRUE(told(plan, "has reached a steady state."));
  EXPECT_EQ(plan.service->last_completed_deployment, "new");
}

TEST(Rollout, WithoutHealthCheckATaskCountsAfterItHasSettled) {
  World world(1);
  world.deployment("new", DeploymentStatus::primary, RolloutState::in_progress);
  world.tasks("new", 1, TaskStatus::running, Health::unknown);
  world.snapshot.tasks[0].has_health_check = false;
  world.snapshot.tasks[0].started_at = now - Duration(500);
  const RolloutPlan plan = world.plan();
  EXPECT_EQ(changed(plan, "new"), nullptr);
  EXPECT_EQ(plan.wake_at, now + Duration(1'500));
}

World failing(bool breaker, bool rollback, int failures) {
  World world = update(2, 2, 0, 0);
  world.snapshot.service.breaker_enabled = breaker;
  world.snapshot.service.breaker_rollback = rollback;
  world.snapshot.deployments[0].failed_tasks = failures;
  world.snapshot.deployments[0].last_failure_at = now;
  world.snapshot.last_completed = world.snapshot.deployments[1];
  return world;
}

TEST(Breaker, RollsBackToTheLastCompletedDeployment) {
  const RolloutPlan plan = failing(true, true, 3).plan();
  const Deployment* failed = changed(plan, "new");
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->rollout_state, RolloutState::failed);
  EXPECT_EQ(failed->rollout_reason, "ECS deployment circuit breaker: rolling back to deploymentId old.");
  const Deployment* back = changed(plan, "old");
  ASSERT_NE(back, nullptr);
  EXPECT_EQ(back->status, DeploymentStatus::primary);
  EXPECT_TRUE(told(plan, "(deployment new) deployment failed: tasks failed to start."));
  EXPECT_TRUE(told(plan, "rolling back to deployment old."));
  EXPECT_TRUE(plan.starts.empty());
  EXPECT_TRUE(plan.stops.empty()) << "the old tasks are still there";
}

TEST(Breaker, WithoutRollbackItStaysFailedAndStartsNothing) {
  const RolloutPlan plan = failing(true, false, 3).plan();
  EXPECT_EQ(changed(plan, "new")->rollout_state, RolloutState::failed);
  EXPECT_EQ(changed(plan, "new")->rollout_reason, "ECS deployment circuit breaker: tasks failed to start.");
  EXPECT_TRUE(plan.starts.empty());
  EXPECT_TRUE(plan.stops.empty());
}

TEST(Breaker, NeverRollsBackARollback) {
  World world = failing(true, true, 3);
  world.snapshot.deployments[0].is_rollback = true;
  const RolloutPlan plan = world.plan();
  EXPECT_EQ(changed(plan, "new")->rollout_state, RolloutState::failed);
  EXPECT_FALSE(told(plan, "rolling back"));
}

TEST(Breaker, IsOffUnlessAskedForAndStartsSlowDown) {
  World world = failing(false, false, 5);
  const RolloutPlan plan = world.plan();
  EXPECT_EQ(changed(plan, "new")->rollout_state, RolloutState::in_progress);
  EXPECT_TRUE(plan.starts.empty());
  EXPECT_EQ(plan.wake_at, now + Duration(8'000));
  EXPECT_TRUE(told(plan, "is unable to consistently start tasks successfully."));
  world.snapshot.deployments[0].last_failure_at = now - Duration(8'000);
  EXPECT_EQ(started(world.plan(), "new"), 2);
  world.snapshot.deployments[0].failed_tasks = 60;
  EXPECT_EQ(world.plan().wake_at, now - Duration(8'000) + Duration(15 * 60'000));
}

TEST(Breaker, CountsAFailedTaskOnceAndForgetsOnAHealthyOne) {
  World world = update(2, 2, 0, 1);
  TaskView& task = world.snapshot.tasks.back();
  task.status = TaskStatus::stopped;
  task.desired_running = false;
  task.failed = true;
  RolloutPlan plan = world.plan();
  EXPECT_EQ(changed(plan, "new")->failed_tasks, 1);
  ASSERT_EQ(plan.accounted.size(), 1U);
  task.accounted = true;
  world.snapshot.deployments[0] = *changed(plan, "new");
  plan = world.plan();
  EXPECT_EQ(changed(plan, "new"), nullptr);
  world.healthy("new", 1);
  world.snapshot.tasks.back().ever_healthy = false;
  plan = world.plan();
  EXPECT_EQ(changed(plan, "new")->failed_tasks, 0);
  EXPECT_EQ(plan.now_healthy.size(), 1U);
}

TEST(Unhealthy, ATaskThatNeverWasHealthyGoesAtOnceAndCounts) {
  World world = update(2, 2, 0, 0);
  world.tasks("new", 2, TaskStatus::running, Health::unhealthy);
  for (TaskView& task : world.snapshot.tasks) {
    if (task.deployment_id == "new") task.ever_healthy = false;
    task.health_reason = "app: health check failed: exit code 1";
  }
  const RolloutPlan plan = world.plan();
  EXPECT_EQ(plan.stops.size(), 2U);
  EXPECT_EQ(plan.stops[0].reason, "Task failed container health checks");
  EXPECT_EQ(changed(plan, "new")->failed_tasks, 2);
  EXPECT_TRUE(told(plan, "failed container health checks. Container app: health check failed: exit code 1"));
}

TEST(Unhealthy, IsReplacedStartFirst) {
  World world(2);
  world.deployment("d", DeploymentStatus::primary, RolloutState::completed);
  world.healthy("d", 1).tasks("d", 1, TaskStatus::running, Health::unhealthy);
  world.snapshot.tasks[1].ever_healthy = true;
  RolloutPlan plan = world.plan();
  EXPECT_EQ(started(plan, "d"), 1);
  EXPECT_TRUE(plan.stops.empty());
  world.healthy("d", 1);
  plan = world.plan();
  EXPECT_TRUE(plan.starts.empty());
  ASSERT_EQ(plan.stops.size(), 1U);
  EXPECT_EQ(plan.stops[0].task_id, "t1");
}

TEST(Unhealthy, MakesRoomWhereThereIsNone) {
  World world(2, 50, 100);
  world.deployment("d", DeploymentStatus::primary, RolloutState::completed);
  world.healthy("d", 1).tasks("d", 1, TaskStatus::running, Health::unhealthy);
  world.snapshot.tasks[1].ever_healthy = true;
  const RolloutPlan plan = world.plan();
  ASSERT_EQ(plan.stops.size(), 1U);
  EXPECT_EQ(plan.stops[0].task_id, "t1");
}

TEST(Unhealthy, WaitsForTheGracePeriod) {
  World world(1);
  world.snapshot.service.health_check_grace_s = 120;
  world.deployment("d", DeploymentStatus::primary, RolloutState::in_progress);
  world.tasks("d", 1, TaskStatus::running, Health::unhealthy);
  world.snapshot.tasks[0].ever_healthy = false;
  const RolloutPlan plan = world.plan();
  EXPECT_TRUE(plan.stops.empty());
  EXPECT_EQ(plan.wake_at, now + Duration(60'000));
}

TEST(Rollout, AnOldTaskThatDiesMeanwhileIsReplacedFromItsOwnRevision) {
  World world = update(2, 1, 0, 2);
  const RolloutPlan plan = world.plan();
  EXPECT_EQ(started(plan, "old"), 1);
  EXPECT_EQ(started(plan, "new"), 0);
}

// Found by the simulation: the task that was started to keep the old version up was stopped again to make room for the
// new one.
TEST(Rollout, ATaskThatBacksUpTheOldVersionIsNotStoppedForRoom) {
  World world = update(4, 1, 0, 1, 50, 100);
  world.pending("old", 1);
  EXPECT_TRUE(world.plan().stops.empty());
}

TEST(Rollout, AFixedHostPortMeansStopFirst) {
  World world = update(1, 1, 0, 0, 0, 200);
  world.snapshot.wanted_static_ports = {{8080, 80, "tcp"}};
  world.snapshot.tasks[0].static_ports = {{8080, 80, "tcp"}};
  RolloutPlan plan = world.plan();
  EXPECT_TRUE(plan.starts.empty());
  ASSERT_EQ(plan.stops.size(), 1U);
  world.snapshot.service.minimum_healthy_percent = 100;
  plan = world.plan();
  EXPECT_TRUE(plan.stops.empty());
  EXPECT_TRUE(told(plan, "already using a port required by your task"));
  // One that is on its way out is only waited for.
  world.snapshot.tasks[0].desired_running = false;
  world.snapshot.tasks[0].status = TaskStatus::stopping;
  plan = world.plan();
  EXPECT_TRUE(plan.starts.empty());
  EXPECT_FALSE(told(plan, "already using a port"));
  world.snapshot.occupied_static_ports = {{9090, 80, "tcp"}};
  EXPECT_TRUE(told(world.plan(), "already using a port")) << "somebody else has it, too";
}

TEST(Rollout, ScalingInKeepsTheOldestHealthyOnes) {
  World world(1);
  world.deployment("d", DeploymentStatus::primary, RolloutState::completed);
  world.healthy("d", 3);
  const RolloutPlan plan = world.plan();
  ASSERT_EQ(plan.stops.size(), 2U);
  EXPECT_EQ(plan.stops[0].task_id, "t2");
  EXPECT_EQ(plan.stops[1].task_id, "t1");
}

TEST(Rollout, ADrainingServiceEndsInactive) {
  World world(2);
  world.snapshot.service.status = ServiceStatus::draining;
  world.deployment("d", DeploymentStatus::primary, RolloutState::completed);
  world.healthy("d", 2);
  EXPECT_EQ(world.plan().stops.size(), 2U);
  world.snapshot.tasks.clear();
  const RolloutPlan plan = world.plan();
  EXPECT_EQ(plan.service->status, ServiceStatus::inactive);
  EXPECT_EQ(changed(plan, "d")->status, DeploymentStatus::inactive);
}

TEST(Rollout, ASecondLookAtTheSameWorldChangesNothing) {
  World world(2);
  world.deployment("d", DeploymentStatus::primary, RolloutState::completed);
  world.snapshot.service.steady = true;
  world.healthy("d", 2);
  const RolloutPlan plan = world.plan();
  EXPECT_TRUE(plan.starts.empty() && plan.stops.empty() && plan.deployments.empty() && plan.events.empty());
  EXPECT_FALSE(plan.service);
  EXPECT_FALSE(plan.wake_at);
}

}  // namespace
}  // namespace kaapi::ecs
