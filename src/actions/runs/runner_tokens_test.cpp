// What each token of a job and of a runner opens, and what it does not.

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <thread>

#include "actions/runs/test_support.h"

namespace kaapi::actions::runs {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class RunnerTokens : public testing::Test {
 protected:
  void SetUp() override { house.open(); }

  JobMessage job_of(const std::string& workflow = one_job) {
    house.push(house.source.add(1, {{"cd.yml", workflow}}));
    return house.acquire().value();
  }
  // The status of a call that belongs to a job.
  int status(const JobMessage& job, const std::string& method, const std::string& what, const std::string& token) {
    const std::string body = what == "steps" ? "[]" : what == "complete" ? R"({"conclusion":"success"})" : "";
    return house.ask(method, fmt::format("jobs/{}/{}", job.job_id, what), token, body).status;
  }
  std::string everything_kept() const {
    std::string all;
    for (const auto& entry : std::filesystem::directory_iterator(house.folder.path())) {
      std::ifstream file(entry.path(), std::ios::binary);
      if (entry.is_regular_file()) all.append(std::istreambuf_iterator<char>(file), {});
    }
    return all;
  }

  House house;
};

TEST_F(RunnerTokens, EachOfAJobsIsForOneThing) {
  const JobMessage job = job_of();
  ASSERT_NE(job.token, job.git_token);
  ASSERT_NE(job.token, job.id_request_token);
  ASSERT_NE(job.git_token, job.id_request_token);
  const std::vector<std::pair<std::string, std::string>> of_the_runner = {{"POST", "steps"},
                                                                          {"POST", "log?offset=0"},
                                                                          {"GET", "commands"},
                                                                          {"GET", "deployments"},
                                                                          {"GET", "artifacts"},
                                                                          {"PUT", "artifacts/dist"},
                                                                          {"DELETE", "artifacts/dist"},
                                                                          {"GET", "caches?key=k&version=1"},
                                                                          {"PUT", "caches?key=k&version=1"},
                                                                          {"POST", "complete"}};
  for (const auto& [method, what] : of_the_runner) {
    for (const std::string& token : {job.git_token, job.id_request_token}) {
      EXPECT_EQ(status(job, method, what, token), 403) << method << " " << what;
    }
  }
  EXPECT_EQ(house.run(1).status, Status::in_progress);
  EXPECT_TRUE(house.storage.stored.empty());
  EXPECT_EQ(house.conductor->logs().read(1, job.job_id, 0, 10).value(), "");
  EXPECT_EQ(status(job, "GET", "id-token", job.git_token), 403);
  EXPECT_EQ(status(job, "GET", "id-token", job.token), 403);
  EXPECT_TRUE(house.issuer.asked.empty());
  EXPECT_EQ(status(job, "GET", "id-token", job.id_request_token), 200);
  EXPECT_EQ(status(job, "POST", "steps", job.token), 204);
  EXPECT_EQ(status(job, "POST", "steps", "none"), 401);
  const auto kind = [&](const std::string& token) { return house.conductor->job_access(token)->kind; };
  EXPECT_EQ(kind(job.token), TokenKind::runner);
  EXPECT_EQ(kind(job.git_token), TokenKind::git) << "what git asks for";
  EXPECT_EQ(kind(job.id_request_token), TokenKind::id_request);
}

TEST_F(RunnerTokens, AreToldWhatTheyAreFor) {
  const JobMessage job = job_of();
  EXPECT_THAT(text_of(house.ask("POST", fmt::format("jobs/{}/complete", job.job_id), job.git_token)),
              AllOf(HasSubstr("GITHUB_TOKEN, which is for git only"), HasSubstr("the runner's own")));
  EXPECT_THAT(text_of(house.ask("GET", fmt::format("jobs/{}/id-token", job.job_id), job.git_token)),
              HasSubstr("permissions: id-token: write"));
}

TEST_F(RunnerTokens, StepsAreHandedTheOneForGit) {
  const JobMessage job = job_of();
  EXPECT_EQ(job.contexts.at("github").at("token"), json::value(job.git_token));
  EXPECT_EQ(job.contexts.at("secrets").at("GITHUB_TOKEN"), json::value(job.git_token));
  const std::string seen = json::serialize(job.contexts) + json::serialize(job.event);
  EXPECT_THAT(seen, Not(HasSubstr(job.token)));
  EXPECT_THAT(seen, Not(HasSubstr(job.id_request_token)));
}

TEST_F(RunnerTokens, WithoutThePermissionNoneAsksForIdTokens) {
  const JobMessage job = job_of("on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: a\n");
  EXPECT_FALSE(job.may_ask_token);
  EXPECT_EQ(job.id_request_token, "");
  for (const std::string& token : {job.token, job.git_token}) {
    const http::Response refused = house.ask("GET", fmt::format("jobs/{}/id-token", job.job_id), token);
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(text_of(refused), HasSubstr("id-token: write"));
  }
  EXPECT_EQ(house.ask("GET", fmt::format("jobs/{}/id-token", job.job_id), "none").status, 401);
}

TEST_F(RunnerTokens, OfAJobAreWorthNothingOnceItIsOver) {
  const JobMessage job = job_of();
  EXPECT_TRUE(house.complete(job));
  for (const std::string& token : {job.token, job.git_token, job.id_request_token}) {
    EXPECT_FALSE(house.conductor->job_access(token));
  }
  EXPECT_EQ(status(job, "GET", "id-token", job.id_request_token), 410);
  EXPECT_EQ(status(job, "GET", "commands", job.token), 410);
  EXPECT_EQ(status(job, "GET", "commands", job.git_token), 403);
  EXPECT_EQ(status(job, "GET", "commands", "none"), 401);
}

TEST_F(RunnerTokens, OfAJobOutliveThePlatformAsHashes) {
  const JobMessage job = job_of();
  house.open();
  for (const std::string& token : {job.token, job.git_token, job.id_request_token}) {
    EXPECT_TRUE(house.conductor->job_access(token));
    EXPECT_THAT(everything_kept(), Not(HasSubstr(token)));
  }
  EXPECT_THAT(everything_kept(), Not(HasSubstr(house.runner_token)));
}

TEST_F(RunnerTokens, AJobThatWasKeptBeforeThereWereThreeIsRead) {
  Job old;
  old.token_hash = hash_of("t");
  json::object kept = to_json(old);
  for (const char* member : {"own_runner", "git_token_hash", "id_request_hash"}) EXPECT_EQ(kept.erase(member), 1U);
  const Result<Job> job = job_from(kept);
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ(job->token_hash, old.token_hash);
  EXPECT_EQ(job->git_token_hash, "");
  EXPECT_FALSE(job->own_runner);
}

TEST_F(RunnerTokens, WhereAJobRunsIsWhatItsRunnersTokenSays) {
  const std::string own = house.conductor->create_own_runner_token().value();
  const std::string sha = house.source.add(1, {{"cd.yml", one_job}});
  const auto environment = [&](const std::string& token, const std::string& name) {
    house.push(sha);
    const json::value asked = to_json(Acquire{name, {"ubuntu-latest"}, {}});
    const http::Response answer = house.ask("POST", "acquire", token, json::serialize(asked));
    const JobMessage job = job_message_from(parse_json(text_of(answer)).value()).value();
    house.open();
    EXPECT_EQ(status(job, "GET", "id-token", job.id_request_token), 200);
    EXPECT_EQ(house.issuer.asked.back().job_id, job.job_id);
    EXPECT_EQ(house.issuer.asked.back().runner_environment, job.runner_environment) << "also after a restart";
    return job.runner_environment;
  };
  EXPECT_EQ(environment(own, "local"), "github-hosted");
  // Neither the name that a runner has nor the name of its token makes it the platform's.
  const std::string other = house.conductor->create_runner_token("local", "the platform", true).value();
  EXPECT_EQ(environment(other, "local"), "self-hosted");
  EXPECT_EQ(environment(own, "elsewhere"), "github-hosted") << "and another's token of that name replaces it not";
}

TEST_F(RunnerTokens, AreListedAndTakenBack) {
  const auto seen = [&] {
    std::vector<std::string> all;
    for (const Token& one : house.conductor->runner_tokens().value()) {
      all.push_back(fmt::format("{} by {} used {}", one.name, one.created_by,
                                one.last_used ? (*one.last_used - one.created).count() : -1));
    }
    return all;
  };
  const std::string token = house.conductor->create_runner_token("build", "ada", true).value();
  static_cast<void>(house.conductor->create_own_runner_token());
  EXPECT_THAT(seen(), ElementsAre("build by ada used -1", "local by root used -1"));
  house.clock.advance(std::chrono::seconds(5));
  EXPECT_EQ(house.conductor->runner_token(token)->name, "build");
  EXPECT_THAT(seen(), ElementsAre("build by ada used 5000", "local by root used -1"));
  ASSERT_TRUE(house.conductor->delete_runner_token("build"));
  EXPECT_FALSE(house.conductor->runner_token(token));
  EXPECT_EQ(house.ask("POST", "acquire", token, R"({"name":"r"})").status, 401);
  EXPECT_THAT(seen(), ElementsAre("local by root used -1"));
  const Error missing = house.conductor->delete_runner_token("build").error();
  EXPECT_EQ(missing.code, errc::not_found);
  EXPECT_THAT(missing.message, HasSubstr("kaapi run tokens"));
  EXPECT_FALSE(house.conductor->delete_runner_token("the platform's own"));
}

TEST_F(RunnerTokens, OneThatIsTakenBackGetsNothingByARequestThatIsHeld) {
  const std::string sha = house.source.add(1, {{"cd.yml", one_job}});
  const RunnerToken token = house.by_token();
  Result<std::optional<JobMessage>> got = std::optional<JobMessage>();
  std::thread runner([&] {
    got = house.conductor->acquire(token, {"r1", {"ubuntu-latest"}, {}}, std::chrono::minutes(1));
  });
  ASSERT_TRUE(house.conductor->delete_runner_token("local"));
  house.push(sha);
  runner.join();
  ASSERT_TRUE(got);
  EXPECT_FALSE(*got);
  EXPECT_EQ(house.run(1).status, Status::queued);
}

TEST_F(RunnerTokens, WhatTheyGetIsRecorded) {
  house.settings.repository_secrets = {{"KEY", "very-secret-value"}};
  house.push(house.source.add(1, {{"cd.yml", one_job}}));
  const std::string asked = json::serialize(to_json(Acquire{"r1", {"ubuntu-latest"}, {}}));
  house.ask("POST", "acquire", "wrong", asked);
  const JobMessage job =
      job_message_from(parse_json(text_of(house.ask("POST", "acquire", house.runner_token, asked))).value()).value();
  house.ask("POST", "acquire", house.runner_token, asked);
  EXPECT_EQ(status(job, "GET", "id-token?audience=sts", job.id_request_token), 200);
  EXPECT_EQ(status(job, "GET", "id-token", job.git_token), 403);
  EXPECT_EQ(status(job, "GET", "id-token", "wrong"), 401);
  const std::string run = "arn:aws:kaapi:us-east-1:123456789012:repository/kaapi/demo/run/1";
  EXPECT_THAT(
      house.told.lines,
      ElementsAre(
          StartsWith("AcquireJob UnrecognizedClientException : the runner token is not known"),
          "AcquireJob allowed arn:aws:kaapi:us-east-1:123456789012:runner-token/local " + run +
              " arn:aws:kaapi:us-east-1:123456789012:repository/kaapi/demo/environment/staging: the token "
              "local of the runner r1: job 1 (build) with the environment staging, secrets KEY",
          "GetIdToken allowed " + run + " " + run + ": job 1 with id-token: write; audience sts, sub repo:kaapi/demo",
          StartsWith("GetIdToken AccessDenied " + run + " " + run + ": the token is the job's GITHUB_TOKEN"),
          "GetIdToken UnrecognizedClientException : the token is none of that job"))
      << "that no job came is nothing to tell";
  for (const std::string& secret :
       {job.token, job.git_token, job.id_request_token, house.runner_token, std::string("very-secret-value")}) {
    EXPECT_THAT(house.told.lines, Not(Contains(HasSubstr(secret))));
  }
}

}  // namespace
}  // namespace kaapi::actions::runs
