#include "ecs/lifecycle.h"

#include <gtest/gtest.h>

#include "ecs/probe_text.h"

namespace kaapi::ecs {
namespace {

constexpr Time start = from_millis(1'000'000);

Time at(std::int64_t millis) {
  return start + Duration(millis);
}

Task make_task(int containers = 1) {
  Task task;
  task.id = "0123456789abcdef0123456789abcdef";
  task.created_at = start;
  for (int i = 0; i < containers; ++i) {
    Container container;
    container.plan.name = "c" + std::to_string(i);
    container.plan.image = "app:latest";
    task.containers.push_back(container);
  }
  return task;
}

template <class A>
int count(const TaskPlan& plan) {
  int n = 0;
  for (const Action& action : plan.actions) n += std::holds_alternative<A>(action) ? 1 : 0;
  return n;
}

void resolve(Task& task) {
  ImagesResolved resolved;
  for (std::size_t i = 0; i < task.containers.size(); ++i) resolved.images.push_back({"app@sha256:1", "sha256:1"});
  apply(task, resolved, start);
}

ContainerStarted started(std::size_t container, Time when) {
  ContainerStarted fact;
  fact.container = container;
  fact.runtime_id = "id" + std::to_string(container);
  fact.at = when;
  return fact;
}

ContainerExited exited(std::size_t container, int code, Time when) {
  ContainerExited fact;
  fact.container = container;
  fact.exit_code = code;
  fact.at = when;
  return fact;
}

ContainerProbed probed(bool success, Time when) {
  ContainerProbed fact;
  fact.runtime_id = "id0";
  fact.success = success;
  fact.at = when;
  return fact;
}

Task running_task(int containers = 1) {
  Task task = make_task(containers);
  resolve(task);
  lifecycle(task, {}, start);
  for (int i = 0; i < containers; ++i) apply(task, started(static_cast<std::size_t>(i), start), start);
  lifecycle(task, {}, start);
  return task;
}

TEST(Lifecycle, GoesFromProvisioningToRunning) {
  Task task = make_task();
  EXPECT_EQ(count<ResolveImages>(lifecycle(task, {}, start)), 1);
  EXPECT_EQ(task.status, TaskStatus::provisioning);
  resolve(task);
  EXPECT_EQ(count<StartContainer>(lifecycle(task, {}, start)), 1);
  EXPECT_EQ(task.status, TaskStatus::pending);
  EXPECT_EQ(task.containers[0].state.phase, Phase::starting);
  Busy busy;
  set_busy(busy, StartContainer{0}, true);
  EXPECT_TRUE(lifecycle(task, busy, start).actions.empty()) << "a start under way is not begun again";
  apply(task, started(0, at(5)), at(5));
  lifecycle(task, {}, at(5));
  EXPECT_EQ(task.status, TaskStatus::running);
  EXPECT_EQ(task.started_at, at(5));
}

TEST(Lifecycle, AnEssentialExitStopsTheTaskAndCountsAsFailure) {
  Task task = running_task(2);
  apply(task, exited(0, 3, at(10)), at(10));
  EXPECT_EQ(task.stop_code, StopCode::essential_container_exited);
  EXPECT_EQ(task.stopped_reason, "Essential container in task exited");
  EXPECT_TRUE(task.failed);
  EXPECT_EQ(count<SignalContainer>(lifecycle(task, {}, at(10))), 1) << "the other one is told to end";
  EXPECT_EQ(task.status, TaskStatus::stopping);
  apply(task, exited(1, 0, at(20)), at(20));
  EXPECT_EQ(count<RemoveContainer>(lifecycle(task, {}, at(20))), 2);
  EXPECT_EQ(task.status, TaskStatus::stopped);
  EXPECT_FALSE(finished(task));
  apply(task, ContainerRemoved{0}, at(21));
  apply(task, ContainerRemoved{1}, at(21));
  EXPECT_TRUE(finished(task));
}

TEST(Lifecycle, ATaskThatEndsAtOnceHasStartedAllTheSame) {
  Task task = make_task();
  lifecycle(task, {}, start);
  resolve(task);
  lifecycle(task, {}, at(2));
  // Both are seen by the same look.
  apply(task, started(0, at(5)), at(9));
  apply(task, exited(0, 1, at(8)), at(9));
  lifecycle(task, {}, at(9));
  EXPECT_EQ(task.status, TaskStatus::stopped);
  EXPECT_EQ(task.pull_started_at, start);
  EXPECT_EQ(task.pull_stopped_at, at(5));
  EXPECT_EQ(task.started_at, at(5));
}

TEST(Lifecycle, ATaskThatNeverStartedHasAnEndOfItsPull) {
  Task task = make_task();
  lifecycle(task, {}, start);
  apply(task, ImagesUnresolved{"CannotPullContainerError: no such image", false}, at(7));
  lifecycle(task, {}, at(7));
  EXPECT_EQ(task.pull_stopped_at, at(7));
  EXPECT_FALSE(task.started_at);
}

TEST(Lifecycle, ANonEssentialExitLeavesTheTaskRunning) {
  Task task = make_task(2);
  task.containers[1].plan.essential = false;
  resolve(task);
  lifecycle(task, {}, start);
  apply(task, started(0, start), start);
  apply(task, started(1, start), start);
  apply(task, exited(1, 1, at(5)), at(5));
  lifecycle(task, {}, at(5));
  EXPECT_EQ(task.status, TaskStatus::running);
  EXPECT_TRUE(task.desired_running);
}

TEST(Lifecycle, StopSendsTermThenKillAfterTheTimeout) {
  Task task = running_task();
  task.containers[0].plan.stop_timeout = Duration(2'000);
  request_stop(task, StopCode::user_initiated, "because", at(0));
  request_stop(task, StopCode::service_scheduler_initiated, "too late", at(1));
  EXPECT_EQ(task.stopped_reason, "because");
  TaskPlan plan = lifecycle(task, {}, at(0));
  ASSERT_EQ(count<SignalContainer>(plan), 1);
  EXPECT_FALSE(std::get<SignalContainer>(plan.actions[0]).kill);
  EXPECT_EQ(plan.wake_at, at(2'000));
  EXPECT_TRUE(lifecycle(task, {}, at(1'999)).actions.empty());
  plan = lifecycle(task, {}, at(2'000));
  ASSERT_EQ(count<SignalContainer>(plan), 1);
  EXPECT_TRUE(std::get<SignalContainer>(plan.actions[0]).kill);
  apply(task, exited(0, 137, at(2'050)), at(2'050));
  lifecycle(task, {}, at(2'050));
  EXPECT_EQ(task.status, TaskStatus::stopped);
  EXPECT_EQ(task.containers[0].state.exit_code, 137);
  EXPECT_FALSE(task.failed);
}

TEST(Lifecycle, WaitsForTheLastOutputButNotForever) {
  Task task = make_task();
  task.containers[0].plan.log = LogTarget{};
  resolve(task);
  lifecycle(task, {}, start);
  apply(task, started(0, start), start);
  apply(task, exited(0, 0, at(5)), at(5));
  const TaskPlan plan = lifecycle(task, {}, at(5));
  EXPECT_EQ(task.status, TaskStatus::deprovisioning);
  ASSERT_TRUE(plan.wake_at);
  Task patient = task;
  apply(patient, ContainerDrained{0}, at(6));
  lifecycle(patient, {}, at(6));
  EXPECT_EQ(patient.status, TaskStatus::stopped);
  lifecycle(task, {}, *plan.wake_at);
  EXPECT_EQ(task.status, TaskStatus::stopped);
}

// A task whose container has written something and ended at `at(5)`.
Task task_with_output_left() {
  Task task = make_task();
  task.containers[0].plan.log = LogTarget{"eu-central-1", "/ecs/app", "app/c0/1", false};
  resolve(task);
  lifecycle(task, {}, start);
  apply(task, started(0, start), start);
  apply(task, exited(0, 0, at(5)), at(5));
  lifecycle(task, {}, at(5));
  return task;
}

TEST(Lifecycle, KeepsAContainerUntilItsOutputIsStored) {
  Task task = task_with_output_left();
  TaskPlan plan = lifecycle(task, {}, at(20'000));
  EXPECT_EQ(task.status, TaskStatus::stopped) << "nobody waits for that long to see the end of the task";
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_EQ(plan.wake_at, at(5) + drain_limit);
  EXPECT_FALSE(finished(task));
  EXPECT_TRUE(lifecycle(task, {}, at(5) + drain_limit - Duration(1)).actions.empty());
  apply(task, ContainerDrained{0}, at(30'000));
  plan = lifecycle(task, {}, at(30'000));
  EXPECT_EQ(count<RemoveContainer>(plan), 1);
  EXPECT_TRUE(plan.warnings.empty());
}

TEST(Lifecycle, GivesUpOutputThatCannotBeReadAndSaysWhatIsLost) {
  Task task = task_with_output_left();
  lifecycle(task, {}, at(20'000));
  TaskPlan plan = lifecycle(task, {}, at(5) + drain_limit);
  EXPECT_EQ(count<RemoveContainer>(plan), 1);
  ASSERT_EQ(plan.warnings.size(), 1U);
  EXPECT_NE(plan.warnings[0].find(task.id), std::string::npos) << plan.warnings[0];
  EXPECT_NE(plan.warnings[0].find("app/c0/1"), std::string::npos) << plan.warnings[0];
  plan = lifecycle(task, {}, at(6) + drain_limit);
  EXPECT_EQ(count<RemoveContainer>(plan), 1) << "until it is removed";
  EXPECT_TRUE(plan.warnings.empty()) << "said once";
}

TEST(Lifecycle, TheTimeInWhichNobodyCouldReadDoesNotCount) {
  Task task = task_with_output_left();
  lifecycle(task, {}, at(20'000));
  const Time back = at(5) + 3 * drain_limit;
  apply(task, OutputFollowed{0}, back);
  const TaskPlan plan = lifecycle(task, {}, back);
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_EQ(plan.wake_at, back + drain_limit);
}

TEST(Lifecycle, AFailedStartCarriesItsReason) {
  Task task = make_task();
  resolve(task);
  lifecycle(task, {}, start);
  apply(task, ContainerNotStarted{0, "", "CannotPullContainerError: no such image", false}, at(1));
  lifecycle(task, {}, at(1));
  EXPECT_EQ(task.status, TaskStatus::stopped);
  EXPECT_EQ(task.stop_code, StopCode::task_failed_to_start);
  EXPECT_EQ(task.stopped_reason, "CannotPullContainerError: no such image");
  EXPECT_TRUE(finished(task));
}

TEST(Lifecycle, AnEngineThatDoesNotAnswerIsAskedAgain) {
  Task task = make_task();
  resolve(task);
  lifecycle(task, {}, start);
  apply(task, ContainerNotStarted{0, "", "x", true}, at(0));
  TaskPlan plan = lifecycle(task, {}, at(0));
  EXPECT_TRUE(plan.actions.empty());
  ASSERT_TRUE(plan.wake_at);
  plan = lifecycle(task, {}, *plan.wake_at);
  EXPECT_EQ(count<StartContainer>(plan), 1);
}

TEST(Lifecycle, AnExitSeenBeforeTheStartIsKept) {
  Task task = make_task();
  resolve(task);
  lifecycle(task, {}, start);
  apply(task, exited(0, 7, at(3)), at(3));
  apply(task, started(0, at(1)), at(4));
  EXPECT_EQ(task.containers[0].state.phase, Phase::exited);
  EXPECT_EQ(task.containers[0].state.runtime_id, "id0");
  EXPECT_EQ(task.containers[0].state.exit_code, 7);
}

TEST(Lifecycle, AStopWhileStartingWaitsForTheStart) {
  Task task = make_task();
  resolve(task);
  lifecycle(task, {}, start);
  Busy busy;
  set_busy(busy, StartContainer{0}, true);
  request_stop(task, StopCode::user_initiated, "x", at(1));
  EXPECT_TRUE(lifecycle(task, busy, at(1)).actions.empty());
  apply(task, started(0, at(2)), at(2));
  EXPECT_EQ(count<SignalContainer>(lifecycle(task, {}, at(2))), 1);
  // Without anybody starting it (after a restart that saw nothing), it is made sure that nothing is there.
  Task unseen = make_task();
  resolve(unseen);
  lifecycle(unseen, {}, start);
  request_stop(unseen, StopCode::user_initiated, "x", at(1));
  EXPECT_EQ(count<RemoveContainer>(lifecycle(unseen, {}, at(1))), 1);
  apply(unseen, ContainerRemoved{0}, at(2));
  lifecycle(unseen, {}, at(2));
  EXPECT_TRUE(finished(unseen));
}

// Found by the simulation: a slow second try of a start ran after the removal and made the container anew.
TEST(Lifecycle, NothingIsRemovedWhileAStartIsUnderWay) {
  Task task = running_task();
  apply(task, exited(0, 1, at(5)), at(5));
  Busy busy;
  set_busy(busy, StartContainer{0}, true);
  EXPECT_EQ(count<RemoveContainer>(lifecycle(task, busy, at(5))), 0);
  EXPECT_EQ(task.status, TaskStatus::stopped);
  EXPECT_EQ(count<RemoveContainer>(lifecycle(task, {}, at(6))), 1);
}

TEST(Lifecycle, DependenciesOrderStartAndStop) {
  Task task = make_task(2);
  task.containers[0].plan.depends_on = {{"c1", Condition::healthy}};
  task.containers[1].plan.health_check = HealthCheck{};
  resolve(task);
  TaskPlan plan = lifecycle(task, {}, start);
  ASSERT_EQ(count<StartContainer>(plan), 1);
  EXPECT_EQ(std::get<StartContainer>(plan.actions[0]).container, 1U);
  apply(task, started(1, start), start);
  EXPECT_EQ(count<StartContainer>(lifecycle(task, {}, start)), 0);
  ContainerProbed healthy = probed(true, at(50));
  healthy.container = 1;
  healthy.runtime_id = "id1";
  apply(task, healthy, at(50));
  EXPECT_EQ(count<StartContainer>(lifecycle(task, {}, at(50))), 1);
  apply(task, started(0, at(60)), at(60));
  lifecycle(task, {}, at(60));
  request_stop(task, StopCode::user_initiated, "x", at(70));
  plan = lifecycle(task, {}, at(70));
  ASSERT_EQ(count<SignalContainer>(plan), 1) << "the dependent one ends first";
  EXPECT_EQ(std::get<SignalContainer>(plan.actions[0]).container, 0U);
}

TEST(Health, TheFirstSuccessMakesItHealthyAtOnce) {
  Task task = running_task();
  task.containers[0].plan.health_check = HealthCheck{};
  EXPECT_EQ(count<ProbeContainer>(lifecycle(task, {}, start)), 1) << "the first probe does not wait";
  apply(task, probed(false, at(40)), at(40));
  EXPECT_EQ(task_health(task), Health::unknown);
  const TaskPlan plan = lifecycle(task, {}, at(40));
  ASSERT_TRUE(plan.wake_at);
  EXPECT_LE(*plan.wake_at, at(140));
  apply(task, probed(true, at(140)), at(140));
  EXPECT_EQ(task_health(task), Health::healthy);
  EXPECT_EQ(lifecycle(task, {}, at(140)).wake_at, at(30'140)) << "from now on at the interval";
}

// The quick probes at the start do not make a container unhealthy any sooner than the configured ones would.
TEST(Health, FailuresCountAtTheConfiguredPace) {
  for (const std::int64_t start_period : {0, 20'000}) {
    Task task = running_task();
    HealthCheck check;
    check.interval = Duration(5'000);
    check.retries = 3;
    check.start_period = Duration(start_period);
    task.containers[0].plan.health_check = check;
    Time now = start;
    int probes = 0;
    while (task_health(task) == Health::unknown && probes < 1000) {
      now = std::max(now, next_probe_at(check, task.containers[0].state)) + Duration(10);
      apply(task, probed(false, now), now);
      ++probes;
    }
    EXPECT_EQ(task_health(task), Health::unhealthy);
    EXPECT_GE(now, at(start_period + 15'000));
    EXPECT_LE(now, at(start_period + 16'000));
  }
}

TEST(Health, AnUnhealthyContainerSaysWhy) {
  Task task = running_task();
  HealthCheck check;
  check.retries = 1;
  task.containers[0].plan.health_check = check;
  ContainerProbed failed = probed(false, at(30'010));
  failed.output = "exit code 7: no database";
  apply(task, failed, failed.at);
  EXPECT_EQ(task.containers[0].state.reason, "health check failed: exit code 7: no database");
  EXPECT_EQ(unhealthy_reason(task), "c0: health check failed: exit code 7: no database");
  Task well = task;
  apply(well, probed(true, at(60'010)), at(60'010));
  EXPECT_EQ(well.containers[0].state.reason, "");
  EXPECT_EQ(unhealthy_reason(well), "");
  request_stop(task, StopCode::service_scheduler_initiated, "Task failed container health checks", at(60'020));
  apply(task, exited(0, 0, at(60'030)), at(60'030));
  EXPECT_EQ(task.containers[0].state.reason, "health check failed: exit code 7: no database") << "also when it is over";
}

TEST(Health, TheWordsOfAProbeAreOneLineOfText) {
  EXPECT_EQ(probe_text(1, ""), "exit code 1");
  EXPECT_EQ(probe_text(1, "\n  cannot\tconnect \r\nsecond line\n"), "exit code 1: cannot connect");
  EXPECT_EQ(probe_text(std::nullopt, "no such program"), "no such program");
  EXPECT_EQ(probe_text(2, "gr\xC3\xBC\xC3\x9F"), "exit code 2: gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(probe_text(2, "gr\xFC\xDF \x1B[31m"), "exit code 2: gr??  [31m") << "what is no UTF-8 could not be stored";
  const std::string long_line = std::string(max_probe_text_bytes - 1, 'x') + "\xC3\xBC";
  EXPECT_EQ(probe_text(std::nullopt, long_line), std::string(max_probe_text_bytes - 1, 'x'));
}

// An engine that is away must cost no processor time: the probe is tried again a second later, and nothing is counted.
TEST(Health, AnEngineThatIsAwayIsAskedAgainLater) {
  Task task = running_task();
  task.containers[0].plan.health_check = HealthCheck{};
  apply(task, probed(true, at(10)), at(10));
  ContainerProbed lost = probed(false, at(30'010));
  lost.answered = false;
  apply(task, lost, at(30'010));
  const TaskPlan plan = lifecycle(task, {}, at(30'010));
  EXPECT_TRUE(plan.actions.empty());
  EXPECT_EQ(plan.wake_at, at(31'010));
  EXPECT_EQ(count<ProbeContainer>(lifecycle(task, {}, at(31'010))), 1);
  EXPECT_EQ(task_health(task), Health::healthy);
  EXPECT_EQ(task.containers[0].state.failures, 0);
}

TEST(Health, AProbeToldTwiceOrOfAnotherContainerCountsOnce) {
  Task task = running_task();
  HealthCheck check;
  check.retries = 2;
  task.containers[0].plan.health_check = check;
  apply(task, probed(true, at(10)), at(10));
  apply(task, probed(false, at(30'010)), at(30'010));
  apply(task, probed(false, at(30'010)), at(30'020));
  EXPECT_EQ(task_health(task), Health::healthy);
  ContainerProbed other = probed(false, at(60'000));
  other.runtime_id = "another";
  apply(task, other, at(60'000));
  EXPECT_EQ(task_health(task), Health::healthy);
  apply(task, probed(false, at(60'010)), at(60'010));
  EXPECT_EQ(task_health(task), Health::unhealthy);
}

}  // namespace
}  // namespace kaapi::ecs
