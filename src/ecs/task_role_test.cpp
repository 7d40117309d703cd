// What the driver and the scheduler do for a task with a role: the network of credentials, the question whether the
// role may be had, and the word that the task is over.

#include "ecs/task_role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "containers/fake_engine.h"
#include "ecs/driver.h"
#include "ecs/scheduler.h"
#include "ecs/state.h"
#include "ecs/test_support.h"

namespace kaapi::ecs {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* network = "kaapi-net";
const std::string credentials{credentials_network};

class Roles final : public TaskRoles {
 public:
  explicit Roles(containers::Engine& engine) : engine_(engine) {}
  Result<void> admit(const Task& task) override {
    admitted.push_back(task.id);
    if (refusal) return *refusal;
    return engine_.ensure_network(credentials_network_spec());
  }
  void release(const std::string& task_id) override { released.push_back(task_id); }

  std::vector<std::string> admitted;
  std::vector<std::string> released;
  std::optional<Error> refusal;

 private:
  containers::Engine& engine_;
};

class TaskRole : public ::testing::Test {
 protected:
  TaskRole() { engine_.add_image("app:1"); }

  static Task task_of(NetworkMode mode, std::size_t containers = 1, std::string role = "app") {
    Task task;
    task.id = "0123456789abcdef";
    task.region = "eu-central-1";
    task.cluster = "c";
    task.family = "web";
    task.network_mode = mode;
    task.role = std::move(role);
    task.credentials_id = "7b4a24b6-9a3c-4d1e-8f5e-0a1b2c3d4e5f";
    for (std::size_t i = 0; i < containers; ++i) {
      Container container;
      container.plan.name = "part" + std::to_string(i);
      container.plan.image = "app:1";
      container.state.image_reference = "app:1";
      task.containers.push_back(std::move(container));
    }
    return task;
  }

  ContainerStarted start(const Task& task, std::size_t container = 0) {
    const std::vector<Fact> facts = driver_.start(task, container);
    if (const auto* failed = std::get_if<ContainerNotStarted>(&facts.at(0))) {
      ADD_FAILURE() << failed->reason;
      return {};
    }
    return std::get<ContainerStarted>(facts.at(0));
  }
  containers::Container found(const std::string& name) { return engine_.inspect(name).value(); }

  ManualClock clock_;
  containers::FakeEngine engine_{clock_, {containers::FakeEngineConfig::Delivery::manual}};
  OneImage images_;
  NoOutput output_;
  Direct executor_;
  SeededIds ids_{1};
  Roles roles_{engine_};
  std::unique_ptr<store::Database> database_ = *store::Database::open(":memory:", migrations());
  TaskDriver driver_{engine_, images_, output_, clock_, {"instance", "123456789012", network}, &roles_};
};

TEST_F(TaskRole, AnAwsvpcTaskReachesItsCredentialsThroughItsNamespace) {
  const Task task = task_of(NetworkMode::awsvpc);
  const ContainerStarted started = start(task);
  const containers::Container pause = found(TaskNetwork::pause_name(task));
  EXPECT_EQ(engine_.spec(started.runtime_id)->network, "container:" + pause.id);
  EXPECT_EQ(engine_.spec(pause.id)->network, network) << "the default route stays on the task's own network";
  EXPECT_TRUE(on_credentials_network(pause.addresses.at(credentials)));
  EXPECT_EQ(started.address, pause.addresses.at(network)) << "the task's own address is that of its own network";
  EXPECT_FALSE(std::get<ContainerRemoved>(driver_.remove(task, 0).at(0)).failed);
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(TaskRole, EveryContainerOfABridgeTaskReachesThem) {
  const Task task = task_of(NetworkMode::bridge, 2);
  for (const std::size_t i : {0U, 1U}) {
    const auto addresses = found(start(task, i).runtime_id).addresses;
    EXPECT_TRUE(addresses.contains("bridge"));
    EXPECT_TRUE(on_credentials_network(addresses.at(credentials)));
  }
  EXPECT_EQ(engine_.container_count(), 2U);
}

TEST_F(TaskRole, WhoHasNoNetworkOfItsOwnJoinsNone) {
  for (const NetworkMode mode : {NetworkMode::host, NetworkMode::none}) {
    const Task task = task_of(mode);
    EXPECT_THAT(found(start(task).runtime_id).addresses, IsEmpty());
    EXPECT_FALSE(std::get<ContainerRemoved>(driver_.remove(task, 0).at(0)).failed);
  }
}

TEST_F(TaskRole, ATaskWithoutOnePaysNothing) {
  const Task task = task_of(NetworkMode::awsvpc, 1, "");
  const auto addresses = found(start(task).runtime_id).addresses;
  EXPECT_EQ(addresses.size(), 1U);
  EXPECT_EQ(engine_.container_count(), 1U);
  EXPECT_THAT(roles_.admitted, IsEmpty());
  EXPECT_EQ(engine_.remove_network(credentials).error().code, errc::not_found) << "it was never made";
}

TEST_F(TaskRole, ARefusalIsTheTasksStoppedReasonWordForWord) {
  roles_.refusal = make_error("AccessDenied", "ECS was unable to assume the role 'app' that was provided");
  const std::vector<Fact> facts = driver_.start(task_of(NetworkMode::awsvpc), 0);
  const auto& failed = std::get<ContainerNotStarted>(facts.at(0));
  EXPECT_EQ(failed.reason, "ECS was unable to assume the role 'app' that was provided");
  EXPECT_FALSE(failed.retry);
  EXPECT_EQ(engine_.container_count(), 0U);
}

TEST_F(TaskRole, NobodyAnsweringIsTriedAgain) {
  roles_.refusal = make_error(errc::unavailable, "the engine does not answer");
  const std::vector<Fact> facts = driver_.start(task_of(NetworkMode::awsvpc), 0);
  EXPECT_TRUE(std::get<ContainerNotStarted>(facts.at(0)).retry);
  roles_.refusal.reset();
  start(task_of(NetworkMode::awsvpc));
}

TEST_F(TaskRole, ALostAnswerLeavesNoContainerWithoutCredentials) {
  for (const NetworkMode mode : {NetworkMode::awsvpc, NetworkMode::bridge}) {
    const Task task = task_of(mode);
    bool lost = false;
    engine_.set_failure([&](std::string_view call, const std::string&) -> std::optional<Error> {
      if (call != "connect" || lost) return std::nullopt;
      lost = true;
      return make_error(errc::unavailable, "nobody answered");
    });
    const std::vector<Fact> facts = driver_.start(task, 0);
    EXPECT_TRUE(std::get<ContainerNotStarted>(facts.at(0)).retry);
    const ContainerStarted started = start(task);
    const std::string holder =
        mode == NetworkMode::awsvpc ? TaskNetwork::pause_name(task) : TaskDriver::container_name(task, 0);
    EXPECT_TRUE(found(holder).addresses.contains(credentials));
    EXPECT_FALSE(std::get<ContainerRemoved>(driver_.remove(task, 0).at(0)).failed);
  }
}

TEST_F(TaskRole, ItIsToldWhenTheTaskIsOver) {
  const auto factory = [](store::Session&, const Service&, const Deployment&, Time) -> Result<Task> {
    return internal_error("there is no service");
  };
  Scheduler scheduler(*database_, driver_, executor_, clock_, ids_, factory, {});
  const auto events = engine_.watch(driver_.our_labels(), [&](const auto& event) { scheduler.engine_event(event); });
  const auto settle = [&] {
    for (int i = 0; i < 50; ++i) {
      scheduler.step();
      engine_.deliver();
    }
  };
  Task task = task_of(NetworkMode::awsvpc);
  Task plain = task_of(NetworkMode::awsvpc, 1, "");
  plain.id = "fedcba9876543210";
  ASSERT_TRUE(database_->write([&](store::Session& session) -> Result<void> {
    save_task(session, task);
    save_task(session, plain);
    return ok();
  }));
  scheduler.begin();
  settle();
  EXPECT_THAT(roles_.admitted, ElementsAre(task.id));
  EXPECT_THAT(roles_.released, IsEmpty());
  for (const containers::Container& container : engine_.list({}).value()) engine_.exit(container.id, 0);
  settle();
  ASSERT_FALSE(roles_.released.empty());
  EXPECT_TRUE(std::all_of(roles_.released.begin(), roles_.released.end(), [&](auto& id) { return id == task.id; }));
}

TEST(Roles, HaveANameOrAnArn) {
  for (const char* good :
       {"", "app", "arn:aws:iam::123456789012:role/app", "arn:aws-cn:iam::123456789012:role/x/y/app"}) {
    EXPECT_TRUE(is_role(good)) << good;
  }
  for (const char* bad : {" ", "a/b", "arn:aws:iam::123456789012:role/a b", "arn:aws:iam::123456789012:role/x/",
                          "arn:aws:iam::12345678901x:role/a", "arn:aws:iam::123456789012:role/a:b"}) {
    EXPECT_FALSE(is_role(bad)) << bad;
  }
  EXPECT_TRUE(is_role(std::string(64, 'a')));
  EXPECT_FALSE(is_role(std::string(65, 'a')));
}

}  // namespace
}  // namespace kaapi::ecs
