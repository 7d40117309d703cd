// From events to runs, and what lives on over a restart.

#include "actions/runs/conductor.h"

#include <gmock/gmock.h>

#include "actions/protocol/actor.h"
#include "actions/runs/github_context.h"
#include "actions/runs/test_support.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

using testing::Contains;
using testing::HasSubstr;

std::string job_of(std::string_view on, std::string_view more = "") {
  return fmt::format("name: CD\non: {}\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps: [{{run: make}}]\n{}",
                     on, more);
}

class ConductorTest : public testing::Test {
 protected:
  void SetUp() override { house.open(); }
  Conductor& conductor() { return *house.conductor; }
  auto runs() { return conductor().list({"kaapi/demo", "", "", "", INT64_MAX, 50}).value(); }

  House house;
};

TEST_F(ConductorTest, APushTellsWhatStartsAndWhatDoesNotAndWhy) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("{push: {branches: [main]}}")},
                                               {"b.yml",
                                                "name: Release\non: {push: {tags: ['v*']}}\njobs: {a: {runs-on: "
                                                "a, steps: [{run: x}]}}"},
                                               {"c.yml", "on: push\njobs:\n  a:\n    runs-onn: x\n"}});
  const PushReport report = house.push(sha);
  ASSERT_EQ(report.runs.size(), 1U);
  EXPECT_THAT(report.lines, Contains(HasSubstr(".github/workflows/c.yml:4:5: ")));
  EXPECT_THAT(report.lines, Contains(HasSubstr("Release was not started: it was a branch")));
  EXPECT_EQ(house.run(1).title, "Change something");
}

TEST_F(ConductorTest, PathsAreLookedAt) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("{push: {paths: ['src/**']}}")}});
  house.source.commits[sha].changed = {"README.md"};
  EXPECT_TRUE(house.push(sha).runs.empty());
  house.source.commits[sha].changed = {"src/main.cpp"};
  EXPECT_EQ(house.push(sha).runs.size(), 1U);
}

TEST_F(ConductorTest, TheEventHasTheCommitsThatThePushBrought) {
  house.source.add(1, {});
  const std::string sha = house.source.add(2, {{"a.yml", job_of("push")}});
  house.source.commits[commit_id(1)].message = "First";
  const auto messages = [&] {
    house.push(sha);
    const json::value event = house.acquire().value().event;
    EXPECT_EQ(event.at("head_commit").at("id"), json::value(sha));
    std::vector<std::string> texts;
    for (const json::value& commit : event.at("commits").as_array()) {
      texts.emplace_back(commit.at("message").as_string());
    }
    return texts;
  };
  using Texts = std::vector<std::string>;
  house.source.commits[sha].brings = {commit_id(1)};
  EXPECT_EQ(messages(), (Texts{"First", "Change something"}));
  house.source.commits[sha].brings = std::nullopt;
  EXPECT_EQ(messages(), Texts{"Change something"}) << "the head, where git cannot tell";
}

TEST_F(ConductorTest, EventsThatNeverHappenHereAreNamed) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("{push: , pull_request: , issues: }")}});
  const PushReport report = house.push(sha);
  EXPECT_EQ(report.runs.size(), 1U);
  EXPECT_THAT(report.lines, Contains(HasSubstr(".github/workflows/a.yml: pull_request, issues never happens here")));
}

TEST_F(ConductorTest, AnEnvironmentThatDoesNotExistIsWarnedOf) {
  const std::string text =
      "on: push\njobs:\n  a: {runs-on: a, environment: AWS_ENV_VRAS, steps: [{run: make}]}\n"
      "  b: {runs-on: a, environment: AWS_ENV_VARS, steps: [{run: make}]}\n";
  house.settings.environment_vars["AWS_ENV_VARS"] = {{"A", "1"}};
  const PushReport report = house.push(house.source.add(1, {{"a.yml", text}}));
  EXPECT_THAT(report.lines, Contains(HasSubstr("there is no environment AWS_ENV_VRAS")));
  EXPECT_THAT(report.lines, Not(Contains(HasSubstr("AWS_ENV_VARS"))));
  const std::optional<JobMessage> job = house.acquire({"a"});
  ASSERT_TRUE(job);
  ASSERT_EQ(job->warnings.size(), 1U);
  EXPECT_THAT(job->warnings[0], HasSubstr("kaapi env create AWS_ENV_VRAS --repo kaapi/demo"));
}

TEST_F(ConductorTest, IdsAreThoseOfTheRepositoryAndNotOfItsName) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("push")}});
  const auto pushed = [&](const std::string& id) {
    const RefUpdate update{"refs/heads/main", commit_id(0), sha, false};
    conductor().pushed({"kaapi/demo", "ada", House::ada().arn, {update}, false, id});
    return house.acquire().value();
  };
  const JobMessage job = pushed("AIDAADA");
  const json::value& github = job.contexts.at("github");
  EXPECT_EQ(github.at("repository_id"), json::value("74"));
  EXPECT_EQ(github.at("repository_owner_id"), json::value("65"));
  EXPECT_EQ(github.at("actor_id"), json::value("AIDAADA"));
  EXPECT_EQ(job.event.at("repository").at("id"), json::value(74));
  EXPECT_EQ(job.event.at("repository").at("owner").at("id"), json::value(65));
  const JobFacts facts = conductor().job_access(job.token)->facts;
  EXPECT_EQ(facts.repository_id, "74");
  EXPECT_EQ(facts.repository_owner_id, "65");
  EXPECT_EQ(facts.actor_id, "AIDAADA");
  // Deleted and made again.
  house.source.repository_ids.repository = 75;
  const JobMessage next = pushed("");
  EXPECT_EQ(conductor().job_access(next.token)->facts.repository_id, "75");
  EXPECT_EQ(next.contexts.at("github").at("actor_id"), json::value(actor_id("", House::ada().arn)));
}

TEST_F(ConductorTest, WhatAJobPushesStartsNothing) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("push")}});
  const RefUpdate update{"refs/heads/main", commit_id(0), sha, false};
  EXPECT_THAT(conductor().pushed({"kaapi/demo", "job 1", "", {update}, true}).lines,
              Contains(HasSubstr("main: nothing was started, as a job pushed it")));
  EXPECT_TRUE(runs().empty());
}

TEST_F(ConductorTest, SkipCiStartsNothingAndADeletionNeitherDoes) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("push")}});
  house.source.commits[sha].message = "Fix a typo [skip ci]";
  EXPECT_THAT(house.push(sha).lines, Contains(HasSubstr("nothing was started, as the message of 0000000 asks")));
  EXPECT_TRUE(
      conductor().pushed({"kaapi/demo", "ada", "", {{"refs/heads/x", sha, commit_id(0), false}}}).lines.empty());
  EXPECT_TRUE(asks_to_skip("a\n\nb\n\nskip-checks: true"));
  EXPECT_FALSE(asks_to_skip("skip-checks: true"));
  EXPECT_TRUE(runs().empty());
}

TEST_F(ConductorTest, AFileIsParsedOnceForACommit) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("push")}});
  house.push(sha);
  house.push(sha, "refs/tags/v1");
  EXPECT_EQ(house.source.reads, 1);
}

TEST_F(ConductorTest, StartedByHandWithTypedInputs) {
  house.source.add(1, {{"a.yml",
                        "run-name: Put ${{ inputs.n }}\non: {workflow_dispatch: {inputs: {n: {type: number, "
                        "required: true}}}}\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: x}]}}"}});
  StartRequest request{"kaapi/demo", "a.yml", "", {{"n", "x"}}, House::ada()};
  EXPECT_THAT(conductor().start_run(request).error().message, HasSubstr("expected a number"));
  request.inputs = {{"n", "3"}};
  ASSERT_TRUE(conductor().start_run(request));
  EXPECT_EQ(house.run(1).title, "Put 3");
  const JobMessage job = house.acquire().value();
  EXPECT_EQ(job.contexts.at("inputs").at("n").to_number<int>(), 3);
  EXPECT_EQ(job.event.at("inputs").at("n"), json::value("3"));
  request.workflow = "b.yml";
  EXPECT_EQ(conductor().start_run(request).error().code, errc::not_found);
  request.ref = "nowhere";
  EXPECT_EQ(conductor().start_run(request).error().code, errc::not_found);
}

TEST_F(ConductorTest, ARepositoryDispatchStartsWhatListensToIt) {
  house.source.add(1, {{"a.yml", job_of("{repository_dispatch: {types: [go]}}")}});
  const auto report = conductor().dispatch_event("kaapi/demo", "go", json::object{{"v", 1}}, House::ada());
  ASSERT_EQ(report->runs.size(), 1U);
  EXPECT_EQ(house.acquire()->event.at("client_payload").at("v").to_number<int>(), 1);
  EXPECT_THAT(conductor().dispatch_event("kaapi/demo", "stay", {}, House::ada())->lines,
              Contains(HasSubstr("no workflow of main listens")));
}

TEST_F(ConductorTest, AWorkflowRunFollowsARun) {
  const std::string sha = house.source.add(
      1, {{"a.yml", job_of("push")},
          {"b.yml",
           "name: After\non: {workflow_run: {workflows: [CD], types: [completed]}}\njobs: {a: {runs-on: "
           "ubuntu-latest, steps: [{run: x}]}}"}});
  house.push(sha);
  conductor().run_due();
  EXPECT_EQ(runs().size(), 1U);
  house.complete(house.acquire().value(), "failure");
  // The platform dies before it has come to it.
  house.open();
  conductor().run_due();
  ASSERT_EQ(runs().size(), 2U);
  EXPECT_EQ(house.acquire()->event.at("workflow_run").at("conclusion"), json::value("failure"));
  house.open();
  conductor().run_due();
  EXPECT_EQ(runs().size(), 2U);
}

TEST_F(ConductorTest, ForgetsARepositoryOnceNothingOfItRuns) {
  house.push(
      house.source.add(1, {{"a.yml", job_of("[push]")}, {"b.yml", job_of("{schedule: [{cron: '0 * * * *'}]}")}}));
  const Result<void> busy = conductor().forget_repository("kaapi/demo");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().code, errc::conflict);
  EXPECT_THAT(busy.error().message, HasSubstr("run 1 of kaapi/demo is not over"));
  EXPECT_TRUE(house.complete(house.acquire().value()));
  ASSERT_TRUE(conductor().forget_repository("kaapi/demo"));
  EXPECT_TRUE(runs().empty());
  house.clock.advance(std::chrono::hours(2));
  conductor().run_due();
  EXPECT_TRUE(runs().empty()) << "its schedule is gone as well";
}

TEST_F(ConductorTest, ASchedulesTimeComesAlsoAfterARestart) {
  house.push(house.source.add(1, {{"a.yml", job_of("{schedule: [{cron: '0 * * * *'}]}")}}));
  conductor().run_due();
  EXPECT_TRUE(runs().empty());
  house.open();
  house.clock.advance(std::chrono::hours(1));
  conductor().run_due();
  conductor().run_due();
  ASSERT_EQ(runs().size(), 1U);
  EXPECT_EQ(runs()[0].event_name, "schedule");
  house.clock.advance(std::chrono::hours(1));
  conductor().run_due();
  EXPECT_EQ(runs().size(), 2U);
  // A commit without the schedule ends it.
  house.push(house.source.add(2, {{"a.yml", job_of("workflow_dispatch")}}));
  house.clock.advance(std::chrono::hours(2));
  conductor().run_due();
  EXPECT_EQ(runs().size(), 2U);
}

TEST_F(ConductorTest, EverythingGoesOnAfterARestart) {
  house.settings.protections["production"].reviewers = {House::ada().arn};
  house.push(house.source.add(1, {{"a.yml", job_of("push",
                                                   "  deploy:\n    environment: production\n    needs: build\n"
                                                   "    runs-on: ubuntu-latest\n    steps: [{run: make}]\n")}}));
  const JobMessage build = house.acquire().value();
  house.ask("POST", fmt::format("jobs/{}/log?offset=0", build.job_id), build.token, "half");
  house.open();
  EXPECT_TRUE(house.conductor->job_access(build.token)) << "its runner goes on";
  EXPECT_EQ(house.conductor->logs().read(1, build.job_id, 0, 10).value(), "half");
  EXPECT_TRUE(house.complete(build));
  EXPECT_EQ(house.run(1).status, Status::waiting);
  house.open();
  EXPECT_TRUE(house.complete(build)) << "the answer was lost with the platform";
  EXPECT_EQ(conductor().review("kaapi/demo", 1, "", true, "", House::ada()).value(), 1U);
  house.open();
  EXPECT_TRUE(house.complete(house.acquire().value()));
  EXPECT_EQ(house.run(1).conclusion, Outcome::success);
  house.push(commit_id(1));
  EXPECT_EQ(house.run(2).number, 2);
  EXPECT_GT(house.run(2).jobs.front().id, 2);
}

TEST_F(ConductorTest, AJobThatNobodyReportsAfterARestartIsLostAndStartedAgain) {
  house.push(house.source.add(1, {{"a.yml", job_of("push")}}));
  const JobMessage first = house.acquire().value();
  EXPECT_EQ(house.ask("POST", fmt::format("jobs/{}/log?offset=0", first.job_id), first.token, "x").status, 204);
  house.open();
  house.clock.advance(runner_lost_after);
  conductor().run_due();
  EXPECT_EQ(house.ask("GET", fmt::format("jobs/{}/commands", first.job_id), first.token).status, 410);
  EXPECT_FALSE(house.complete(first));
  const JobMessage second = house.acquire({"ubuntu-latest"}, "r2").value();
  EXPECT_NE(first.job_id, second.job_id);
  EXPECT_TRUE(house.complete(second));
  EXPECT_EQ(house.run(1).conclusion, Outcome::success);
}

TEST_F(ConductorTest, SecretsOfAnEnvironmentGoToItsJobsAlone) {
  house.settings.repository_secrets = {{"COMMON", "c"}};
  house.settings.secrets_by_environment["staging"] = {{"OWN", "o"}};
  house.push(house.source.add(1, {{"a.yml", job_of("push",
                                                   "  put:\n    environment: staging\n    runs-on: ubuntu-latest\n"
                                                   "    steps: [{run: make}]\n")}}));
  const JobMessage build = house.acquire().value(), put = house.acquire().value();
  const auto has = [](const JobMessage& job, const char* name) {
    return job.contexts.at("secrets").as_object().contains(name);
  };
  EXPECT_TRUE(has(build, "COMMON"));
  EXPECT_FALSE(has(build, "OWN"));
  EXPECT_TRUE(has(put, "OWN"));
}

// Also where it has the same value as the repository's, or its caller hands on another one of that name.
TEST_F(ConductorTest, ACalledJobsEnvironmentHasTheLastWordOnItsSecrets) {
  house.settings.repository_secrets = {{"SAME", "s"}};
  house.settings.secrets_by_environment["staging"] = {{"SAME", "s"}, {"X", "of the environment"}};
  const std::string called =
      "on: {workflow_call: {secrets: {X: {required: true}}}}\njobs:\n  a:\n    environment: staging\n    runs-on: "
      "ubuntu-latest\n    steps: [{run: x}]\n";
  const std::string caller =
      "on: push\njobs:\n  go:\n    uses: ./.github/workflows/b.yml\n    secrets: {X: of the caller}\n";
  house.push(house.source.add(1, {{"a.yml", caller}, {"b.yml", called}}));
  const JobMessage job = house.acquire().value();
  const json::object& secrets = job.contexts.at("secrets").as_object();
  EXPECT_EQ(secrets.at("X"), "of the environment");
  EXPECT_EQ(secrets.at("SAME"), "s");
}

TEST_F(ConductorTest, ACalledWorkflowHasTheSecretsAndRightsThatItIsHanded) {
  house.settings.repository_secrets = {{"A", "1"}, {"B", "2"}};
  const std::string called =
      "on: {workflow_call: {secrets: {X: {required: true}}}}\npermissions: {id-token: write, contents: write}\njobs: "
      "{a: "
      "{runs-on: ubuntu-latest, steps: [{run: x}]}}";
  const std::string caller =
      "on: push\npermissions: {contents: write}\njobs:\n  go:\n    uses: ./.github/workflows/b.yml\n    secrets: {X: "
      "'${{ "
      "secrets.A }}'}\n";
  house.push(house.source.add(1, {{"a.yml", caller}, {"b.yml", called}}));
  const JobMessage job = house.acquire().value();
  EXPECT_EQ(job.name, "go / a");
  EXPECT_EQ(job.workflow_path, ".github/workflows/b.yml");
  EXPECT_EQ(job.contexts.at("secrets").at("X"), json::value("1"));
  EXPECT_FALSE(job.contexts.at("secrets").as_object().contains("B"));
  EXPECT_TRUE(job.may_write_code);
  EXPECT_FALSE(job.may_ask_token) << "a called workflow can only narrow";
  EXPECT_EQ(conductor().job_access(job.token)->facts.job_workflow_path, ".github/workflows/b.yml");
}

TEST_F(ConductorTest, ARunRunsAgainAndCanBeDeleted) {
  house.push(house.source.add(1, {{"a.yml", job_of("push")}}));
  EXPECT_EQ(conductor().rerun("kaapi/demo", 1, false, House::ada()).error().code, errc::conflict);
  const JobMessage first = house.acquire().value();
  EXPECT_TRUE(house.complete(first, "failure"));
  EXPECT_EQ(conductor().rerun("kaapi/other", 1, false, House::ada()).error().code, errc::not_found);
  ASSERT_TRUE(conductor().rerun("kaapi/demo", 1, true, House::ada()));
  const JobMessage second = house.acquire().value();
  EXPECT_EQ(second.attempt, 2);
  EXPECT_EQ(second.contexts.at("github").at("run_attempt"), json::value("2"));
  EXPECT_TRUE(house.complete(second));
  EXPECT_EQ(house.run(1).conclusion, Outcome::success);
  EXPECT_EQ(house.run(1).jobs.size(), 2U);
  EXPECT_EQ(conductor().rerun("kaapi/demo", 1, true, House::ada()).error().code, errc::conflict);
  EXPECT_TRUE(conductor().remove("kaapi/demo", 1));
  EXPECT_THAT(house.storage.forgotten, Contains(1));
  EXPECT_EQ(conductor().describe("kaapi/demo", 1).error().code, errc::not_found);
}

TEST_F(ConductorTest, OldRunsGo) {
  house.push(house.source.add(1, {{"a.yml", job_of("push")}}));
  EXPECT_TRUE(house.complete(house.acquire().value()));
  house.clock.advance(std::chrono::days(89));
  conductor().run_due();
  EXPECT_EQ(runs().size(), 1U);
  house.clock.advance(std::chrono::days(2));
  conductor().run_due();
  EXPECT_TRUE(runs().empty());
}

TEST_F(ConductorTest, AListIsFilteredAndPaged) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("push")}});
  for (int i = 0; i < 3; ++i) house.push(sha);
  house.push(sha, "refs/tags/v1");
  const auto found = [&](RunFilter filter) {
    filter.repository = "kaapi/demo";
    return conductor().list(filter)->size();
  };
  EXPECT_EQ(found({"", "a.yml", "", "", INT64_MAX, 50}), 4U);
  EXPECT_EQ(found({"", "CD", "v1", "queued", INT64_MAX, 50}), 1U);
  EXPECT_EQ(found({"", "", "", "completed", INT64_MAX, 50}), 0U);
  EXPECT_EQ(found({"", "", "", "", 3, 50}), 2U);
  EXPECT_EQ(found({"", "", "", "", INT64_MAX, 1}), 1U);
}

TEST(JobLogs, BytesThatAreNoTextAreReplaced) {
  EXPECT_EQ(as_utf8("a\xC3\xA9z"), "a\xC3\xA9z");
  EXPECT_EQ(as_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(as_utf8("\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(as_utf8("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

}  // namespace
}  // namespace kaapi::actions::runs
