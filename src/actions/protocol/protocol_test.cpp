#include <gtest/gtest.h>

#include "actions/protocol/actor.h"
#include "actions/protocol/job_message.h"
#include "actions/protocol/runner_api.h"

namespace kaapi::actions {
namespace {

TEST(Actor, NamesTellWhoItReallyWas) {
  EXPECT_EQ(actor_name("arn:aws:iam::123456789012:root"), "root");
  EXPECT_EQ(actor_name("arn:aws:iam::123456789012:user/root"), "user/root");
  EXPECT_EQ(actor_name("arn:aws:iam::123456789012:user/team/ann"), "ann");
  EXPECT_EQ(actor_name("arn:aws:sts::123456789012:assumed-role/deploy/ann"), "deploy/ann");
}

TEST(Actor, PrincipalsAreKnownWithoutPathAndSession) {
  EXPECT_EQ(principal_of("arn:aws:sts::123456789012:assumed-role/deploy/x"), "arn:aws:iam::123456789012:role/deploy");
  EXPECT_EQ(principal_of("arn:aws:iam::123456789012:role/team/deploy"), "arn:aws:iam::123456789012:role/deploy");
  EXPECT_EQ(principal_of("arn:aws:iam::123456789012:user/ann"), "arn:aws:iam::123456789012:user/ann");
  EXPECT_EQ(principal_of("arn:aws:iam::123456789012:root"), "arn:aws:iam::123456789012:root");
}

TEST(Actor, IdsAreNotNames) {
  const std::string_view ann = "arn:aws:iam::123456789012:user/ann";
  EXPECT_EQ(actor_id("AIDAEXAMPLE", ann), "AIDAEXAMPLE");
  EXPECT_EQ(actor_id("AROAEXAMPLE:ann", "arn:aws:sts::123456789012:assumed-role/deploy/ann"), "AROAEXAMPLE");
  EXPECT_EQ(actor_id("123456789012", "arn:aws:iam::123456789012:root"), "123456789012");
  EXPECT_EQ(actor_id("", ann), actor_id("", ann));
  EXPECT_NE(actor_id("", ann), actor_id("", "arn:aws:iam::123456789012:user/bob"));
  EXPECT_GT(actor_id("", ann).size(), 10U) << "32 bits are found by trying";
}

TEST(JobMessage, ComesBackAsItWas) {
  JobMessage message;
  message.run_id = 7;
  message.job_id = 9;
  message.attempt = 2;
  message.token = "t";
  message.git_token = "g";
  message.id_request_token = "i";
  message.name = "build (1)";
  message.repository = "team/shop";
  message.clone_path = "/git/team/shop.git";
  message.workflow_path = ".github/workflows/cd.yml";
  message.workflow_text = "on: push\n";
  message.job = "build";
  message.labels = {"ubuntu-latest"};
  message.timeout_s = 60;
  message.environment = "AWS_ENV_VARS";
  message.may_ask_token = true;
  message.may_write_code = true;
  message.runner_environment = "github-hosted";
  message.contexts = {{"github", {{"sha", "abc"}}}, {"matrix", nullptr}};
  message.event = {{"ref", "refs/heads/main"}};
  message.masks = {"hidden"};
  const Result<JobMessage> back = job_message_from(to_json(message));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(to_json(*back), to_json(message));
  EXPECT_EQ(back->labels, message.labels);
  EXPECT_EQ(back->timeout_s, 60);
}

TEST(JobMessage, NamesTheMemberThatIsWrong) {
  const Result<JobMessage> wrong = job_message_from(json::value{{"run_id", "seven"}});
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "\"run_id\" of a job: expected a whole number");
  EXPECT_FALSE(job_message_from(json::value("text")));
}

TEST(RunnerApi, MessagesComeBackAsTheyWere) {
  Completion completion;
  completion.conclusion = "failure";
  completion.reason = "the step \"Build\" failed";
  completion.outputs = {{"image", "x"}};
  completion.annotations = {{"error", "bad", "Build", "a.cpp", 3, 4}};
  const Result<Completion> completed = completion_from(to_json(completion));
  ASSERT_TRUE(completed);
  EXPECT_EQ(to_json(*completed), to_json(completion));

  const Acquire acquire{"here", {"linux"}, {1, 2}};
  const Result<Acquire> acquired = acquire_from(to_json(acquire));
  ASSERT_TRUE(acquired);
  EXPECT_EQ(to_json(*acquired), to_json(acquire));

  const StepUpdate step{1, "Build", "completed", "success", 10, 20, 0, 300};
  const Result<StepUpdate> updated = step_update_from(to_json(step));
  ASSERT_TRUE(updated);
  EXPECT_EQ(to_json(*updated), to_json(step));

  const FollowEvent event{"log", 3, "build", "in_progress", "", "hello\n"};
  const Result<FollowEvent> followed = follow_event_from(to_json(event));
  ASSERT_TRUE(followed);
  EXPECT_EQ(to_json(*followed), to_json(event));
}

TEST(RunnerApi, RefusesListsOfTheWrongKind) {
  EXPECT_FALSE(acquire_from(json::value{{"running", {"one"}}}));
  EXPECT_FALSE(completion_from(json::value{{"annotations", {1}}}));
}

}  // namespace
}  // namespace kaapi::actions
