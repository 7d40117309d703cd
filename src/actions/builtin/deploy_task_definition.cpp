// aws-actions/amazon-ecs-deploy-task-definition.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "actions/builtin/actions.h"
#include "actions/builtin/deployment_progress.h"
#include "actions/builtin/ecs_calls.h"
#include "actions/builtin/inputs.h"
#include "actions/builtin/task_definition.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

constexpr std::int64_t max_wait_minutes = 360;  // as the original's

struct Deploy {
  std::string cluster, service;
  std::optional<std::int64_t> desired_count;
  bool force = false, wait = false, run_task = false, wait_task = false;
  std::optional<bool> managed_tags;
  std::string propagate_tags;
  std::chrono::minutes at_most{30};
};

Result<void> refuse_codedeploy(const ActionHost& host) {
  for (const std::string_view name : {"codedeploy-appspec", "codedeploy-application", "codedeploy-deployment-group",
                                      "codedeploy-deployment-description", "codedeploy-deployment-config"}) {
    if (host.input(name).empty()) continue;
    return make_error(errc::invalid, fmt::format("the input '{}' is not offered: there is no CodeDeploy here. Leave it "
                                                 "out: the service is updated by a rolling deployment, with Amazon "
                                                 "ECS's circuit breaker where the service has it on",
                                                 name));
  }
  return ok();
}

Result<Deploy> read_inputs(const ActionHost& host) {
  Deploy made;
  if (const Result<void> fits = refuse_codedeploy(host); !fits) return fits.error();
  struct Flag {
    std::string_view name;
    bool& value;
  };
  for (const Flag& flag : {Flag{"force-new-deployment", made.force}, Flag{"wait-for-service-stability", made.wait},
                           Flag{"run-task", made.run_task}, Flag{"wait-for-task-stopped", made.wait_task}}) {
    const Result<bool> value = bool_input(host, flag.name, false);
    if (!value) return value.error();
    flag.value = *value;
  }
  made.service = host.input("service");
  made.cluster = host.input("cluster");
  if (made.cluster.empty()) made.cluster = "default";
  if (!host.input("desired-count").empty()) {
    const Result<std::int64_t> count = number_input(host, "desired-count", 0, 0, 5'000);
    if (!count) return count.error();
    made.desired_count = *count;
  }
  const Result<std::int64_t> minutes = number_input(host, "wait-for-minutes", 30, 1, 100'000);
  if (!minutes) return minutes.error();
  made.at_most = std::chrono::minutes(std::min(*minutes, max_wait_minutes));
  if (!host.input("enable-ecs-managed-tags").empty()) {
    const Result<bool> tags = bool_input(host, "enable-ecs-managed-tags", false);
    if (!tags) return tags.error();
    made.managed_tags = *tags;
  }
  made.propagate_tags = host.input("propagate-tags");
  return made;
}

// An input that is JSON; empty: null. Error: `Invalid`, naming it.
Result<json::value> json_input(const ActionHost& host, std::string_view name) {
  const std::string text = host.input(name);
  if (text.empty()) return json::value();
  Result<json::value> tree = parse_json(text);
  if (!tree) return make_error(errc::invalid, fmt::format("the input '{}' is no JSON: {}", name, tree.error().message));
  return tree;
}

Result<json::object> definition_to_register(ActionHost& host) {
  const std::string given = host.input("task-definition");
  const Result<std::string> text = read_input_file(host, "task-definition", max_task_definition_bytes);
  if (!text) return text.error();
  Result<json::value> tree = parse_task_definition(*text, given);
  if (!tree) return tree.error();
  std::vector<std::string> ignored;
  const json::value bare = without_answer_members(std::move(*tree), ignored);
  for (const std::string& member : ignored) {
    warn(host, fmt::format("Ignoring property '{}' in the task definition file. This property is returned by the "
                           "Amazon ECS DescribeTaskDefinition API, but it is not a valid field when registering a new "
                           "task definition. This field can be safely removed from your task definition file.",
                           member));
  }
  return with_required_values(without_empty(bare, items_of(host.input("keep-null-value-keys")))).as_object();
}

Result<std::string> register_definition(ActionHost& host, EcsCalls& ecs) {
  const Result<json::object> definition = definition_to_register(host);
  if (!definition) return definition.error();
  const Result<json::value> answer = ecs.call("RegisterTaskDefinition", *definition, "register the task definition");
  if (!answer) return answer.error();
  const json::value* registered = find_member(*answer, "taskDefinition");
  const std::string arn = registered == nullptr ? "" : string_member(*registered, "taskDefinitionArn");
  if (arn.empty()) return make_error(errc::unavailable, "RegisterTaskDefinition answered no ARN");
  host.set_output("task-definition-arn", arn);
  host.log(fmt::format("Registered {}", arn));
  return arn;
}

// {"name": …, "managedEBSVolume": …} from a pair of inputs; null when they are empty.
Result<json::value> volume_configurations(const ActionHost& host, std::string_view name, std::string_view volume) {
  const Result<json::value> given = json_input(host, volume);
  if (!given) return given;
  if (given->is_null() || host.input(name).empty()) return json::value();
  return json::value(json::array{json::object{{"name", host.input(name)}, {"managedEBSVolume", *given}}});
}

// ---- The service.

Result<void> update_service(ActionHost& host, EcsCalls& ecs, const Deploy& deploy, const std::string& definition) {
  const Result<json::value> before = ecs.service(deploy.cluster, deploy.service);
  if (!before) return before.error();
  const json::value* controller = find_member(*before, "deploymentController");
  const std::string type = controller == nullptr ? "ECS" : string_member(*controller, "type", "ECS");
  if (type != "ECS") {
    return make_error(errc::invalid, fmt::format("the service {} has the deployment controller {}: only ECS is offered",
                                                 deploy.service, type));
  }
  json::object request = {{"cluster", deploy.cluster},
                          {"service", deploy.service},
                          {"taskDefinition", definition},
                          {"forceNewDeployment", deploy.force}};
  if (deploy.desired_count) request["desiredCount"] = *deploy.desired_count;
  if (deploy.managed_tags) request["enableECSManagedTags"] = *deploy.managed_tags;
  if (!deploy.propagate_tags.empty()) request["propagateTags"] = deploy.propagate_tags;
  const Result<json::value> volumes =
      volume_configurations(host, "service-managed-ebs-volume-name", "service-managed-ebs-volume");
  if (!volumes) return volumes.error();
  if (!volumes->is_null()) request["volumeConfigurations"] = *volumes;
  const Result<json::value> answer =
      ecs.call("UpdateService", request, fmt::format("update the service {}", deploy.service));
  if (!answer) return answer.error();
  const json::value* after = find_member(*answer, "service");
  const std::string id = after == nullptr ? "" : primary_deployment(*after);
  host.log(
      fmt::format("Deployment {} of the service {} in the cluster {} has started", id, deploy.service, deploy.cluster));
  if (!deploy.wait) return ok();
  return ecs.wait_for_deployment(deploy.cluster, deploy.service, id, deploy.at_most);
}

// ---- A task of its own.

Result<json::object> run_task_request(const ActionHost& host, const Deploy& deploy, const std::string& definition) {
  json::object request = {{"cluster", deploy.cluster}, {"taskDefinition", definition}};
  const std::string started_by = host.input("run-task-started-by");
  request["startedBy"] = started_by.empty() ? "GitHub-Actions" : started_by;
  struct Given {
    std::string_view input, member;
  };
  for (const Given& given : {Given{"run-task-capacity-provider-strategy", "capacityProviderStrategy"},
                             Given{"run-task-tags", "tags"}, Given{"run-task-container-overrides", "overrides"}}) {
    const Result<json::value> value = json_input(host, given.input);
    if (!value) return value.error();
    if (!value->is_array() || value->as_array().empty()) continue;
    if (given.member == "overrides") {
      request["overrides"] = json::object{{"containerOverrides", *value}};
    } else {
      request[given.member] = *value;
    }
  }
  const std::string launch_type = host.input("run-task-launch-type");
  if (!request.contains("capacityProviderStrategy")) {
    request["launchType"] = launch_type.empty() ? "FARGATE" : launch_type;
  }
  const std::vector<std::string> subnets = items_of(host.input("run-task-subnets"));
  const std::vector<std::string> groups = items_of(host.input("run-task-security-groups"));
  if (!subnets.empty() || !groups.empty()) {
    const std::string assign = host.input("run-task-assign-public-IP");
    json::object network = {{"assignPublicIp", assign.empty() ? "DISABLED" : assign}};
    if (!subnets.empty()) network["subnets"] = json::value_from(subnets);
    if (!groups.empty()) network["securityGroups"] = json::value_from(groups);
    request["networkConfiguration"] = json::object{{"awsvpcConfiguration", std::move(network)}};
  }
  if (deploy.managed_tags) request["enableECSManagedTags"] = *deploy.managed_tags;
  if (!deploy.propagate_tags.empty()) request["propagateTags"] = deploy.propagate_tags;
  const Result<json::value> volumes =
      volume_configurations(host, "run-task-managed-ebs-volume-name", "run-task-managed-ebs-volume");
  if (!volumes) return volumes.error();
  if (!volumes->is_null()) request["volumeConfigurations"] = *volumes;
  return request;
}

// Why a stopped task counts as failed; empty: every container ended with 0.
std::string failure_of_tasks(const json::value& described) {
  std::vector<std::string> reasons;
  const json::value* tasks = find_member(described, "tasks");
  for (const json::value& task : tasks == nullptr ? json::array() : tasks->as_array()) {
    const json::value* containers = find_member(task, "containers");
    for (const json::value& container : containers == nullptr ? json::array() : containers->as_array()) {
      const json::value* code = find_member(container, "exitCode");
      if (code != nullptr && code->is_number() && int_member(container, "exitCode") == 0) continue;
      reasons.push_back(fmt::format(
          "{}: {}{}", string_member(container, "name"),
          code == nullptr ? "it never ended" : fmt::format("exit code {}", int_member(container, "exitCode")),
          string_member(container, "reason").empty()
              ? fmt::format(" ({})", string_member(task, "stoppedReason", "no reason is known"))
              : fmt::format(" ({})", string_member(container, "reason"))));
    }
  }
  return fmt::format("{}", fmt::join(reasons, "; "));
}

Result<void> run_task(ActionHost& host, EcsCalls& ecs, const Deploy& deploy, const std::string& definition) {
  const Result<json::object> request = run_task_request(host, deploy, definition);
  if (!request) return request.error();
  const Result<json::value> answer = ecs.call("RunTask", *request, "run the task");
  if (!answer) return answer.error();
  const json::value* failures = find_member(*answer, "failures");
  if (failures != nullptr && failures->is_array() && !failures->as_array().empty()) {
    const json::value& failure = failures->as_array().front();
    return make_error(errc::invalid, fmt::format("could not run the task: {} {} {}", string_member(failure, "arn"),
                                                 string_member(failure, "reason"), string_member(failure, "detail")));
  }
  json::array arns;
  if (const json::value* tasks = find_member(*answer, "tasks"); tasks != nullptr && tasks->is_array()) {
    for (const json::value& task : tasks->as_array()) arns.emplace_back(string_member(task, "taskArn"));
  }
  host.set_output("run-task-arn", json::serialize(arns));
  host.log(fmt::format("Started the task {}", json::serialize(arns)));
  if (!deploy.wait_task || arns.empty()) return ok();
  const Result<json::value> stopped = ecs.wait_for_tasks(deploy.cluster, arns, deploy.at_most);
  if (!stopped) return stopped.error();
  const std::string failure = failure_of_tasks(*stopped);
  if (!failure.empty()) return make_error(errc::invalid, fmt::format("the task failed: {}", failure));
  host.log("The task has stopped with exit code 0");
  return ok();
}

ActionResult run(ActionHost& host) {
  const Result<Deploy> deploy = read_inputs(host);
  if (!deploy) return deploy.error();
  Result<EcsCalls> ecs = EcsCalls::open(host);
  if (!ecs) return ecs.error();
  const Result<std::string> definition = register_definition(host, *ecs);
  if (!definition) return definition.error();
  if (deploy->run_task) {
    if (const Result<void> ran = run_task(host, *ecs, *deploy, *definition); !ran) return ran;
  }
  if (deploy->service.empty()) {
    if (!deploy->run_task) host.log("No service is named: only the task definition was registered");
    return ok();
  }
  return update_service(host, *ecs, *deploy, *definition);
}

}  // namespace

BuiltIn deploy_task_definition_action() {
  BuiltIn action;
  action.name = "aws-actions/amazon-ecs-deploy-task-definition";
  action.inputs = {{"task-definition", "", true},
                   {"desired-count", ""},
                   {"service", ""},
                   {"cluster", ""},
                   {"wait-for-service-stability", "false"},
                   {"wait-for-minutes", "30"},
                   {"codedeploy-appspec", ""},
                   {"codedeploy-application", ""},
                   {"codedeploy-deployment-group", ""},
                   {"codedeploy-deployment-description", ""},
                   {"codedeploy-deployment-config", ""},
                   {"force-new-deployment", "false"},
                   {"service-managed-ebs-volume-name", ""},
                   {"service-managed-ebs-volume", ""},
                   {"run-task", "false"},
                   {"run-task-container-overrides", "[]"},
                   {"run-task-security-groups", ""},
                   {"run-task-subnets", ""},
                   {"run-task-assign-public-IP", "DISABLED"},
                   {"run-task-capacity-provider-strategy", "[]"},
                   {"run-task-launch-type", "FARGATE"},
                   {"run-task-started-by", "GitHub-Actions"},
                   {"run-task-tags", "[]"},
                   {"run-task-managed-ebs-volume-name", ""},
                   {"run-task-managed-ebs-volume", ""},
                   {"wait-for-task-stopped", "false"},
                   {"enable-ecs-managed-tags", ""},
                   {"propagate-tags", ""},
                   {"max-retries", "3"},
                   {"keep-null-value-keys", ""}};
  action.main = run;
  return action;
}

}  // namespace kaapi::actions
