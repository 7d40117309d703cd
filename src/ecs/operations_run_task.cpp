#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "ecs/definition.h"
#include "ecs/operations.h"
#include "ecs/operations_internal.h"
#include "ecs/wire.h"

namespace kaapi::ecs {
namespace {

constexpr std::size_t max_started_by_chars = 128;
constexpr std::size_t max_group_chars = 255;
constexpr std::size_t max_client_token_chars = 64;

Result<void> check_request(const wire::RunTaskRequest& request) {
  const std::int32_t count = request.count.value_or(1);
  if (count < 1 || count > max_tasks_per_run) {
    return invalid_parameter(fmt::format("count must be between 1 and {}, not {}.", max_tasks_per_run, count));
  }
  if (request.overrides && aws::to_json(*request.overrides).size() > max_overrides_chars) {
    return invalid_parameter(fmt::format("Overrides length must be at most {} characters.", max_overrides_chars));
  }
  if (request.clientToken.value_or("").size() > max_client_token_chars) {
    return invalid_parameter(fmt::format("clientToken must be at most {} characters.", max_client_token_chars));
  }
  if (request.startedBy.value_or("").size() > max_started_by_chars) {
    return invalid_parameter(fmt::format("startedBy must be at most {} characters.", max_started_by_chars));
  }
  const std::string group = request.group.value_or("");
  if (group.size() > max_group_chars) {
    return invalid_parameter(fmt::format("group must be at most {} characters.", max_group_chars));
  }
  if (group.starts_with("service:")) return invalid_parameter("Invalid namespace for group.");
  if (request.volumeConfigurations && !request.volumeConfigurations->empty()) {
    return invalid_parameter(unsupported("volumeConfigurations"));
  }
  if (request.propagateTags == "SERVICE") {
    return invalid_parameter("propagateTags SERVICE is only for the tasks of a service.");
  }
  return request.tags ? check_tags(*request.tags) : ok();
}

Tags tags_of(const wire::RunTaskRequest& request, const std::string& cluster, const DefinitionRow& definition) {
  Tags tags = request.tags.value_or(Tags());
  if (request.propagateTags == "TASK_DEFINITION") {
    for (const wire::Tag& tag : tags_from(definition.tags)) {
      const bool own = std::any_of(tags.begin(), tags.end(), [&](const wire::Tag& t) { return t.key == tag.key; });
      if (!own) tags.push_back(tag);
    }
  }
  if (request.enableECSManagedTags.value_or(false)) tags.push_back({"aws:ecs:clusterName", cluster});
  return tags;
}

bool overlaps(const std::vector<PortMapping>& a, const std::vector<PortMapping>& b) {
  return std::any_of(a.begin(), a.end(), [&](const PortMapping& x) {
    return std::any_of(b.begin(), b.end(),
                       [&](const PortMapping& y) { return x.host_port == y.host_port && x.protocol == y.protocol; });
  });
}

// Why the machine cannot take the task; empty when it can.
std::string_view lacking(const Task& task, const OperationsConfig& machine, const std::vector<PortMapping>& taken) {
  const Needs needs = needs_of(task);
  if (machine.memory_mib != 0 && needs.memory_mib > machine.memory_mib) return "RESOURCE:MEMORY";
  if (machine.cpu_units != 0 && needs.cpu_units > machine.cpu_units) return "RESOURCE:CPU";
  if (overlaps(fixed_host_ports(task), taken)) return "RESOURCE:PORTS";
  return "";
}

std::vector<PortMapping> taken_ports(store::Session& session) {
  std::vector<PortMapping> taken;
  for (const Task& task : tasks_with_static_ports(session)) {
    const std::vector<PortMapping> ports = fixed_host_ports(task);
    taken.insert(taken.end(), ports.begin(), ports.end());
  }
  return taken;
}

wire::RunTaskResponse response_of(const CallContext& context, const std::vector<Task>& tasks,
                                  std::vector<wire::Failure> failures) {
  wire::RunTaskResponse response;
  response.tasks.emplace();
  for (const Task& task : tasks) response.tasks->push_back(to_wire(context, task, true));
  response.failures = std::move(failures);
  return response;
}

std::string ids_of(const std::vector<Task>& tasks) {
  std::vector<std::string> ids;
  for (const Task& task : tasks) ids.push_back(task.id);
  return fmt::format("{}", fmt::join(ids, " "));
}

// The answer to a request that was carried out before: the same tasks, as they are now.
Result<wire::RunTaskResponse> repeated(store::Session& session, const CallContext& context, const ClientToken& before,
                                       const std::string& fingerprint) {
  if (before.fingerprint != fingerprint) {
    return make_error(wire::error::ConflictException,
                      "The clientToken was used before with other parameters; use a new one for a new request.");
  }
  std::vector<Task> tasks;
  for (const std::string& id : split(before.outcome, ' ')) {
    if (std::optional<Task> task = find_task(session, id)) tasks.push_back(std::move(*task));
  }
  return response_of(context, tasks, {});
}

}  // namespace

Result<void> Operations::start_tasks(store::Session& session, const Context& context,
                                     const wire::RunTaskRequest& request, const std::string& cluster,
                                     const DefinitionRow& definition, std::vector<Task>& tasks,
                                     std::vector<wire::Failure>& failures) {
  const wire::TaskDefinition doc = stored<wire::TaskDefinition>(definition.doc);
  const Result<std::optional<std::string>> type = launch_type_of(request.launchType, request.capacityProviderStrategy);
  if (!type) return type.error();
  const std::string launch_type = *type ? **type : default_launch_type(session, context, cluster);
  if (Result<void> checked = check_launch_type(doc, launch_type); !checked) return checked;
  if (Result<void> checked = check_network(doc, request.networkConfiguration); !checked) return checked;
  const TaskRequest wanted{
      .region = context.region,
      .cluster = cluster,
      .service_id = 0,
      .service_name = "",
      .deployment_id = "",
      .group = request.group.value_or(""),
      .started_by = request.startedBy.value_or(""),
      .launch_type = launch_type,
      .network_configuration = request.networkConfiguration ? aws::to_json(*request.networkConfiguration) : "",
      .overrides = request.overrides ? aws::to_json(*request.overrides) : "",
      .tags = tags_text(tags_of(request, cluster, definition)),
      .ids = ids_,
      .now = clock_.now()};
  std::optional<std::vector<PortMapping>> taken;
  for (std::int32_t i = 0; i < request.count.value_or(1); ++i) {
    Result<Task> task = make_task(definition, wanted);
    if (!task) return task.error();
    const std::vector<PortMapping> ports = fixed_host_ports(*task);
    if (!taken) taken = ports.empty() ? std::vector<PortMapping>() : taken_ports(session);
    const std::string_view reason = lacking(*task, config_, *taken);
    if (!reason.empty()) {
      failures.push_back({instance_arn(context, cluster), std::string(reason), std::nullopt});
      continue;
    }
    taken->insert(taken->end(), ports.begin(), ports.end());
    save_task(session, *task);
    tasks.push_back(std::move(*task));
  }
  return ok();
}

Result<wire::RunTaskResponse> Operations::run_task(const Context& context, const wire::RunTaskRequest& request) {
  if (const Result<void> checked = check_request(request); !checked) return checked.error();
  const std::string token = request.clientToken.value_or("");
  const std::string fingerprint = to_hex(sha256(aws::to_json(request)));
  std::vector<Task> started;
  const auto run = [&](store::Session& session) -> Result<wire::RunTaskResponse> {
    const Result<std::string> cluster = require_cluster(session, context, request.cluster);
    if (!cluster) return cluster.error();
    const std::string scope = fmt::format("RunTask {} {}", context.region, *cluster);
    if (!token.empty()) {
      const std::optional<ClientToken> before = find_client_token(session, scope, token, clock_.now());
      if (before) return repeated(session, context, *before, fingerprint);
    }
    const Result<DefinitionRow> definition = require_active_definition(session, context, request.taskDefinition);
    if (!definition) return definition.error();
    std::vector<wire::Failure> failures;
    const Result<void> done = start_tasks(session, context, request, *cluster, *definition, started, failures);
    if (!done) return done.error();
    // A request that started nothing may be tried again.
    if (!token.empty() && !started.empty()) {
      save_client_token(session, {scope, token, fingerprint, ids_of(started), clock_.now()});
    }
    return response_of(context, started, std::move(failures));
  };
  Result<wire::RunTaskResponse> response = database_.write(run);
  if (response) {
    for (const Task& task : started) waker_.task_changed(task.id);
  }
  return response;
}

}  // namespace kaapi::ecs
