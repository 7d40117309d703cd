#include "ecs/wire.h"

#include <fmt/format.h>

#include "base/text.h"
#include "ecs/definition.h"
#include "ecs/operations_internal.h"

namespace kaapi::ecs {
namespace {

constexpr std::string_view fargate_platform = "1.4.0";

void show_platform(std::string_view launch_type, const std::optional<std::string>& asked,
                   std::optional<std::string>& version, std::optional<std::string>& family) {
  if (launch_type != "FARGATE") return;
  version = asked && *asked != "LATEST" ? *asked : std::string(fargate_platform);
  family = "Linux";
}

std::optional<wire::NetworkConfiguration> network_of(const std::string& text) {
  if (text.empty()) return std::nullopt;
  return stored<wire::NetworkConfiguration>(text);
}

wire::Deployment deployment_to_wire(const CallContext& context, const Deployment& from, const TaskCounts& counts,
                                    const wire::Service& service) {
  wire::Deployment to;
  to.id = from.id;
  to.status = wire_name(from.status);
  to.taskDefinition = definition_arn(context, from.family, from.revision);
  to.desiredCount = from.desired_count;
  to.pendingCount = counts.pending;
  to.runningCount = counts.running;
  to.failedTasks = from.failed_tasks;
  to.createdAt = from.created_at;
  to.updatedAt = from.updated_at;
  if (service.capacityProviderStrategy) {
    to.capacityProviderStrategy = service.capacityProviderStrategy;
  } else {
    to.launchType = from.launch_type;
  }
  show_platform(from.launch_type, service.platformVersion, to.platformVersion, to.platformFamily);
  to.networkConfiguration = network_of(from.network_configuration);
  to.rolloutState = wire_name(from.rollout_state);
  to.rolloutStateReason = from.rollout_reason;
  return to;
}

wire::DeploymentConfiguration configuration_of(const Service& from) {
  wire::DeploymentConfiguration to;
  to.deploymentCircuitBreaker = wire::DeploymentCircuitBreaker{from.breaker_enabled, from.breaker_rollback};
  to.maximumPercent = from.maximum_percent;
  to.minimumHealthyPercent = from.minimum_healthy_percent;
  to.strategy = "ROLLING";
  to.bakeTimeInMinutes = 0;
  return to;
}

std::string_view container_status(Phase phase) {
  switch (phase) {
    case Phase::waiting:
    case Phase::starting:
      return "PENDING";
    case Phase::running:
      return "RUNNING";
    case Phase::exited:
      return "STOPPED";
  }
  return "";
}

// The same one every time, without being stored.
std::string container_arn(const CallContext& context, const Task& task, const std::string& name) {
  const std::string hex = to_hex(sha256(task.id + "/" + name));
  return fmt::format("arn:aws:ecs:{}:{}:container/{}/{}/{}-{}-{}-{}-{}", context.region, context.account_id,
                     task.cluster, task.id, hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20, 12));
}

wire::Container container_to_wire(const CallContext& context, const Task& task, const std::string& of_task,
                                  const Container& from) {
  const ContainerPlan& plan = from.plan;
  const ContainerState& state = from.state;
  wire::Container to;
  to.containerArn = container_arn(context, task, plan.name);
  to.taskArn = of_task;
  to.name = plan.name;
  to.image = plan.image;
  if (!state.image_digest.empty()) to.imageDigest = state.image_digest;
  if (!state.runtime_id.empty()) to.runtimeId = state.runtime_id;
  to.lastStatus = container_status(state.phase);
  to.exitCode = state.exit_code;
  if (!state.reason.empty()) to.reason = state.reason;
  std::vector<wire::NetworkBinding>& bindings = to.networkBindings.emplace();
  std::vector<wire::NetworkInterface>& interfaces = to.networkInterfaces.emplace();
  if (task.network_mode == NetworkMode::awsvpc) {
    wire::NetworkInterface& own = interfaces.emplace_back();
    own.attachmentId = task.attachment_id;
    if (!task.address.empty()) own.privateIpv4Address = task.address;
  } else {
    for (const PortMapping& port : state.bindings) {
      wire::NetworkBinding& binding = bindings.emplace_back();
      binding.bindIP = "0.0.0.0";
      binding.containerPort = port.container_port;
      binding.hostPort = port.host_port;
      binding.protocol = port.protocol;
    }
  }
  to.healthStatus = wire_name(state.health);
  to.cpu = fmt::to_string(plan.cpu);
  if (plan.memory_mib != 0) to.memory = fmt::to_string(plan.memory_mib);
  if (plan.memory_reservation_mib != 0) to.memoryReservation = fmt::to_string(plan.memory_reservation_mib);
  return to;
}

wire::Attachment attachment_of(const Task& task) {
  wire::Attachment to;
  to.id = task.attachment_id;
  to.type = "ElasticNetworkInterface";
  to.status = task.status == TaskStatus::stopped ? "DELETED" : task.address.empty() ? "PRECREATED" : "ATTACHED";
  std::vector<wire::KeyValuePair>& details = to.details.emplace();
  const auto detail = [&](const char* name, const std::string& value) {
    if (!value.empty()) details.push_back({name, value});
  };
  detail("subnetId", task.subnet_id);
  detail("networkInterfaceId", task.network_id);
  detail("macAddress", task.mac_address);
  detail("privateIPv4Address", task.address);
  return to;
}

wire::TaskOverride overrides_of(const Task& task) {
  wire::TaskOverride to;
  if (!task.overrides.empty()) to = stored<wire::TaskOverride>(task.overrides);
  std::vector<wire::ContainerOverride>& containers =
      to.containerOverrides ? *to.containerOverrides : to.containerOverrides.emplace();
  // Every container is named, overridden or not.
  for (const Container& each : task.containers) {
    bool named = false;
    for (const wire::ContainerOverride& override : containers) named = named || override.name == each.plan.name;
    if (!named) containers.emplace_back().name = each.plan.name;
  }
  if (!to.inferenceAcceleratorOverrides) to.inferenceAcceleratorOverrides.emplace();
  return to;
}

// Grows with every change that clients can tell apart.
std::int64_t version_of(const Task& task) {
  std::int64_t version = 1 + static_cast<std::int64_t>(task.status) + (task.desired_running ? 0 : 1);
  for (const Container& each : task.containers) version += static_cast<std::int64_t>(each.state.phase);
  return version;
}

std::optional<std::string> unless_empty(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

void show_times(const Task& from, wire::Task& to) {
  to.createdAt = from.created_at;
  to.pullStartedAt = from.pull_started_at;
  to.pullStoppedAt = from.pull_stopped_at;
  to.startedAt = from.started_at;
  to.stoppingAt = from.stopping_at;
  to.executionStoppedAt = from.execution_stopped_at;
  to.stoppedAt = from.stopped_at;
}

}  // namespace

wire::Service to_wire(const CallContext& context, ServiceView view, bool with_tags) {
  const Service& from = view.service;
  // What the client asked for and only gets answered back; the rest is filled in here.
  wire::Service to = from.wire.empty() ? wire::Service() : stored<wire::Service>(from.wire);
  to.serviceArn = service_arn(context, from.cluster, from.name);
  to.serviceName = from.name;
  to.clusterArn = cluster_arn(context, from.cluster);
  to.loadBalancers.emplace();
  to.serviceRegistries.emplace();
  to.status = wire_name(from.status);
  to.desiredCount = from.desired_count;
  to.runningCount = 0;
  to.pendingCount = 0;
  for (const auto& [id, counts] : view.counts) {
    *to.runningCount += counts.running;
    *to.pendingCount += counts.pending;
  }
  to.taskDefinition = definition_arn(context, from.family, from.revision);
  to.deploymentConfiguration = configuration_of(from);
  std::vector<wire::Deployment>& deployments = to.deployments.emplace();
  deployments.reserve(view.deployments.size());
  for (const Deployment& each : view.deployments) {
    const auto counts = view.counts.find(each.id);
    deployments.push_back(
        deployment_to_wire(context, each, counts == view.counts.end() ? TaskCounts() : counts->second, to));
  }
  const bool deployed = !deployments.empty() && deployments.front().status == "PRIMARY";
  if (deployed) to.networkConfiguration = deployments.front().networkConfiguration;
  if (to.launchType == "FARGATE") {
    // The service says what was asked for, its deployments which version that is.
    if (!to.platformVersion) to.platformVersion = "LATEST";
    to.platformFamily = "Linux";
  }
  if (to.capacityProviderStrategy) to.launchType.reset();
  std::vector<wire::ServiceEvent>& events = to.events.emplace();
  events.reserve(view.events.size());
  for (ServiceEvent& each : view.events) {
    wire::ServiceEvent& event = events.emplace_back();
    event.id = std::move(each.id);
    event.createdAt = each.created_at;
    event.message = std::move(each.message);
  }
  to.createdAt = from.created_at;
  if (from.health_check_grace_s != 0) to.healthCheckGracePeriodSeconds = from.health_check_grace_s;
  if (!with_tags) to.tags.reset();
  return to;
}

wire::Task to_wire(const CallContext& context, const Task& from, bool with_tags) {
  wire::Task to;
  to.taskArn = task_arn(context, from.cluster, from.id);
  to.clusterArn = cluster_arn(context, from.cluster);
  to.taskDefinitionArn = definition_arn(context, from.family, from.revision);
  std::vector<wire::Attachment>& attachments = to.attachments.emplace();
  if (from.network_mode == NetworkMode::awsvpc) attachments.push_back(attachment_of(from));
  to.availabilityZone = context.region + "a";
  if (from.launch_type != "FARGATE") to.containerInstanceArn = instance_arn(context, from.cluster);
  show_platform(from.launch_type, std::nullopt, to.platformVersion, to.platformFamily);
  to.connectivity = "CONNECTED";
  to.connectivityAt = from.pull_started_at.value_or(from.created_at);
  std::vector<wire::Container>& containers = to.containers.emplace();
  for (const Container& each : from.containers) {
    containers.push_back(container_to_wire(context, from, *to.taskArn, each));
  }
  const Needs needs = needs_of(from);
  to.cpu = from.cpu.empty() ? fmt::to_string(needs.cpu_units) : from.cpu;
  to.memory = from.memory.empty() ? fmt::to_string(needs.memory_mib) : from.memory;
  show_times(from, to);
  to.desiredStatus = from.desired_running ? "RUNNING" : "STOPPED";
  to.enableExecuteCommand = false;
  to.group = from.group;
  to.healthStatus = wire_name(task_health(from));
  to.lastStatus = wire_name(from.status);
  to.launchType = from.launch_type;
  to.overrides = overrides_of(from);
  to.startedBy = unless_empty(from.started_by);
  if (from.stop_code != StopCode::none) to.stopCode = wire_name(from.stop_code);
  to.stoppedReason = unless_empty(from.stopped_reason);
  to.tags = with_tags ? tags_from(from.tags) : Tags();
  to.version = version_of(from);
  return to;
}

}  // namespace kaapi::ecs
