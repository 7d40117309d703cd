#include <gmock/gmock.h>

#include "ecs/operations_test_support.h"

namespace kaapi::ecs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Definitions : public OperationsTest {
 protected:
  std::string try_register(std::string_view text) {
    return outcome(operations.register_task_definition(context, request<wire::RegisterTaskDefinitionRequest>(text)));
  }
  std::vector<std::string> list(std::string_view text) {
    const auto answer = operations.list_task_definitions(context, request<wire::ListTaskDefinitionsRequest>(text));
    std::vector<std::string> names;
    for (const std::string& arn : *answer->taskDefinitionArns) names.push_back(arn.substr(arn.rfind('/') + 1));
    return names;
  }
  std::vector<std::string> families(std::string_view text) {
    return *operations.list_task_definition_families(context, request<wire::ListTaskDefinitionFamiliesRequest>(text))
                ->families;
  }
};

TEST_F(Definitions, AnswersWithWhatItStored) {
  const wire::TaskDefinition made = register_definition(
      R"({"family":"app","cpu":".5 vCPU","memory":"1 GB","networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],
          "taskRoleArn":"role","tags":[{"key":"a","value":"b"}],
          "containerDefinitions":[{"name":"app","image":"app:1","portMappings":[{"containerPort":80,"name":"http","appProtocol":"http"}],
                                   "healthCheck":{"command":["CMD","true"]}}]})");
  EXPECT_EQ(made.taskDefinitionArn, "arn:aws:ecs:eu-central-1:123456789012:task-definition/app:1");
  EXPECT_EQ(made.revision, 1);
  EXPECT_EQ(made.status, "ACTIVE");
  EXPECT_EQ(made.cpu, "512");
  EXPECT_EQ(made.memory, "1024");
  EXPECT_THAT(*made.compatibilities, ElementsAre("EC2", "FARGATE"));
  EXPECT_EQ(made.registeredAt, clock.now());
  EXPECT_EQ(made.registeredBy, context.principal_arn);
  const wire::ContainerDefinition& container = made.containerDefinitions->at(0);
  EXPECT_EQ(container.essential, true);
  EXPECT_EQ(container.cpu, 0);
  EXPECT_EQ(container.portMappings->at(0).hostPort, 80);
  EXPECT_EQ(container.portMappings->at(0).protocol, "tcp");
  EXPECT_EQ(container.portMappings->at(0).appProtocol, "http");
  EXPECT_EQ(container.healthCheck->retries, 3);

  for (const char* name : {"app", "app:1", "arn:aws:ecs:eu-central-1:123456789012:task-definition/app:1"}) {
    const auto found = operations.describe_task_definition(context, {name, std::nullopt});
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->taskDefinition, made) << name;
    EXPECT_FALSE(found->tags);
  }
  const auto tagged = operations.describe_task_definition(context, {"app", std::vector<std::string>{"TAGS"}});
  EXPECT_THAT(*tagged->tags, ElementsAre(wire::Tag{"a", "b"}));
}

TEST_F(Definitions, RevisionsAreNeverUsedTwice) {
  register_simple("app");
  register_simple("app");
  const auto gone = operations.deregister_task_definition(context, {"app:2"});
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->taskDefinition->status, "INACTIVE");
  EXPECT_EQ(gone->taskDefinition->deregisteredAt, clock.now());
  EXPECT_EQ(operations.describe_task_definition(context, {"app", {}})->taskDefinition->revision, 1) << "newest ACTIVE";
  EXPECT_EQ(operations.describe_task_definition(context, {"app:2", {}})->taskDefinition->status, "INACTIVE");
  EXPECT_EQ(register_simple("app").revision, 3);
  EXPECT_EQ(outcome(operations.deregister_task_definition(context, {"app:2"})), "ok");
  EXPECT_THAT(outcome(operations.deregister_task_definition(context, {"app"})), HasSubstr("ClientException"));
  EXPECT_THAT(outcome(operations.deregister_task_definition(context, {"app:9"})), HasSubstr("does not exist"));
}

TEST_F(Definitions, UnknownOnesCannotBeDescribed) {
  register_simple("app");
  for (const char* name :
       {"nope", "app:2", "app:99999999999", "arn:aws:ecs:us-east-1:123456789012:task-definition/app:1",
        "arn:aws:ecs:eu-central-1:999999999999:task-definition/app:1", "arn:x"}) {
    EXPECT_EQ(outcome(operations.describe_task_definition(context, {name, {}})),
              "ClientException: Unable to describe task definition.")
        << name;
  }
}

TEST_F(Definitions, ListsByExactFamilyStatusAndOrder) {
  for (const char* family : {"app", "app", "app-worker", "zoo"}) register_simple(family);
  ASSERT_TRUE(operations.deregister_task_definition(context, {"app:1"}));
  ASSERT_TRUE(operations.deregister_task_definition(context, {"zoo:1"}));
  EXPECT_THAT(list("{}"), ElementsAre("app:2", "app-worker:1"));
  EXPECT_THAT(list(R"({"familyPrefix":"app"})"), ElementsAre("app:2")) << "the whole family name, not a prefix";
  EXPECT_THAT(list(R"({"status":"INACTIVE"})"), ElementsAre("app:1", "zoo:1"));
  EXPECT_THAT(list(R"({"status":"INACTIVE","sort":"DESC"})"), ElementsAre("zoo:1", "app:1"));
  EXPECT_THAT(families("{}"), ElementsAre("app", "app-worker", "zoo"));
  EXPECT_THAT(families(R"({"familyPrefix":"app"})"), ElementsAre("app", "app-worker"));
  EXPECT_THAT(families(R"({"status":"ACTIVE"})"), ElementsAre("app", "app-worker"));
  EXPECT_THAT(families(R"({"status":"INACTIVE"})"), ElementsAre("zoo"));
  EXPECT_THAT(families(R"({"familyPrefix":"_"})"), IsEmpty());
}

TEST_F(Definitions, PagesInBothDirections) {
  for (int i = 0; i < 12; ++i) register_simple("app");  // so that revision 10 comes after 9
  for (const bool down : {false, true}) {
    std::vector<std::string> seen;
    std::optional<std::string> token;
    do {
      wire::ListTaskDefinitionsRequest wanted;
      wanted.familyPrefix = "app";
      wanted.sort = down ? "DESC" : "ASC";
      wanted.maxResults = 5;
      wanted.nextToken = token;
      const auto page = operations.list_task_definitions(context, wanted);
      ASSERT_TRUE(page);
      for (const std::string& arn : *page->taskDefinitionArns) seen.push_back(arn.substr(arn.rfind('/') + 1));
      token = page->nextToken;
    } while (token);
    ASSERT_THAT(seen, SizeIs(12));
    EXPECT_EQ(seen.front(), down ? "app:12" : "app:1");
    EXPECT_EQ(seen.back(), down ? "app:1" : "app:12");
  }
  for (const char* family : {"b", "c"}) register_simple(family);
  const auto page = operations.list_task_definition_families(
      context, request<wire::ListTaskDefinitionFamiliesRequest>(R"({"maxResults":2})"));
  EXPECT_THAT(*page->families, ElementsAre("app", "b"));
  EXPECT_THAT(families(fmt::format(R"({{"nextToken":"{}"}})", *page->nextToken)), ElementsAre("c"));
  EXPECT_THAT(outcome(operations.list_task_definitions(
                  context, request<wire::ListTaskDefinitionsRequest>(R"({"nextToken":"x"})"))),
              HasSubstr("InvalidParameterException: Invalid token"));
}

// One container with `more` members, and the task's members `task`.
std::string definition_with(std::string_view more, std::string_view task = "") {
  return fmt::format(R"({{"family":"app",{}"containerDefinitions":[{{"name":"app","image":"a","memory":64{}{}}}]}})",
                     task, more.empty() ? "" : ",", more);
}

TEST_F(Definitions, RefusesWhatEcsRefuses) {
  const std::string two =
      R"({"family":"app","containerDefinitions":[{"name":"a","image":"a","memory":64,"essential":false,"dependsOn":[{"containerName":"b","condition":"START"}]},)";
  const std::pair<std::string, const char*> table[] = {
      {R"({"family":"a b","containerDefinitions":[{"name":"a","image":"a","memory":64}]})",
       "Family contains invalid characters."},
      {R"({"family":"app","containerDefinitions":[]})", "Container list cannot be empty."},
      {R"({"family":"app","containerDefinitions":[{"image":"a","memory":64}]})",
       "Container.name should not be null or empty."},
      {R"({"family":"app","containerDefinitions":[{"name":"a.b","image":"a","memory":64}]})",
       "Container.name contains invalid characters."},
      {R"({"family":"app","containerDefinitions":[{"name":"a","memory":64}]})",
       "Container.image should not be null or empty."},
      {R"({"family":"app","containerDefinitions":[{"name":"a","image":"a b","memory":64}]})",
       "Container.image contains invalid characters."},
      {R"({"family":"app","containerDefinitions":[{"name":"a","image":"a"}]})",
       "At least one of 'memory' or 'memoryReservation'"},
      {R"({"family":"app","containerDefinitions":[{"name":"a","image":"a","memory":5}]})",
       "'memory' must be at least 6"},
      {definition_with(R"("memoryReservation":65)"), "'memoryReservation' must not be greater than 'memory'"},
      {definition_with("", R"("memory":"32",)"), "The 'memory' setting for container is greater than for the task."},
      {definition_with(R"("essential":false)"), "at least one essential container"},
      {R"({"family":"app","containerDefinitions":[{"name":"a","image":"a","memory":64},{"name":"a","image":"a","memory":64}]})",
       "must be unique"},
      {definition_with("", R"("cpu":"much",)"), "Invalid 'cpu' setting for task"},
      {definition_with("", R"("memory":"0",)"), "Invalid 'memory' setting for task"},
      {definition_with(R"("cpu":512)", R"("cpu":"256",)"), "Total container cpu (512)"},
      {definition_with("", R"("requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512",)"),
       "Fargate only supports network mode"},
      {definition_with("", R"("requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","memory":"512",)"),
       "Fargate requires that 'cpu'"},
      {definition_with("", R"("requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"256",)"),
       "Fargate requires that 'memory'"},
      {definition_with("",
                       R"("requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"256","memory":"4096",)"),
       "No Fargate configuration exists for given values: 256 CPU, 4096 memory."},
      {definition_with("", R"("requiresCompatibilities":["EXTERNAL"],)"),
       "requiresCompatibilities EXTERNAL is not supported"},
      {definition_with(R"("stopTimeout":121,"portMappings":[])",
                       R"("requiresCompatibilities":["FARGATE"],"networkMode":"awsvpc","cpu":"256","memory":"512",)"),
       "'stopTimeout' must be at most 120"},
      {definition_with(R"("stopTimeout":-1)"), "'stopTimeout' must not be negative"},
      {definition_with(R"("portMappings":[{}])"), "'containerPort' between 1 and 65535"},
      {definition_with(R"("portMappings":[{"containerPort":70000}])"), "'containerPort' between 1 and 65535"},
      {definition_with(R"("portMappings":[{"containerPort":80,"hostPort":-1}])"), "'hostPort' must be between"},
      {definition_with(R"("portMappings":[{"containerPort":80,"hostPort":81}])", R"("networkMode":"awsvpc",)"),
       "When networkMode=awsvpc, the host ports and container ports in port mappings must match."},
      {definition_with(R"("portMappings":[{"containerPort":80}])", R"("networkMode":"none",)"),
       "not valid when networkMode=none"},
      {definition_with(R"("portMappings":[{"containerPort":80,"hostPort":8080},{"containerPort":81,"hostPort":8080}])"),
       "Port 8080 is mapped more than once"},
      {definition_with(R"("hostname":"h")", R"("networkMode":"awsvpc",)"),
       "'hostname' is not supported when networkMode=awsvpc"},
      {definition_with(R"("environment":[{"value":"x"}])"), "An environment variable needs a name."},
      {definition_with(R"("healthCheck":{"command":["curl","x"]})"), "must begin with CMD, CMD-SHELL or NONE"},
      {definition_with(R"("healthCheck":{"command":[]})"), "must begin with CMD, CMD-SHELL or NONE"},
      {definition_with(R"("healthCheck":{"command":["CMD"]})"), "command CMD is empty"},
      {definition_with(R"("healthCheck":{"command":["CMD","x"],"interval":4})"),
       "'interval' must be between 5 and 300"},
      {definition_with(R"("healthCheck":{"command":["CMD","x"],"timeout":61})"), "'timeout' must be between 2 and 60"},
      {definition_with(R"("healthCheck":{"command":["CMD","x"],"retries":0})"), "'retries' must be between 1 and 10"},
      {definition_with(R"("healthCheck":{"command":["CMD","x"],"startPeriod":301})"),
       "'startPeriod' must be between 0 and 300"},
      {definition_with(R"("dependsOn":[{"containerName":"b","condition":"START"}])"),
       "not a container of this task definition"},
      {definition_with(R"("dependsOn":[{"containerName":"app","condition":"START"}])"), "depends on 'app', itself"},
      {two + R"({"name":"b","image":"a","memory":64,"dependsOn":[{"containerName":"a","condition":"START"}]}]})",
       "must not contain a cycle"},
      {two +
           R"({"name":"b","image":"a","memory":64},{"name":"c","image":"a","memory":64,"dependsOn":[{"containerName":"b","condition":"SUCCESS"}]}]})",
       "condition SUCCESS, which is not allowed on an essential container"},
      {two +
           R"({"name":"b","image":"a","memory":64},{"name":"c","image":"a","memory":64,"dependsOn":[{"containerName":"b","condition":"HEALTHY"}]}]})",
       "has no health check"},
      {definition_with(R"("logConfiguration":{"logDriver":"awslogs"})"),
       "Log driver awslogs requires options: awslogs-group"},
      {definition_with(R"("logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"/ecs/a b"}})"),
       "'awslogs-group' contains invalid characters"},
      {definition_with(R"("logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":")" +
                       std::string(513, 'g') + R"("}})"),
       "'awslogs-group' must be at most 512 characters"},
      {definition_with(
           R"("logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","awslogs-stream-prefix":"a:b"}})"),
       "'awslogs-stream-prefix' must not contain ':' or '*'"},
      {definition_with(R"("logConfiguration":{"logDriver":"json-file"})"), "logDriver 'json-file' is not supported"},
      {definition_with("", R"("tags":[{"key":"aws:x"}],)"), "reserved for AWS use"},
  };
  for (const auto& [text, expected] : table) EXPECT_THAT(try_register(text), HasSubstr(expected)) << text;
  std::string many = R"({"family":"app","containerDefinitions":[)";
  for (int i = 0; i < 11; ++i)
    many += fmt::format(R"({}{{"name":"c{}","image":"a","memory":64}})", i == 0 ? "" : ",", i);
  EXPECT_THAT(try_register(many + "]}"), HasSubstr("at most 10 containers"));
  EXPECT_THAT(try_register(definition_with(fmt::format(R"("command":["{}"])", std::string(70'000, 'x')))),
              HasSubstr("the most that is allowed is 65536"));
  EXPECT_THAT(families("{}"), IsEmpty()) << "nothing was stored";
}

TEST_F(Definitions, RolesAreStoredWhenTheyHaveTheFormOfOne) {
  const auto asked = [](std::string_view member, std::string_view role) {
    return fmt::format(
        R"({{"family":"roles","{}":"{}","containerDefinitions":[{{"name":"a","image":"a","memory":64}}]}})", member,
        role);
  };
  for (const char* role :
       {"app", "a.b@c=d,e+f-g_h", "arn:aws:iam::123456789012:role/app", "arn:aws:iam::123456789012:role/team/app"}) {
    EXPECT_EQ(register_definition(asked("taskRoleArn", role)).taskRoleArn, role);
    EXPECT_EQ(register_definition(asked("executionRoleArn", role)).executionRoleArn, role);
  }
  for (const char* role :
       {"two words", "team/app", "arn:aws:iam::123456789012:user/app", "arn:aws:iam::12345:role/app",
        "arn:aws:iam:eu-central-1:123456789012:role/app", "arn:aws:iam::123456789012:role/", "arn:aws:s3:::bucket"}) {
    for (const char* member : {"taskRoleArn", "executionRoleArn"}) {
      const auto refused = operations.register_task_definition(
          context, request<wire::RegisterTaskDefinitionRequest>(asked(member, role)));
      ASSERT_FALSE(refused) << role;
      EXPECT_EQ(refused.error().code, "ClientException");
      EXPECT_THAT(refused.error().message, testing::HasSubstr("Role is not valid"));
    }
  }
}

TEST_F(Definitions, RefusesByNameWhatItWouldIgnore) {
  const std::pair<const char*, const char*> of_container[] = {
      {"links", R"(["b"])"},
      {"mountPoints", R"([{"sourceVolume":"v"}])"},
      {"volumesFrom", R"([{"sourceContainer":"b"}])"},
      {"secrets", R"([{"name":"a","valueFrom":"b"}])"},
      {"ulimits", R"([{"name":"nofile","softLimit":1,"hardLimit":2}])"},
      {"firelensConfiguration", R"({"type":"fluentbit"})"},
      {"environmentFiles", R"([{"value":"x","type":"s3"}])"},
      {"repositoryCredentials", R"({"credentialsParameter":"x"})"},
      {"extraHosts", R"([{"hostname":"a","ipAddress":"b"}])"},
      {"dnsServers", R"(["1.1.1.1"])"},
      {"systemControls", R"([{"namespace":"a","value":"b"}])"},
      {"resourceRequirements", R"([{"type":"GPU","value":"1"}])"},
      {"restartPolicy", R"({"enabled":true})"},
      {"linuxParameters.tmpfs", ""},
      {"startTimeout", "5"},
      {"interactive", "true"},
      {"disableNetworking", "true"}};
  for (const auto& [member, value] : of_container) {
    const std::string text = std::string(member) == "linuxParameters.tmpfs"
                                 ? R"("linuxParameters":{"tmpfs":[{"containerPath":"/t","size":1}]})"
                                 : fmt::format(R"("{}":{})", member, value);
    EXPECT_THAT(try_register(definition_with(text)),
                HasSubstr(fmt::format("{} is not supported by this version of kaapi", member)));
  }
  const std::pair<const char*, const char*> of_task[] = {
      {"volumes", R"([{"name":"v"}])"},
      {"pidMode", R"("host")"},
      {"ipcMode", R"("host")"},
      {"proxyConfiguration", R"({"containerName":"x"})"},
      {"inferenceAccelerators", R"([{"deviceName":"a","deviceType":"b"}])"}};
  for (const auto& [member, value] : of_task) {
    EXPECT_EQ(try_register(definition_with("", fmt::format(R"("{}":{},)", member, value))),
              fmt::format("ClientException: {} is not supported by this version of kaapi", member));
  }
}

TEST_F(Definitions, AcceptsEmptyListsAndHarmlessMembers) {
  EXPECT_EQ(
      try_register(definition_with(
          R"("links":[],"mountPoints":[],"volumesFrom":[],"secrets":[],"ulimits":[],"privileged":false,
                   "environment":[{"name":"A","value":"1"},{"name":"A","value":"2"}],
                   "logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g","mode":"non-blocking"}}, "linuxParameters":{"initProcessEnabled":true})",
          R"("volumes":[],"placementConstraints":[],"executionRoleArn":"r","runtimePlatform":{"cpuArchitecture":"X86_64","operatingSystemFamily":"LINUX"},)")),
      "ok");
}

}  // namespace
}  // namespace kaapi::ecs
