// What happens next in a run: decided in memory, event by event.

#include <gmock/gmock.h>

#include "actions/protocol/actor.h"
#include "actions/runs/board.h"
#include "actions/runs/board_support.h"

namespace kaapi::actions::runs {
namespace {

using testing::HasSubstr;

class BoardTest : public testing::Test {
 protected:
  // The state of a job for people: "queued", or once it is over "failure".
  std::string state(std::int64_t run, std::string_view name) {
    const Job& job = desk.job(run, name);
    return std::string(job.conclusion ? workflow::outcome_name(*job.conclusion) : status_name(job.status));
  }
  BoardHouse desk;
};

TEST_F(BoardTest, NeedsDecideWhatStartsAndOutputsAreHandedOn) {
  const std::int64_t run = desk.add(R"(
on: push
jobs:
  build:
    runs-on: a
    outputs: {tag: x}
    steps: [{run: make}]
  deploy:
    needs: build
    if: needs.build.outputs.tag == 'v1'
    runs-on: a
    steps: [{run: make}]
  never:
    needs: build
    if: needs.build.outputs.tag == 'v2'
    runs-on: a
    steps: [{run: make}]
)");
  EXPECT_EQ(state(run, "build"), "queued");
  EXPECT_EQ(desk.find(run).jobs.size(), 1U);
  desk.finish(run, "build", "success", {{"tag", "v1"}});
  EXPECT_EQ(state(run, "deploy"), "queued");
  EXPECT_EQ(state(run, "never"), "skipped");
  EXPECT_THAT(desk.job(run, "never").reason, HasSubstr("its if is not met"));
  desk.finish(run, "deploy");
  EXPECT_EQ(desk.find(run).conclusion, Outcome::success);
}

TEST_F(BoardTest, WhatARunnersReportEndsEndsItsRunToo) {
  const std::int64_t run = desk.add("on: push\njobs: {build: {runs-on: a, steps: [{run: make}]}}\n");
  ASSERT_TRUE(desk.acquire());
  EXPECT_TRUE(desk.board.cancel_run(run, "ada cancelled it", desk.now));
  desk.now += desk.settings.cancel_grace;
  desk.board.report({"r", {"a"}, {}}, desk.now);
  EXPECT_EQ(state(run, "build"), "cancelled");
  EXPECT_EQ(desk.find(run).conclusion, Outcome::cancelled);
}

TEST_F(BoardTest, AFailureSkipsWhatNeedsItAndTellsWhy) {
  const std::int64_t run = desk.add(R"(
on: push
jobs:
  build: {runs-on: a, steps: [{run: make}]}
  deploy: {needs: build, runs-on: a, steps: [{run: make}]}
  tell: {needs: build, if: failure(), runs-on: a, steps: [{run: make}]}
)");
  desk.finish(run, "build", "failure", {}, "the step \"make\" failed with exit code 2");
  EXPECT_EQ(state(run, "deploy"), "skipped");
  EXPECT_EQ(state(run, "tell"), "queued");
  desk.finish(run, "tell");
  EXPECT_EQ(desk.find(run).conclusion, Outcome::failure);
  EXPECT_EQ(desk.find(run).reason, "build: the step \"make\" failed with exit code 2");
}

TEST_F(BoardTest, AMatrixKeepsToMaxParallelAndFailsFast) {
  const std::int64_t run = desk.add(R"(
on: push
jobs:
  test:
    runs-on: a
    strategy: {max-parallel: 2, matrix: {v: [1, 2, 3, 4]}}
    steps: [{run: make}]
)");
  EXPECT_EQ(state(run, "test (2)"), "queued");
  EXPECT_EQ(state(run, "test (3)"), "pending");
  EXPECT_TRUE(desk.acquire());
  EXPECT_TRUE(desk.acquire());
  EXPECT_FALSE(desk.acquire());
  desk.finish(run, "test (1)");
  EXPECT_EQ(state(run, "test (3)"), "queued");
  desk.finish(run, "test (2)", "failure");
  EXPECT_EQ(state(run, "test (3)"), "cancelled");
  EXPECT_EQ(state(run, "test (4)"), "cancelled");
  EXPECT_EQ(desk.find(run).conclusion, Outcome::failure);
}

TEST_F(BoardTest, ContinueOnErrorForgives) {
  const std::int64_t run = desk.add(R"(
on: push
jobs:
  test:
    runs-on: a
    continue-on-error: ${{ matrix.v == 2 }}
    strategy: {matrix: {v: [1, 2]}}
    steps: [{run: make}]
)");
  desk.finish(run, "test (2)", "failure");
  EXPECT_EQ(state(run, "test (1)"), "in_progress");
  desk.finish(run, "test (1)");
  EXPECT_EQ(desk.find(run).conclusion, Outcome::success);
}

TEST_F(BoardTest, WhatCannotBeEvaluatedFailsTheJobAndNamesThePlace) {
  const std::int64_t run = desk.add(R"(
on: push
jobs:
  a: {runs-on: a, timeout-minutes: "${{ github.actor }}", steps: [{run: make}]}
  b: {runs-on: a, strategy: {matrix: "${{ fromJSON('[1') }}"}, steps: [{run: make}]}
)");
  EXPECT_THAT(desk.job(run, "a").reason, HasSubstr("jobs.a.timeout-minutes (line 4)"));
  EXPECT_THAT(desk.job(run, "b").reason, HasSubstr("jobs.b.strategy (line 5)"));
  EXPECT_EQ(desk.find(run).conclusion, Outcome::failure);
}

constexpr const char* called = R"(
on:
  workflow_call:
    inputs: {version: {type: string, required: true}}
    outputs: {url: {value: "${{ jobs.put.outputs.url }}"}}
jobs:
  put:
    runs-on: a
    if: inputs.version == '7'
    outputs: {url: x}
    steps: [{run: make}]
)";

TEST_F(BoardTest, ACalledWorkflowIsPartOfTheRun) {
  const std::int64_t run = desk.add(R"(
on: push
jobs:
  build: {runs-on: a, steps: [{run: make}]}
  deploy:
    needs: build
    uses: ./.github/workflows/called.yml
    with: {version: "${{ needs.build.outputs.n }}"}
  tell: {needs: deploy, if: "needs.deploy.outputs.url == 'here'", runs-on: a, steps: [{run: make}]}
)",
                                    {{"called.yml", called}});
  desk.finish(run, "build", "success", {{"n", "7"}});
  EXPECT_EQ(state(run, "deploy"), "in_progress");
  EXPECT_EQ(state(run, "deploy / put"), "queued");
  desk.finish(run, "deploy / put", "success", {{"url", "here"}});
  EXPECT_EQ(state(run, "deploy"), "success");
  EXPECT_EQ(state(run, "tell"), "queued");
}

TEST_F(BoardTest, AFailureInACalledWorkflowTellsWhere) {
  const std::int64_t run =
      desk.add("on: push\njobs:\n  go:\n    uses: ./.github/workflows/called.yml\n    with: {version: '7'}\n",
               {{"called.yml", called}});
  desk.finish(run, "go / put", "failure", {}, "no disk");
  EXPECT_EQ(desk.find(run).reason, "go: go / put: no disk");
}

constexpr const char* protected_job = R"(
on: push
jobs:
  deploy: {runs-on: a, environment: production, steps: [{run: make}]}
  after: {needs: deploy, runs-on: a, steps: [{run: make}]}
)";

TEST_F(BoardTest, AReviewerLetsAJobGoOn) {
  desk.facts.rules.reviewers = {"arn:bea"};
  const std::int64_t run = desk.add(protected_job);
  EXPECT_EQ(desk.find(run).status, Status::waiting);
  EXPECT_THAT(desk.job(run, "deploy").reason, HasSubstr("review of the environment production by arn:bea"));
  EXPECT_FALSE(desk.acquire());
  const auto other = desk.board.review(run, "", "arn:eve", {}, true, "", desk.now);
  EXPECT_EQ(other.error().code, errc::conflict);
  EXPECT_EQ(desk.board.review(run, "staging", "arn:bea", {"arn:bea"}, true, "", desk.now).error().code,
            errc::not_found);
  EXPECT_EQ(desk.board.review(run, "", "arn:bea", {"arn:bea"}, true, "go", desk.now).value(), 1U);
  EXPECT_EQ(state(run, "deploy"), "queued");
  EXPECT_EQ(desk.find(run).reviews.at(0).comment, "go");
}

TEST_F(BoardTest, ARefusalFailsTheJobWithItsReason) {
  desk.facts.rules.reviewers = {"arn:bea"};
  const std::int64_t run = desk.add(protected_job);
  EXPECT_TRUE(desk.board.review(run, "production", "arn:bea", {"arn:bea"}, false, "too late", desk.now));
  EXPECT_EQ(desk.job(run, "deploy").reason, "arn:bea refused the deployment to production: too late");
  EXPECT_EQ(state(run, "after"), "skipped");
  EXPECT_EQ(desk.find(run).conclusion, Outcome::failure);
}

TEST_F(BoardTest, WhoStartedARunMayNotApproveItWhenThatIsForbidden) {
  desk.facts.rules.reviewers = {"arn:ada"};
  desk.facts.rules.prevent_self_review = true;
  const std::int64_t run = desk.add(protected_job);
  EXPECT_EQ(desk.board.review(run, "", "arn:ada", {"arn:ada"}, true, "", desk.now).error().code, errc::conflict);
  EXPECT_EQ(state(run, "deploy"), "waiting");
}

TEST_F(BoardTest, AnotherSessionOfTheRoleThatStartedARunIsTheSamePerson) {
  const std::string role = "arn:aws:iam::123456789012:role/developer";
  const std::string first = "arn:aws:sts::123456789012:assumed-role/developer/one";
  const std::string second = "arn:aws:sts::123456789012:assumed-role/developer/two";
  EXPECT_EQ(principal_of(first), role);
  EXPECT_EQ(principal_of(role), role);
  desk.facts.rules.reviewers = {role};
  desk.facts.rules.prevent_self_review = true;
  const std::int64_t run = desk.add(protected_job);
  desk.find(run).triggering_arn = first;
  const auto answer = desk.board.review(run, "", second, {second, role}, true, "", desk.now);
  EXPECT_EQ(answer.error().code, errc::conflict);
  EXPECT_THAT(answer.error().message, HasSubstr(role));
  EXPECT_EQ(state(run, "deploy"), "waiting");
}

TEST_F(BoardTest, AWaitTimerEndsByItself) {
  desk.facts.rules.wait = std::chrono::minutes(10);
  const std::int64_t run = desk.add(protected_job);
  EXPECT_EQ(state(run, "deploy"), "waiting");
  EXPECT_EQ(desk.board.next_due(), desk.now + std::chrono::minutes(10));
  desk.pass(std::chrono::minutes(9));
  EXPECT_EQ(state(run, "deploy"), "waiting");
  desk.pass(std::chrono::minutes(1));
  EXPECT_EQ(state(run, "deploy"), "queued");
}

TEST_F(BoardTest, ARefThatMayNotDeployGetsNothing) {
  desk.facts.refused = "the branch main may not deploy to production";
  const std::int64_t run = desk.add(protected_job);
  EXPECT_EQ(desk.job(run, "deploy").reason, desk.facts.refused);
  EXPECT_EQ(desk.find(run).conclusion, Outcome::failure);
}

std::string in_group(const std::string& more = "") {
  return "on: push\nconcurrency: {group: deploy" + more + "}\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n";
}

TEST_F(BoardTest, OfAGroupOneRunsAndTheNewestWaits) {
  const std::int64_t first = desk.add(in_group()), second = desk.add(in_group());
  EXPECT_TRUE(desk.acquire());
  EXPECT_EQ(desk.find(second).status, Status::pending);
  EXPECT_THAT(desk.find(second).reason, HasSubstr("concurrency group \"deploy\""));
  const std::int64_t third = desk.add(in_group());
  EXPECT_EQ(desk.find(second).conclusion, Outcome::cancelled);
  EXPECT_THAT(desk.find(second).reason, HasSubstr("has taken its place"));
  EXPECT_FALSE(desk.acquire());
  desk.finish(first, "a");
  EXPECT_EQ(state(third, "a"), "queued");
}

TEST_F(BoardTest, CancelInProgressEndsTheOneThatRunsFirst) {
  const std::int64_t first = desk.add(in_group());
  EXPECT_TRUE(desk.acquire());
  const std::int64_t second = desk.add(in_group(", cancel-in-progress: true"));
  EXPECT_TRUE(desk.job(first, "a").cancel_requested);
  EXPECT_EQ(desk.find(second).status, Status::pending);
  desk.finish(first, "a", "cancelled");
  EXPECT_EQ(desk.find(first).conclusion, Outcome::cancelled);
  EXPECT_EQ(state(second, "a"), "queued");
}

TEST_F(BoardTest, AJobInTheGroupOfItsOwnRunDoesNotWaitForIt) {
  const std::int64_t run =
      desk.add("on: push\nconcurrency: g\njobs:\n  a: {concurrency: g, runs-on: a, steps: [{run: make}]}\n");
  EXPECT_EQ(state(run, "a"), "queued");
}

TEST_F(BoardTest, ACancelEndsWhatHasNotStartedAndKeepsWhatAlwaysRuns) {
  const std::int64_t run = desk.add(R"(
on: push
jobs:
  a: {runs-on: a, steps: [{run: make}]}
  b: {runs-on: b, steps: [{run: make}]}
  c: {needs: a, runs-on: a, steps: [{run: make}]}
  d: {needs: a, if: always(), runs-on: a, steps: [{run: make}]}
)");
  EXPECT_TRUE(desk.acquire());
  EXPECT_TRUE(desk.board.cancel_run(run, "ada cancelled it", desk.now));
  EXPECT_EQ(state(run, "a"), "in_progress");
  EXPECT_TRUE(desk.job(run, "a").cancel_requested);
  EXPECT_EQ(state(run, "b"), "cancelled");
  desk.finish(run, "a", "cancelled");
  EXPECT_EQ(state(run, "c"), "cancelled");
  EXPECT_EQ(state(run, "d"), "queued");
  desk.finish(run, "d");
  EXPECT_EQ(desk.find(run).conclusion, Outcome::cancelled);
  EXPECT_EQ(desk.find(run).reason, "ada cancelled it");
}

TEST_F(BoardTest, ARunnerThatDoesNotObeyIsNotWaitedForForever) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n");
  const std::int64_t job = desk.acquire().value();
  desk.board.heard(job, 1, desk.now);
  desk.board.cancel_run(run, "enough", desk.now);
  desk.pass(desk.settings.cancel_grace);
  EXPECT_EQ(desk.find(run).conclusion, Outcome::cancelled);
}

TEST_F(BoardTest, ALostJobIsStartedAgainOnce) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n");
  const std::int64_t first = desk.acquire().value();
  desk.board.heard(first, 0, desk.now);
  desk.pass(desk.settings.lost_after);
  EXPECT_TRUE(desk.find(run).job(first)->superseded);
  EXPECT_THAT(desk.find(run).job(first)->reason, HasSubstr("lost: its runner r was not heard of for 60 s"));
  const std::int64_t second = desk.acquire().value();
  EXPECT_NE(first, second);
  EXPECT_EQ(desk.job(run, "a").attempt, 2);
  desk.board.heard(second, 0, desk.now);
  desk.pass(desk.settings.lost_after);
  EXPECT_EQ(desk.find(run).conclusion, Outcome::failure);
}

TEST_F(BoardTest, AJobWhoseRunnerNeverBeganGoesBackToTheQueue) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n");
  const std::int64_t job = desk.acquire().value();
  desk.pass(std::chrono::seconds(1));
  desk.board.report({"r", {"a"}, {}}, desk.now);
  EXPECT_EQ(state(run, "a"), "in_progress") << "requests may cross";
  desk.pass(desk.settings.unknown_after);  // without another word of the runner
  EXPECT_EQ(state(run, "a"), "queued");
  EXPECT_EQ(desk.acquire(), job);
}

// The last request of a job whose runner was killed may be held when the new runner comes.
TEST_F(BoardTest, ARequestThatIsHeldDoesNotKeepAJobThatItsRunnerDoesNotKnow) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n");
  const std::int64_t job = desk.acquire().value();
  desk.board.heard(job, 1, desk.now);
  EXPECT_TRUE(desk.board.report({"r", {"a"}, {}}, desk.now)) << "who is held shall ask again";
  EXPECT_FALSE(desk.board.report({"r", {"a"}, {}}, desk.now)) << "told once";
  desk.board.heard(job, -1, desk.now);  // it was answered
  desk.pass(desk.settings.unknown_after);
  EXPECT_THAT(desk.find(run).job(job)->reason, HasSubstr("its runner r does not run it any more"));
}

TEST_F(BoardTest, AJobThatAsksAgainIsKeptWhateverItsRunnerKnows) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n");
  const std::int64_t job = desk.acquire().value();
  desk.board.heard(job, 1, desk.now);
  EXPECT_TRUE(desk.board.report({"r", {"a"}, {}}, desk.now));
  desk.board.heard(job, -1, desk.now);
  desk.board.heard(job, 1, desk.now);
  desk.pass(desk.settings.unknown_after);
  EXPECT_EQ(state(run, "a"), "in_progress");
}

TEST_F(BoardTest, ARunnerThatIsNamedAlikeSaysNothingOfAnothersJobs) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n");
  const Board::Place place = desk.board.acquire({"r", {"a"}, {}, "1"}, desk.now);
  ASSERT_NE(place.job, nullptr);
  desk.board.heard(place.job->id, 0, desk.now);
  EXPECT_FALSE(desk.board.report({"r", {"a"}, {}, "2"}, desk.now));
  desk.pass(desk.settings.unknown_after);
  EXPECT_EQ(state(run, "a"), "in_progress");
  EXPECT_TRUE(desk.board.report({"r", {"a"}, {}, "1"}, desk.now));
}

TEST_F(BoardTest, AJobThatNobodyBeginsGoesToAnotherRunnerSoon) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n");
  ASSERT_TRUE(desk.acquire());
  desk.pass(desk.settings.unbegun_after);
  EXPECT_EQ(state(run, "a"), "queued");
}

TEST_F(BoardTest, AJobThatNoRunnerEverBeginsFailsAtLast) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: make}]}\n");
  for (std::int64_t time = 0; time <= max_returns; ++time) {
    ASSERT_EQ(state(run, "a"), "queued") << time;
    ASSERT_TRUE(desk.acquire());
    desk.pass(std::chrono::seconds(1));
    desk.board.report({"r", {"a"}, {}}, desk.now);
    desk.pass(desk.settings.unknown_after);
  }
  EXPECT_EQ(desk.find(run).conclusion, Outcome::failure);
  EXPECT_THAT(desk.job(run, "a").reason, HasSubstr("no runner began it, 6 times"));
}

TEST_F(BoardTest, ARunnerThatIsThereKeepsItsJobUntilTheTimeout) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: a, timeout-minutes: 5, steps: [{run: make}]}\n");
  const std::int64_t job = desk.acquire().value();
  desk.board.heard(job, 1, desk.now);
  desk.pass(std::chrono::minutes(5));
  EXPECT_EQ(state(run, "a"), "in_progress");
  desk.pass(desk.settings.timeout_grace);
  EXPECT_EQ(state(run, "a"), "cancelled");
  EXPECT_THAT(desk.job(run, "a").reason, HasSubstr("longer than 5 minutes"));
}

TEST_F(BoardTest, WhatNoRunnerTakesFailsAtLast) {
  const std::int64_t run = desk.add("on: push\njobs:\n  a: {runs-on: gpu, steps: [{run: make}]}\n");
  EXPECT_FALSE(desk.acquire());
  desk.pass(desk.settings.queue_limit);
  EXPECT_EQ(desk.job(run, "a").reason, "no runner with the labels gpu took it within 24 hours");
}

TEST_F(BoardTest, WhatNobodyReviewsFailsAtLast) {
  desk.facts.rules.reviewers = {"arn:bea"};
  const std::int64_t run =
      desk.add("on: push\njobs:\n  a: {runs-on: x, environment: production, steps: [{run: make}]}\n");
  EXPECT_EQ(desk.board.next_due(), desk.now + desk.settings.review_limit);
  desk.pass(desk.settings.review_limit);
  EXPECT_EQ(desk.job(run, "a").reason, "nobody reviewed the environment production within 30 days");
}

TEST_F(BoardTest, WhatNobodyReviewsFailsAtLastAlsoBehindATimer) {
  desk.facts.rules.reviewers = {"arn:bea"};
  desk.facts.rules.wait = std::chrono::minutes(10);
  const std::int64_t run =
      desk.add("on: push\njobs:\n  a: {runs-on: x, environment: production, steps: [{run: make}]}\n");
  desk.pass(std::chrono::hours(1));
  EXPECT_GT(desk.board.next_due(), desk.now) << "a time that is past would be asked for again and again";
  desk.pass(desk.settings.review_limit);
  EXPECT_THAT(desk.job(run, "a").reason, HasSubstr("nobody reviewed the environment production"));
}

TEST_F(BoardTest, RulesThatComeWhileAJobIsQueuedHoldForIt) {
  const std::int64_t run = desk.add(protected_job);
  EXPECT_EQ(state(run, "deploy"), "queued");
  desk.facts.rules.reviewers = {"arn:bea"};
  EXPECT_FALSE(desk.acquire()) << "its secrets are the environment's";
  EXPECT_EQ(state(run, "deploy"), "waiting");
  ASSERT_TRUE(desk.board.review(run, "", "arn:bea", {"arn:bea"}, true, "", desk.now));
  desk.facts.refused = "the branch main may not deploy to production";
  EXPECT_FALSE(desk.acquire());
  EXPECT_EQ(desk.job(run, "deploy").reason, desk.facts.refused);
}

TEST_F(BoardTest, ReviewersAreThoseOfNow) {
  desk.facts.rules.reviewers = {"arn:bea"};
  const std::int64_t run = desk.add(protected_job);
  desk.facts.rules.reviewers = {"arn:aws:iam::123456789012:role/team/approvers"};
  EXPECT_EQ(desk.board.review(run, "", "arn:bea", {"arn:bea"}, true, "", desk.now).error().code, errc::conflict);
  const std::string session = "arn:aws:sts::123456789012:assumed-role/approvers/carl";
  EXPECT_TRUE(desk.board.review(run, "", session, {session}, true, "", desk.now));
  EXPECT_EQ(state(run, "deploy"), "queued");
}

TEST_F(BoardTest, AJobThatWaitsForRulesOfAnEnvironmentThatGoesFails) {
  desk.facts.rules.reviewers = {"arn:bea"};
  const std::int64_t run = desk.add(protected_job);
  desk.facts.rules = Protection();
  desk.facts.rules.exists = false;
  EXPECT_FALSE(desk.board.review(run, "", "arn:bea", {"arn:bea"}, true, "", desk.now));
  EXPECT_THAT(desk.job(run, "deploy").reason, HasSubstr("was deleted"));
}

TEST_F(BoardTest, FailedJobsRunAgainWithWhatNeedsThem) {
  const std::int64_t id = desk.add(R"(
on: push
jobs:
  build: {runs-on: a, steps: [{run: make}]}
  test:
    needs: build
    runs-on: a
    strategy: {fail-fast: false, matrix: {v: [1, 2]}}
    steps: [{run: make}]
  tell: {needs: test, if: always(), runs-on: a, steps: [{run: make}]}
)");
  desk.finish(id, "build", "success", {{"x", "1"}});
  desk.finish(id, "test (1)");
  desk.finish(id, "test (2)", "failure");
  desk.finish(id, "tell");
  ASSERT_TRUE(desk.find(id).over());
  const Board::Active old = *desk.board.find(id);
  desk.board.forget(id);
  desk.board.rerun(old.run, old.files, true, "bea", "arn:bea", desk.now);
  EXPECT_EQ(state(id, "build"), "success");
  EXPECT_EQ(state(id, "test (1)"), "success");
  EXPECT_EQ(state(id, "test (2)"), "queued");
  EXPECT_EQ(desk.find(id).github.at("run_attempt"), "2");
  desk.finish(id, "test (2)");
  EXPECT_EQ(state(id, "tell"), "queued");
  desk.finish(id, "tell");
  EXPECT_EQ(desk.find(id).conclusion, Outcome::success);
}

TEST_F(BoardTest, ACallThatFailedGoesOnWhereItFailed) {
  const char* two = R"(
on: workflow_call
jobs:
  good: {runs-on: a, steps: [{run: make}]}
  bad: {runs-on: a, steps: [{run: make}]}
)";
  const std::int64_t id = desk.add("on: push\njobs:\n  go: {uses: ./.github/workflows/two.yml}\n", {{"two.yml", two}});
  desk.finish(id, "go / good");
  desk.finish(id, "go / bad", "failure");
  const Board::Active old = *desk.board.find(id);
  desk.board.forget(id);
  desk.board.rerun(old.run, old.files, true, "ada", "arn:ada", desk.now);
  EXPECT_EQ(state(id, "go / good"), "success");
  EXPECT_EQ(state(id, "go / bad"), "queued");
  desk.finish(id, "go / bad");
  EXPECT_EQ(desk.find(id).conclusion, Outcome::success);
}

TEST_F(BoardTest, TheQueueIsBounded) {
  desk.settings.max_active_runs = 2;
  desk.reset();
  EXPECT_EQ(desk.board.full(), std::nullopt);
  desk.add(in_group());
  desk.add(in_group());
  EXPECT_THAT(desk.board.full().value(), HasSubstr("2 runs are not over yet"));
}

TEST_F(BoardTest, NoMoreJobsRunThanTheSettingSays) {
  desk.settings.max_running_jobs = 1;
  desk.reset();
  const std::int64_t run =
      desk.add("on: push\njobs:\n  a: {runs-on: a, steps: [{run: x}]}\n  b: {runs-on: a, steps: [{run: x}]}\n");
  EXPECT_TRUE(desk.acquire());
  EXPECT_FALSE(desk.acquire());
  desk.finish(run, "a");
  EXPECT_TRUE(desk.acquire());
}

TEST_F(BoardTest, WhatIsKeptIsWhatWas) {
  desk.facts.rules.reviewers = {"arn:bea"};
  const std::int64_t run = desk.add(protected_job);
  desk.board.review(run, "", "arn:bea", {"arn:bea"}, true, "go", desk.now);
  const std::int64_t id = desk.acquire().value();
  desk.board.heard(id, 0, desk.now);
  desk.finish(run, "deploy", "failure", {{"a", "b"}}, "why");
  for (const Job& job : desk.find(run).jobs) {
    EXPECT_EQ(to_json(job_from(to_json(job)).value()), to_json(job));
  }
  EXPECT_EQ(to_json(run_from(to_json(desk.find(run))).value()), to_json(desk.find(run)));
}

}  // namespace
}  // namespace kaapi::actions::runs
