#pragma once
// From a stored task definition to a task: overrides applied, defaults filled in. Pure but for the ids it draws.
// Rules: AWS's API reference, "ContainerDefinition" and "TaskOverride", and the developer guide's "Task definition
// parameters".

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "ecs/model.h"
#include "ecs/state.h"
#include "store/database.h"

namespace kaapi::ecs {

// What is asked of a new task beside its definition. Texts of wire JSON may be empty.
struct TaskRequest {
  std::string region;
  std::string cluster;
  std::int64_t service_id = 0;  // 0: no service; then the next two are empty
  std::string service_name;
  std::string deployment_id;
  std::string group;  // empty: "service:NAME" or "family:FAMILY"
  std::string started_by;
  std::string launch_type = "EC2";
  std::string network_configuration;  // wire JSON of NetworkConfiguration
  std::string overrides;              // wire JSON of TaskOverride
  std::string tags;                   // wire JSON list of tags
  IdSource& ids;
  Time now{};
};

// A new task, not stored yet. Every container gets ECS_TASK_ID, ECS_CLUSTER, ECS_SERVICE (of a service), AWS_REGION and
// AWS_DEFAULT_REGION, and with a task role AWS_ENDPOINT_URL, unless the definition or an override sets them; with a
// task role also AWS_CONTAINER_CREDENTIALS_RELATIVE_URI. Errors: InvalidParameterException (an override or a network
// configuration that does not fit the definition), `Damaged` when the stored definition cannot be read.
Result<Task> make_task(const DefinitionRow& definition, const TaskRequest& request);

// A task of a service's deployment: the scheduler's TaskFactory. Errors: also ClientException when the definition is
// gone.
Result<Task> make_service_task(store::Session& session, const Service& service, const Deployment& deployment,
                               IdSource& ids, Time now);

// Task-level cpu in units ("256", "1 vCPU", ".5 vcpu") and memory in MiB ("512", "2 GB", "0.5gb"); nullopt when it is
// neither a positive number nor one with its unit.
std::optional<std::int64_t> parse_cpu(std::string_view text);
std::optional<std::int64_t> parse_memory(std::string_view text);

// What one task needs: its task-level values, else the sum over its containers (memory: hard limit, else reservation).
struct Needs {
  std::int64_t cpu_units = 0;
  std::int64_t memory_mib = 0;
};
Needs needs_of(const Task& task);

}  // namespace kaapi::ecs
