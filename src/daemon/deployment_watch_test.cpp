#include "daemon/deployment_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

  void follow(std::int64_t job_id) {
    watch_.follow(job_id, {[this](std::string line) { lines_.push_back(std::move(line)); },
                           [this](std::optional<std::string> failure) { ends_.push_back(failure.value_or("well")); }});
  }

  std::unique_ptr<store::Database> database_ = *store::Database::open(":memory:", ecs::migrations());
  ManualClock clock_;
  ecs::Service service_;
  Deployments watch_{*database_, clock_};
  std::vector<std::string> lines_, ends_;
};

TEST_F(DeploymentsTest, AJobThatDeployedNothingIsDoneAtOnce) {
  deploy("ecs-svc/1", "kaapi-job-8");
  follow(7);
  EXPECT_THAT(ends_, ElementsAre("well"));
  EXPECT_THAT(lines_, ElementsAre());
}

TEST_F(DeploymentsTest, AJobWaitsUntilItsDeploymentIsComplete) {
  deploy("ecs-svc/1", "kaapi-job-7");
  follow(7);
  EXPECT_THAT(ends_, ElementsAre());
  settle("ecs-svc/1", ecs::RolloutState::completed, "");
  EXPECT_THAT(ends_, ElementsAre("well"));
  EXPECT_THAT(lines_, ElementsAre("web: 0 of 2 new tasks run", HasSubstr("web: the deployment is complete")));
}

TEST_F(DeploymentsTest, AFailedDeploymentFailsTheJobWithItsReason) {
  deploy("ecs-svc/1", "kaapi-job-7");
  follow(7);
  settle("ecs-svc/1", ecs::RolloutState::failed, "tasks failed to start.");
  EXPECT_THAT(ends_, ElementsAre("the deployment of web failed: tasks failed to start."));
}

TEST_F(DeploymentsTest, ALaterDeploymentEndsTheWait) {
  deploy("ecs-svc/1", "kaapi-job-7");
  follow(7);
  deploy("ecs-svc/2", "kaapi-job-8");
  watch_.look();
  EXPECT_THAT(ends_, ElementsAre("well"));
}

TEST_F(DeploymentsTest, ADeploymentThatNeverEndsIsGivenUpOn) {
  deploy("ecs-svc/1", "kaapi-job-7");
  clock_.advance(max_deployment_wait + Duration(1));
  follow(7);
  EXPECT_THAT(ends_, ElementsAre(HasSubstr("is not complete after 15 minutes")));
}

TEST_F(DeploymentsTest, WhoIsForgottenHearsNothing) {
  deploy("ecs-svc/1", "kaapi-job-7");
  follow(7);
  watch_.forget(7);
  settle("ecs-svc/1", ecs::RolloutState::completed, "");
  EXPECT_THAT(ends_, ElementsAre());
}

}  // namespace
}  // namespace kaapi::daemon
