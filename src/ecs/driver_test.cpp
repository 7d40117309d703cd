// How containers get onto their networks and off again: alone, together with others of their task, and when the engine
// does not play along.

#include "ecs/driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "containers/fake_engine.h"
#include "containers/pause_image.h"
#include "ecs/scheduler.h"
#include "ecs/state.h"
#include "ecs/test_support.h"

namespace kaapi::ecs {
namespace {

using containers::ContainerStatus;
using ::testing::HasSubstr;

constexpr const char* network = "kaapi-net";

class NoImages final : public Images {
 public:
  Result<PinnedImage> pin(const std::string&, const std::string&) override { return internal_error("not asked for"); }
  std::optional<containers::RegistryLogin> login(const std::string&, const std::string&) override {
    return std::nullopt;
  }
};

class NoWork final : public Executor {
 public:
  void run(Lane, std::function<void()>) override {}
};

class Driver : public ::testing::Test {
 protected:
  Driver() { engine_.add_image("app:1"); }

  static Task task_of(NetworkMode mode, std::size_t containers, const std::string& id = "0123456789abcdef") {
    Task task;
    task.id = id;
    task.region = "eu-central-1";
    task.cluster = "c";
    task.family = "web";
    task.revision = 1;
    task.network_mode = mode;
    task.resolved = true;
    for (std::size_t i = 0; i < containers; ++i) {
      Container container;
      container.plan.name = "part" + std::to_string(i);
      container.plan.ports.push_back({static_cast<std::uint16_t>(80 + i), 0, "tcp"});
      container.state.image_reference = "app:1";
      container.state.phase = Phase::starting;
      task.containers.push_back(std::move(container));
    }
    return task;
  }

  // Starts a container that must start, and applies what was seen.
  ContainerStarted start(Task& task, std::size_t container) {
    const std::vector<Fact> facts = driver_.start(task, container);
    for (const Fact& fact : facts) apply(task, fact, clock_.now());
    if (const auto* failed = std::get_if<ContainerNotStarted>(&facts.at(0))) {
      ADD_FAILURE() << failed->reason;
      return {};
    }
    return std::get<ContainerStarted>(facts.at(0));
  }
  ContainerNotStarted fail_to_start(const Task& task, std::size_t container) {
    const std::vector<Fact> facts = driver_.start(task, container);
    const auto* failed = std::get_if<ContainerNotStarted>(&facts.at(0));
    if (failed != nullptr) return *failed;
    ADD_FAILURE() << "it started";
    return {};
  }
  bool removes(const Task& task, std::size_t container) {
    return !std::get<ContainerRemoved>(driver_.remove(task, container).at(0)).failed;
  }
  containers::Container pause(const Task& task) { return engine_.inspect(TaskNetwork::pause_name(task)).value(); }
  bool has_pause(const Task& task) { return engine_.inspect(TaskNetwork::pause_name(task)).has_value(); }
  std::string network_of(const Task& task, std::size_t container) {
    return engine_.spec(TaskDriver::container_name(task, container)).value().network;
  }
  std::size_t calls(std::string_view call, const std::string& subject) {
    const std::vector<containers::FakeCall> all = engine_.calls();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const auto& each) { return each.call == call && each.subject == subject; }));
  }
  // The next call of this kind has its effect, but its answer gets lost.
  void lose_answer(std::string lost, std::string subject = {}) {
    engine_.set_answer_loss([this, lost = std::move(lost), subject = std::move(subject)](
                                std::string_view call, const std::string& about) -> std::optional<Error> {
      if (call != lost || lost_ || (!subject.empty() && subject != about)) return std::nullopt;
      lost_ = true;
      return make_error(errc::unavailable, "the answer got lost");
    });
  }
  void refuse(std::string refused, std::string subject, std::string_view code) {
    engine_.set_failure([refused = std::move(refused), subject = std::move(subject), code = std::string(code)](
                            std::string_view call, const std::string& about) -> std::optional<Error> {
      if (call != refused || about != subject) return std::nullopt;
      return make_error(code, "refused");
    });
  }
  void store(const Task& task) {
    ASSERT_TRUE(database_->write([&](store::Session& session) -> Result<void> {
      save_task(session, task);
      return ok();
    }));
  }

  ManualClock clock_;
  containers::FakeEngine engine_{clock_, {containers::FakeEngineConfig::Delivery::manual}};
  NoImages images_;
  NoOutput output_;
  std::unique_ptr<store::Database> database_ = *store::Database::open(":memory:", migrations());
  TaskDriver driver_{engine_, images_, output_, clock_, {"instance", "123456789012", network}};
  bool lost_ = false;
};

TEST_F(Driver, ASingleContainerIsOnTheNetworkByItself) {
  Task task = task_of(NetworkMode::awsvpc, 1);
  task.containers[0].plan.hostname = "web";
  const ContainerStarted started = start(task, 0);
  const containers::Container found = engine_.inspect(started.runtime_id).value();
  EXPECT_EQ(started.address, found.addresses.at(network));
  EXPECT_EQ(started.mac_address, found.mac_addresses.at(network));
  EXPECT_EQ(network_of(task, 0), network);
  EXPECT_EQ(engine_.spec(started.runtime_id)->hostname, "web");
  EXPECT_TRUE(engine_.spec(started.runtime_id)->ports.empty());
  EXPECT_EQ(engine_.container_count(), 1U);
  EXPECT_TRUE(removes(task, 0));
  EXPECT_EQ(calls("import_image", containers::pause_image_reference()), 0U);
  EXPECT_EQ(calls("list", ""), 0U);
}

TEST_F(Driver, SeveralContainersHaveOneAddress) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  task.containers[0].plan.hostname = "web";
  const ContainerStarted first = start(task, 0);
  const ContainerStarted second = start(task, 1);
  const containers::Container holder = pause(task);
  EXPECT_EQ(network_of(task, 0), "container:" + holder.id);
  EXPECT_EQ(network_of(task, 1), "container:" + holder.id);
  EXPECT_EQ(first.address, holder.addresses.at(network));
  EXPECT_EQ(second.address, first.address);
  EXPECT_EQ(task.mac_address, holder.mac_addresses.at(network));
  EXPECT_EQ(engine_.spec(first.runtime_id)->hostname, "");
  EXPECT_EQ(engine_.container_count(), 3U);
}

TEST_F(Driver, ThePauseContainerIsLabelledAsTheTaskAndAsNoContainerOfIt) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  // A container of the task may well be called so.
  task.containers[0].plan.name = "pause";
  const ContainerStarted started = start(task, 0);
  const containers::Container holder = pause(task);
  EXPECT_NE(holder.id, started.runtime_id);
  std::map<std::string, std::string> expected = engine_.inspect(started.runtime_id).value().labels;
  expected[std::string(container_label)] = "pause";
  expected["com.amazonaws.ecs.container-name"] = "~internal~ecs~pause";
  EXPECT_EQ(holder.labels, expected);
  EXPECT_EQ(engine_.list({{"kaapi.instance", "instance"}, {"kaapi.task", task.id}}).value().size(), 2U);
}

TEST_F(Driver, ThePauseImageIsBroughtOnceAndAgainWhenItIsGone) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  Task other = task_of(NetworkMode::awsvpc, 2, "fedcba9876543210");
  start(task, 0);
  start(task, 1);
  start(other, 0);
  EXPECT_EQ(calls("import_image", containers::pause_image_reference()), 1U);
}

TEST_F(Driver, EachTaskHasItsOwnNamespace) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  Task other = task_of(NetworkMode::awsvpc, 2, "fedcba9876543210");
  EXPECT_NE(start(task, 0).address, start(other, 0).address);
  ASSERT_TRUE(removes(task, 0));
  EXPECT_FALSE(has_pause(task));
  EXPECT_TRUE(has_pause(other));
}

TEST_F(Driver, ContainersThatStartAtOnceMeetInOneNamespace) {
  constexpr std::size_t containers = 8;
  Task task = task_of(NetworkMode::awsvpc, containers);
  std::vector<std::vector<Fact>> facts(containers);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < containers; ++i) {
    threads.emplace_back([&, i] { facts[i] = driver_.start(task, i); });
  }
  for (std::thread& thread : threads) thread.join();
  const containers::Container holder = pause(task);
  for (std::size_t i = 0; i < containers; ++i) {
    ASSERT_TRUE(std::holds_alternative<ContainerStarted>(facts[i].at(0)));
    EXPECT_EQ(std::get<ContainerStarted>(facts[i].at(0)).address, holder.addresses.at(network));
    EXPECT_EQ(network_of(task, i), "container:" + holder.id);
    apply(task, facts[i].at(0), clock_.now());
  }
  EXPECT_EQ(engine_.running_count(), containers + 1);
  EXPECT_EQ(calls("import_image", containers::pause_image_reference()), 1U);
  threads.clear();
  for (std::size_t i = 0; i < containers; ++i) {
    threads.emplace_back([&, i] { EXPECT_TRUE(removes(task, i)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(Driver, ThePauseContainerGoesWithTheLastOne) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  start(task, 0);
  start(task, 1);
  ASSERT_TRUE(removes(task, 1));
  EXPECT_EQ(pause(task).status, ContainerStatus::running);
  ASSERT_TRUE(removes(task, 0));
  EXPECT_EQ(engine_.container_count(), 0U);
  EXPECT_TRUE(removes(task, 0)) << "again is harmless";
}

TEST_F(Driver, ARemovalThatLeavesThePauseContainerIsTriedAgain) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  start(task, 0);
  refuse("remove", TaskNetwork::pause_name(task), errc::internal);
  EXPECT_FALSE(removes(task, 0));
  EXPECT_EQ(engine_.container_count(), 1U);
  engine_.set_failure({});
  EXPECT_TRUE(removes(task, 0));
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(Driver, NothingStaysWhenTheOnlyContainerCouldNotBeMade) {
  const Task task = task_of(NetworkMode::awsvpc, 2);
  refuse("create", TaskDriver::container_name(task, 0), errc::invalid);
  const ContainerNotStarted failed = fail_to_start(task, 0);
  EXPECT_EQ(failed.reason, "CannotCreateContainerError: refused");
  EXPECT_EQ(failed.runtime_id, "");
  EXPECT_FALSE(failed.retry);
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(Driver, TheNamespaceStaysWhenOneOfSeveralCouldNotBeMade) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  start(task, 0);
  refuse("create", TaskDriver::container_name(task, 1), errc::invalid);
  EXPECT_FALSE(fail_to_start(task, 1).retry);
  EXPECT_EQ(pause(task).status, ContainerStatus::running);
}

TEST_F(Driver, LostAnswersMakeNoSecondNamespace) {
  for (const std::string call : {"import_image", "ensure_network", "create", "start"}) {
    Task task = task_of(NetworkMode::awsvpc, 2, "lost-" + call);
    lost_ = false;
    lose_answer(call);
    EXPECT_TRUE(fail_to_start(task, 0).retry) << call;
    start(task, 0);
    start(task, 1);
    EXPECT_EQ(network_of(task, 0), network_of(task, 1));
    EXPECT_EQ(engine_.list({{"kaapi.task", task.id}}).value().size(), 3U) << call;
  }
}

TEST_F(Driver, APauseContainerThatEndedIsNotStartedAgain) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  const ContainerStarted first = start(task, 0);
  engine_.exit(pause(task).id, 137);
  const ContainerNotStarted failed = fail_to_start(task, 1);
  EXPECT_FALSE(failed.retry);
  EXPECT_THAT(failed.reason, HasSubstr("CannotStartContainerError: the network namespace"));
  EXPECT_THAT(failed.reason, HasSubstr(TaskNetwork::pause_name(task)));
  EXPECT_THAT(failed.reason, HasSubstr("exit code 137"));
  EXPECT_EQ(pause(task).status, ContainerStatus::exited);
  EXPECT_EQ(engine_.inspect(first.runtime_id).value().status, ContainerStatus::running) << "that is its own affair";
  ASSERT_TRUE(removes(task, 0));
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(Driver, APauseContainerThatWasRemovedIsNotMadeAgainForARunningTask) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  start(task, 0);
  ASSERT_TRUE(engine_.remove(TaskNetwork::pause_name(task)));
  const ContainerNotStarted failed = fail_to_start(task, 1);
  EXPECT_FALSE(failed.retry);
  EXPECT_THAT(failed.reason, HasSubstr("was removed"));
  EXPECT_EQ(engine_.container_count(), 1U);
}

TEST_F(Driver, AContainerOfAnEarlierTryIsToldOf) {
  const Task task = task_of(NetworkMode::awsvpc, 2);
  // It was made, and nobody heard of it; then the engine lost what ran.
  lose_answer("create", TaskDriver::container_name(task, 0));
  EXPECT_TRUE(fail_to_start(task, 0).retry);
  const containers::Container made = engine_.inspect(TaskDriver::container_name(task, 0)).value();
  engine_.exit(pause(task).id, 137);
  const ContainerNotStarted failed = fail_to_start(task, 0);
  EXPECT_EQ(failed.runtime_id, made.id) << "so that it will be removed";
  ASSERT_TRUE(removes(task, 0));
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(Driver, AContainerThatRanInAnEarlierTryIsToldOf) {
  const Task task = task_of(NetworkMode::awsvpc, 2);
  const std::vector<Fact> unheard = driver_.start(task, 0);
  const std::string id = std::get<ContainerStarted>(unheard.at(0)).runtime_id;
  engine_.restart_engine(false);
  const std::vector<Fact> facts = driver_.start(task, 0);
  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(std::get<ContainerStarted>(facts[0]).runtime_id, id);
  EXPECT_EQ(std::get<ContainerExited>(facts[1]).exit_code, 137);
}

TEST_F(Driver, AContainerThatRanUnheardIsNotRemovedBeforeItsOutputWasRead) {
  Task task = task_of(NetworkMode::bridge, 1);
  EXPECT_TRUE(removes(task, 0)) << "nothing was made";
  lose_answer("start");
  const std::vector<Fact> unheard = driver_.start(task, 0);
  EXPECT_TRUE(std::get<ContainerNotStarted>(unheard.at(0)).retry);
  const std::vector<Fact> facts = driver_.remove(task, 0);
  ASSERT_TRUE(std::holds_alternative<ContainerStarted>(facts.at(0)));
  apply(task, facts.at(0), clock_.now());
  EXPECT_EQ(task.containers[0].state.phase, Phase::running);
  EXPECT_EQ(engine_.running_count(), 1U);
  ASSERT_TRUE(removes(task, 0));
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(Driver, ARemnantOfAKilledEngineIsRemovedAndTheStartTriedAgain) {
  Task task = task_of(NetworkMode::bridge, 1);
  engine_.set_failure([](std::string_view call, const std::string&) -> std::optional<Error> {
    if (call != "start") return std::nullopt;
    return make_error(errc::internal, "OCI runtime create failed: container with id exists: task already exists");
  });
  // Not for ever: it may be no remnant, after all.
  for (int i = 0; i < 3; ++i) {
    const ContainerNotStarted failed = fail_to_start(task, 0);
    EXPECT_TRUE(failed.remnant);
    EXPECT_EQ(engine_.container_count(), 0U);
    apply(task, failed, clock_.now());
    EXPECT_TRUE(task.desired_running);
    EXPECT_TRUE(task.retry_at);
  }
  Task unlucky = task;
  apply(unlucky, fail_to_start(unlucky, 0), clock_.now());
  EXPECT_EQ(unlucky.stop_code, StopCode::task_failed_to_start);
  engine_.set_failure({});
  start(task, 0);
  EXPECT_EQ(task.containers[0].state.phase, Phase::running);
}

TEST_F(Driver, ARefusalOfAnEngineThatShutsDownIsNoFailure) {
  const Task task = task_of(NetworkMode::bridge, 1);
  engine_.set_failure([](std::string_view call, const std::string&) -> std::optional<Error> {
    if (call == "start") return make_error(errc::internal, "context canceled");
    return call == "ping" ? std::optional(make_error(errc::unavailable, "shutting down")) : std::nullopt;
  });
  EXPECT_TRUE(fail_to_start(task, 0).retry);
}

TEST_F(Driver, AResyncFollowsWhatEndedContainersLeft) {
  Task task = task_of(NetworkMode::bridge, 1);
  task.containers[0].plan.log = LogTarget{"eu-central-1", "g", "s", false};
  const ContainerStarted started = start(task, 0);
  engine_.exit(started.runtime_id, 0);
  ContainerExited exited;
  exited.exit_code = 0;
  apply(task, exited, clock_.now());
  store(task);
  const std::vector<TaskFact> facts = driver_.resync(*database_).value();
  ASSERT_EQ(facts.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<OutputFollowed>(facts[0].fact));
}

TEST_F(Driver, BridgeContainersAreEachOnTheBridge) {
  Task task = task_of(NetworkMode::bridge, 2);
  const ContainerStarted first = start(task, 0);
  const ContainerStarted second = start(task, 1);
  EXPECT_EQ(network_of(task, 0), "bridge");
  EXPECT_EQ(network_of(task, 1), "bridge");
  EXPECT_EQ(first.address, "");
  ASSERT_EQ(second.bindings.size(), 1U);
  EXPECT_EQ(second.bindings[0].container_port, 81);
  EXPECT_NE(second.bindings[0].host_port, first.bindings.at(0).host_port);
  ASSERT_TRUE(removes(task, 0));
  ASSERT_TRUE(removes(task, 1));
  EXPECT_EQ(engine_.container_count(), 0U);
  EXPECT_EQ(calls("list", ""), 0U);
}

TEST_F(Driver, AResyncSeesTheContainersAndNotThePause) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  store(task);
  // Started, but the platform died before it heard of that.
  Task unheard = task;
  start(unheard, 0);
  start(unheard, 1);
  const std::vector<TaskFact> facts = driver_.resync(*database_).value();
  ASSERT_EQ(facts.size(), 2U);
  for (const TaskFact& fact : facts) {
    EXPECT_EQ(fact.task_id, task.id);
    EXPECT_EQ(std::get<ContainerStarted>(fact.fact).address, pause(task).addresses.at(network));
  }
  EXPECT_EQ(pause(task).status, ContainerStatus::running);
  // Its end changes nothing for those that run.
  engine_.exit(pause(task).id, 1);
  EXPECT_EQ(driver_.resync(*database_).value().size(), 2U);
  EXPECT_TRUE(has_pause(task));
}

TEST_F(Driver, AResyncRemovesWhatFinishedTasksLeft) {
  Task stopped = task_of(NetworkMode::awsvpc, 2, "stopped");
  Task unknown = task_of(NetworkMode::awsvpc, 2, "unknown");
  Task open = task_of(NetworkMode::awsvpc, 2, "open");
  for (Task* task : {&stopped, &unknown, &open}) {
    start(*task, 0);
    // Only the pause container is left: nobody has a reason to call remove() any more.
    ASSERT_TRUE(engine_.remove(TaskDriver::container_name(*task, 0)));
  }
  stopped.status = TaskStatus::stopped;
  for (Container& container : stopped.containers) container.state.removed = true;
  store(stopped);
  store(task_of(NetworkMode::awsvpc, 2, "open"));
  ASSERT_TRUE(driver_.resync(*database_));
  EXPECT_FALSE(has_pause(stopped));
  EXPECT_FALSE(has_pause(unknown));
  EXPECT_TRUE(has_pause(open));
}

TEST_F(Driver, AResyncLeavesNoPauseBehindARemovalThatWasCutShort) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  start(task, 0);
  start(task, 1);
  request_stop(task, StopCode::user_initiated, "by hand", clock_.now());
  for (std::size_t i = 0; i < 2; ++i) {
    ContainerExited exited;
    exited.container = i;
    exited.exit_code = 0;
    apply(task, exited, clock_.now());
    // The platform died between this and the removal of the pause container.
    ASSERT_TRUE(engine_.remove(TaskDriver::container_name(task, i)));
  }
  store(task);
  for (const TaskFact& fact : driver_.resync(*database_).value()) apply(task, fact.fact, clock_.now());
  (void)lifecycle(task, {}, clock_.now());  // STOPPED
  for (const Action& action : lifecycle(task, {}, clock_.now()).actions) {
    for (const Fact& fact : driver_.remove(task, std::get<RemoveContainer>(action).container)) {
      apply(task, fact, clock_.now());
    }
  }
  EXPECT_TRUE(finished(task));
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(Driver, TheSchedulerIsNotWokenByThePause) {
  Task task = task_of(NetworkMode::awsvpc, 2);
  NoWork executor;
  SeededIds ids(1);
  Scheduler scheduler(*database_, driver_, executor, clock_, ids, {}, {});
  int woken = 0;
  scheduler.on_work([&] { ++woken; });
  const auto events = engine_.watch(driver_.our_labels(), [&](const auto& event) { scheduler.engine_event(event); });
  const ContainerStarted started = start(task, 0);
  engine_.exit(pause(task).id, 0);
  engine_.deliver();
  EXPECT_EQ(woken, 0);
  engine_.exit(started.runtime_id, 0);
  engine_.deliver();
  EXPECT_EQ(woken, 1);
}

}  // namespace
}  // namespace kaapi::ecs
