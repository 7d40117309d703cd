// A service on an engine that goes down and comes back.

#include "ecs/scheduler.h"

#include <gtest/gtest.h>

#include "containers/fake_engine.h"
#include "ecs/deployments.h"
#include "ecs/state.h"
#include "ecs/test_support.h"

namespace kaapi::ecs {
namespace {

constexpr int desired = 3;  // as many failures in a row trip the breaker

class EngineOutage : public ::testing::Test {
 protected:
  void SetUp() override {
    engine_.add_image("app:1");
    // In the middle of a rollout: no task is ready yet.
    engine_.set_exec(
        [](const containers::Container&, const std::vector<std::string>&) -> Result<containers::ExecResult> {
          return containers::ExecResult{1, "not ready"};
        });
    events_ = engine_.watch(driver_.our_labels(), [&](const auto& event) { scheduler_.engine_event(event); });
    Service service;
    service.region = "eu-central-1";
    service.cluster = "c";
    service.name = "web";
    service.desired_count = desired;
    service.breaker_enabled = true;
    Deployment deployment;
    deployment.id = deployment_id_;
    ASSERT_TRUE(database_->write([&](store::Session& session) -> Result<void> {
      insert_service(session, service);
      begin_deployment(session, service, deployment, clock_.now());
      return ok();
    }));
    service_id_ = service.id;
    scheduler_.begin();
    settle();
    ASSERT_EQ(engine_.running_count(), static_cast<std::size_t>(desired));
  }

  Result<Task> make_task(const Service& service, const Deployment& deployment, Time now) {
    Task task;
    task.id = ids_.hex(32);
    task.region = service.region;
    task.cluster = service.cluster;
    task.family = "web";
    task.service_id = service.id;
    task.deployment_id = deployment.id;
    task.created_at = now;
    Container container;
    container.plan.name = "app";
    container.plan.image = "app:1";
    container.plan.health_check = HealthCheck{{"/probe"}};
    task.containers.push_back(std::move(container));
    return task;
  }

  // Lets everything happen that happens without time going by.
  void settle() {
    for (int i = 0; i < 100; ++i) {
      const std::optional<Time> due = scheduler_.step();
      const bool more = engine_.deliver() > 0 || (due && *due <= clock_.now());
      if (!more && i > 20) return;
    }
  }
  std::vector<std::string> running() {
    std::vector<std::string> ids;
    for (const containers::Container& container : engine_.list(driver_.our_labels()).value()) {
      if (container.status == containers::ContainerStatus::running) ids.push_back(container.id);
    }
    return ids;
  }
  void end_all(int exit_code) {
    for (const std::string& id : running()) engine_.exit(id, exit_code);
  }
  Deployment deployment() {
    return database_
        ->read([&](store::Session& session) -> Result<Deployment> { return *find_deployment(session, deployment_id_); })
        .value();
  }
  void refuse_pings(bool refused) {
    engine_.set_failure([refused](std::string_view call, const std::string&) -> std::optional<Error> {
      return refused && call == "ping" ? std::optional(make_error(errc::unavailable, "shutting down")) : std::nullopt;
    });
  }

  const std::string deployment_id_ = "ecs-svc/1234567890123456789";
  ManualClock clock_;
  containers::FakeEngine engine_{clock_, {containers::FakeEngineConfig::Delivery::manual}};
  OneImage images_;
  NoOutput output_;
  Direct executor_;
  SeededIds ids_{1};
  std::unique_ptr<store::Database> database_ = *store::Database::open(":memory:", migrations());
  TaskDriver driver_{engine_, images_, output_, clock_, {"instance", "123456789012", "kaapi-net"}};
  Scheduler scheduler_{*database_,
                       driver_,
                       executor_,
                       clock_,
                       ids_,
                       [this](store::Session&, const Service& service, const Deployment& deployment, Time now) {
                         return make_task(service, deployment, now);
                       },
                       {}};
  std::unique_ptr<containers::Subscription> events_;
  std::int64_t service_id_ = 0;
};

TEST_F(EngineOutage, TasksThatEndByThemselvesCount) {
  end_all(1);
  settle();
  EXPECT_EQ(deployment().failed_tasks, desired);
  EXPECT_EQ(deployment().rollout_state, RolloutState::failed);
}

TEST_F(EngineOutage, EndsLearnedAfterTheEngineCameBackDoNotCount) {
  const std::vector<std::string> before = running();
  clock_.advance(Duration(1'000));
  engine_.restart_engine(false);
  settle();
  EXPECT_EQ(deployment().failed_tasks, 0);
  EXPECT_EQ(deployment().rollout_state, RolloutState::in_progress);
  EXPECT_EQ(running().size(), static_cast<std::size_t>(desired)) << "they are replaced";
  EXPECT_NE(running(), before);
}

// What a dockerd does that gets SIGTERM: no new connections, then it ends its containers, and tells of that.
TEST_F(EngineOutage, EndsOfAnEngineThatShutsDownDoNotCount) {
  for (const int exit_code : {0, 143, 137}) {
    clock_.advance(Duration(1'000));
    refuse_pings(true);
    end_all(exit_code);
    settle();
    EXPECT_EQ(deployment().failed_tasks, 0) << exit_code;
    refuse_pings(false);
    clock_.advance(Duration(1'000));
    engine_.restart_engine(false);
    settle();
    EXPECT_EQ(deployment().failed_tasks, 0) << exit_code;
    EXPECT_EQ(running().size(), static_cast<std::size_t>(desired)) << exit_code;
  }
}

TEST_F(EngineOutage, AnEndOfBeforeThatIsToldLateDoesNotCount) {
  clock_.advance(Duration(1'000));
  engine_.disconnect_events();
  for (const std::string& id : running()) {
    containers::Event event;
    event.kind = containers::EventKind::die;
    event.container = engine_.inspect(id).value().id;
    event.labels = engine_.inspect(id).value().labels;
    event.exit_code = 143;
    event.at = clock_.now() - Duration(500);
    engine_.deliver();
    scheduler_.engine_event(event);
  }
  settle();
  EXPECT_EQ(deployment().failed_tasks, 0);
}

TEST_F(EngineOutage, AnotherContainersEndIsNotTheTasksWhateverItsLabels) {
  for (const std::string& id : running()) {
    for (const auto& [kind, exit_code] : {std::pair{containers::EventKind::die, 1},
                                          {containers::EventKind::die, 137},
                                          {containers::EventKind::destroy, 0}}) {
      containers::Event event;
      event.kind = kind;
      // By an image that brings them along.
      event.labels = engine_.inspect(id).value().labels;
      event.container = "of-a-job";
      event.exit_code = exit_code;
      event.at = clock_.now();
      scheduler_.engine_event(event);
    }
  }
  settle();
  EXPECT_EQ(deployment().failed_tasks, 0);
  EXPECT_EQ(running().size(), static_cast<std::size_t>(desired));
}

}  // namespace
}  // namespace kaapi::ecs
