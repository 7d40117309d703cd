#include "ecs/definition.h"

#include <gmock/gmock.h>

#include "aws/gen/ecs.h"
#include "ecs/operations_test_support.h"

namespace kaapi::ecs {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

class MakeTask : public testing::Test {
 protected:
  Result<Task> make(std::string_view definition, std::string_view overrides = "", std::string network = "",
                    std::string launch_type = "EC2") {
    const DefinitionRow row{"eu-central-1", "app", 3, "ACTIVE", std::string(definition), ""};
    const TaskRequest request{.region = "eu-central-1",
                              .cluster = "c",
                              .service_id = 5,
                              .service_name = "web",
                              .deployment_id = "ecs-svc/1",
                              .group = "",
                              .started_by = "ecs-svc/1",
                              .launch_type = std::move(launch_type),
                              .network_configuration = std::move(network),
                              .overrides = std::string(overrides),
                              .tags = "",
                              .ids = ids,
                              .now = from_millis(1000)};
    return make_task(row, request);
  }
  SeededIds ids{1};
};

TEST_F(MakeTask, FillsDefaults) {
  const auto task = make(R"({"containerDefinitions":[{"name":"app","image":"app:1","memory":64,
                             "portMappings":[{"containerPort":80}]}]})");
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(task->id.size(), 32U);
  EXPECT_EQ(task->group, "service:web");
  EXPECT_EQ(task->network_mode, NetworkMode::bridge);
  EXPECT_EQ(task->status, TaskStatus::provisioning);
  EXPECT_TRUE(task->desired_running);
  EXPECT_EQ(task->created_at, from_millis(1000));
  const ContainerPlan& plan = task->containers.at(0).plan;
  EXPECT_TRUE(plan.essential);
  EXPECT_EQ(plan.stop_timeout, Duration(30'000));
  EXPECT_EQ(plan.memory_mib, 64);
  EXPECT_FALSE(plan.health_check);
  EXPECT_FALSE(plan.log);
  EXPECT_EQ(plan.ports.at(0).host_port, 0);
  EXPECT_EQ(plan.ports.at(0).protocol, "tcp");
  EXPECT_THAT(plan.environment, ElementsAre(std::pair("ECS_TASK_ID", task->id), std::pair("ECS_CLUSTER", "c"),
                                            std::pair("ECS_SERVICE", "web"), std::pair("AWS_REGION", "eu-central-1"),
                                            std::pair("AWS_DEFAULT_REGION", "eu-central-1")));
}

TEST_F(MakeTask, TakesEverythingOfTheDefinition) {
  const auto task = make(R"({"cpu":"512","memory":"1024","containerDefinitions":[
    {"name":"db","image":"db","essential":false,"healthCheck":{"command":["CMD","ping","-c"],"interval":7,"timeout":3,"retries":4,"startPeriod":9}},
    {"name":"app","image":"app:1","cpu":100,"memory":64,"memoryReservation":32,"entryPoint":["/run"],"command":["a","b"],
     "environment":[{"name":"X","value":"1"},{"name":"AWS_REGION","value":"mine"},{"name":"X","value":"2"}],
     "workingDirectory":"/w","user":"1000","hostname":"h","readonlyRootFilesystem":true,"privileged":true,"pseudoTerminal":true,
     "linuxParameters":{"initProcessEnabled":true},"dockerLabels":{"l":"v"},"stopTimeout":5,
     "portMappings":[{"containerPort":80,"hostPort":8080},{"containerPort":53,"protocol":"udp"}],
     "healthCheck":{"command":["CMD-SHELL","curl -f localhost || exit 1"]},
     "dependsOn":[{"containerName":"db","condition":"HEALTHY"}],
     "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/ecs/x","awslogs-stream-prefix":"p","awslogs-create-group":"true","awslogs-region":"us-east-1"}}}]})");
  ASSERT_TRUE(task) << task.error().message;
  const ContainerPlan& db = task->containers.at(0).plan;
  EXPECT_EQ(db.memory_mib, 1024) << "the task's limit";
  ASSERT_TRUE(db.health_check);
  EXPECT_THAT(db.health_check->command, ElementsAre("ping", "-c"));
  EXPECT_EQ(db.health_check->interval, Duration(7'000));
  EXPECT_EQ(db.health_check->timeout, Duration(3'000));
  EXPECT_EQ(db.health_check->retries, 4);
  EXPECT_EQ(db.health_check->start_period, Duration(9'000));
  const ContainerPlan& app = task->containers.at(1).plan;
  EXPECT_EQ(app.memory_mib, 64);
  EXPECT_EQ(app.memory_reservation_mib, 32);
  EXPECT_EQ(app.cpu, 100);
  EXPECT_THAT(app.entry_point, ElementsAre("/run"));
  EXPECT_THAT(app.command, ElementsAre("a", "b"));
  EXPECT_THAT(app.environment, Contains(std::pair("X", "2")));
  EXPECT_THAT(app.environment, Not(Contains(std::pair("X", "1"))));
  EXPECT_THAT(app.environment, Contains(std::pair("AWS_REGION", "mine")));
  EXPECT_EQ(app.working_directory, "/w");
  EXPECT_EQ(app.user, "1000");
  EXPECT_EQ(app.hostname, "h");
  EXPECT_TRUE(app.read_only_root && app.privileged && app.tty && app.init);
  EXPECT_EQ(app.docker_labels.at("l"), "v");
  EXPECT_EQ(app.stop_timeout, Duration(5'000));
  EXPECT_EQ(app.ports.at(0).host_port, 8080);
  EXPECT_EQ(app.ports.at(1).protocol, "udp");
  EXPECT_THAT(app.health_check->command, ElementsAre("/bin/sh", "-c", "curl -f localhost || exit 1"));
  EXPECT_EQ(app.health_check->interval, Duration(30'000));
  EXPECT_EQ(app.depends_on.at(0).container, "db");
  EXPECT_EQ(app.depends_on.at(0).condition, Condition::healthy);
  ASSERT_TRUE(app.log);
  EXPECT_EQ(app.log->group, "/ecs/x");
  EXPECT_EQ(app.log->region, "us-east-1");
  EXPECT_EQ(app.log->stream, "p/app/" + task->id);
  EXPECT_TRUE(app.log->create_group);
  EXPECT_EQ(needs_of(*task).cpu_units, 512);
  EXPECT_EQ(needs_of(*task).memory_mib, 1024);
  ASSERT_EQ(fixed_host_ports(*task).size(), 1U);
  EXPECT_EQ(fixed_host_ports(*task).at(0).host_port, 8080);
}

TEST_F(MakeTask, NoneSwitchesTheCheckOffAndALogStreamNeedsNoPrefix) {
  const auto task =
      make(R"({"containerDefinitions":[{"name":"app","image":"a","memory":64,"healthCheck":{"command":["NONE"]},
    "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g"}}}]})");
  EXPECT_FALSE(task->containers.at(0).plan.health_check);
  EXPECT_EQ(task->containers.at(0).plan.log->stream, "app/" + task->id);
  EXPECT_EQ(task->containers.at(0).plan.log->region, "eu-central-1");
  EXPECT_FALSE(task->containers.at(0).plan.log->create_group);
}

TEST_F(MakeTask, AppliesOverrides) {
  const std::string definition =
      R"({"containerDefinitions":[{"name":"app","image":"a","memory":64,"command":["old"],"environment":[{"name":"A","value":"1"}]},
                                  {"name":"other","image":"a","memory":64}]})";
  const auto task =
      make(definition, R"({"cpu":"1 vCPU","memory":"2 GB","containerOverrides":[{"name":"app","command":["new"],
    "environment":[{"name":"A","value":"2"},{"name":"ECS_CLUSTER","value":"x"}],"cpu":7,"memory":128,"memoryReservation":100}]})");
  ASSERT_TRUE(task) << task.error().message;
  const ContainerPlan& plan = task->containers.at(0).plan;
  EXPECT_THAT(plan.command, ElementsAre("new"));
  EXPECT_THAT(plan.environment, Contains(std::pair("A", "2")));
  EXPECT_THAT(plan.environment, Contains(std::pair("ECS_CLUSTER", "x")));
  EXPECT_EQ(plan.cpu, 7);
  EXPECT_EQ(plan.memory_mib, 128);
  EXPECT_EQ(plan.memory_reservation_mib, 100);
  EXPECT_THAT(task->containers.at(1).plan.command, IsEmpty());
  EXPECT_EQ(task->cpu, "1024");
  EXPECT_EQ(task->memory, "2048");

  EXPECT_EQ(outcome(make(definition, R"({"containerOverrides":[{"name":"nope"}]})")),
            "InvalidParameterException: Override for container named nope is not a container in the TaskDefinition.");
  EXPECT_THAT(outcome(make(definition, R"({"containerOverrides":[{"name":"app","memory":0}]})")),
              testing::HasSubstr("InvalidParameterException"));
  EXPECT_THAT(outcome(make(definition, R"({"memory":"lots"})")), testing::HasSubstr("Invalid 'memory' setting"));
}

TEST_F(MakeTask, AwsvpcGetsAnInterfaceAndEqualPorts) {
  const std::string definition =
      R"({"networkMode":"awsvpc","containerDefinitions":[{"name":"app","image":"a","memory":64,"portMappings":[{"containerPort":80}]}]})";
  const auto task = make(definition, "", R"({"awsvpcConfiguration":{"subnets":["subnet-1","subnet-2"]}})", "FARGATE");
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(task->network_mode, NetworkMode::awsvpc);
  EXPECT_EQ(task->launch_type, "FARGATE");
  EXPECT_EQ(task->subnet_id, "subnet-1");
  EXPECT_EQ(task->attachment_id.size(), 36U);
  EXPECT_TRUE(task->network_id.starts_with("eni-"));
  EXPECT_EQ(task->containers.at(0).plan.ports.at(0).host_port, 80);
  EXPECT_THAT(fixed_host_ports(*task), IsEmpty());
  EXPECT_THAT(outcome(make(definition)), testing::HasSubstr("Network Configuration must be provided"));
  EXPECT_THAT(outcome(make(definition, "", R"({"awsvpcConfiguration":{"subnets":[]}})")),
              testing::HasSubstr("subnets can not be empty"));
}

std::string variable(const Task& task, std::string_view name) {
  for (const auto& [key, value] : task.containers.at(0).plan.environment) {
    if (key == name) return value;
  }
  return "not set";
}

TEST_F(MakeTask, AContainerOfATaskWithARoleIsToldWhereItsCredentialsAre) {
  const std::string definition =
      R"({"taskRoleArn":"arn:aws:iam::123456789012:role/app","containerDefinitions":[{"name":"app","image":"a","memory":64}]})";
  const auto task = make(definition);
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(task->role, "arn:aws:iam::123456789012:role/app");
  EXPECT_EQ(task->credentials_id.size(), 36U);
  EXPECT_EQ(variable(*task, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), "/v2/credentials/" + task->credentials_id);
  EXPECT_EQ(variable(*task, "AWS_ENDPOINT_URL"), "http://169.254.170.2");
  EXPECT_EQ(variable(*task, "AWS_REGION"), "eu-central-1");
  EXPECT_NE(make(definition)->credentials_id, task->credentials_id);

  EXPECT_EQ(make(definition, R"({"taskRoleArn":"other"})")->role, "other");
  EXPECT_EQ(make(definition, R"({"taskRoleArn":"no such:name"})").error().code,
            aws::ecs::error::InvalidParameterException);
}

TEST_F(MakeTask, WithoutARoleNothingIsSaidOfCredentials) {
  for (
      const char* definition :
      {R"({"containerDefinitions":[{"name":"app","image":"a","memory":64}]})",
       R"({"taskRoleArn":"app","networkMode":"none","containerDefinitions":[{"name":"app","image":"a","memory":64}]})"}) {
    const auto task = make(definition);
    ASSERT_TRUE(task) << task.error().message;
    EXPECT_EQ(variable(*task, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), "not set");
    EXPECT_EQ(variable(*task, "AWS_ENDPOINT_URL"), "not set");
  }
}

TEST_F(MakeTask, TheDefinitionsOwnEndpointStaysAndAnotherPlaceForCredentialsDoesNot) {
  const auto task = make(R"({"taskRoleArn":"app","containerDefinitions":[{"name":"app","image":"a","memory":64,
      "environment":[{"name":"AWS_ENDPOINT_URL","value":"https://example.com"},
                     {"name":"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI","value":"/v2/credentials/mine"}]}]})");
  ASSERT_TRUE(task) << task.error().message;
  EXPECT_EQ(variable(*task, "AWS_ENDPOINT_URL"), "https://example.com");
  EXPECT_EQ(variable(*task, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"), "/v2/credentials/" + task->credentials_id);
}

TEST_F(MakeTask, SaysWhatIsWrongWithStoredText) {
  EXPECT_EQ(make("{").error().code, errc::damaged);
  EXPECT_EQ(make("{}").error().code, errc::damaged);
}

TEST(TaskSizes, AreReadAsEcsWritesThem) {
  const std::pair<const char*, std::optional<std::int64_t>> cpu[] = {
      {"256", 256},           {"1 vCPU", 1024},           {"1vcpu", 1024},
      {".5 vCPU", 512},       {"0.25 VCPU", 256},         {"", std::nullopt},
      {"0", std::nullopt},    {"-1", std::nullopt},       {"1.5", std::nullopt},
      {"vCPU", std::nullopt}, {"1e9", std::nullopt},      {"1 GB", std::nullopt},
      {"inf", std::nullopt},  {"nan vcpu", std::nullopt}, {"99999999999999999999", std::nullopt}};
  for (const auto& [text, expected] : cpu) EXPECT_EQ(parse_cpu(text), expected) << text;
  const std::pair<const char*, std::optional<std::int64_t>> memory[] = {
      {"512", 512}, {"2 GB", 2048}, {"0.5gb", 512}, {"2 MB", std::nullopt}, {"two", std::nullopt}};
  for (const auto& [text, expected] : memory) EXPECT_EQ(parse_memory(text), expected) << text;
}

TEST_F(OperationsTest, ServiceTaskInheritsTagsAndPinsItsRevision) {
  create_cluster("c");
  register_definition(
      R"({"family":"app","tags":[{"key":"from","value":"definition"}],"containerDefinitions":[{"name":"app","image":"a","memory":64}]})");
  const auto tags_of = [&](const char* name, const char* more) {
    create_service(fmt::format(
        R"({{"cluster":"c","serviceName":"{}","taskDefinition":"app","desiredCount":1,"tags":[{{"key":"from","value":"service"}}]{}}})",
        name, more));
    return *database->read([&](store::Session& session) -> Result<std::string> {
      const Service service = *find_service(session, context.region, "c", name);
      const Deployment deployment = open_deployments(session, service.id).front();
      const Result<Task> task = make_service_task(session, service, deployment, ids, clock.now());
      EXPECT_EQ(task->started_by, deployment.id);
      EXPECT_EQ(task->service_id, service.id);
      EXPECT_EQ(task->revision, 1);
      return task->tags;
    });
  };
  EXPECT_EQ(tags_of("a", ""), "");
  EXPECT_EQ(tags_of("b", R"(,"propagateTags":"SERVICE")"), R"([{"key":"from","value":"service"}])");
  EXPECT_EQ(tags_of("d", R"(,"propagateTags":"TASK_DEFINITION")"), R"([{"key":"from","value":"definition"}])");
  EXPECT_EQ(tags_of("e", R"(,"enableECSManagedTags":true)"),
            R"([{"key":"aws:ecs:clusterName","value":"c"},{"key":"aws:ecs:serviceName","value":"e"}])");
}

}  // namespace
}  // namespace kaapi::ecs
