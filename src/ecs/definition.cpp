#include "ecs/definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "aws/gen/ecs.h"
#include "base/json.h"
#include "base/text.h"
#include "ecs/task_role.h"

namespace kaapi::ecs {
namespace {

namespace wire = aws::ecs;

constexpr double max_task_amount = 1'000'000'000.0;  // units or MiB, far beyond any machine

Error invalid(std::string message) {
  return make_error(wire::error::InvalidParameterException, std::move(message));
}

// "2 GB" with unit "gb" is 2 × 1024; a number without the unit is whole already.
std::optional<std::int64_t> parse_amount(std::string_view text, std::string_view unit) {
  std::string plain = lower(trim(text));
  double factor = 1;
  if (plain.ends_with(unit)) {
    factor = 1024;
    plain = std::string(trim(std::string_view(plain).substr(0, plain.size() - unit.size())));
  }
  double number = 0;
  const auto [end, error] =
      std::from_chars(plain.data(), plain.data() + plain.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != plain.data() + plain.size()) return std::nullopt;
  const double amount = number * factor;
  if (!(amount > 0) || amount > max_task_amount || (factor == 1 && amount != std::trunc(amount))) return std::nullopt;
  return std::llround(amount);
}

NetworkMode network_mode_of(const wire::TaskDefinition& definition) {
  const std::string mode = definition.networkMode.value_or("bridge");
  if (mode == wire_name(NetworkMode::awsvpc)) return NetworkMode::awsvpc;
  if (mode == wire_name(NetworkMode::host)) return NetworkMode::host;
  if (mode == wire_name(NetworkMode::none)) return NetworkMode::none;
  return NetworkMode::bridge;
}

std::optional<HealthCheck> health_check_of(const wire::ContainerDefinition& from) {
  if (!from.healthCheck || from.healthCheck->command.empty() || from.healthCheck->command[0] == "NONE") {
    return std::nullopt;
  }
  HealthCheck check;
  const std::vector<std::string>& words = from.healthCheck->command;
  check.command.assign(words.begin() + 1, words.end());
  if (words[0] == "CMD-SHELL") check.command = {"/bin/sh", "-c", fmt::format("{}", fmt::join(check.command, " "))};
  check.interval = Duration(from.healthCheck->interval.value_or(30) * 1000LL);
  check.timeout = Duration(from.healthCheck->timeout.value_or(5) * 1000LL);
  check.retries = from.healthCheck->retries.value_or(3);
  check.start_period = Duration(from.healthCheck->startPeriod.value_or(0) * 1000LL);
  return check;
}

std::optional<LogTarget> log_target_of(const wire::ContainerDefinition& from, const Task& task) {
  if (!from.logConfiguration || from.logConfiguration->logDriver != "awslogs") return std::nullopt;
  static const std::map<std::string, std::string> none;
  const auto& options = from.logConfiguration->options ? *from.logConfiguration->options : none;
  const auto option = [&](const std::string& name) {
    const auto found = options.find(name);
    return found == options.end() ? std::string() : found->second;
  };
  LogTarget target;
  target.group = option("awslogs-group");
  target.region = option("awslogs-region");
  if (target.region.empty()) target.region = task.region;
  const std::string prefix = option("awslogs-stream-prefix");
  target.stream = fmt::format("{}{}{}/{}", prefix, prefix.empty() ? "" : "/", *from.name, task.id);
  target.create_group = lower(option("awslogs-create-group")) == "true";
  return target;
}

Condition condition_of(std::string_view name) {
  if (name == "COMPLETE") return Condition::complete;
  if (name == "SUCCESS") return Condition::success;
  if (name == "HEALTHY") return Condition::healthy;
  return Condition::start;
}

std::vector<PortMapping> ports_of(const wire::ContainerDefinition& from, NetworkMode mode) {
  std::vector<PortMapping> ports;
  for (const wire::PortMapping& each : from.portMappings.value_or(std::vector<wire::PortMapping>())) {
    PortMapping port;
    port.container_port = static_cast<std::uint16_t>(each.containerPort.value_or(0));
    const bool own_address = mode == NetworkMode::awsvpc || mode == NetworkMode::host;
    port.host_port = own_address ? port.container_port : static_cast<std::uint16_t>(each.hostPort.value_or(0));
    port.protocol = each.protocol.value_or("tcp");
    ports.push_back(port);
  }
  return ports;
}

using Environment = std::vector<std::pair<std::string, std::string>>;

// The last value of a name wins, at the place of the first.
void set_variable(Environment& environment, const std::string& name, const std::string& value) {
  const auto found =
      std::find_if(environment.begin(), environment.end(), [&](const auto& x) { return x.first == name; });
  if (found == environment.end()) {
    environment.emplace_back(name, value);
  } else {
    found->second = value;
  }
}

void set_variables(Environment& environment, const std::optional<std::vector<wire::KeyValuePair>>& from) {
  if (!from) return;
  for (const wire::KeyValuePair& each : *from) {
    if (each.name && !each.name->empty()) set_variable(environment, *each.name, each.value.value_or(""));
  }
}

void add_variables_of_task(Environment& environment, const Task& task, const TaskRequest& request) {
  const auto add = [&](std::string_view name, const std::string& value) {
    const bool set =
        std::any_of(environment.begin(), environment.end(), [&](const auto& x) { return x.first == name; });
    if (!set) environment.emplace_back(name, value);
  };
  add("ECS_TASK_ID", task.id);
  add("ECS_CLUSTER", task.cluster);
  if (!request.service_name.empty()) add("ECS_SERVICE", request.service_name);
  add("AWS_REGION", task.region);
  add("AWS_DEFAULT_REGION", task.region);
  if (task.role.empty() || task.network_mode == NetworkMode::none) return;
  set_variable(environment, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
               fmt::format("{}{}", credentials_path, task.credentials_id));
  add("AWS_ENDPOINT_URL", fmt::format("http://{}", credentials_address));
}

ContainerPlan plan_of(const wire::ContainerDefinition& from, const Task& task, std::int64_t task_memory_mib) {
  ContainerPlan plan;
  plan.name = from.name.value_or("");
  plan.image = from.image.value_or("");
  plan.essential = from.essential.value_or(true);
  plan.entry_point = from.entryPoint.value_or(std::vector<std::string>());
  plan.command = from.command.value_or(std::vector<std::string>());
  set_variables(plan.environment, from.environment);
  plan.docker_labels = from.dockerLabels.value_or(std::map<std::string, std::string>());
  plan.working_directory = from.workingDirectory.value_or("");
  plan.user = from.user.value_or("");
  plan.hostname = from.hostname.value_or("");
  plan.cpu = from.cpu.value_or(0);
  plan.memory_mib = from.memory.value_or(static_cast<std::int32_t>(task_memory_mib));
  plan.memory_reservation_mib = from.memoryReservation.value_or(0);
  plan.ports = ports_of(from, task.network_mode);
  plan.health_check = health_check_of(from);
  plan.stop_timeout = Duration(from.stopTimeout.value_or(30) * 1000LL);
  plan.log = log_target_of(from, task);
  for (const wire::ContainerDependency& each : from.dependsOn.value_or(std::vector<wire::ContainerDependency>())) {
    plan.depends_on.push_back({each.containerName, condition_of(each.condition)});
  }
  plan.read_only_root = from.readonlyRootFilesystem.value_or(false);
  plan.privileged = from.privileged.value_or(false);
  plan.init = from.linuxParameters && from.linuxParameters->initProcessEnabled.value_or(false);
  plan.tty = from.pseudoTerminal.value_or(false);
  return plan;
}

Result<void> apply_override(Task& task, const wire::ContainerOverride& from) {
  const auto found = std::find_if(task.containers.begin(), task.containers.end(),
                                  [&](const Container& c) { return c.plan.name == from.name.value_or(""); });
  if (found == task.containers.end()) {
    return invalid(fmt::format("Override for container named {} is not a container in the TaskDefinition.",
                               from.name.value_or("")));
  }
  if (from.environmentFiles && !from.environmentFiles->empty()) {
    return invalid("overrides.containerOverrides.environmentFiles is not supported by this version of kaapi");
  }
  if (from.resourceRequirements && !from.resourceRequirements->empty()) {
    return invalid("overrides.containerOverrides.resourceRequirements is not supported by this version of kaapi");
  }
  ContainerPlan& plan = found->plan;
  const std::int32_t least =
      std::min({from.cpu.value_or(0), from.memory.value_or(1) - 1, from.memoryReservation.value_or(1) - 1});
  if (least < 0) {
    return invalid(
        fmt::format("Override for container {}: cpu must not be negative, memory and memoryReservation must "
                    "be at least 1.",
                    plan.name));
  }
  if (from.command) plan.command = *from.command;
  set_variables(plan.environment, from.environment);
  if (from.cpu) plan.cpu = *from.cpu;
  if (from.memory) plan.memory_mib = *from.memory;
  if (from.memoryReservation) plan.memory_reservation_mib = *from.memoryReservation;
  if (plan.memory_mib != 0 && plan.memory_reservation_mib > plan.memory_mib) {
    return invalid(
        fmt::format("Override for container {}: memoryReservation must not be greater than memory.", plan.name));
  }
  return ok();
}

Result<wire::TaskOverride> overrides_of(const std::string& text) {
  if (text.empty()) return wire::TaskOverride();
  return aws::from_json<wire::TaskOverride>(text);
}

// Task-level cpu and memory as the task has them, the overrides' before the definition's.
Result<void> set_task_level(Task& task, const wire::TaskDefinition& definition, const wire::TaskOverride& overrides) {
  task.cpu = overrides.cpu.value_or(definition.cpu.value_or(""));
  task.memory = overrides.memory.value_or(definition.memory.value_or(""));
  if (!task.cpu.empty()) {
    const std::optional<std::int64_t> units = parse_cpu(task.cpu);
    if (!units) return invalid(fmt::format("Invalid 'cpu' setting for task: '{}'", task.cpu));
    task.cpu = fmt::to_string(*units);
  }
  if (!task.memory.empty()) {
    const std::optional<std::int64_t> mib = parse_memory(task.memory);
    if (!mib) return invalid(fmt::format("Invalid 'memory' setting for task: '{}'", task.memory));
    task.memory = fmt::to_string(*mib);
  }
  return ok();
}

Result<void> set_role(Task& task, const wire::TaskDefinition& definition, const wire::TaskOverride& overrides,
                      IdSource& ids) {
  for (const auto* each : {&overrides.taskRoleArn, &overrides.executionRoleArn}) {
    if (*each && !is_role(**each)) return invalid(role_error(**each));
  }
  task.role = overrides.taskRoleArn.value_or("");
  if (task.role.empty()) task.role = definition.taskRoleArn.value_or("");
  if (!task.role.empty()) task.credentials_id = ids.uuid();
  return ok();
}

Result<void> set_network(Task& task, const TaskRequest& request) {
  const bool awsvpc = task.network_mode == NetworkMode::awsvpc;
  const std::string& text = request.network_configuration;
  if (text.empty() && awsvpc) {
    return invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified.");
  }
  if (!awsvpc) {
    if (text.empty()) return ok();
    return invalid("Network Configuration is not valid for the given networkMode of this task definition.");
  }
  const Result<wire::NetworkConfiguration> network = aws::from_json<wire::NetworkConfiguration>(text);
  if (!network) return network.error();
  if (!network->awsvpcConfiguration || network->awsvpcConfiguration->subnets.empty()) {
    return invalid("subnets can not be empty.");
  }
  task.subnet_id = network->awsvpcConfiguration->subnets.front();
  task.attachment_id = request.ids.uuid();
  task.network_id = "eni-" + request.ids.hex(17);
  return ok();
}

Task bare_task(const DefinitionRow& definition, const TaskRequest& request) {
  Task task;
  task.id = request.ids.hex(32);
  task.region = request.region;
  task.cluster = request.cluster;
  task.service_id = request.service_id;
  task.deployment_id = request.deployment_id;
  task.family = definition.family;
  task.revision = definition.revision;
  task.group = request.group;
  if (task.group.empty()) {
    task.group = request.service_id != 0 ? "service:" + request.service_name : "family:" + definition.family;
  }
  task.started_by = request.started_by;
  task.launch_type = request.launch_type;
  task.overrides = request.overrides;
  task.tags = request.tags;
  task.created_at = request.now;
  return task;
}

void add_tags(std::vector<wire::Tag>& tags, const std::vector<wire::Tag>& more) {
  tags.insert(tags.end(), more.begin(), more.end());
}

// What the service hands on to its tasks: propagateTags and enableECSManagedTags.
Result<std::string> tags_of_service_task(const Service& service, const DefinitionRow& definition) {
  const Result<wire::Service> settings = aws::from_json<wire::Service>(service.wire.empty() ? "{}" : service.wire);
  if (!settings) return settings.error();
  std::vector<wire::Tag> tags;
  const std::string propagate = settings->propagateTags.value_or("NONE");
  if (propagate == "SERVICE" && settings->tags) add_tags(tags, *settings->tags);
  if (propagate == "TASK_DEFINITION" && !definition.tags.empty()) {
    const Result<wire::ListTagsForResourceResponse> stored =
        aws::from_json<wire::ListTagsForResourceResponse>(fmt::format("{{\"tags\":{}}}", definition.tags));
    if (!stored) return stored.error();
    if (stored->tags) add_tags(tags, *stored->tags);
  }
  if (settings->enableECSManagedTags.value_or(false)) {
    tags.push_back({"aws:ecs:clusterName", service.cluster});
    tags.push_back({"aws:ecs:serviceName", service.name});
  }
  std::string text;
  if (tags.empty()) return text;
  JsonWriter out(text);
  aws::JsonFields{out}.put(tags);
  return text;
}

}  // namespace

std::optional<std::int64_t> parse_cpu(std::string_view text) {
  return parse_amount(text, "vcpu");
}

std::optional<std::int64_t> parse_memory(std::string_view text) {
  return parse_amount(text, "gb");
}

Result<Task> make_task(const DefinitionRow& row, const TaskRequest& request) {
  const Result<wire::TaskDefinition> definition = aws::from_json<wire::TaskDefinition>(row.doc);
  if (!definition || !definition->containerDefinitions) {
    return make_error(errc::damaged,
                      fmt::format("the stored task definition {}:{} cannot be read: {}", row.family, row.revision,
                                  definition ? "it has no containers" : definition.error().message));
  }
  const Result<wire::TaskOverride> overrides = overrides_of(request.overrides);
  if (!overrides) return overrides.error();
  Task task = bare_task(row, request);
  task.network_mode = network_mode_of(*definition);
  if (task.launch_type == "FARGATE" && task.network_mode != NetworkMode::awsvpc) {
    return invalid("Task definition does not support launch_type FARGATE.");
  }
  if (const Result<void> set = set_network(task, request); !set) return set.error();
  if (const Result<void> set = set_role(task, *definition, *overrides, request.ids); !set) return set.error();
  if (const Result<void> set = set_task_level(task, *definition, *overrides); !set) return set.error();
  const std::int64_t memory_mib = parse_memory(task.memory).value_or(0);
  for (const wire::ContainerDefinition& each : *definition->containerDefinitions) {
    task.containers.push_back({plan_of(each, task, memory_mib), {}});
  }
  for (const wire::ContainerOverride& each :
       overrides->containerOverrides.value_or(std::vector<wire::ContainerOverride>())) {
    if (const Result<void> applied = apply_override(task, each); !applied) return applied.error();
  }
  for (Container& each : task.containers) add_variables_of_task(each.plan.environment, task, request);
  return task;
}

Result<Task> make_service_task(store::Session& session, const Service& service, const Deployment& deployment,
                               IdSource& ids, Time now) {
  const std::optional<DefinitionRow> definition =
      find_definition(session, service.region, deployment.family, deployment.revision);
  if (!definition) {
    return make_error(wire::error::ClientException,
                      fmt::format("the task definition {}:{} does not exist", deployment.family, deployment.revision));
  }
  Result<std::string> tags = tags_of_service_task(service, *definition);
  if (!tags) return tags.error();
  const TaskRequest request{.region = service.region,
                            .cluster = service.cluster,
                            .service_id = service.id,
                            .service_name = service.name,
                            .deployment_id = deployment.id,
                            .group = "service:" + service.name,
                            .started_by = deployment.id,
                            .launch_type = deployment.launch_type,
                            .network_configuration = deployment.network_configuration,
                            .overrides = "",
                            .tags = std::move(*tags),
                            .ids = ids,
                            .now = now};
  return make_task(*definition, request);
}

Needs needs_of(const Task& task) {
  Needs needs;
  for (const Container& container : task.containers) {
    const ContainerPlan& plan = container.plan;
    needs.cpu_units += plan.cpu;
    needs.memory_mib += plan.memory_mib != 0 ? plan.memory_mib : plan.memory_reservation_mib;
  }
  if (!task.cpu.empty()) needs.cpu_units = parse_cpu(task.cpu).value_or(0);
  if (!task.memory.empty()) needs.memory_mib = parse_memory(task.memory).value_or(0);
  return needs;
}

}  // namespace kaapi::ecs
