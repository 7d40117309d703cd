#include "ecs/operations_definition_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "ecs/definition.h"
#include "ecs/operations.h"
#include "ecs/operations_internal.h"
#include "ecs/task_role.h"

namespace kaapi::ecs {
namespace {

using Definitions = std::vector<wire::ContainerDefinition>;

constexpr int min_container_memory_mib = 6;  // what Docker allows
constexpr int max_port = 65'535;
constexpr std::size_t max_log_name_bytes = 512;
constexpr int max_fargate_stop_timeout_s = 120;

bool one_of(const std::optional<std::vector<std::string>>& list, std::string_view value) {
  return list && std::find(list->begin(), list->end(), value) != list->end();
}

template <class T>
bool any(const std::optional<std::vector<T>>& list) {
  return list && !list->empty();
}

// The first member of the task that this version would have to ignore; empty when there is none.
std::string_view unsupported_member(const wire::RegisterTaskDefinitionRequest& request) {
  if (any(request.volumes)) return "volumes";
  if (request.pidMode) return "pidMode";
  if (request.ipcMode) return "ipcMode";
  if (request.proxyConfiguration) return "proxyConfiguration";
  if (any(request.inferenceAccelerators)) return "inferenceAccelerators";
  if (request.enableFaultInjection.value_or(false)) return "enableFaultInjection";
  const bool windows = request.runtimePlatform && request.runtimePlatform->operatingSystemFamily &&
                       *request.runtimePlatform->operatingSystemFamily != "LINUX";
  if (windows) return "runtimePlatform.operatingSystemFamily other than LINUX";
  return "";
}

std::string_view unsupported_member(const wire::LinuxParameters& linux_parameters) {
  const auto& capabilities = linux_parameters.capabilities;
  if (capabilities && (any(capabilities->add) || any(capabilities->drop))) return "linuxParameters.capabilities";
  if (any(linux_parameters.devices)) return "linuxParameters.devices";
  if (any(linux_parameters.tmpfs)) return "linuxParameters.tmpfs";
  if (linux_parameters.sharedMemorySize) return "linuxParameters.sharedMemorySize";
  if (linux_parameters.maxSwap) return "linuxParameters.maxSwap";
  if (linux_parameters.swappiness) return "linuxParameters.swappiness";
  return "";
}

std::string_view unsupported_member(const wire::ContainerDefinition& container) {
  if (container.repositoryCredentials) return "repositoryCredentials";
  if (any(container.links)) return "links";
  if (container.restartPolicy && container.restartPolicy->enabled) return "restartPolicy";
  if (any(container.environmentFiles)) return "environmentFiles";
  if (any(container.mountPoints)) return "mountPoints";
  if (any(container.volumesFrom)) return "volumesFrom";
  if (any(container.secrets)) return "secrets";
  if (container.startTimeout) return "startTimeout";
  if (container.versionConsistency == "disabled") return "versionConsistency 'disabled'";
  if (container.disableNetworking.value_or(false)) return "disableNetworking";
  if (any(container.dnsServers)) return "dnsServers";
  if (any(container.dnsSearchDomains)) return "dnsSearchDomains";
  if (any(container.extraHosts)) return "extraHosts";
  if (any(container.dockerSecurityOptions)) return "dockerSecurityOptions";
  if (container.interactive.value_or(false)) return "interactive";
  if (any(container.ulimits)) return "ulimits";
  if (any(container.systemControls)) return "systemControls";
  if (any(container.resourceRequirements)) return "resourceRequirements";
  if (container.firelensConfiguration) return "firelensConfiguration";
  if (any(container.credentialSpecs)) return "credentialSpecs";
  if (container.linuxParameters) return unsupported_member(*container.linuxParameters);
  return "";
}

// One container of the definition under check.
class ContainerCheck {
 public:
  ContainerCheck(const wire::RegisterTaskDefinitionRequest& request, const wire::ContainerDefinition& container)
      : request_(request), container_(container), mode_(request.networkMode.value_or("bridge")) {}

  Result<void> run() const {
    for (const auto step : {&ContainerCheck::identity, &ContainerCheck::supported, &ContainerCheck::resources,
                            &ContainerCheck::environment, &ContainerCheck::ports, &ContainerCheck::health,
                            &ContainerCheck::logging, &ContainerCheck::stop}) {
      if (Result<void> checked = (this->*step)(); !checked) return checked;
    }
    return ok();
  }

 private:
  template <class... Args>
  Error wrong(fmt::format_string<Args...> format, Args&&... args) const {
    return client_error(fmt::format("Invalid setting for container '{}'. ", *container_.name) +
                        fmt::format(format, std::forward<Args>(args)...));
  }

  Result<void> identity() const {
    if (!container_.name || container_.name->empty()) {
      return client_error("Container.name should not be null or empty.");
    }
    if (!is_resource_name(*container_.name)) return client_error("Container.name contains invalid characters.");
    if (!container_.image || container_.image->empty()) {
      return client_error("Container.image should not be null or empty.");
    }
    const bool blank = std::any_of(container_.image->begin(), container_.image->end(),
                                   [](char c) { return static_cast<unsigned char>(c) <= ' '; });
    if (blank) return client_error("Container.image contains invalid characters.");
    return ok();
  }

  Result<void> supported() const {
    const std::string_view member = unsupported_member(container_);
    if (!member.empty()) return wrong("{}.", unsupported(member));
    if (container_.hostname && mode_ == "awsvpc") {
      return wrong("'hostname' is not supported when networkMode=awsvpc.");
    }
    return ok();
  }

  Result<void> resources() const {
    if (container_.cpu.value_or(0) < 0) return wrong("'cpu' must not be negative.");
    const std::optional<std::int64_t> task_memory = parse_memory(request_.memory.value_or(""));
    if (!container_.memory && !container_.memoryReservation && !task_memory) {
      return wrong("At least one of 'memory' or 'memoryReservation' must be specified.");
    }
    for (const auto& [name, amount] :
         {std::pair("memory", container_.memory), std::pair("memoryReservation", container_.memoryReservation)}) {
      if (!amount) continue;
      if (*amount < min_container_memory_mib)
        return wrong("'{}' must be at least {} MiB.", name, min_container_memory_mib);
      if (task_memory && *amount > *task_memory) {
        return wrong("The '{}' setting for container is greater than for the task.", name);
      }
    }
    if (container_.memory && container_.memoryReservation && *container_.memoryReservation > *container_.memory) {
      return wrong("'memoryReservation' must not be greater than 'memory'.");
    }
    return ok();
  }

  Result<void> environment() const {
    if (!container_.environment) return ok();
    for (const wire::KeyValuePair& each : *container_.environment) {
      const std::string name = each.name.value_or("");
      if (name.empty()) return wrong("An environment variable needs a name.");
      const bool bad = name.find('=') != std::string::npos || name.find('\0') != std::string::npos ||
                       each.value.value_or("").find('\0') != std::string::npos;
      if (bad) return wrong("The environment variable '{}' holds a character that none may hold.", name);
    }
    return ok();
  }

  Result<void> ports() const {
    if (!any(container_.portMappings)) return ok();
    if (mode_ == "none") return wrong("Port mappings are not valid when networkMode=none.");
    for (const wire::PortMapping& port : *container_.portMappings) {
      if (port.containerPortRange) return wrong("{}.", unsupported("portMappings.containerPortRange"));
      if (!port.containerPort || *port.containerPort < 1 || *port.containerPort > max_port) {
        return wrong("Every port mapping needs a 'containerPort' between 1 and {}.", max_port);
      }
      const std::int32_t host = port.hostPort.value_or(0);
      if (host < 0 || host > max_port) return wrong("'hostPort' must be between 0 and {}.", max_port);
      const bool must_match = mode_ == "awsvpc" || mode_ == "host";
      if (must_match && port.hostPort && host != *port.containerPort) {
        return client_error(
            fmt::format("When networkMode={}, the host ports and container ports in port mappings must match.", mode_));
      }
    }
    return ok();
  }

  Result<void> health() const {
    if (!container_.healthCheck) return ok();
    const wire::HealthCheck& check = *container_.healthCheck;
    const std::string first = check.command.empty() ? "" : check.command.front();
    if (first != "CMD" && first != "CMD-SHELL" && first != "NONE") {
      return wrong("The health check command must begin with CMD, CMD-SHELL or NONE.");
    }
    if (first != "NONE" && check.command.size() < 2) return wrong("The health check command {} is empty.", first);
    const auto outside = [](std::optional<std::int32_t> value, int low, int high) {
      return value && (*value < low || *value > high);
    };
    if (outside(check.interval, 5, 300)) return wrong("The health check 'interval' must be between 5 and 300 seconds.");
    if (outside(check.timeout, 2, 60)) return wrong("The health check 'timeout' must be between 2 and 60 seconds.");
    if (outside(check.retries, 1, 10)) return wrong("The health check 'retries' must be between 1 and 10.");
    if (outside(check.startPeriod, 0, 300)) {
      return wrong("The health check 'startPeriod' must be between 0 and 300 seconds.");
    }
    return ok();
  }

  Result<void> logging() const {
    if (!container_.logConfiguration) return ok();
    const wire::LogConfiguration& log = *container_.logConfiguration;
    if (log.logDriver != "awslogs") return wrong("{}.", unsupported(fmt::format("logDriver '{}'", log.logDriver)));
    if (any(log.secretOptions)) return wrong("{}.", unsupported("logConfiguration.secretOptions"));
    static const std::set<std::string_view> known = {"awslogs-group",        "awslogs-region", "awslogs-stream-prefix",
                                                     "awslogs-create-group", "mode",           "max-buffer-size"};
    static const std::map<std::string, std::string> none;
    const auto& options = log.options ? *log.options : none;
    for (const auto& [name, value] : options) {
      if (!known.contains(name)) return wrong("{}.", unsupported(fmt::format("log option '{}'", name)));
    }
    const auto required = [&](const char* name) {
      const auto found = options.find(name);
      return found != options.end() && !found->second.empty();
    };
    if (!required("awslogs-group")) return wrong("Log driver awslogs requires options: awslogs-group.");
    if (const Result<void> names = log_names(options); !names) return names;
    if (asks_for_fargate(request_) && !required("awslogs-stream-prefix")) {
      return wrong("Log driver awslogs requires options: awslogs-stream-prefix, for Fargate.");
    }
    return ok();
  }

  // As CloudWatch Logs has them (LogGroupName, LogStreamName): otherwise no task could ever start.
  Result<void> log_names(const std::map<std::string, std::string>& options) const {
    const std::string& group = options.at("awslogs-group");
    const bool legal = std::all_of(group.begin(), group.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             std::string_view(".-_/#").find(c) != std::string_view::npos;
    });
    if (!legal) {
      return wrong("'awslogs-group' contains invalid characters; letters, digits and . - _ / # are allowed.");
    }
    if (group.size() > max_log_name_bytes) {
      return wrong("'awslogs-group' must be at most {} characters.", max_log_name_bytes);
    }
    const auto prefix = options.find("awslogs-stream-prefix");
    if (prefix != options.end() && prefix->second.find_first_of(":*") != std::string::npos) {
      return wrong("'awslogs-stream-prefix' must not contain ':' or '*'.");
    }
    return ok();
  }

  Result<void> stop() const {
    const std::int32_t timeout_s = container_.stopTimeout.value_or(30);
    if (timeout_s < 0) return wrong("'stopTimeout' must not be negative.");
    if (asks_for_fargate(request_) && timeout_s > max_fargate_stop_timeout_s) {
      return wrong("'stopTimeout' must be at most {} seconds for Fargate.", max_fargate_stop_timeout_s);
    }
    return ok();
  }

  const wire::RegisterTaskDefinitionRequest& request_;
  const wire::ContainerDefinition& container_;
  std::string mode_;
};

const wire::ContainerDefinition* find_container(const Definitions& all, std::string_view name) {
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

Result<void> check_dependency(const Definitions& all, const wire::ContainerDefinition& from,
                              const wire::ContainerDependency& dependency) {
  const wire::ContainerDefinition* other = find_container(all, dependency.containerName);
  const std::string what = fmt::format("Container '{}' depends on '{}'", *from.name, dependency.containerName);
  if (other == nullptr) return client_error(what + ", which is not a container of this task definition.");
  if (other == &from) return client_error(what + ", itself.");
  const std::string& condition = dependency.condition;
  if ((condition == "COMPLETE" || condition == "SUCCESS") && other->essential.value_or(true)) {
    return client_error(fmt::format(
        "{} with condition {}, which is not allowed on an essential container: its end would stop the task.", what,
        condition));
  }
  const bool checked =
      other->healthCheck && !other->healthCheck->command.empty() && other->healthCheck->command.front() != "NONE";
  if (condition == "HEALTHY" && !checked) {
    return client_error(what + " with condition HEALTHY, but that container has no health check.");
  }
  return ok();
}

// Containers that only wait for containers that can start, can start; who is left waits in a circle.
Result<void> check_acyclic(const Definitions& all) {
  std::set<std::string> can_start;
  bool grew = true;
  while (grew) {
    grew = false;
    for (const wire::ContainerDefinition& each : all) {
      if (can_start.contains(*each.name)) continue;
      const bool ready =
          !each.dependsOn || std::all_of(each.dependsOn->begin(), each.dependsOn->end(),
                                         [&](const auto& d) { return can_start.contains(d.containerName); });
      if (!ready) continue;
      can_start.insert(*each.name);
      grew = true;
    }
  }
  if (can_start.size() == all.size()) return ok();
  return client_error("Container dependencies must not contain a cycle.");
}

Result<void> check_containers(const wire::RegisterTaskDefinitionRequest& request) {
  const Definitions& all = request.containerDefinitions;
  if (all.empty()) return client_error("Container list cannot be empty.");
  if (all.size() > static_cast<std::size_t>(max_containers_per_task)) {
    return client_error(
        fmt::format("A task definition holds at most {} containers, not {}.", max_containers_per_task, all.size()));
  }
  std::set<std::string> names;
  bool essential = false;
  for (const wire::ContainerDefinition& each : all) {
    if (Result<void> checked = ContainerCheck(request, each).run(); !checked) return checked;
    if (!names.insert(*each.name).second) {
      return client_error(fmt::format("Container names must be unique: '{}' is given twice.", *each.name));
    }
    essential = essential || each.essential.value_or(true);
  }
  if (!essential) return client_error("A task definition must have at least one essential container.");
  for (const wire::ContainerDefinition& each : all) {
    if (!each.dependsOn) continue;
    for (const wire::ContainerDependency& dependency : *each.dependsOn) {
      if (Result<void> checked = check_dependency(all, each, dependency); !checked) return checked;
    }
  }
  return check_acyclic(all);
}

// No two mappings may want the same port of the machine, or of the address that the containers share.
Result<void> check_port_conflicts(const wire::RegisterTaskDefinitionRequest& request) {
  const std::string mode = request.networkMode.value_or("bridge");
  std::set<std::pair<std::int32_t, std::string>> taken;
  for (const wire::ContainerDefinition& each : request.containerDefinitions) {
    if (!each.portMappings) continue;
    for (const wire::PortMapping& port : *each.portMappings) {
      const std::int32_t number = mode == "bridge" ? port.hostPort.value_or(0) : *port.containerPort;
      if (number == 0 || taken.insert({number, port.protocol.value_or("tcp")}).second) continue;
      return client_error(fmt::format("Port {} is mapped more than once in the task definition.", number));
    }
  }
  return ok();
}

// docs: "Task CPU and memory" of Fargate. Steps in MiB.
bool is_fargate_size(std::int64_t cpu, std::int64_t memory) {
  struct Row {
    std::int64_t cpu, least, most, step;
  };
  static constexpr Row rows[] = {{512, 1024, 4096, 1024},   {1024, 2048, 8192, 1024},   {2048, 4096, 16384, 1024},
                                 {4096, 8192, 30720, 1024}, {8192, 16384, 61440, 4096}, {16384, 32768, 122880, 8192}};
  if (cpu == 256) return memory == 512 || memory == 1024 || memory == 2048;
  return std::any_of(std::begin(rows), std::end(rows), [&](const Row& row) {
    return row.cpu == cpu && memory >= row.least && memory <= row.most && (memory - row.least) % row.step == 0;
  });
}

Result<void> check_task_size(const wire::RegisterTaskDefinitionRequest& request) {
  constexpr std::int64_t min_cpu = 128;
  constexpr std::int64_t max_cpu = 196'608;
  const std::optional<std::int64_t> cpu = parse_cpu(request.cpu.value_or(""));
  const std::optional<std::int64_t> memory = parse_memory(request.memory.value_or(""));
  if (request.cpu && (!cpu || *cpu < min_cpu || *cpu > max_cpu)) {
    return client_error(
        fmt::format("Invalid 'cpu' setting for task: '{}'. Give units of 1/1024 vCPU between {} and {}, "
                    "or vCPUs such as '1 vCPU'.",
                    *request.cpu, min_cpu, max_cpu));
  }
  if (request.memory && (!memory || *memory < min_container_memory_mib)) {
    return client_error(fmt::format("Invalid 'memory' setting for task: '{}'. Give MiB, or gigabytes such as '2 GB'.",
                                    *request.memory));
  }
  std::int64_t containers_cpu = 0;
  for (const wire::ContainerDefinition& each : request.containerDefinitions) containers_cpu += each.cpu.value_or(0);
  if (cpu && containers_cpu > *cpu) {
    return client_error(
        fmt::format("Total container cpu ({}) must not be greater than the task's cpu ({}).", containers_cpu, *cpu));
  }
  if (!asks_for_fargate(request)) return ok();
  if (!cpu) return client_error("Fargate requires that 'cpu' be defined at the task level.");
  if (!memory) return client_error("Fargate requires that 'memory' be defined at the task level.");
  if (is_fargate_size(*cpu, *memory)) return ok();
  return client_error(
      fmt::format("No Fargate configuration exists for given values: {} CPU, {} memory. See the Amazon "
                  "ECS documentation for the valid values.",
                  *cpu, *memory));
}

}  // namespace

bool asks_for_fargate(const wire::RegisterTaskDefinitionRequest& request) {
  return one_of(request.requiresCompatibilities, "FARGATE");
}

Result<void> check_definition(const wire::RegisterTaskDefinitionRequest& request) {
  if (request.family.empty()) return client_error("Family should not be null or empty.");
  if (!is_resource_name(request.family)) return client_error("Family contains invalid characters.");
  for (const char* other : {"EXTERNAL", "MANAGED_INSTANCES"}) {
    if (one_of(request.requiresCompatibilities, other)) {
      return client_error(unsupported(fmt::format("requiresCompatibilities {}", other)));
    }
  }
  const std::string_view member = unsupported_member(request);
  if (!member.empty()) return client_error(unsupported(member));
  if (asks_for_fargate(request) && request.networkMode != "awsvpc") {
    return client_error("Fargate only supports network mode ‘awsvpc’.");
  }
  for (const auto* role : {&request.taskRoleArn, &request.executionRoleArn}) {
    if (*role && !is_role(**role)) return client_error(role_error(**role));
  }
  if (Result<void> checked = check_task_size(request); !checked) return checked;
  if (Result<void> checked = check_containers(request); !checked) return checked;
  if (Result<void> checked = check_port_conflicts(request); !checked) return checked;
  return request.tags ? check_tags(*request.tags) : ok();
}

}  // namespace kaapi::ecs
