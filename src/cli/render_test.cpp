#include "cli/render.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "cli/table.h"

namespace kaapi::cli {
namespace {

constexpr std::int64_t now_s = 1'750'000'000;

json::value parsed(std::string_view text) {
  return parse_json(text).value();
}

ClusterSnapshot shop() {
  ClusterSnapshot cluster;
  cluster.cluster = parsed(R"({"clusterName":"shop","status":"ACTIVE","runningTasksCount":3,"pendingTasksCount":1})");
  cluster.services.push_back(parsed(R"({
    "serviceName":"web","status":"ACTIVE","desiredCount":2,"runningCount":3,"pendingCount":1,
    "deployments":[
      {"id":"ecs-svc/2","status":"PRIMARY","rolloutState":"IN_PROGRESS","desiredCount":2,"runningCount":1,
       "taskDefinition":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:2","createdAt":1749999995.5},
      {"id":"ecs-svc/1","status":"ACTIVE","rolloutState":"COMPLETED","desiredCount":2,"runningCount":2,
       "taskDefinition":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:1","createdAt":1749990000}],
    "events":[{"createdAt":1749999996,"message":"(service web) has started 2 tasks: (task a) (task b)."},
              {"createdAt":1749990001,"message":"(service web) has reached a steady state."}]})"));
  cluster.services.push_back(parsed(R"({
    "serviceName":"worker","status":"ACTIVE","desiredCount":1,"runningCount":0,"pendingCount":0,
    "deployments":[
      {"id":"ecs-svc/3","status":"PRIMARY","rolloutState":"FAILED","desiredCount":1,"runningCount":0,
       "rolloutStateReason":"ECS deployment circuit breaker: tasks failed to start.",
       "taskDefinition":"arn:aws:ecs:us-east-1:123456789012:task-definition/worker:1","createdAt":1749900000}],
    "events":[]})"));
  cluster.tasks.push_back(parsed(R"({
    "taskArn":"arn:aws:ecs:us-east-1:123456789012:task/shop/00112233445566778899aabbccddeeff","group":"service:web",
    "taskDefinitionArn":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:2","startedBy":"ecs-svc/2",
    "lastStatus":"RUNNING","healthStatus":"HEALTHY","createdAt":1749999996,
    "containers":[{"networkInterfaces":[{"privateIpv4Address":"172.28.0.2"}]}]})"));
  cluster.tasks.push_back(parsed(R"({
    "taskArn":"arn:aws:ecs:us-east-1:123456789012:task/shop/ffeeddccbbaa99887766554433221100","group":"service:web",
    "taskDefinitionArn":"arn:aws:ecs:us-east-1:123456789012:task-definition/web:2","startedBy":"ecs-svc/2",
    "lastStatus":"PENDING","healthStatus":"UNKNOWN","createdAt":1749999996,"containers":[]})"));
  cluster.tasks.push_back(parsed(R"({
    "taskArn":"arn:aws:ecs:us-east-1:123456789012:task/shop/0123456789abcdef0123456789abcdef","group":"family:job",
    "taskDefinitionArn":"arn:aws:ecs:us-east-1:123456789012:task-definition/job:7",
    "lastStatus":"RUNNING","createdAt":1749992000,
    "containers":[{"networkBindings":[{"bindIP":"0.0.0.0","hostPort":32768,"containerPort":80}]}]})"));
  return cluster;
}

Snapshot snapshot() {
  return {"http://127.0.0.1:4566", "us-east-1", {shop()}};
}

TEST(RenderTest, ShowsWhatRuns) {
  EXPECT_EQ(render_text(snapshot(), {false, from_millis(now_s * 1000)}),
            R"(http://127.0.0.1:4566  us-east-1

shop  ACTIVE  3 running, 1 pending

  SERVICE  STATUS  DESIRED  RUNNING  PENDING  DEPLOYMENT  ROLLOUT      PROGRESS     TASK DEFINITION  AGE
  web      ACTIVE        2        3        1  PRIMARY     IN_PROGRESS  1/2 healthy  web:2             4s
                                              ACTIVE      COMPLETED    2/2 running  web:1             2h
  worker   ACTIVE        1        0        0  PRIMARY     FAILED       0/1 running  worker:1         27h
  worker: ECS deployment circuit breaker: tasks failed to start.

  TASK      GROUP        TASK DEFINITION  STATUS   HEALTH   ADDRESS            AGE
  01234567  family:job   job:7            RUNNING  -        0.0.0.0:32768->80   2h
  00112233  service:web  web:2            RUNNING  HEALTHY  172.28.0.2          4s
  ffeeddcc  service:web  web:2            PENDING  UNKNOWN  -                   4s

  AGE  EVENT
   4s  (service web) has started 2 tasks: (task a) (task b).
   2h  (service web) has reached a steady state.
)");
}

TEST(RenderTest, ColorsOnlyWhenAsked) {
  const RenderOptions colors{true, from_millis(now_s * 1000)};
  EXPECT_THAT(render_text(snapshot(), colors), testing::HasSubstr("\x1b[31mFAILED\x1b[0m"));
  EXPECT_THAT(render_text(snapshot(), {false, colors.now}), testing::Not(testing::HasSubstr("\x1b")));
}

TEST(RenderTest, AnEmptyPlatformSaysWhatToDoNext) {
  const std::string text = render_text({"http://127.0.0.1:4566", "us-east-1", {}}, {});
  EXPECT_THAT(text, testing::HasSubstr("aws ecs create-cluster --cluster-name demo"));
}

TEST(RenderTest, AnEmptyClusterSaysSo) {
  ClusterSnapshot cluster;
  cluster.cluster = parsed(R"({"clusterName":"new","status":"ACTIVE","runningTasksCount":0,"pendingTasksCount":0})");
  EXPECT_EQ(render_text({"AWS", "us-east-1", {cluster}}, {}),
            "AWS  us-east-1\n\nnew  ACTIVE  0 running, 0 pending\n\n"
            "  no services and no tasks; see: aws ecs create-service help\n");
}

TEST(RenderTest, JsonIsOneDocument) {
  const json::value document = parse_json(render_json(snapshot())).value();
  EXPECT_EQ(document.at("region").as_string(), "us-east-1");
  const json::value& cluster = document.at("clusters").at(0);
  EXPECT_EQ(cluster.at("clusterName").as_string(), "shop");
  EXPECT_EQ(cluster.at("services").as_array().size(), 2U);
  EXPECT_EQ(cluster.at("tasks").as_array().size(), 3U);
}

TEST(RenderTest, AgesAreShort) {
  const auto shown = [](std::int64_t seconds) { return age(from_millis(0), from_millis(seconds * 1000)); };
  EXPECT_EQ(shown(0), "0s");
  EXPECT_EQ(shown(119), "119s");
  EXPECT_EQ(shown(120), "2m");
  EXPECT_EQ(shown(7200), "2h");
  EXPECT_EQ(shown(172'800), "2d");
  EXPECT_EQ(age(from_millis(5000), from_millis(0)), "0s");  // the clocks of two machines
}

TEST(TableTest, TextsOfOthersCannotReachTheTerminal) {
  EXPECT_EQ(table({{{"a\x1b[2Jb\n"}}}, 0, true), "a?[2Jb?\n");
}

TEST(TableTest, LinesOfLogsKeepTabsAndColors) {
  const std::string line = "\x1b[32mok\x1b[0m\tpkg\t0.1s\x1b[2J\r";
  EXPECT_EQ(terminal_line(line, false), "ok\tpkg\t0.1s?[2J");
  EXPECT_EQ(terminal_line(line, true), "\x1b[32mok\x1b[0m\tpkg\t0.1s?[2J");
}

TEST(TableTest, AlignsByCharactersNotBytes) {
  EXPECT_EQ(table({{{"\xc3\xa9"}, {"x"}}, {{"ab"}, {"y"}}}, 1, false), " \xc3\xa9   x\n ab  y\n");
  EXPECT_EQ(table({{{"1", Tone::plain, true}, {""}}, {{"22", Tone::plain, true}, {"z"}}}, 0, false), " 1\n22  z\n");
}

// Answers by operation; a listing is cut into pages of two.
class FakeApi {
 public:
  Result<json::value> operator()(std::string_view operation, const json::value& request) {
    calls.emplace_back(operation);
    if (operation == "ListClusters") return page(request, "clusterArns", 5);
    if (operation == "ListServices") return page(request, "serviceArns", 21);
    if (operation == "ListTasks") return page(request, "taskArns", 0);
    const std::string member = operation == "DescribeClusters" ? "clusters" : "services";
    json::array described;
    for (const json::value& name : request.at(member).as_array()) {
      if (name == json::value("missing")) continue;
      described.push_back(json::object{{"clusterArn", name}, {"clusterName", name}, {"status", "ACTIVE"}});
    }
    return json::value(json::object{{member, std::move(described)}});
  }
  std::vector<std::string> calls;

 private:
  static json::value page(const json::value& request, const std::string& member, int count) {
    int from = std::stoi("0" + string_member(request, "nextToken"));
    json::array items;
    for (int i = 0; i < 2 && from < count; ++i) items.emplace_back(std::to_string(from++));
    json::object answer{{member, std::move(items)}};
    if (from < count) answer["nextToken"] = std::to_string(from);
    return answer;
  }
};

TEST(SnapshotTest, ReadsEveryPageInPortionsThatTheApiTakes) {
  FakeApi api;
  const Result<Snapshot> all = take_snapshot(std::ref(api), "");
  ASSERT_TRUE(all);
  ASSERT_EQ(all->clusters.size(), 5U);
  EXPECT_EQ(all->clusters[4].services.size(), 21U);
  // Ten services for one call.
  EXPECT_EQ(std::count(api.calls.begin(), api.calls.end(), "DescribeServices"), 5 * 3);
  EXPECT_EQ(std::count(api.calls.begin(), api.calls.end(), "DescribeTasks"), 0);
}

TEST(SnapshotTest, OneClusterAloneIsNotListed) {
  FakeApi api;
  ASSERT_EQ(take_snapshot(std::ref(api), "shop")->clusters.size(), 1U);
  EXPECT_EQ(api.calls.front(), "DescribeClusters");
  EXPECT_EQ(take_snapshot(std::ref(api), "missing").error().code, errc::not_found);
}

TEST(SnapshotTest, AnErrorOfTheApiIsPassedOn) {
  const Ask refuse = [](std::string_view, const json::value&) -> Result<json::value> {
    return make_error("AccessDeniedException", "no");
  };
  EXPECT_EQ(take_snapshot(refuse, "").error().code, "AccessDeniedException");
}

}  // namespace
}  // namespace kaapi::cli
