#pragma once
// What CreateService and UpdateService check alike. Not for other folders.

#include <string_view>

#include "aws/gen/ecs.h"
#include "base/error.h"
#include "ecs/model.h"
#include "ecs/operations_internal.h"

namespace kaapi::ecs {

// Members that this version would have to ignore are refused by name.
template <class Request>
Result<void> check_supported(const Request& request) {
  std::string_view member;
  if (request.loadBalancers && !request.loadBalancers->empty()) member = "loadBalancers";
  if (request.serviceRegistries && !request.serviceRegistries->empty()) member = "serviceRegistries";
  if (request.serviceConnectConfiguration && request.serviceConnectConfiguration->enabled) {
    member = "serviceConnectConfiguration";
  }
  if (request.volumeConfigurations && !request.volumeConfigurations->empty()) member = "volumeConfigurations";
  if (request.vpcLatticeConfigurations && !request.vpcLatticeConfigurations->empty()) {
    member = "vpcLatticeConfigurations";
  }
  if (request.deploymentController && request.deploymentController->type != "ECS") {
    return invalid_parameter(unsupported("deploymentController " + request.deploymentController->type));
  }
  return member.empty() ? ok() : invalid_parameter(unsupported(member));
}

Result<void> check_desired_count(std::int32_t desired_count);
Result<void> check_grace_period(const std::optional<std::int32_t>& seconds);
// Changes the service's bounds and breaker by what is given. Errors: InvalidParameterException.
Result<void> apply_configuration(Service& service, const std::optional<wire::DeploymentConfiguration>& configuration);

// Begins a PRIMARY deployment of the service's revision, and stores it and the service. `context` says who asked.
void start_deployment(store::Session& session, const CallContext& context, std::string id, Service& service,
                      const wire::Service& settings, Time now);

// One service with everything that its answer shows.
wire::Service show_service(store::Session& session, const CallContext& context, const Service& service, bool with_tags);

}  // namespace kaapi::ecs
