// A runner's side of the runs, over the calls that HTTP makes.

#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "actions/runs/test_support.h"

namespace kaapi::actions::runs {
namespace {

using testing::HasSubstr;

class RunnerApiTest : public testing::Test {
 protected:
  void SetUp() override { house.open(); }

  std::string follow(const WatchedRun& watched) {
    http::Response response = house.ask("GET", fmt::format("runs/{}/follow", watched.run_id), watched.token);
    EXPECT_EQ(response.status, 200);
    TextWriter out;
    EXPECT_TRUE(std::get<http::ProducedBody>(response.body).produce(out));
    return out.text;
  }

  House house;
};

TEST_F(RunnerApiTest, APushBecomesARunThatARunnerTakesAndEnds) {
  house.settings.vars = {{"REGION", "here"}};
  house.settings.secrets_by_environment["staging"] = {{"KEY", "secret"}};
  const std::string sha = house.source.add(1, {{"cd.yml", one_job}});
  const PushReport report = house.push(sha);
  ASSERT_EQ(report.runs.size(), 1U);
  EXPECT_EQ(report.runs[0].name, "CD #1");
  EXPECT_THAT(report.lines, testing::Contains("CD #1 started: kaapi run watch 1"));
  EXPECT_EQ(house.run(1).status, Status::queued);

  const json::value asked = to_json(Acquire{"r1", {"ubuntu-latest", "self-hosted"}, {}});
  EXPECT_EQ(house.ask("POST", "acquire", "wrong", json::serialize(asked)).status, 401);
  const http::Response answer = house.ask("POST", "acquire", house.runner_token, json::serialize(asked));
  ASSERT_EQ(answer.status, 200) << text_of(answer);
  const JobMessage job = job_message_from(parse_json(text_of(answer)).value()).value();
  EXPECT_EQ(job.job, "build");
  EXPECT_EQ(job.workflow_text, one_job);
  EXPECT_EQ(job.environment, "staging");
  EXPECT_TRUE(job.may_ask_token);
  EXPECT_FALSE(job.may_write_code);
  EXPECT_EQ(job.contexts.at("vars").at("REGION"), json::value("here"));
  EXPECT_EQ(job.contexts.at("secrets").at("KEY"), json::value("secret"));
  EXPECT_EQ(job.contexts.at("secrets").at("GITHUB_TOKEN"), json::value(job.git_token));
  EXPECT_EQ(job.contexts.at("github").at("ref_name"), json::value("main"));
  EXPECT_EQ(job.contexts.at("github").at("event").at("head_commit").at("message"), json::value("Change something"));
  EXPECT_EQ(job.event.at("after"), json::value(sha));
  EXPECT_EQ(house.ask("POST", "acquire", house.runner_token, json::serialize(asked)).status, 204);

  const std::string path = fmt::format("jobs/{}/", job.job_id);
  EXPECT_EQ(house.ask("POST", path + "log?offset=0", job.token, "one\ntwo\n").status, 204);
  const std::string steps = R"({"steps":[{"number":1,"name":"Set up job","status":"completed","conclusion":"success",)"
                            R"("started_ms":1,"ended_ms":2,"log_from":0,"log_to":4},{"number":2,"name":"Run make",)"
                            R"("status":"completed","conclusion":"success","log_from":4,"log_to":8}]})";
  EXPECT_EQ(house.ask("POST", path + "steps", job.token, steps).status, 204);
  EXPECT_EQ(house.ask("GET", path + "commands", job.token).status, 204);
  EXPECT_EQ(text_of(house.ask("GET", path + "id-token?audience=sts", job.id_request_token)),
            R"({"value":"kaapi/demo staging sts"})");
  EXPECT_EQ(house.ask("GET", path + "id-token?audience=sts", job.id_request_token, "", "bearer").status, 200)
      << "as curl lines do";
  EXPECT_TRUE(house.complete(job));
  EXPECT_TRUE(house.complete(job)) << "again, as when the answer was lost";
  EXPECT_FALSE(house.complete(job, "failure"));
  EXPECT_EQ(house.ask("GET", path + "commands", job.token).status, 410);
  EXPECT_EQ(house.ask("GET", path + "commands", house.runner_token).status, 401);

  const auto run = house.run(1);
  EXPECT_EQ(run.status, Status::completed);
  EXPECT_EQ(run.conclusion, Outcome::success);
  const std::string events = follow(report.runs[0]);
  EXPECT_THAT(events, HasSubstr(R"("kind":"log","job_id":1,"name":"","status":"","conclusion":"","text":"one\n")"));
  EXPECT_LT(events.find(R"("kind":"job","job_id":1,"name":"build","status":"in_progress")"), events.find("Set up job"))
      << "whose steps these are";
  EXPECT_LT(events.find("Set up job"), events.find("one"));
  EXPECT_LT(events.find("Run make"), events.find("two"));
  EXPECT_THAT(events, testing::EndsWith("\"text\":\"all jobs succeeded\"}\n"));
}

TEST_F(RunnerApiTest, ALogIsAppendedOnceAndWithoutGaps) {
  house.push(house.source.add(1, {{"cd.yml", one_job}}));
  const JobMessage job = house.acquire().value();
  const std::string path = fmt::format("jobs/{}/log?offset=", job.job_id);
  EXPECT_EQ(house.ask("POST", path + "0", job.token, "abc").status, 204);
  EXPECT_EQ(house.ask("POST", path + "0", job.token, "abcdef").status, 204);
  EXPECT_EQ(house.ask("POST", path + "2", job.token, "c").status, 204);
  const http::Response gap = house.ask("POST", path + "9", job.token, "x");
  EXPECT_EQ(gap.status, 409);
  EXPECT_THAT(text_of(gap), HasSubstr("\"size\":6"));
  EXPECT_EQ(house.conductor->logs().read(job.run_id, job.job_id, 0, 100).value(), "abcdef");
}

class RunArtifactsTest : public RunnerApiTest {
 protected:
  // A job that runs, of a new run of that repository. `permissions`: a line of its workflow.
  JobMessage job_of(const std::string& repository, std::string_view permissions) {
    const std::string text =
        fmt::format("on: push\n{}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: a\n", permissions);
    const std::string sha = house.source.add(++commits, {{"keep.yml", text}});
    house.conductor->pushed({repository, "ada", House::ada().arn, {{"refs/heads/main", commit_id(0), sha, false}}});
    return house.acquire().value();
  }
  http::Response ask(const JobMessage& job, const std::string& method, const std::string& path) const {
    return house.ask(method, fmt::format("jobs/{}/artifacts{}", job.job_id, path), job.token, "zip");
  }
  int commits = 0;
};

TEST_F(RunArtifactsTest, ThoseOfAnotherRunAreReadWithThePermission) {
  const JobMessage first = job_of("kaapi/demo", "");
  ASSERT_EQ(ask(first, "PUT", "/web").status, 201);
  const std::string of_first = fmt::format("?run={}", first.run_id);
  for (const char* permissions : {"permissions: {actions: read}", "permissions: read-all", ""}) {
    const JobMessage job = job_of("kaapi/demo", permissions);
    EXPECT_THAT(text_of(ask(job, "GET", of_first)), HasSubstr(R"("name":"web")")) << permissions;
    EXPECT_EQ(std::get<http::FileBody>(ask(job, "GET", "/web" + of_first).body).length, 3U);
    EXPECT_EQ(ask(job, "GET", "/none" + of_first).status, 404);
    EXPECT_EQ(text_of(ask(job, "GET", "")), R"({"artifacts":[]})") << "its own";
    EXPECT_EQ(ask(job, "GET", "?run=last").status, 400);
    EXPECT_EQ(ask(job, "PUT", "/more" + of_first).status, 403) << "they are read only";
    EXPECT_EQ(ask(job, "DELETE", "/web" + of_first).status, 403);
  }
  EXPECT_EQ(house.storage.stored.size(), 1U);
}

TEST_F(RunArtifactsTest, WithoutThePermissionThereAreThoseOfTheOwnRunOnly) {
  const JobMessage first = job_of("kaapi/demo", "");
  ASSERT_EQ(ask(first, "PUT", "/web").status, 201);
  const JobMessage job = job_of("kaapi/demo", "permissions: {contents: read}");
  for (const std::string path : {"?run=1", "/web?run=1", "?run=99"}) {
    const http::Response refused = ask(job, "GET", path);
    EXPECT_EQ(refused.status, 403) << path;
    EXPECT_THAT(text_of(refused), HasSubstr("add `permissions: actions: read`"));
  }
  EXPECT_EQ(ask(job, "GET", fmt::format("?run={}", job.run_id)).status, 200);
}

TEST_F(RunArtifactsTest, ARunOfAnotherRepositoryIsLikeNone) {
  const JobMessage other = job_of("kaapi/other", "");
  ASSERT_EQ(ask(other, "PUT", "/web").status, 201);
  const JobMessage job = job_of("kaapi/demo", "permissions: {actions: write}");
  EXPECT_EQ(ask(job, "GET", "/web?run=1").status, 404);
  for (const char* run : {"1", "99"}) {
    const http::Response refused = ask(job, "GET", fmt::format("?run={}", run));
    EXPECT_EQ(refused.status, 404);
    EXPECT_EQ(text_of(refused), fmt::format(R"({{"message":"there is no run {} in the repository kaapi/demo"}})", run));
  }
}

TEST_F(RunArtifactsTest, AJobThatRunsAgainReplacesWhatItStored) {
  const JobMessage first = job_of("kaapi/demo", "");
  ASSERT_EQ(ask(first, "PUT", "/web").status, 201);
  EXPECT_EQ(ask(first, "PUT", "/web").status, 409);
  ASSERT_TRUE(house.complete(first, "failure"));
  ASSERT_TRUE(house.conductor->rerun("kaapi/demo", first.run_id, true, House::ada()));
  const JobMessage again = house.acquire().value();
  ASSERT_EQ(again.run_id, first.run_id);
  EXPECT_THAT(text_of(ask(again, "GET", "")), HasSubstr(R"("outdated":true)"));
  EXPECT_EQ(ask(again, "PUT", "/web").status, 201);
  EXPECT_EQ(ask(again, "PUT", "/web").status, 409) << "this one is its own";
  EXPECT_THAT(text_of(ask(again, "GET", "")), HasSubstr(R"("outdated":false)"));
}

TEST_F(RunArtifactsTest, OneOfTheOwnRunIsDeleted) {
  const JobMessage job = job_of("kaapi/demo", "permissions: {}");
  ASSERT_EQ(ask(job, "PUT", "/all%20parts").status, 201);
  EXPECT_EQ(ask(job, "DELETE", "/all%20parts").status, 204);
  EXPECT_EQ(ask(job, "DELETE", "/all%20parts").status, 404);
  EXPECT_TRUE(house.storage.stored.empty());
}

TEST_F(RunnerApiTest, FollowingIsLiveAndSeesWhatComesLater) {
  const PushReport report = house.push(house.source.add(1, {{"cd.yml", one_job}}));
  http::Response response = house.ask("GET", "runs/1/follow", report.runs[0].token);
  TextWriter out;
  bool whole = false;
  std::thread follower([&] { whole = std::get<http::ProducedBody>(response.body).produce(out); });
  const JobMessage job = house.acquire().value();
  EXPECT_EQ(house.ask("POST", fmt::format("jobs/{}/log?offset=0", job.job_id), job.token, "hello\n").status, 204);
  EXPECT_TRUE(house.complete(job, "failure"));
  follower.join();
  EXPECT_TRUE(whole);
  EXPECT_THAT(out.text, HasSubstr("hello"));
  EXPECT_THAT(out.text, HasSubstr(R"("kind":"end")"));
  EXPECT_THAT(out.text, HasSubstr(R"("conclusion":"failure")"));
}

TEST_F(RunnerApiTest, FollowersAreBoundedAndKeepNoRunnerFromItsJob) {
  const PushReport report = house.push(house.source.add(1, {{"cd.yml", one_job}}));
  const auto ask_to_follow = [&] { return house.ask("GET", "runs/1/follow", report.runs[0].token); };
  std::vector<http::Response> all;
  for (int i = 0; i < max_followers; ++i) all.push_back(ask_to_follow());
  EXPECT_EQ(all.back().status, 200);
  const http::Response refused = ask_to_follow();
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(text_of(refused), HasSubstr("kaapi run show 1"));
  const JobMessage job = house.acquire().value();
  const std::string path = fmt::format("jobs/{}/", job.job_id);
  EXPECT_EQ(house.ask("GET", path + "commands", job.token).status, 204);
  EXPECT_EQ(house.ask("GET", path + "deployments", job.token).status, 200);
  EXPECT_TRUE(house.complete(job));
  TextWriter out;
  EXPECT_TRUE(std::get<http::ProducedBody>(all.back().body).produce(out));
  EXPECT_EQ(ask_to_follow().status, 200) << "who was told all has gone, though the answer is still there";
  all.clear();
}

TEST_F(RunnerApiTest, RunnersThatWaitAreBoundedAndGetWhatIsThere) {
  RunnerApi api(*house.conductor, house.storage, house.issuer, nullptr, nullptr, std::chrono::minutes(5));
  const std::string asked = json::serialize(to_json(Acquire{"r1", {"ubuntu-latest"}, {}}));
  http::RequestHead head;
  head.method = "POST";
  head.path = head.target = "/runner/v1/acquire";
  head.headers.add("Authorization", "Bearer " + house.runner_token);
  std::atomic<int> refused{0}, given{0};
  const auto ask = [&] {
    TextReader body(asked);
    const int status = api(head, body).status;
    if (status == 503) ++refused;
    if (status == 200) ++given;
  };
  constexpr int more = 3;
  std::vector<std::thread> runners;
  for (int i = 0; i < max_held_acquires + more; ++i) runners.emplace_back(ask);
  while (refused < more) std::this_thread::yield();
  house.push(house.source.add(1, {{"cd.yml", one_job}}));
  while (given < 1) std::this_thread::yield();
  house.conductor->stop();
  for (std::thread& runner : runners) runner.join();
  EXPECT_EQ(refused, more);
}

TEST_F(RunnerApiTest, AStepsNameIsCut) {
  house.push(house.source.add(1, {{"cd.yml", one_job}}));
  const JobMessage job = house.acquire().value();
  std::string name;
  while (name.size() < max_step_name_bytes) name += "\xC3\xA9\xC3\xA9\xC3\xA9";
  const json::value steps = {to_json(StepUpdate{1, "a" + name, "completed", "success", 1, 2, 0, 0})};
  EXPECT_EQ(house.ask("POST", fmt::format("jobs/{}/steps", job.job_id), job.token, json::serialize(steps)).status, 204);
  const auto view = house.conductor->describe("kaapi/demo", 1);
  EXPECT_EQ(view->steps.at(job.job_id).at(0).name, "a" + name.substr(0, max_step_name_bytes - 2));
}

TEST_F(RunnerApiTest, AFollowerThatGoesIsLetGo) {
  const PushReport report = house.push(house.source.add(1, {{"cd.yml", one_job}}));
  http::Response response = house.ask("GET", "runs/1/follow", report.runs[0].token);
  TextWriter out;
  std::thread follower([&] { EXPECT_FALSE(std::get<http::ProducedBody>(response.body).produce(out)); });
  out.hang_up();
  follower.join();
  EXPECT_EQ(house.ask("GET", "runs/2/follow", report.runs[0].token).status, 401);
}

TEST_F(RunnerApiTest, ACancelReachesARunnerThatListens) {
  house.push(house.source.add(1, {{"cd.yml", one_job}}));
  const JobMessage job = house.acquire().value();
  const JobAccess access = house.conductor->job_access(job.token).value();
  std::optional<std::string> reason;
  std::thread listener([&] { reason = house.conductor->cancellation(access, std::chrono::minutes(1)); });
  EXPECT_TRUE(house.conductor->cancel("kaapi/demo", 1, House::ada()));
  listener.join();
  EXPECT_EQ(reason, "ada cancelled it");
  EXPECT_EQ(house.run(1).status, Status::in_progress);
  EXPECT_TRUE(house.complete(job, "cancelled"));
  EXPECT_EQ(house.run(1).conclusion, Outcome::cancelled);
}

// Otherwise the request of a process that was killed would stand for a living one as long as it is held.
TEST_F(RunnerApiTest, AJobThatItsRunnerDoesNotNameIsAskedToListenAgain) {
  house.push(house.source.add(1, {{"cd.yml", one_job}}));
  const JobMessage job = house.acquire().value();
  const JobAccess access = house.conductor->job_access(job.token).value();
  std::atomic<bool> answered = false;
  std::thread listener([&] {
    EXPECT_EQ(house.conductor->cancellation(access, std::chrono::hours(1)), std::nullopt);
    answered = true;
  });
  // Until it has come, the runner's word is about nobody.
  while (!answered) static_cast<void>(house.acquire());
  listener.join();
  EXPECT_EQ(house.run(1).status, Status::in_progress);
}

TEST_F(RunnerApiTest, ARunnerThatWaitsGetsWhatIsPushed) {
  const std::string sha = house.source.add(1, {{"cd.yml", one_job}});
  Result<std::optional<JobMessage>> got = std::optional<JobMessage>();
  std::thread runner([&] {
    got = house.conductor->acquire(house.by_token(), {"r1", {"ubuntu-latest"}, {}}, std::chrono::minutes(1));
  });
  house.push(sha);
  runner.join();
  ASSERT_TRUE(got && *got);
  EXPECT_EQ((*got)->job, "build");
}

TEST_F(RunnerApiTest, StoppingEndsEveryWait) {
  std::thread runner([&] {
    EXPECT_FALSE(*house.conductor->acquire(house.by_token(), {"r1", {}, {}}, std::chrono::minutes(5)));
  });
  house.conductor->stop();
  runner.join();
}

}  // namespace
}  // namespace kaapi::actions::runs
