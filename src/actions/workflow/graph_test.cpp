#include "actions/workflow/graph.h"

#include <gmock/gmock.h>

#include "actions/workflow/test_support.h"

namespace kaapi::actions::workflow {
namespace {

using testing::HasSubstr;
using Action = JobDecision::Action;

std::string job(std::string_view id, std::string_view more) {
  return fmt::format("  {}: {{runs-on: x, steps: [{{run: y}}], {}}}\n", id, more);
}

// a; b needs a; c needs b with `condition`.
Workflow chain(std::string_view condition) {
  return must_parse("on: push\njobs:\n" + job("a", "") + job("b", "needs: a, if: always()") +
                    job("c", fmt::format("needs: b{}", condition)));
}

JobDecision decide(const Workflow& workflow, const RunState& run, std::string_view id) {
  for (JobDecision& decision : plan_jobs(workflow, run, run_contexts())) {
    if (decision.job == id) return decision;
  }
  ADD_FAILURE() << "no decision about " << id;
  return {};
}

RunState ended(Outcome a, Outcome b) {
  RunState run;
  run.jobs["a"] = {true, a, {}};
  run.jobs["b"] = {true, b, {}};
  return run;
}

TEST(JobGraph, JobsStartWhenWhatTheyNeedIsOver) {
  const Workflow workflow = chain("");
  EXPECT_EQ(decide(workflow, {}, "a").action, Action::start);
  EXPECT_EQ(decide(workflow, {}, "b").action, Action::wait);
  EXPECT_EQ(decide(workflow, ended(Outcome::success, Outcome::success), "c").action, Action::start);
}

TEST(JobGraph, AFailureAnywhereBeforeSkipsUnlessTheConditionSaysOtherwise) {
  const RunState run = ended(Outcome::failure, Outcome::success);
  EXPECT_EQ(decide(chain(""), run, "c").action, Action::skip);
  EXPECT_THAT(decide(chain(""), run, "c").why, HasSubstr("needs a, which ended with failure"));
  EXPECT_EQ(decide(chain(", if: 1 == 1"), run, "c").action, Action::skip);
  EXPECT_EQ(decide(chain(", if: failure()"), run, "c").action, Action::start);
  EXPECT_EQ(decide(chain(", if: always()"), run, "c").action, Action::start);
  EXPECT_EQ(decide(chain(", if: \"!cancelled()\""), run, "c").action, Action::start);
  EXPECT_EQ(decide(chain(", if: \"always() && needs.b.result == 'success'\""), run, "c").action, Action::start);
  EXPECT_EQ(decide(chain(", if: success('b')"), run, "c").action, Action::start);
}

TEST(JobGraph, ASkippedAncestorSkips) {
  EXPECT_EQ(decide(chain(""), ended(Outcome::skipped, Outcome::success), "c").action, Action::skip);
}

TEST(JobGraph, ACancelledRunStartsOnlyWhatAsksForIt) {
  RunState run = ended(Outcome::success, Outcome::success);
  run.cancelled = true;
  EXPECT_EQ(decide(chain(""), run, "c").outcome, Outcome::cancelled);
  EXPECT_EQ(decide(chain(", if: always()"), run, "c").action, Action::start);
  EXPECT_EQ(decide(chain(", if: cancelled()"), run, "c").action, Action::start);
  EXPECT_EQ(decide(chain(", if: failure()"), run, "c").action, Action::skip);
}

TEST(JobGraph, OutputsReachConditionsAndFaultsFailTheJob) {
  RunState run = ended(Outcome::success, Outcome::success);
  run.jobs["b"].outputs = json_value(R"({"go": "yes"})");
  EXPECT_EQ(decide(chain(", if: needs.b.outputs.go == 'yes'"), run, "c").action, Action::start);
  EXPECT_EQ(decide(chain(", if: needs.b.outputs.go == 'no'"), run, "c").action, Action::skip);
  EXPECT_EQ(decide(chain(", if: fromJSON(needs.b.outputs.go)"), run, "c").action, Action::fail);
}

TEST(JobGraph, TheRunEndsAsItsWorstJob) {
  const Workflow workflow = chain("");
  RunState run = ended(Outcome::success, Outcome::failure);
  EXPECT_EQ(run_outcome(workflow, run), std::nullopt);
  run.jobs["c"] = {false, Outcome::skipped, {}};
  EXPECT_EQ(run_outcome(workflow, run), Outcome::failure);
}

TEST(Concurrency, GroupsAndAdmission) {
  const Workflow workflow = must_parse(with_job(
      "    concurrency: {group: \"Deploy-${{ github.ref }}\", cancel-in-progress: \"${{ github.ref == 'a' }}\"}\n"));
  const auto group = evaluate_concurrency(*workflow.jobs[0].concurrency, run_contexts(R"({"ref": "a"})"));
  ASSERT_TRUE(group);
  EXPECT_EQ((*group)->group, "deploy-a");
  EXPECT_TRUE((*group)->cancel_in_progress);
  EXPECT_TRUE(admit({"g", false}, std::nullopt, std::nullopt).starts);
  const Admission waits = admit({"g", false}, "1", "2");
  EXPECT_FALSE(waits.starts);
  EXPECT_FALSE(waits.cancels_running);
  EXPECT_EQ(waits.cancels_waiting, "2");
  EXPECT_TRUE(admit({"g", true}, "1", std::nullopt).cancels_running);
}

}  // namespace
}  // namespace kaapi::actions::workflow
