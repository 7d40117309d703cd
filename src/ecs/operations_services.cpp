#include "base/json.h"
#include "base/text.h"
#include "ecs/operations.h"
#include "ecs/operations_internal.h"
#include "ecs/operations_service_check.h"

namespace kaapi::ecs {
namespace {

constexpr std::size_t max_services_described = 10;
constexpr int default_services_listed = 10;

Error not_idempotent() {
  return invalid_parameter("Creation of service was not idempotent.");
}

Result<void> check_request(const wire::CreateServiceRequest& request) {
  if (!is_resource_name(request.serviceName)) {
    return invalid_parameter(
        fmt::format("Invalid serviceName '{}': it takes 1 to 255 letters, digits, hyphens and underscores.",
                    request.serviceName.substr(0, 300)));
  }
  if (request.schedulingStrategy.value_or("REPLICA") != "REPLICA") {
    return invalid_parameter(unsupported("schedulingStrategy " + *request.schedulingStrategy));
  }
  if (!request.taskDefinition || request.taskDefinition->empty()) {
    return invalid_parameter("taskDefinition is required with the ECS deployment controller.");
  }
  if (!request.desiredCount) return invalid_parameter("desiredCount is required with schedulingStrategy REPLICA.");
  if (Result<void> checked = check_supported(request); !checked) return checked;
  if (Result<void> checked = check_desired_count(*request.desiredCount); !checked) return checked;
  if (Result<void> checked = check_grace_period(request.healthCheckGracePeriodSeconds); !checked) return checked;
  return request.tags ? check_tags(*request.tags) : ok();
}

// The part of the answer that is what the client asked for.
wire::Service settings_of(const CallContext& context, const wire::CreateServiceRequest& request,
                          const std::string& launch_type, int maximum_percent) {
  wire::Service settings;
  settings.launchType = launch_type;
  if (request.capacityProviderStrategy && !request.capacityProviderStrategy->empty()) {
    settings.capacityProviderStrategy = request.capacityProviderStrategy;
  }
  settings.platformVersion = request.platformVersion;
  settings.placementConstraints = request.placementConstraints.value_or(std::vector<wire::PlacementConstraint>());
  settings.placementStrategy = request.placementStrategy.value_or(std::vector<wire::PlacementStrategy>());
  settings.networkConfiguration = request.networkConfiguration;
  settings.schedulingStrategy = "REPLICA";
  settings.deploymentController = wire::DeploymentController{"ECS"};
  if (request.tags && !request.tags->empty()) settings.tags = request.tags;
  settings.createdBy = context.principal_arn;
  settings.enableECSManagedTags = request.enableECSManagedTags.value_or(false);
  settings.propagateTags = request.propagateTags.value_or("NONE");
  settings.enableExecuteCommand = request.enableExecuteCommand.value_or(false);
  settings.availabilityZoneRebalancing =
      request.availabilityZoneRebalancing.value_or(maximum_percent > 100 ? "ENABLED" : "DISABLED");
  return settings;
}

}  // namespace

Result<wire::CreateServiceResponse> Operations::create_service(const Context& context,
                                                               const wire::CreateServiceRequest& request) {
  if (const Result<void> checked = check_request(request); !checked) return checked.error();
  const Result<std::optional<std::string>> launch_type =
      launch_type_of(request.launchType, request.capacityProviderStrategy);
  if (!launch_type) return launch_type.error();
  Service service;
  service.region = context.region;
  service.name = request.serviceName;
  service.desired_count = *request.desiredCount;
  service.health_check_grace_s = request.healthCheckGracePeriodSeconds.value_or(0);
  service.created_at = clock_.now();
  if (const Result<void> applied = apply_configuration(service, request.deploymentConfiguration); !applied) {
    return applied.error();
  }
  const std::string token = request.clientToken.value_or("");
  const std::string fingerprint = to_hex(sha256(aws::to_json(request)));
  bool created = false;
  const auto create = [&](store::Session& session) -> Result<wire::CreateServiceResponse> {
    const Result<std::string> cluster = require_cluster(session, context, request.cluster);
    if (!cluster) return cluster.error();
    service.cluster = *cluster;
    const std::string scope = fmt::format("CreateService {} {} {}", context.region, *cluster, service.name);
    if (const auto existing = find_service(session, context.region, *cluster, service.name)) {
      if (existing->status == ServiceStatus::draining) {
        return invalid_parameter("Unable to Start a service that is still Draining.");
      }
      if (existing->status == ServiceStatus::active) {
        const auto before = token.empty() ? std::nullopt : find_client_token(session, scope, token, clock_.now());
        if (!before || before->fingerprint != fingerprint || before->outcome != fmt::to_string(existing->id)) {
          return not_idempotent();
        }
        return wire::CreateServiceResponse{show_service(session, context, *existing, true)};
      }
    }
    const Result<DefinitionRow> definition = require_active_definition(session, context, *request.taskDefinition);
    if (!definition) return definition.error();
    const wire::TaskDefinition doc = stored<wire::TaskDefinition>(definition->doc);
    const std::string type = *launch_type ? **launch_type : default_launch_type(session, context, *cluster);
    if (const Result<void> checked = check_launch_type(doc, type); !checked) return checked.error();
    if (const Result<void> checked = check_network(doc, request.networkConfiguration); !checked) return checked.error();
    service.family = definition->family;
    service.revision = definition->revision;
    const wire::Service settings = settings_of(context, request, type, service.maximum_percent);
    service.wire = aws::to_json(settings);
    insert_service(session, service);
    start_deployment(session, context, new_deployment_id(), service, settings, clock_.now());
    if (!token.empty()) {
      save_client_token(session, {scope, token, fingerprint, fmt::to_string(service.id), clock_.now()});
    }
    created = true;
    return wire::CreateServiceResponse{show_service(session, context, service, true)};
  };
  Result<wire::CreateServiceResponse> response = database_.write(create);
  if (response && created) waker_.service_changed(service.id);
  return response;
}

Result<wire::DescribeServicesResponse> Operations::describe_services(const Context& context,
                                                                     const wire::DescribeServicesRequest& request) {
  if (request.services.empty()) return invalid_parameter("Services cannot be empty.");
  if (request.services.size() > max_services_described) {
    return invalid_parameter(fmt::format("services can have at most {} items.", max_services_described));
  }
  const bool with_tags = includes_tags(request.include);
  return database_.read([&](store::Session& session) -> Result<wire::DescribeServicesResponse> {
    const Result<std::string> cluster = require_cluster(session, context, request.cluster);
    if (!cluster) return cluster.error();
    wire::DescribeServicesResponse response;
    response.services.emplace();
    response.failures.emplace();
    for (const std::string& each : request.services) {
      const Named named = parse_name(context, "service", each);
      if (const Result<void> checked = check_cluster_of(named, *cluster); !checked) return checked.error();
      const std::optional<Service> service = find_service(session, context.region, *cluster, named.name);
      if (named.foreign || !service) {
        response.failures->push_back(
            {each.starts_with("arn:") ? each : service_arn(context, *cluster, each), "MISSING", std::nullopt});
      } else {
        response.services->push_back(show_service(session, context, *service, with_tags));
      }
    }
    return response;
  });
}

Result<std::string> Operations::describe_services_encoded(const Context& context,
                                                          const wire::DescribeServicesRequest& request) {
  std::string question = fmt::format("{} {} ", context.region, context.account_id);
  JsonWriter out(question);
  encode(out, request);
  const std::uint64_t version = database_.version();
  if (const auto kept = service_answers_.find(question, version)) return *kept;
  const Result<wire::DescribeServicesResponse> response = describe_services(context, request);
  if (!response) return response.error();
  auto answer = std::make_shared<const std::string>(aws::to_json(*response));
  service_answers_.keep(question, version, answer);
  return *answer;
}

Result<wire::ListServicesResponse> Operations::list_services(const Context& context,
                                                             const wire::ListServicesRequest& request) {
  const bool none_match = request.schedulingStrategy.value_or("REPLICA") != "REPLICA" ||
                          request.resourceManagementType.value_or("CUSTOMER") != "CUSTOMER";
  const std::string scope = fmt::format("ListServices {} {} {}", context.region, cluster_name(context, request.cluster),
                                        request.launchType.value_or("*"));
  const Result<Page> page = page_of(scope, request.nextToken, request.maxResults, default_services_listed);
  if (!page) return page.error();
  return database_.read([&](store::Session& session) -> Result<wire::ListServicesResponse> {
    const Result<std::string> cluster = require_cluster(session, context, request.cluster);
    if (!cluster) return cluster.error();
    wire::ListServicesResponse response;
    response.serviceArns.emplace();
    if (none_match) return response;
    std::vector<std::string> names =
        list_service_names(session, context.region, *cluster, request.launchType, page->after, page->size + 1);
    response.nextToken = cut_page(names, *page, scope, [](const std::string& name) { return name; });
    for (const std::string& name : names) response.serviceArns->push_back(service_arn(context, *cluster, name));
    return response;
  });
}

}  // namespace kaapi::ecs
