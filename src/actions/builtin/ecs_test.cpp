// The actions of Amazon ECS: task definitions as files, and deployments against a front door of our own.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/builtin/deployment_progress.h"
#include "actions/builtin/task_definition.h"
#include "actions/builtin/test_aws.h"

namespace kaapi::actions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using State = DeploymentProgress::State;

json::value parsed(std::string_view text) {
  return parse_json(text).value();
}

TEST(TaskDefinitionFile, ChangesOneContainerAndNothingElse) {
  RenderInputs inputs;
  inputs.container_name = "api";
  inputs.image = "repo:2";
  inputs.environment_variables = "A=1\n\nB=x=y\n";
  inputs.secrets = "S=arn:secret";
  inputs.log_driver = "awslogs";
  inputs.log_options = "awslogs-group=g\n";
  inputs.docker_labels = "l=v";
  inputs.env_files = "arn:aws:s3:::b/e.env";
  inputs.command = "run  fast";
  const auto rendered = render_task_definition(
      parsed(R"({"family":"f","containerDefinitions":[{"name":"api","image":"repo:1",)"
             R"("environment":[{"name":"B","value":"0"},{"name":"C","value":"3"}]},{"name":"side","image":"s"}]})"),
      inputs);
  ASSERT_TRUE(rendered) << rendered.error().message;
  EXPECT_EQ(json::serialize(*rendered),
            R"({"family":"f","containerDefinitions":[{"name":"api","image":"repo:2",)"
            R"("environment":[{"name":"B","value":"x=y"},{"name":"C","value":"3"},{"name":"A","value":"1"}],)"
            R"("command":["run","fast"],"environmentFiles":[{"value":"arn:aws:s3:::b/e.env","type":"s3"}],)"
            R"("secrets":[{"name":"S","valueFrom":"arn:secret"}],)"
            R"("logConfiguration":{"logDriver":"awslogs","options":{"awslogs-group":"g"}},"dockerLabels":{"l":"v"}},)"
            R"({"name":"side","image":"s"}]})");
}

TEST(TaskDefinitionFile, LabelsAndLogOptionsThatAreThereStay) {
  RenderInputs inputs;
  inputs.container_name = "api";
  inputs.log_driver = "splunk";
  inputs.docker_labels = "team=b\nnew=1";
  const json::value definition =
      parsed(R"({"containerDefinitions":[{"name":"api","dockerLabels":{"team":"a","tier":"web"},"logConfiguration":)"
             R"({"logDriver":"awslogs","options":{"group":"g"},"secretOptions":[{"name":"t","valueFrom":"arn"}]}}]})");
  EXPECT_EQ(json::serialize(render_task_definition(definition, inputs).value()),
            R"({"containerDefinitions":[{"name":"api","dockerLabels":{"team":"b","tier":"web","new":"1"},)"
            R"("logConfiguration":{"logDriver":"splunk","options":{"group":"g"},)"
            R"("secretOptions":[{"name":"t","valueFrom":"arn"}]}}]})");
  EXPECT_EQ(json::serialize(render_task_definition(parsed(R"({"containerDefinitions":[{"name":"api"}]})"), inputs)
                                .value()
                                .at("containerDefinitions")
                                .at(0)
                                .at("logConfiguration")),
            R"({"logDriver":"splunk"})");
}

TEST(TaskDefinitionFile, SaysWhatDoesNotFit) {
  RenderInputs inputs;
  inputs.container_name = "web";
  const json::value definition = parsed(R"({"containerDefinitions":[{"name":"api"}]})");
  EXPECT_THAT(render_task_definition(definition, inputs).error().message, HasSubstr("no container named 'web'"));
  EXPECT_THAT(render_task_definition(parsed("[]"), inputs).error().message, HasSubstr("containerDefinitions"));
  inputs.container_name = "api";
  inputs.environment_variables = "novalue";
  EXPECT_THAT(render_task_definition(definition, inputs).error().message, HasSubstr("'environment-variables'"));
  inputs.environment_variables.clear();
  inputs.log_driver = "paper";
  EXPECT_THAT(render_task_definition(definition, inputs).error().message, HasSubstr("'paper'"));
}

TEST(TaskDefinitionFile, IsCleanedBeforeItIsRegistered) {
  std::vector<std::string> ignored;
  const json::value bare =
      without_answer_members(parsed(R"({"family":"f","revision":3,"status":"ACTIVE","volumes":[]})"), ignored);
  EXPECT_THAT(ignored, ElementsAre("revision", "status"));
  EXPECT_EQ(json::serialize(without_empty(bare, {})), R"({"family":"f"})");
  EXPECT_EQ(json::serialize(without_empty(parsed(R"({"a":[{},{"b":null,"c":0,"d":false}],"e":""})"), {"e"})),
            R"({"a":[{"c":0,"d":false}],"e":""})");
}

TEST(TaskDefinitionFile, ValuesThatMustBeThereComeBack) {
  const auto cleaned = [](std::string_view text) {
    return json::serialize(with_required_values(without_empty(parsed(text), {})));
  };
  EXPECT_EQ(cleaned(R"({"containerDefinitions":[{"environment":[{"name":"A","value":""},{"name":"B","value":"b"}]}]})"),
            R"({"containerDefinitions":[{"environment":[{"name":"A","value":""},{"name":"B","value":"b"}]}]})");
  EXPECT_EQ(cleaned(R"({"proxyConfiguration":{"type":"APPMESH","properties":[{"name":"p","value":""}]}})"),
            R"({"proxyConfiguration":{"type":"APPMESH","properties":[{"name":"p","value":""}]}})");
}

TEST(TaskDefinitionFile, IsJsonOrYaml) {
  const auto read = [](std::string_view text) {
    const Result<json::value> tree = parse_task_definition(text, "td.yml");
    return tree ? json::serialize(*tree) : tree.error().message;
  };
  EXPECT_EQ(read(R"({"family": "f", "cpu": 256})"), R"({"family":"f","cpu":256})");
  EXPECT_EQ(read("family: f # the name\ncpu: '256'\ncontainerDefinitions:\n- name: api\n  essential: true\n"
                 "  memory: 512\n  command: [run, ~]\n"),
            R"({"family":"f","cpu":"256","containerDefinitions":[{"name":"api","essential":true,"memory":512,)"
            R"("command":["run",null]}]})");
  EXPECT_EQ(read(R"({"family": "f",})"), R"({"family":"f"})");
  EXPECT_THAT(read("family: [f\ncpu: 1\n"), HasSubstr("td.yml:2:"));
  EXPECT_THAT(read("family: f\nfamily: g\n"), HasSubstr("td.yml:2:1"));
  EXPECT_EQ(read("- a\n"),
            "td.yml is no task definition: it is a list, expected an object with family and "
            "containerDefinitions");
  EXPECT_THAT(read(""), HasSubstr("it is empty"));
}

TEST(DeploymentProgressTest, ReadsTheOneThatWasStarted) {
  const auto state = [](std::string_view deployments) {
    return deployment_progress(parsed(fmt::format(R"({{"deployments":[{}],"events":[]}})", deployments)), "d2").state;
  };
  const std::string done =
      R"({"id":"d2","status":"PRIMARY","rolloutState":"COMPLETED","runningCount":2,"desiredCount":2})";
  EXPECT_EQ(state(done), State::completed);
  EXPECT_EQ(state(done + R"(,{"id":"d1","status":"ACTIVE"})"), State::in_progress);
  EXPECT_EQ(state(R"({"id":"d2","status":"PRIMARY","rolloutState":"IN_PROGRESS","runningCount":2,"desiredCount":2})"),
            State::in_progress);
  EXPECT_EQ(state(R"({"id":"d2","status":"PRIMARY","rolloutState":"COMPLETED","runningCount":1,"desiredCount":2})"),
            State::in_progress);
  EXPECT_EQ(state(R"({"id":"d2","status":"ACTIVE","rolloutState":"FAILED"})"), State::failed);
  EXPECT_EQ(state(R"({"id":"d3","status":"PRIMARY"},{"id":"d2","status":"ACTIVE","rolloutState":"IN_PROGRESS"})"),
            State::failed);
  EXPECT_EQ(state(R"({"id":"d3","status":"PRIMARY"})"), State::failed);
}

class EcsActionTest : public AwsActionTest {
 protected:
  EcsActionTest() {
    dispatcher.handle<aws::ecs::RegisterTaskDefinition>(
        [this](const aws::CallContext&, const aws::ecs::RegisterTaskDefinitionRequest& request)
            -> Result<aws::ecs::RegisterTaskDefinitionResponse> {
          registered = request;
          aws::ecs::RegisterTaskDefinitionResponse response;
          response.taskDefinition.emplace().taskDefinitionArn = "arn:td:2";
          return response;
        });
    dispatcher.handle<aws::ecs::DescribeTaskDefinition>(
        [](const aws::CallContext&,
           const aws::ecs::DescribeTaskDefinitionRequest& request) -> Result<aws::ecs::DescribeTaskDefinitionResponse> {
          aws::ecs::DescribeTaskDefinitionResponse response;
          aws::ecs::TaskDefinition& definition = response.taskDefinition.emplace();
          definition.family = request.taskDefinition;
          definition.revision = 7;
          definition.containerDefinitions.emplace().emplace_back().name = "api";
          if (request.include) response.tags.emplace().push_back({"team", "a"});
          return response;
        });
    dispatcher.handle<aws::ecs::UpdateService>(
        [this](const aws::CallContext&,
               const aws::ecs::UpdateServiceRequest& request) -> Result<aws::ecs::UpdateServiceResponse> {
          updated = request;
          if (!refusal.empty()) return make_error("AccessDeniedException", refusal);
          aws::ecs::UpdateServiceResponse response;
          response.service = service("PRIMARY", "IN_PROGRESS");
          return response;
        });
    dispatcher.handle<aws::ecs::DescribeServices>(
        [this](const aws::CallContext&,
               const aws::ecs::DescribeServicesRequest&) -> Result<aws::ecs::DescribeServicesResponse> {
          aws::ecs::DescribeServicesResponse response;
          if (!exists) {
            response.failures.emplace().emplace_back().reason = "MISSING";
            return response;
          }
          ++described;
          const bool over = described > 2;
          response.services.emplace().push_back(service("PRIMARY", over ? outcome : "IN_PROGRESS"));
          return response;
        });
    dispatcher.handle<aws::ecs::RunTask>(
        [this](const aws::CallContext&, const aws::ecs::RunTaskRequest& request) -> Result<aws::ecs::RunTaskResponse> {
          ran = request;
          aws::ecs::RunTaskResponse response;
          response.tasks.emplace().emplace_back().taskArn = "arn:task";
          return response;
        });
    dispatcher.handle<aws::ecs::DescribeTasks>(
        [this](const aws::CallContext&,
               const aws::ecs::DescribeTasksRequest&) -> Result<aws::ecs::DescribeTasksResponse> {
          aws::ecs::DescribeTasksResponse response;
          aws::ecs::Task& task = response.tasks.emplace().emplace_back();
          task.lastStatus = "STOPPED";
          task.stoppedReason = "Essential container in task exited";
          aws::ecs::Container& container = task.containers.emplace().emplace_back();
          container.name = "api";
          container.exitCode = exit_code;
          return response;
        });
    start();
    host.write("td.json",
               R"({"family":"app","revision":7,"containerDefinitions":[{"name":"api","image":"i:1","cpu":0}]})");
  }
  aws::ecs::Service service(const std::string& status, const std::string& rollout) const {
    aws::ecs::Service made;
    made.serviceName = "api";
    made.status = "ACTIVE";
    aws::ecs::Deployment& deployment = made.deployments.emplace().emplace_back();
    deployment.id = "ecs-svc/2";
    deployment.status = status;
    deployment.rolloutState = rollout;
    if (rollout == "FAILED") deployment.rolloutStateReason = "circuit breaker: tasks failed to start";
    deployment.runningCount = deployment.desiredCount = 2;
    std::vector<aws::ecs::ServiceEvent>& events = made.events.emplace();
    if (rollout != "IN_PROGRESS") events.push_back({"e2", from_millis(2'000), "(service api) has come to its end"});
    events.push_back({"e1", from_millis(1'000), "(service api) old news"});
    return made;
  }
  std::string deploy(std::map<std::string, std::string> inputs) {
    inputs.emplace("task-definition", "td.json");
    return step("aws-actions/amazon-ecs-deploy-task-definition", std::move(inputs));
  }

  aws::ecs::RegisterTaskDefinitionRequest registered;
  aws::ecs::UpdateServiceRequest updated;
  aws::ecs::RunTaskRequest ran;
  std::string outcome = "COMPLETED", refusal;
  int described = 0, exit_code = 0;
  bool exists = true;
};

TEST_F(EcsActionTest, RendersIntoAFileForTheNextStep) {
  ASSERT_EQ(step("aws-actions/amazon-ecs-render-task-definition",
                 {{"task-definition", "td.json"}, {"container-name", "api"}, {"image", "i:2"}}),
            "");
  const std::string path = host.outputs["task-definition"];
  EXPECT_THAT(TestHost::content(path), HasSubstr(R"("image":"i:2")"));
  ASSERT_EQ(deploy({{"task-definition", path}}), "") << host.text;
  EXPECT_EQ(registered.containerDefinitions.at(0).image, "i:2");
  EXPECT_THAT(host.text, HasSubstr("::warning::Ignoring property 'revision'"));
  EXPECT_THAT(step("aws-actions/amazon-ecs-render-task-definition", {{"task-definition", "none.json"}}),
              HasSubstr("none.json"));
}

TEST_F(EcsActionTest, FilesMayBeNamedAsTheJobsContainerSeesThem) {
  host.mounts = {{"/__w", host.workspace()}, {"/__t", host.temp()}};
  ASSERT_EQ(step("aws-actions/amazon-ecs-render-task-definition",
                 {{"task-definition", "/__w/td.json"}, {"container-name", "api"}, {"image", "i:2"}}),
            "");
  const std::string path = host.outputs["task-definition"];
  EXPECT_THAT(path, testing::StartsWith("/__t/task-definition-"));
  ASSERT_EQ(deploy({{"task-definition", path}}), "") << host.text;
  EXPECT_EQ(registered.containerDefinitions.at(0).image, "i:2");
  EXPECT_THAT(deploy({{"task-definition", "/etc/td.json"}}),
              HasSubstr("the input 'task-definition': '/etc/td.json' is in the container alone"));
}

TEST_F(EcsActionTest, RendersARegisteredOneWithItsTags) {
  ASSERT_EQ(step("aws-actions/amazon-ecs-render-task-definition",
                 {{"task-definition-family", "app"}, {"container-name", "api"}, {"image", "i:2"}}),
            "");
  const json::value rendered = parsed(TestHost::content(host.outputs["task-definition"]));
  EXPECT_EQ(json::serialize(rendered.at("tags")), R"([{"key":"team","value":"a"}])");
  EXPECT_FALSE(rendered.as_object().contains("revision"));
}

TEST_F(EcsActionTest, RegistersWhatAYamlFileSays) {
  host.write("td.yml",
             "family: app\ncontainerDefinitions:\n- name: api\n  image: i:3\n  environment:\n"
             "  - {name: EMPTY, value: \"\"}\n");
  ASSERT_EQ(deploy({{"task-definition", "td.yml"}}), "") << host.text;
  EXPECT_EQ(registered.containerDefinitions.at(0).image, "i:3");
  EXPECT_EQ(registered.containerDefinitions.at(0).environment->at(0).value, "");
  host.write("bad.yml", "family: [app\n");
  EXPECT_THAT(deploy({{"task-definition", "bad.yml"}}), HasSubstr("bad.yml:"));
}

TEST_F(EcsActionTest, DeploysAndWaits) {
  ASSERT_EQ(deploy({{"service", "api"},
                    {"cluster", "c"},
                    {"wait-for-service-stability", "true"},
                    {"force-new-deployment", "true"},
                    {"desired-count", "3"}}),
            "")
      << host.text;
  EXPECT_EQ(host.outputs["task-definition-arn"], "arn:td:2");
  EXPECT_EQ(updated.taskDefinition, "arn:td:2");
  EXPECT_EQ(updated.cluster, "c");
  EXPECT_EQ(updated.forceNewDeployment, true);
  EXPECT_EQ(updated.desiredCount, 3);
  EXPECT_THAT(host.text, HasSubstr("has come to its end"));
  EXPECT_THAT(host.text, Not(HasSubstr("old news")));
  EXPECT_THAT(host.text, HasSubstr("The deployment of api is complete"));
}

TEST_F(EcsActionTest, AFailedDeploymentFailsTheStepWithItsReason) {
  outcome = "FAILED";
  const std::string why = deploy({{"service", "api"}, {"wait-for-service-stability", "true"}});
  EXPECT_THAT(why, HasSubstr("failed: circuit breaker: tasks failed to start"));
  EXPECT_THAT(why, HasSubstr("has come to its end"));
}

TEST_F(EcsActionTest, RefusalsSayWhy) {
  EXPECT_THAT(deploy({{"codedeploy-application", "x"}}), HasSubstr("'codedeploy-application' is not offered"));
  refusal = "User is not authorized to perform: ecs:UpdateService";
  EXPECT_EQ(deploy({{"service", "api"}}), "could not update the service api: AccessDeniedException: " + refusal);
  exists = false;
  EXPECT_EQ(deploy({{"service", "api"}}), "there is no service api in the cluster default: MISSING");
}

TEST_F(EcsActionTest, AWaitEndsWhenTheStepIsCancelled) {
  outcome = "IN_PROGRESS";
  host.is_cancelled = true;
  EXPECT_EQ(deploy({{"service", "api"}, {"wait-for-service-stability", "true"}}), "the step was cancelled");
}

TEST_F(EcsActionTest, RunsATaskAndReadsItsExitCode) {
  ASSERT_EQ(deploy({{"run-task", "true"},
                    {"wait-for-task-stopped", "true"},
                    {"run-task-subnets", "subnet-1, subnet-2"},
                    {"run-task-container-overrides", R"([{"name":"api","command":["migrate"]}])"}}),
            "")
      << host.text;
  EXPECT_EQ(host.outputs["run-task-arn"], R"(["arn:task"])");
  EXPECT_EQ(ran.startedBy, "GitHub-Actions");
  EXPECT_EQ(ran.launchType, "FARGATE");
  EXPECT_EQ(ran.networkConfiguration->awsvpcConfiguration->subnets.size(), 2U);
  EXPECT_EQ(ran.overrides->containerOverrides->at(0).name, "api");
  exit_code = 3;
  EXPECT_EQ(deploy({{"run-task", "true"}, {"wait-for-task-stopped", "true"}}),
            "the task failed: api: exit code 3 (Essential container in task exited)");
  EXPECT_THAT(deploy({{"run-task", "true"}, {"run-task-tags", "{"}}), HasSubstr("'run-task-tags' is no JSON"));
}

}  // namespace
}  // namespace kaapi::actions
