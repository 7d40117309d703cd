#include "daemon/deployment_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "ecs/deployments.h"
#include "ecs/state.h"

namespace kaapi::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class DeploymentsTest : public testing::Test {
 protected:
  void SetUp() override {
    change([&](store::Session& session) {
      service_.region = "eu-central-1";
      service_.cluster = "c";
      service_.name = "web";
      service_.desired_count = 2;
      ecs::insert_service(session, service_);
    });
  }

  template <class F>
  void change(const F& body) {
    ASSERT_TRUE(database_->write([&](store::Session& session) -> Result<void> {
      body(session);
      return ok();
    }));
  }

  void deploy(const std::string& id, const std::string& started_by) {
    change([&](store::Session& session) {
      ecs::Deployment deployment;
      deployment.id = id;
      deployment.started_by = started_by;
      ecs::begin_deployment(session, service_, deployment, clock_.now());
    });
  }
  void settle(const std::string& id, ecs::RolloutState state, const std::string& reason) {
    change([&](store::Session& session) {
      ecs::Deployment deployment = *ecs::find_deployment(session, id);
      deployment.rollout_state = state;
      deployment.rollout_reason = reason;
      ecs::save_deployment(session, deployment);
    });
    watch_.look();
  }

  actions::DeploymentNews ask(std::int64_t job_id, std::string_view known = "") {
    return watch_.news(job_id, known, std::chrono::milliseconds(0));
  }

  std::unique_ptr<store::Database> database_ = *store::Database::open(":memory:", ecs::migrations());
  ManualClock clock_;
  ecs::Service service_;
  Deployments watch_{*database_, clock_};
};

TEST_F(DeploymentsTest, AJobThatDeployedNothingIsDoneAtOnce) {
  deploy("ecs-svc/1", "kaapi-job-8");
  const actions::DeploymentNews news = ask(7);
  EXPECT_TRUE(news.over);
  EXPECT_EQ(news.failure, "");
  EXPECT_THAT(news.lines, ElementsAre());
}

TEST_F(DeploymentsTest, AJobWaitsUntilItsDeploymentIsComplete) {
  deploy("ecs-svc/1", "kaapi-job-7");
  const actions::DeploymentNews first = ask(7);
  EXPECT_FALSE(first.over);
  EXPECT_THAT(first.lines, ElementsAre("web: 0 of 2 new tasks run"));
  EXPECT_FALSE(ask(7, first.known).over) << "nothing new within no time";
  auto waiting =
      std::async(std::launch::async, [&] { return watch_.news(7, first.known, std::chrono::milliseconds(60'000)); });
  settle("ecs-svc/1", ecs::RolloutState::completed, "");
  // It may have begun to wait after that look.
  while (waiting.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) watch_.look();
  const actions::DeploymentNews last = waiting.get();
  EXPECT_TRUE(last.over);
  EXPECT_THAT(last.lines, ElementsAre(HasSubstr("web: the deployment is complete")));
}

TEST_F(DeploymentsTest, AFailedDeploymentFailsTheJobWithItsReason) {
  deploy("ecs-svc/1", "kaapi-job-7");
  settle("ecs-svc/1", ecs::RolloutState::failed, "tasks failed to start.");
  EXPECT_TRUE(ask(7).over);
  EXPECT_EQ(ask(7).failure, "the deployment of web failed: tasks failed to start.");
}

TEST_F(DeploymentsTest, ALaterDeploymentEndsTheWait) {
  deploy("ecs-svc/1", "kaapi-job-7");
  deploy("ecs-svc/2", "kaapi-job-8");
  EXPECT_TRUE(ask(7).over);
  EXPECT_THAT(ask(7).lines, ElementsAre("web: a later deployment took over"));
}

TEST_F(DeploymentsTest, ADeploymentThatNeverEndsIsGivenUpOn) {
  deploy("ecs-svc/1", "kaapi-job-7");
  clock_.advance(max_deployment_wait + Duration(1));
  EXPECT_THAT(ask(7).failure, HasSubstr("is not complete after 15 minutes"));
}

TEST_F(DeploymentsTest, TheEndOfThePlatformEndsEveryWait) {
  deploy("ecs-svc/1", "kaapi-job-7");
  watch_.stop();
  EXPECT_FALSE(watch_.news(7, ask(7).known, std::chrono::milliseconds(60'000)).over);
}

}  // namespace
}  // namespace kaapi::daemon
