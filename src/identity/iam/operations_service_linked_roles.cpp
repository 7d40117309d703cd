// Service-linked roles of the services that the platform has or will have. Nothing here needs them to work; clients
// make them because AWS's services do. Their permissions policies are AWS's own affair and not shown.
#include <array>

#include "identity/iam/operations_internal.h"

namespace kaapi::identity {
namespace {

struct LinkedService {
  std::string_view principal;
  std::string_view role_name;
};
constexpr std::array linked_services{
    LinkedService{"ecs.amazonaws.com", "AWSServiceRoleForECS"},
    LinkedService{"elasticache.amazonaws.com", "AWSServiceRoleForElastiCache"},
    LinkedService{"elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"},
    LinkedService{"mq.amazonaws.com", "AWSServiceRoleForAmazonMQ"},
    LinkedService{"rds.amazonaws.com", "AWSServiceRoleForRDS"},
};

const LinkedService* find_linked(std::string_view principal) {
  const auto found = std::find_if(linked_services.begin(), linked_services.end(),
                                  [&](const LinkedService& service) { return service.principal == principal; });
  return found == linked_services.end() ? nullptr : &*found;
}

Result<wire::CreateServiceLinkedRoleResponse> create_linked(Directory& directory, const CallContext& context,
                                                            const wire::CreateServiceLinkedRoleRequest& request) {
  const LinkedService* service = find_linked(request.AWSServiceName);
  if (service == nullptr) {
    std::vector<std::string_view> known;
    known.reserve(linked_services.size());
    for (const LinkedService& one : linked_services) known.push_back(one.principal);
    return invalid_input(fmt::format("{} has no service-linked role here; there are ones for {}",
                                     request.AWSServiceName, fmt::join(known, ", ")));
  }
  if (request.CustomSuffix) {
    return invalid_input(fmt::format("Custom suffix is not allowed for {}", service->principal));
  }
  return directory.write([&](Edit& edit) -> Result<wire::CreateServiceLinkedRoleResponse> {
    if (edit.state().roles.find(lower(service->role_name)) != nullptr) {
      return invalid_input(fmt::format(
          "Service role name {} has been taken in this account, please try a different suffix.", service->role_name));
    }
    const std::string trust = fmt::format(
        R"({{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{}"}},"Action":"sts:AssumeRole"}}]}})",
        service->principal);
    Role role;
    role.name = service->role_name;
    role.path = fmt::format("/aws-service-role/{}/", service->principal);
    role.id = new_unique_id(id_prefix::role, directory.ids());
    role.arn = entity_arn(edit.state().account_id, "role", role.path, role.name);
    role.created_at = whole_seconds(context.now);
    role.trust = {trust, policy::parse(trust, policy::Kind::trust).value()};
    role.description = request.Description.value_or("");
    role.linked_service = service->principal;
    wire::CreateServiceLinkedRoleResponse response;
    response.Role = describe(role, true);
    edit.put(std::move(role));
    return response;
  });
}

// It is gone at once; the task that AWS would have is only a name.
Result<wire::DeleteServiceLinkedRoleResponse> delete_linked(Directory& directory, const CallContext&,
                                                            const wire::DeleteServiceLinkedRoleRequest& request) {
  return directory.write([&](Edit& edit) -> Result<wire::DeleteServiceLinkedRoleResponse> {
    const Result<const Role*> found = require<Role>(edit.state(), request.RoleName);
    if (!found) return found.error();
    const Role role = **found;
    if (role.linked_service.empty()) {
      return no_such_entity(fmt::format("{} is no service-linked role; delete it with DeleteRole", role.name));
    }
    edit.erase(role);
    rename_in_trust(edit, role.arn, role.id);
    wire::DeleteServiceLinkedRoleResponse response;
    response.DeletionTaskId = fmt::format("task{}{}/{}", role.path, role.name, directory.ids().uuid());
    return response;
  });
}

Result<wire::GetServiceLinkedRoleDeletionStatusResponse> deletion_status(
    Directory&, const CallContext&, const wire::GetServiceLinkedRoleDeletionStatusRequest& request) {
  constexpr std::size_t uuid_length = 36;
  for (const LinkedService& service : linked_services) {
    const std::string start = fmt::format("task/aws-service-role/{}/{}/", service.principal, service.role_name);
    if (!request.DeletionTaskId.starts_with(start) || request.DeletionTaskId.size() != start.size() + uuid_length)
      continue;
    wire::GetServiceLinkedRoleDeletionStatusResponse response;
    response.Status = wire::DeletionTaskStatusType::SUCCEEDED;
    return response;
  }
  return no_such_entity(fmt::format("The deletion task {} cannot be found.", request.DeletionTaskId));
}

}  // namespace

void add_service_linked_role_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  serve<wire::CreateServiceLinkedRole>(dispatcher, directory, create_linked);
  serve<wire::DeleteServiceLinkedRole>(dispatcher, directory, delete_linked);
  serve<wire::GetServiceLinkedRoleDeletionStatus>(dispatcher, directory, deletion_status);
}

}  // namespace kaapi::identity
