#include <gmock/gmock.h>

#include <ctime>
#include <filesystem>

#include "ecs/definition.h"
#include "ecs/operations_test_support.h"

namespace kaapi::ecs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

class Tasks : public OperationsTest {
 protected:
  void SetUp() override {
    OperationsTest::SetUp();
    create_cluster("c");
    register_simple("app");
    register_definition(
        R"({"family":"vpc","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512",
            "containerDefinitions":[{"name":"app","image":"app:1","portMappings":[{"containerPort":80}]}]})");
  }
  Result<wire::RunTaskResponse> run(std::string_view text) {
    return operations.run_task(context, request<wire::RunTaskRequest>(text));
  }
  std::string try_run(std::string_view text) { return outcome(run(text)); }
  wire::Task describe(const std::string& task) {
    wire::DescribeTasksRequest wanted;
    wanted.cluster = "c";
    wanted.tasks = {task};
    wanted.include = {"TAGS"};
    return operations.describe_tasks(context, wanted)->tasks->at(0);
  }
  std::vector<std::string> list(std::string_view text) {
    const auto answer = operations.list_tasks(context, request<wire::ListTasksRequest>(text));
    EXPECT_TRUE(answer) << answer.error().message;
    return *answer->taskArns;
  }
};

TEST_F(Tasks, RunsSeveralAndSaysWhatTheyAre) {
  const auto answer =
      run(R"({"cluster":"c","taskDefinition":"app","count":3,"startedBy":"me","tags":[{"key":"k","value":"v"}],
                              "overrides":{"containerOverrides":[{"name":"app","command":["migrate"]}]}})");
  ASSERT_TRUE(answer) << answer.error().message;
  ASSERT_THAT(*answer->tasks, SizeIs(3));
  EXPECT_THAT(*answer->failures, IsEmpty());
  EXPECT_THAT(waker.tasks, SizeIs(3));
  const wire::Task& task = answer->tasks->at(0);
  EXPECT_THAT(*task.taskArn, testing::MatchesRegex("arn:aws:ecs:eu-central-1:123456789012:task/c/[0-9a-f]+"));
  EXPECT_EQ(task.taskDefinitionArn, "arn:aws:ecs:eu-central-1:123456789012:task-definition/app:1");
  EXPECT_EQ(task.desiredStatus, "RUNNING");
  EXPECT_EQ(task.lastStatus, "PROVISIONING");
  EXPECT_EQ(task.group, "family:app");
  EXPECT_EQ(task.startedBy, "me");
  EXPECT_EQ(task.launchType, "EC2");
  EXPECT_EQ(task.availabilityZone, "eu-central-1a");
  EXPECT_TRUE(task.containerInstanceArn);
  EXPECT_EQ(task.tags->at(0).key, "k");
  EXPECT_EQ(task.overrides->containerOverrides->at(0).command->at(0), "migrate");
  EXPECT_THAT(*task.attachments, IsEmpty());
  ASSERT_THAT(*task.containers, SizeIs(1));
  EXPECT_EQ(task.containers->at(0).lastStatus, "PENDING");
  EXPECT_EQ(task.containers->at(0).image, "app:1");
  EXPECT_EQ(task.containers->at(0).memory, "64");
  EXPECT_FALSE(task.stopCode);
  EXPECT_FALSE(task.containers->at(0).exitCode);
}

TEST_F(Tasks, DescribesARunningAndAStoppedTask) {
  const std::string arn = *run_one(R"({"cluster":"c","taskDefinition":"app"})").taskArn;
  const std::int64_t version = *describe(arn).version;
  change_task(arn, [&](Task& task) {
    task.status = TaskStatus::running;
    task.started_at = clock.now();
    ContainerState& state = task.containers[0].state;
    state.phase = Phase::running;
    state.runtime_id = "abc";
    state.image_digest = "sha256:1";
    state.health = Health::healthy;
    state.bindings = {{80, 32768, "tcp"}};
  });
  wire::Task task = describe(arn);
  EXPECT_GT(*task.version, version);
  EXPECT_EQ(task.lastStatus, "RUNNING");
  EXPECT_EQ(task.startedAt, clock.now());
  wire::Container container = task.containers->at(0);
  EXPECT_EQ(container.lastStatus, "RUNNING");
  EXPECT_EQ(container.runtimeId, "abc");
  EXPECT_EQ(container.imageDigest, "sha256:1");
  EXPECT_EQ(container.healthStatus, "HEALTHY");
  EXPECT_EQ(container.networkBindings->at(0).hostPort, 32768);
  EXPECT_EQ(container.networkBindings->at(0).bindIP, "0.0.0.0");
  EXPECT_EQ(container.containerArn, describe(arn).containers->at(0).containerArn);

  change_task(arn, [&](Task& stopped) {
    stopped.status = TaskStatus::stopped;
    stopped.desired_running = false;
    stopped.stop_code = StopCode::essential_container_exited;
    stopped.stopped_reason = "Essential container in task exited";
    stopped.stopped_at = clock.now();
    stopped.containers[0].state.phase = Phase::exited;
    stopped.containers[0].state.exit_code = 3;
    stopped.containers[0].state.reason = "why";
  });
  task = describe(arn.substr(arn.rfind('/') + 1));
  EXPECT_EQ(task.lastStatus, "STOPPED");
  EXPECT_EQ(task.desiredStatus, "STOPPED");
  EXPECT_EQ(task.stopCode, "EssentialContainerExited");
  EXPECT_EQ(task.stoppedReason, "Essential container in task exited");
  EXPECT_EQ(task.containers->at(0).exitCode, 3);
  EXPECT_EQ(task.containers->at(0).reason, "why");
}

TEST_F(Tasks, AwsvpcTaskShowsItsAttachment) {
  const std::string arn = *run_one(R"({"cluster":"c","taskDefinition":"vpc","launchType":"FARGATE",
                   "networkConfiguration":{"awsvpcConfiguration":{"subnets":["subnet-1"]}}})")
                               .taskArn;
  change_task(arn, [](Task& task) {
    task.address = "10.0.0.7";
    task.mac_address = "02:42:0a:00:00:07";
  });
  const wire::Task task = describe(arn);
  EXPECT_FALSE(task.containerInstanceArn);
  EXPECT_EQ(task.platformVersion, "1.4.0");
  EXPECT_EQ(task.cpu, "256");
  EXPECT_EQ(task.memory, "512");
  const wire::Attachment& attachment = task.attachments->at(0);
  EXPECT_EQ(attachment.type, "ElasticNetworkInterface");
  EXPECT_EQ(attachment.status, "ATTACHED");
  const std::vector<wire::KeyValuePair>& details = *attachment.details;
  ASSERT_THAT(details, SizeIs(4));
  EXPECT_EQ(details[0], (wire::KeyValuePair{"subnetId", "subnet-1"}));
  EXPECT_EQ(details[1].name, "networkInterfaceId");
  EXPECT_EQ(details[2], (wire::KeyValuePair{"macAddress", "02:42:0a:00:00:07"}));
  EXPECT_EQ(details[3], (wire::KeyValuePair{"privateIPv4Address", "10.0.0.7"}));
  EXPECT_EQ(task.containers->at(0).networkInterfaces->at(0).privateIpv4Address, "10.0.0.7");
  EXPECT_EQ(task.containers->at(0).networkInterfaces->at(0).attachmentId, attachment.id);
}

TEST_F(Tasks, RefusesBadRuns) {
  register_simple("old");
  ASSERT_TRUE(operations.deregister_task_definition(context, {"old:1"}));
  const std::string long_overrides = fmt::format(
      R"({{"cluster":"c","taskDefinition":"app","overrides":{{"containerOverrides":[{{"name":"app","command":["{}"]}}]}}}})",
      std::string(8192, 'x'));
  const std::pair<std::string, const char*> table[] = {
      {R"({"cluster":"x","taskDefinition":"app"})", "ClusterNotFoundException: Cluster not found."},
      {R"({"cluster":"c","taskDefinition":"nope"})", "ClientException: TaskDefinition not found."},
      {R"({"cluster":"c","taskDefinition":"old:1"})", "ClientException: TaskDefinition is inactive"},
      {R"({"cluster":"c","taskDefinition":"app","count":0})",
       "InvalidParameterException: count must be between 1 and 10, not 0."},
      {R"({"cluster":"c","taskDefinition":"app","count":11})",
       "InvalidParameterException: count must be between 1 and 10, not 11."},
      {long_overrides, "InvalidParameterException: Overrides length must be at most 8192"},
      {R"({"cluster":"c","taskDefinition":"app","group":"service:web"})",
       "InvalidParameterException: Invalid namespace for group."},
      {R"({"cluster":"c","taskDefinition":"app","overrides":{"containerOverrides":[{"name":"b"}]}})",
       "InvalidParameterException: Override for container named b"},
      {R"({"cluster":"c","taskDefinition":"app","launchType":"FARGATE"})",
       "InvalidParameterException: Task definition does not support launch_type FARGATE."},
      {R"({"cluster":"c","taskDefinition":"vpc","launchType":"FARGATE"})",
       "InvalidParameterException: Network Configuration must be provided"},
      {R"({"cluster":"c","taskDefinition":"app","propagateTags":"SERVICE"})",
       "InvalidParameterException: propagateTags SERVICE"},
      {R"({"cluster":"c","taskDefinition":"app","tags":[{"key":"aws:a"}]})", "InvalidParameterException: Tag key"},
      {fmt::format(R"({{"cluster":"c","taskDefinition":"app","clientToken":"{}"}})", std::string(65, 't')),
       "InvalidParameterException: clientToken"},
  };
  for (const auto& [text, expected] : table) EXPECT_THAT(try_run(text), testing::StartsWith(expected));
  EXPECT_THAT(waker.tasks, IsEmpty());
  EXPECT_THAT(list(R"({"cluster":"c"})"), IsEmpty());
}

TEST_F(Tasks, ATokenMakesARetryHarmless) {
  const std::string text = R"({"cluster":"c","taskDefinition":"app","count":2,"clientToken":"t"})";
  const auto first = run(text);
  const auto again = run(text);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->tasks->at(0).taskArn, first->tasks->at(0).taskArn);
  EXPECT_EQ(again->tasks->at(1).taskArn, first->tasks->at(1).taskArn);
  EXPECT_THAT(list(R"({"cluster":"c"})"), SizeIs(2));
  EXPECT_THAT(waker.tasks, SizeIs(2));
  EXPECT_THAT(try_run(R"({"cluster":"c","taskDefinition":"app","count":1,"clientToken":"t"})"),
              testing::StartsWith("ConflictException: "));
  clock.advance(client_token_retention + Duration(1));
  EXPECT_NE(run(text)->tasks->at(0).taskArn, first->tasks->at(0).taskArn) << "forgotten after a day";
}

TEST_F(Tasks, WhatTheMachineCannotTakeIsAFailure) {
  register_definition(R"({"family":"big","containerDefinitions":[{"name":"a","image":"a","memory":5000}]})");
  register_definition(
      R"({"family":"wide","cpu":"4096","containerDefinitions":[{"name":"a","image":"a","memory":64}]})");
  register_definition(
      R"({"family":"port","containerDefinitions":[{"name":"a","image":"a","memory":64,"portMappings":[{"containerPort":80,"hostPort":8080}]}]})");
  const auto failure = [&](const char* family) {
    const auto answer =
        run(fmt::format(R"({{"cluster":"c","taskDefinition":"{}","clientToken":"{}"}})", family, family));
    EXPECT_THAT(*answer->tasks, IsEmpty());
    return *answer->failures->at(0).reason;
  };
  EXPECT_EQ(failure("big"), "RESOURCE:MEMORY");
  EXPECT_EQ(failure("wide"), "RESOURCE:CPU");
  const auto two = run(R"({"cluster":"c","taskDefinition":"port","count":2})");
  ASSERT_THAT(*two->tasks, SizeIs(1)) << "the port is there once";
  EXPECT_EQ(two->failures->at(0).reason, "RESOURCE:PORTS");
  EXPECT_EQ(failure("port"), "RESOURCE:PORTS");
  change_task(*two->tasks->at(0).taskArn, [&](Task& task) {
    task.status = TaskStatus::stopped;
    task.stopped_at = clock.now();
  });
  EXPECT_THAT(*run(R"({"cluster":"c","taskDefinition":"port","clientToken":"port"})")->tasks, SizeIs(1))
      << "a request that started nothing may be repeated";
}

TEST_F(Tasks, StopMarksTheTaskAndKeepsTheFirstReason) {
  const std::string arn = *run_one(R"({"cluster":"c","taskDefinition":"app"})").taskArn;
  waker.tasks.clear();
  const auto stop = [&](std::string_view text) {
    return operations.stop_task(context, request<wire::StopTaskRequest>(text));
  };
  const auto stopped = stop(fmt::format(R"({{"cluster":"c","task":"{}","reason":"because"}})", arn));
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->task->desiredStatus, "STOPPED");
  EXPECT_EQ(stopped->task->stopCode, "UserInitiated");
  EXPECT_EQ(stopped->task->stoppedReason, "because");
  EXPECT_EQ(stopped->task->stoppingAt, clock.now());
  EXPECT_THAT(waker.tasks, ElementsAre(arn.substr(arn.rfind('/') + 1)));
  EXPECT_EQ(stop(fmt::format(R"({{"cluster":"c","task":"{}"}})", arn))->task->stoppedReason, "because");
  EXPECT_EQ(outcome(stop(R"({"cluster":"c","task":"0123456789abcdef0123456789abcdef"})")),
            "InvalidParameterException: The referenced task was not found.");
  EXPECT_EQ(outcome(stop(R"({"cluster":"c","task":"x"})")),
            "InvalidParameterException: taskId length should be one of [32,36]");
  EXPECT_EQ(outcome(stop(fmt::format(R"({{"cluster":"x","task":"{}"}})", arn))),
            "ClusterNotFoundException: Cluster not found.");
}

TEST_F(Tasks, DescribeNamesWhatIsMissing) {
  create_cluster("other");
  const std::string arn = *run_one(R"({"cluster":"c","taskDefinition":"app"})").taskArn;
  const std::string id = arn.substr(arn.rfind('/') + 1);
  const auto describe_all = [&](const std::string& cluster, const std::vector<std::string>& tasks) {
    wire::DescribeTasksRequest wanted;
    wanted.cluster = cluster;
    wanted.tasks = tasks;
    return operations.describe_tasks(context, wanted);
  };
  const auto mixed =
      describe_all("c", {id, "0123456789abcdef0123456789abcdef", "arn:aws:ecs:us-east-1:123456789012:task/c/" + id});
  ASSERT_TRUE(mixed);
  EXPECT_THAT(*mixed->tasks, SizeIs(1));
  ASSERT_THAT(*mixed->failures, SizeIs(2));
  EXPECT_EQ(mixed->failures->at(0).reason, "MISSING");
  EXPECT_EQ(mixed->failures->at(0).arn,
            "arn:aws:ecs:eu-central-1:123456789012:task/c/0123456789abcdef0123456789abcdef");
  EXPECT_THAT(*describe_all("other", {id})->failures, SizeIs(1)) << "a task of another cluster";
  EXPECT_EQ(outcome(describe_all("other", {arn})),
            "InvalidParameterException: Invalid identifier: Identifier is for c. Your cluster is other");
  EXPECT_EQ(outcome(describe_all("c", {})), "InvalidParameterException: Tasks cannot be empty.");
  EXPECT_THAT(outcome(describe_all("c", std::vector<std::string>(101, id))), HasSubstr("at most 100"));
  EXPECT_EQ(outcome(describe_all("nope", {id})), "ClusterNotFoundException: Cluster not found.");
}

TEST_F(Tasks, ListsByEveryFilter) {
  register_simple("job");
  create_service(R"({"cluster":"c","serviceName":"web","taskDefinition":"app","desiredCount":1})");
  start_service_tasks("c", "web", 2);
  const std::string job = *run_one(R"({"cluster":"c","taskDefinition":"job","startedBy":"me"})").taskArn;
  const std::string fargate = *run_one(R"({"cluster":"c","taskDefinition":"vpc","launchType":"FARGATE",
      "networkConfiguration":{"awsvpcConfiguration":{"subnets":["s"]}}})")
                                   .taskArn;
  const std::string stopped = *run_one(R"({"cluster":"c","taskDefinition":"job"})").taskArn;
  ASSERT_TRUE(operations.stop_task(
      context, request<wire::StopTaskRequest>(fmt::format(R"({{"cluster":"c","task":"{}"}})", stopped))));

  EXPECT_THAT(list(R"({"cluster":"c"})"), SizeIs(4)) << "RUNNING is what is listed by default";
  EXPECT_THAT(list(R"({"cluster":"c","desiredStatus":"STOPPED"})"), ElementsAre(stopped));
  EXPECT_THAT(list(R"({"cluster":"c","desiredStatus":"PENDING"})"), IsEmpty());
  EXPECT_THAT(list(R"({"cluster":"c","family":"job"})"), ElementsAre(job));
  EXPECT_THAT(list(R"({"cluster":"c","startedBy":"me"})"), ElementsAre(job));
  EXPECT_THAT(list(R"({"cluster":"c","launchType":"FARGATE"})"), ElementsAre(fargate));
  EXPECT_THAT(list(R"({"cluster":"c","serviceName":"web"})"), SizeIs(2));
  EXPECT_THAT(list(R"({"cluster":"c","serviceName":"arn:aws:ecs:eu-central-1:123456789012:service/c/web"})"),
              SizeIs(2));
  EXPECT_THAT(list(R"({"cluster":"c","serviceName":"web","family":"job"})"), IsEmpty());
  const std::string instance = *describe(job).containerInstanceArn;
  EXPECT_THAT(list(fmt::format(R"({{"cluster":"c","containerInstance":"{}"}})", instance)), SizeIs(3));

  const auto refused = [&](std::string_view text) {
    return outcome(operations.list_tasks(context, request<wire::ListTasksRequest>(text)));
  };
  EXPECT_EQ(refused(R"({"cluster":"c","serviceName":"nope"})"), "ServiceNotFoundException: Service not found.");
  EXPECT_EQ(refused(R"({"cluster":"x"})"), "ClusterNotFoundException: Cluster not found.");
  EXPECT_THAT(refused(R"({"cluster":"c","containerInstance":"nope"})"), HasSubstr("container instance was not found"));
  EXPECT_THAT(refused(R"({"cluster":"c","nextToken":"bad"})"), HasSubstr("Invalid token"));

  std::vector<std::string> seen;
  std::optional<std::string> token;
  do {
    wire::ListTasksRequest wanted;
    wanted.cluster = "c";
    wanted.maxResults = 3;
    wanted.nextToken = token;
    const auto page = operations.list_tasks(context, wanted);
    seen.insert(seen.end(), page->taskArns->begin(), page->taskArns->end());
    token = page->nextToken;
  } while (token);
  EXPECT_THAT(seen, testing::UnorderedElementsAreArray(list(R"({"cluster":"c"})")));
}

// DescribeServices is what every waiting client polls. The time is printed, not judged: machines differ.
TEST(DescribeServicesCost, OnAFile) {
  const std::string path = testing::TempDir() + "kaapi_describe_services_cost";
  const auto remove = [&] {
    for (const char* tail : {"", "-wal", "-shm"}) std::filesystem::remove(path + tail);
  };
  remove();
  {
    const std::unique_ptr<store::Database> database = *store::Database::open(path, migrations());
    RecordingWaker waker;
    SystemClock clock;
    SeededIds ids(1);
    Operations operations(*database, waker, clock, ids, {});
    aws::CallContext context;
    context.account_id = "123456789012";
    context.region = "eu-central-1";
    ASSERT_TRUE(operations.create_cluster(context, {}));
    ASSERT_TRUE(operations.register_task_definition(
        context, request<wire::RegisterTaskDefinitionRequest>(
                     R"({"family":"app","containerDefinitions":[{"name":"a","image":"a","memory":64}]})")));
    ASSERT_TRUE(operations.create_service(
        context,
        request<wire::CreateServiceRequest>(R"({"serviceName":"web","taskDefinition":"app","desiredCount":2})")));
    const auto wanted = request<wire::DescribeServicesRequest>(R"({"services":["web"]})");
    for (const int events : {5, 95}) {
      ASSERT_TRUE(database->write([&](store::Session& session) -> Result<void> {
        for (int i = 0; i < events; ++i) {
          add_event(session, 1,
                    {ids.uuid(), clock.now(), fmt::format("(service web) has started 1 tasks: (task {}).", i)});
        }
        return ok();
      }));
      constexpr int rounds = 2'000;
      std::size_t bytes = 0;
      const std::clock_t start = std::clock();  // processor time: the machine may be busy
      for (int i = 0; i < rounds; ++i) {
        const auto answer = operations.describe_services(context, wanted);
        ASSERT_TRUE(answer);
        bytes = aws::to_json(*answer).size();
      }
      const double read_us = static_cast<double>(std::clock() - start) * 1e6 / CLOCKS_PER_SEC / rounds;
      const std::clock_t again = std::clock();
      for (int i = 0; i < rounds; ++i) ASSERT_TRUE(operations.describe_services_encoded(context, wanted));
      const double kept_us = static_cast<double>(std::clock() - again) * 1e6 / CLOCKS_PER_SEC / rounds;
      fmt::print("DescribeServices with {} events, {} bytes: {:.1f} us read, {:.1f} us kept\n", events == 5 ? 5 : 100,
                 bytes, read_us, kept_us);
    }
  }
  remove();
}

}  // namespace
}  // namespace kaapi::ecs
