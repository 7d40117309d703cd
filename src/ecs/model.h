#pragma once
// What the engine room knows of services, deployments and tasks. Plain values: the pure parts (rollout, lifecycle)
// compute on them, state.h stores them, operations translate them to the wire. Names are AWS's own.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace kaapi::ecs {

// docs: "Amazon ECS task lifecycle". ACTIVATING and DEACTIVATING are the states of registering with and draining from a
// load balancer.
enum class TaskStatus { provisioning, pending, activating, running, deactivating, stopping, deprovisioning, stopped };
enum class Health { unknown, healthy, unhealthy };
enum class StopCode {
  none,
  task_failed_to_start,
  essential_container_exited,
  user_initiated,
  service_scheduler_initiated
};
enum class NetworkMode { bridge, awsvpc, host, none };

std::string_view wire_name(TaskStatus status);  // "RUNNING"
std::string_view wire_name(Health health);      // "HEALTHY"
std::string_view wire_name(StopCode code);      // "EssentialContainerExited"; "" for none
std::string_view wire_name(NetworkMode mode);   // "awsvpc"

// A container's health check as the task definition gives it, defaults filled in.
struct HealthCheck {
  std::vector<std::string> command;  // without CMD; CMD-SHELL already turned into /bin/sh -c
  Duration interval{30'000};
  Duration timeout{5'000};
  int retries = 3;
  Duration start_period{0};
};

struct PortMapping {
  std::uint16_t container_port = 0;
  std::uint16_t host_port = 0;  // 0: dynamic
  std::string protocol = "tcp";
};

enum class Condition { start, complete, success, healthy };
struct Dependency {
  std::string container;
  Condition condition = Condition::start;
};

struct LogTarget {
  std::string region;
  std::string group;
  std::string stream;  // whole name: PREFIX/CONTAINER/TASK
  bool create_group = false;
};

// What a container of a task should be: the task definition with the task's overrides applied.
struct ContainerPlan {
  std::string name;
  std::string image;  // as written in the task definition
  bool essential = true;
  std::vector<std::string> entry_point;
  std::vector<std::string> command;
  std::vector<std::pair<std::string, std::string>> environment;
  std::map<std::string, std::string> docker_labels;
  std::string working_directory;
  std::string user;
  std::string hostname;
  std::int64_t cpu = 0;                     // units of 1/1024 vCPU; 0: none asked for
  std::int64_t memory_mib = 0;              // hard limit; 0: none
  std::int64_t memory_reservation_mib = 0;  // soft limit; 0: none
  std::vector<PortMapping> ports;
  std::optional<HealthCheck> health_check;
  Duration stop_timeout{30'000};
  std::optional<LogTarget> log;
  std::vector<Dependency> depends_on;
  bool read_only_root = false;
  bool privileged = false;
  bool init = false;
  bool tty = false;
};

// Where one container of a task is. `starting` is the durable intent: the engine may or may not have heard of it yet.
enum class Phase { waiting, starting, running, exited };

struct ContainerState {
  Phase phase = Phase::waiting;
  std::string image_reference;  // what the engine is asked to run: pinned to a digest; empty until resolved
  std::string image_digest;
  std::string runtime_id;  // the engine's id
  std::optional<int> exit_code;
  std::string reason;  // why it did not start or ended, when there is more to say than the exit code
  std::vector<PortMapping> bindings;
  std::optional<Time> started_at;
  std::optional<Time> finished_at;
  std::optional<Time> term_sent_at;
  std::optional<Time> kill_sent_at;
  bool drained = false;             // everything it wrote is in the log store
  bool removed = false;             // the engine has forgotten it
  int remnants = 0;                 // starts that what an earlier one had left was in the way of
  bool output_lost = false;         // removed though not all that it wrote was stored
  std::optional<Time> followed_at;  // ended, and what it left is read again since then

  Health health = Health::unknown;
  std::optional<Time> health_changed_at;
  std::optional<Time> last_probe_at;  // when the last probe ended
  std::optional<Time> last_counted_failure_at;
  int failures = 0;  // consecutive, counted
  int probes = 0;
  std::string last_probe_output;  // why the last probe failed, as one line
};

struct Container {
  ContainerPlan plan;
  ContainerState state;
};

struct Task {
  std::string id;  // 32 hex digits
  std::string region;
  std::string cluster;
  std::int64_t service_id = 0;  // 0: started by RunTask
  std::string deployment_id;    // "ecs-svc/N"; empty for RunTask
  std::string family;
  int revision = 0;
  std::string group;       // "service:NAME" or "family:NAME"
  std::string started_by;  // the deployment id for a service's task
  std::string launch_type = "EC2";
  NetworkMode network_mode = NetworkMode::bridge;
  std::string cpu;            // task level, as written; may be empty
  std::string memory;         // task level, as written; may be empty
  std::string overrides;      // wire JSON of RunTask's overrides; may be empty
  std::string tags;           // wire JSON list of tags; may be empty
  std::string attachment_id;  // awsvpc: UUID of the network interface attachment
  std::string address;        // awsvpc: its own IPv4 address
  std::string mac_address;
  std::string network_id;      // awsvpc: "eni-…"
  std::string subnet_id;       // awsvpc: the first subnet that was asked for
  std::string role;            // the task role, name or ARN as written; empty: none
  std::string credentials_id;  // with a role: UUID under which its containers ask for credentials; a secret

  bool desired_running = true;
  TaskStatus status = TaskStatus::provisioning;
  StopCode stop_code = StopCode::none;
  std::string stopped_reason;
  bool failed = false;        // the service's breaker and back-off count its end as a failure
  bool ever_healthy = false;  // it has counted toward the lower bound at some time
  bool accounted = false;     // its end has been seen by its service
  bool resolved = false;      // its images are pinned

  Time created_at{};
  std::optional<Time> pull_started_at;
  std::optional<Time> pull_stopped_at;
  std::optional<Time> started_at;
  std::optional<Time> stopping_at;
  std::optional<Time> execution_stopped_at;
  std::optional<Time> stopped_at;
  // Not before this time is a failed engine call tried again.
  std::optional<Time> retry_at;

  std::vector<Container> containers;
};

// Over all essential containers that have a health check. `unknown` when there is none.
Health task_health(const Task& task);
bool has_health_check(const Task& task);
// Host ports that the task takes on the machine.
std::vector<PortMapping> fixed_host_ports(const Task& task);
// Why task_health() is UNHEALTHY, with the container's name; else empty.
std::string unhealthy_reason(const Task& task);

enum class DeploymentStatus { primary, active, inactive };
enum class RolloutState { in_progress, completed, failed };
std::string_view wire_name(DeploymentStatus status);
std::string_view wire_name(RolloutState state);

// Which image a container of a deployment runs, however its tag moves.
struct ImagePin {
  std::string container;
  std::string reference;  // NAME@sha256:… or an image id
  std::string digest;

  bool operator==(const ImagePin&) const = default;
};

struct Deployment {
  std::string id;  // "ecs-svc/" and 19 digits
  std::int64_t service_id = 0;
  DeploymentStatus status = DeploymentStatus::primary;
  RolloutState rollout_state = RolloutState::in_progress;
  std::string rollout_reason;
  std::string family;
  int revision = 0;
  std::string network_configuration;  // wire JSON; may be empty
  std::string launch_type = "EC2";
  std::vector<ImagePin> images;  // one per container, set by the first task that starts; empty until then
  int desired_count = 0;         // PRIMARY: the service's; ACTIVE: how many it may still keep
  int failed_tasks = 0;          // consecutive
  std::optional<Time> last_failure_at;
  bool is_rollback = false;  // it became PRIMARY again because a later one failed
  bool throttled = false;    // the event about failing starts was written
  std::string started_by;    // AWS_EXECUTION_ENV of the client that asked for it: a job of the pipeline; may be empty
  Time created_at{};
  Time updated_at{};

  bool operator==(const Deployment&) const = default;
};

enum class ServiceStatus { active, draining, inactive };
std::string_view wire_name(ServiceStatus status);

struct Service {
  std::int64_t id = 0;
  std::string region;
  std::string cluster;
  std::string name;
  ServiceStatus status = ServiceStatus::active;
  int desired_count = 0;
  std::string family;  // of the PRIMARY deployment
  int revision = 0;
  int minimum_healthy_percent = 100;
  int maximum_percent = 200;
  bool breaker_enabled = false;
  bool breaker_rollback = false;
  int health_check_grace_s = 0;
  std::string last_completed_deployment;  // where a rollback goes
  bool steady = false;                    // "has reached a steady state" was said since the last change
  std::string wire;  // wire JSON of the rest of the request (network configuration, load balancers, tags, ...),
                     // answered back as given
  Time created_at{};

  bool operator==(const Service&) const = default;
};

}  // namespace kaapi::ecs
