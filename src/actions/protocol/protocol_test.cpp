#include <gtest/gtest.h>

#include "actions/protocol/job_message.h"
#include "actions/protocol/runner_api.h"

namespace kaapi::actions {
namespace {

TEST(JobMessage, ComesBackAsItWas) {
  JobMessage message;
  message.run_id = 7;
  message.job_id = 9;
  message.attempt = 2;
  message.token = "t";
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
