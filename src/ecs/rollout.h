#pragma once
// What a service should do now, pure. A snapshot and a time go in; a plan comes out: which tasks to start and stop, how
// deployments change, which events to tell, and when to look again. No I/O, no clock, no randomness, no logging. Rules:
// AWS's developer guide, "Amazon ECS deployment types: rolling update", "deployment circuit breaker"; README.md
// explains the words.

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ecs/model.h"

namespace kaapi::ecs {

// Settings that differ between this platform's quick defaults and AWS's own timing.
struct RolloutTiming {
  Duration settle{2'000};         // a task without a health check counts as healthy after running so long (AWS: 40 s)
  Duration first_backoff{1'000};  // after the second failure in a row; doubles
  Duration max_backoff{15 * 60'000};
};

// A task as its service sees it.
struct TaskView {
  std::string id;
  std::string deployment_id;
  bool desired_running = true;
  TaskStatus status = TaskStatus::provisioning;
  bool has_health_check = false;
  Health health = Health::unknown;
  std::string health_reason;  // when UNHEALTHY: "app: health check failed: exit code 1: …"
  std::optional<Time> started_at;
  bool ever_healthy = false;
  bool failed = false;                    // ended, or is ending, in a way that counts as a failure
  bool accounted = false;                 // that failure has been counted
  std::vector<PortMapping> static_ports;  // host ports that it holds until it has stopped
};

struct Snapshot {
  Service service;
  std::vector<Deployment> deployments;  // PRIMARY and ACTIVE ones, PRIMARY first
  // Every task that has not stopped, and those that failed and are not accounted for yet.
  std::vector<TaskView> tasks;
  // The deployment that a rollback would go to, when there is one (it may be INACTIVE).
  std::optional<Deployment> last_completed;
  std::vector<PortMapping> wanted_static_ports;    // of one task of the PRIMARY deployment
  std::vector<PortMapping> occupied_static_ports;  // by tasks of others on this machine
};

struct StartTasks {
  std::string deployment_id;
  int count = 0;
};
struct StopTask {
  std::string task_id;
  StopCode code = StopCode::service_scheduler_initiated;
  std::string reason;
};

struct RolloutPlan {
  std::vector<StartTasks> starts;
  std::vector<StopTask> stops;
  std::vector<std::string> accounted;    // failed tasks that are counted now
  std::vector<std::string> now_healthy;  // tasks to mark ever_healthy
  std::vector<Deployment> deployments;   // changed ones, whole
  std::optional<Service> service;        // when it changed
  // Whole texts, in order. Those of starts are added by the caller, who gives the new tasks their ids.
  std::vector<std::string> events;
  std::optional<Time> wake_at;
};

// ceil(desired × minimumHealthyPercent / 100) and floor(desired × maximumPercent / 100).
int lower_bound(const Service& service);
int upper_bound(const Service& service);
// ceil(0.5 × desired) clamped to 3..200.
int breaker_threshold(int desired_count);
bool counts_as_healthy(const TaskView& task, const RolloutTiming& timing, Time now);

RolloutPlan rollout(const Snapshot& snapshot, const RolloutTiming& timing, Time now);

}  // namespace kaapi::ecs
