#include "base/json.h"
#include "ecs/operations.h"
#include "ecs/operations_internal.h"
#include "ecs/operations_service_check.h"

namespace kaapi::ecs {
namespace {

// The service that a request means; the cluster is checked before. Errors: ServiceNotFoundException,
// InvalidParameterException.
Result<Service> require_service(store::Session& session, const CallContext& context, const std::string& cluster,
                                const std::string& given) {
  const Named named = parse_name(context, "service", given);
  if (const Result<void> checked = check_cluster_of(named, cluster); !checked) return checked.error();
  std::optional<Service> service;
  if (!named.foreign) service = find_service(session, context.region, cluster, named.name);
  if (!service) return make_error(wire::error::ServiceNotFoundException, "Service not found.");
  return std::move(*service);
}

// One UpdateService inside its transaction.
class Update {
 public:
  Update(store::Session& session, const CallContext& context, const wire::UpdateServiceRequest& request,
         Service& service, Time now)
      : session_(session),
        context_(context),
        request_(request),
        service_(service),
        settings_(stored<wire::Service>(service.wire)),
        now_(now) {}

  Result<void> run(std::string deployment_id) {
    std::vector<Deployment> open = open_deployments(session_, service_.id);
    adopt_network(open);
    for (const auto step : {&Update::set_definition, &Update::set_launch, &Update::set_counts, &Update::check_fit}) {
      if (Result<void> done = (this->*step)(); !done) return done;
    }
    set_rest();
    service_.wire = aws::to_json(settings_);
    if (redeploy_ || request_.forceNewDeployment.value_or(false) || open.empty()) {
      start_deployment(session_, context_, std::move(deployment_id), service_, settings_, now_);
      return ok();
    }
    if (open.front().status == DeploymentStatus::primary && open.front().desired_count != service_.desired_count) {
      open.front().desired_count = service_.desired_count;
      open.front().updated_at = now_;
      save_deployment(session_, open.front());
      service_.steady = false;
    }
    save_service(session_, service_);
    return ok();
  }

 private:
  // After a rollback the PRIMARY deployment has an older network configuration than the one that was asked for last.
  void adopt_network(const std::vector<Deployment>& open) {
    if (open.empty() || open.front().status != DeploymentStatus::primary) return;
    const std::string& network = open.front().network_configuration;
    settings_.networkConfiguration.reset();
    if (!network.empty()) settings_.networkConfiguration = stored<wire::NetworkConfiguration>(network);
  }

  Result<void> set_definition() {
    if (!request_.taskDefinition) return ok();
    const Result<std::optional<DefinitionRow>> found = look_up_definition(session_, context_, *request_.taskDefinition);
    if (!found) return found.error();
    if (!*found) return client_error("TaskDefinition not found.");
    const DefinitionRow& row = **found;
    if (row.status != "ACTIVE") return client_error("TaskDefinition is inactive");
    redeploy_ = redeploy_ || row.family != service_.family || row.revision != service_.revision;
    service_.family = row.family;
    service_.revision = row.revision;
    return ok();
  }

  Result<void> set_launch() {
    const Result<std::optional<std::string>> type = launch_type_of(std::nullopt, request_.capacityProviderStrategy);
    if (!type) return type.error();
    if (request_.capacityProviderStrategy && request_.capacityProviderStrategy != settings_.capacityProviderStrategy) {
      settings_.capacityProviderStrategy = request_.capacityProviderStrategy;
      if (settings_.capacityProviderStrategy->empty()) settings_.capacityProviderStrategy.reset();
      redeploy_ = redeploy_ || (*type && **type != settings_.launchType);
      if (*type) settings_.launchType = **type;
    }
    if (request_.platformVersion && request_.platformVersion != settings_.platformVersion) {
      redeploy_ = redeploy_ || *request_.platformVersion != settings_.platformVersion.value_or("LATEST");
      settings_.platformVersion = request_.platformVersion;
    }
    if (request_.networkConfiguration && request_.networkConfiguration != settings_.networkConfiguration) {
      settings_.networkConfiguration = request_.networkConfiguration;
      redeploy_ = true;
    }
    return ok();
  }

  Result<void> set_counts() {
    if (request_.desiredCount) {
      if (Result<void> checked = check_desired_count(*request_.desiredCount); !checked) return checked;
      service_.desired_count = *request_.desiredCount;
    }
    if (Result<void> checked = check_grace_period(request_.healthCheckGracePeriodSeconds); !checked) return checked;
    service_.health_check_grace_s = request_.healthCheckGracePeriodSeconds.value_or(service_.health_check_grace_s);
    return apply_configuration(service_, request_.deploymentConfiguration);
  }

  // Definition, launch type and network must fit together, when any of them changes.
  Result<void> check_fit() {
    if (!redeploy_) return ok();
    const auto row = find_definition(session_, service_.region, service_.family, service_.revision);
    if (!row) return client_error("TaskDefinition not found.");
    const wire::TaskDefinition doc = stored<wire::TaskDefinition>(row->doc);
    // A network configuration that the old definition needed and the new one cannot have is dropped with it.
    if (doc.networkMode != "awsvpc" && !request_.networkConfiguration) settings_.networkConfiguration.reset();
    if (Result<void> checked = check_launch_type(doc, settings_.launchType.value_or("EC2")); !checked) return checked;
    return check_network(doc, settings_.networkConfiguration);
  }

  void set_rest() {
    const auto set = [](auto& to, const auto& from) {
      if (from) to = from;
    };
    set(settings_.availabilityZoneRebalancing, request_.availabilityZoneRebalancing);
    set(settings_.placementConstraints, request_.placementConstraints);
    set(settings_.placementStrategy, request_.placementStrategy);
    set(settings_.enableExecuteCommand, request_.enableExecuteCommand);
    set(settings_.enableECSManagedTags, request_.enableECSManagedTags);
    set(settings_.propagateTags, request_.propagateTags);
  }

  store::Session& session_;
  const CallContext& context_;
  const wire::UpdateServiceRequest& request_;
  Service& service_;
  wire::Service settings_;
  Time now_;
  bool redeploy_ = false;
};

}  // namespace

Result<wire::UpdateServiceResponse> Operations::update_service(const Context& context,
                                                               const wire::UpdateServiceRequest& request) {
  if (const Result<void> checked = check_supported(request); !checked) return checked.error();
  std::int64_t changed = 0;
  Result<wire::UpdateServiceResponse> response =
      database_.write([&](store::Session& session) -> Result<wire::UpdateServiceResponse> {
        const Result<std::string> cluster = require_cluster(session, context, request.cluster);
        if (!cluster) return cluster.error();
        Result<Service> service = require_service(session, context, *cluster, request.service);
        if (!service) return service.error();
        if (service->status != ServiceStatus::active) {
          return make_error(wire::error::ServiceNotActiveException, "Service was not ACTIVE.");
        }
        Update update(session, context, request, *service, clock_.now());
        if (const Result<void> done = update.run(new_deployment_id()); !done) return done.error();
        changed = service->id;
        return wire::UpdateServiceResponse{show_service(session, context, *service, true)};
      });
  if (response) waker_.service_changed(changed);
  return response;
}

Result<wire::DeleteServiceResponse> Operations::delete_service(const Context& context,
                                                               const wire::DeleteServiceRequest& request) {
  std::int64_t changed = 0;
  const auto remove = [&](store::Session& session) -> Result<wire::DeleteServiceResponse> {
    const Result<std::string> cluster = require_cluster(session, context, request.cluster);
    if (!cluster) return cluster.error();
    Result<Service> service = require_service(session, context, *cluster, request.service);
    if (!service) return service.error();
    if (service->status == ServiceStatus::inactive) {
      return make_error(wire::error::ServiceNotFoundException, "Service not found.");
    }
    std::vector<Deployment> open = open_deployments(session, service->id);
    if (service->status == ServiceStatus::active && !request.force.value_or(false)) {
      if (service->desired_count > 0) {
        return invalid_parameter("The service cannot be stopped while it is scaled above 0.");
      }
      if (open.size() > 1) return invalid_parameter("The service cannot be stopped while deployments are active.");
    }
    service->status = ServiceStatus::draining;
    service->desired_count = 0;
    service->steady = false;
    save_service(session, *service);
    for (Deployment& each : open) {
      each.desired_count = 0;
      each.updated_at = clock_.now();
      save_deployment(session, each);
    }
    changed = service->id;
    return wire::DeleteServiceResponse{show_service(session, context, *service, true)};
  };
  Result<wire::DeleteServiceResponse> response = database_.write(remove);
  if (response) waker_.service_changed(changed);
  return response;
}

}  // namespace kaapi::ecs
