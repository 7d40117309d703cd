#include "base/json.h"
#include "ecs/definition.h"
#include "ecs/operations.h"
#include "ecs/operations_definition_check.h"
#include "ecs/operations_internal.h"

namespace kaapi::ecs {
namespace {

template <class T>
void or_empty(std::optional<std::vector<T>>& list) {
  if (!list) list.emplace();
}

// Answers show the defaults that ECS fills in.
void fill_defaults(wire::ContainerDefinition& container, std::string_view network_mode) {
  if (!container.cpu) container.cpu = 0;
  if (!container.essential) container.essential = true;
  or_empty(container.portMappings);
  or_empty(container.environment);
  or_empty(container.mountPoints);
  or_empty(container.volumesFrom);
  or_empty(container.systemControls);
  for (wire::PortMapping& port : *container.portMappings) {
    const bool own_address = network_mode == "awsvpc" || network_mode == "host";
    if (!port.hostPort || own_address) port.hostPort = own_address ? port.containerPort : 0;
    if (!port.protocol) port.protocol = "tcp";
  }
  if (container.healthCheck && container.healthCheck->command.front() != "NONE") {
    wire::HealthCheck& check = *container.healthCheck;
    check.interval = check.interval.value_or(30);
    check.timeout = check.timeout.value_or(5);
    check.retries = check.retries.value_or(3);
  }
}

wire::TaskDefinition new_definition(const CallContext& context, const wire::RegisterTaskDefinitionRequest& request,
                                    Time now) {
  wire::TaskDefinition to;
  to.containerDefinitions = request.containerDefinitions;
  to.family = request.family;
  to.taskRoleArn = request.taskRoleArn;
  to.executionRoleArn = request.executionRoleArn;
  to.networkMode = request.networkMode.value_or("bridge");
  to.volumes.emplace();
  to.status = "ACTIVE";
  to.requiresAttributes.emplace();
  to.placementConstraints = request.placementConstraints;
  or_empty(to.placementConstraints);
  to.compatibilities = {"EC2"};
  if (asks_for_fargate(request)) to.compatibilities->emplace_back("FARGATE");
  to.runtimePlatform = request.runtimePlatform;
  to.requiresCompatibilities = request.requiresCompatibilities;
  if (request.cpu) to.cpu = fmt::to_string(parse_cpu(*request.cpu).value_or(0));
  if (request.memory) to.memory = fmt::to_string(parse_memory(*request.memory).value_or(0));
  to.registeredAt = now;
  to.registeredBy = context.principal_arn;
  to.ephemeralStorage = request.ephemeralStorage;
  to.enableFaultInjection = request.enableFaultInjection;
  for (wire::ContainerDefinition& each : *to.containerDefinitions) fill_defaults(each, *to.networkMode);
  return to;
}

std::string position_of(const DefinitionName& name) {
  return fmt::format("{}:{}", name.family, name.revision);
}

DefinitionName name_from(const std::string& position) {
  const std::size_t colon = position.rfind(':');
  if (colon == std::string::npos) return {};
  return {position.substr(0, colon), static_cast<int>(parse_number(position.substr(colon + 1)).value_or(0))};
}

}  // namespace

Result<wire::RegisterTaskDefinitionResponse> Operations::register_task_definition(
    const Context& context, const wire::RegisterTaskDefinitionRequest& request) {
  if (const Result<void> checked = check_definition(request); !checked) return checked.error();
  wire::TaskDefinition definition = new_definition(context, request, clock_.now());
  if (const std::size_t size = aws::to_json(definition).size(); size > max_definition_bytes) {
    return client_error(
        fmt::format("The task definition has {} bytes; the most that is allowed is {}.", size, max_definition_bytes));
  }
  return database_.write([&](store::Session& session) -> Result<wire::RegisterTaskDefinitionResponse> {
    const int revision = next_revision(session, context.region, request.family);
    definition.revision = revision;
    definition.taskDefinitionArn = definition_arn(context, request.family, revision);
    save_definition(session, {context.region, request.family, revision, "ACTIVE", aws::to_json(definition),
                              tags_text(request.tags.value_or(Tags()))});
    return wire::RegisterTaskDefinitionResponse{definition, request.tags};
  });
}

Result<wire::DescribeTaskDefinitionResponse> Operations::describe_task_definition(
    const Context& context, const wire::DescribeTaskDefinitionRequest& request) {
  return database_.read([&](store::Session& session) -> Result<wire::DescribeTaskDefinitionResponse> {
    const Result<std::optional<DefinitionRow>> row = look_up_definition(session, context, request.taskDefinition);
    if (!row) return row.error();
    if (!*row) return client_error("Unable to describe task definition.");
    wire::DescribeTaskDefinitionResponse response;
    response.taskDefinition = stored<wire::TaskDefinition>((*row)->doc);
    if (includes_tags(request.include)) response.tags = tags_from((*row)->tags);
    return response;
  });
}

Result<wire::ListTaskDefinitionsResponse> Operations::list_task_definitions(
    const Context& context, const wire::ListTaskDefinitionsRequest& request) {
  const std::string status = request.status.value_or("ACTIVE");
  const bool descending = request.sort == "DESC";
  const std::string scope = fmt::format("ListTaskDefinitions {} {} {} {}", context.region,
                                        request.familyPrefix.value_or("*"), status, descending);
  const Result<Page> page = page_of(scope, request.nextToken, request.maxResults);
  if (!page) return page.error();
  return database_.read([&](store::Session& session) -> Result<wire::ListTaskDefinitionsResponse> {
    std::vector<DefinitionName> names = list_definitions(session, context.region, request.familyPrefix, status,
                                                         descending, name_from(page->after), page->size + 1);
    wire::ListTaskDefinitionsResponse response;
    response.nextToken = cut_page(names, *page, scope, position_of);
    response.taskDefinitionArns.emplace();
    for (const DefinitionName& name : names) {
      response.taskDefinitionArns->push_back(definition_arn(context, name.family, name.revision));
    }
    return response;
  });
}

Result<wire::ListTaskDefinitionFamiliesResponse> Operations::list_task_definition_families(
    const Context& context, const wire::ListTaskDefinitionFamiliesRequest& request) {
  const std::string prefix = request.familyPrefix.value_or("");
  const std::string status = request.status.value_or("ALL");
  const std::string scope = fmt::format("ListTaskDefinitionFamilies {} {} {}", context.region, prefix, status);
  const Result<Page> page = page_of(scope, request.nextToken, request.maxResults);
  if (!page) return page.error();
  return database_.read([&](store::Session& session) -> Result<wire::ListTaskDefinitionFamiliesResponse> {
    std::vector<std::string> families =
        list_families(session, context.region, prefix, status, page->after, page->size + 1);
    wire::ListTaskDefinitionFamiliesResponse response;
    response.nextToken = cut_page(families, *page, scope, [](const std::string& family) { return family; });
    response.families = std::move(families);
    return response;
  });
}

Result<wire::DeregisterTaskDefinitionResponse> Operations::deregister_task_definition(
    const Context& context, const wire::DeregisterTaskDefinitionRequest& request) {
  if (parse_name(context, "task-definition", request.taskDefinition).name.find(':') == std::string::npos &&
      !request.taskDefinition.starts_with("arn:")) {
    return client_error("Deregistering takes the revision too: give family:revision or the full ARN.");
  }
  return database_.write([&](store::Session& session) -> Result<wire::DeregisterTaskDefinitionResponse> {
    Result<std::optional<DefinitionRow>> found = look_up_definition(session, context, request.taskDefinition);
    if (!found) return found.error();
    if (!*found) return client_error("The specified task definition does not exist.");
    DefinitionRow& row = **found;
    wire::TaskDefinition definition = stored<wire::TaskDefinition>(row.doc);
    if (row.status == "ACTIVE") {
      definition.status = "INACTIVE";
      definition.deregisteredAt = clock_.now();
      row.status = "INACTIVE";
      row.doc = aws::to_json(definition);
      save_definition(session, row);
    }
    return wire::DeregisterTaskDefinitionResponse{std::move(definition)};
  });
}

}  // namespace kaapi::ecs
