#include <algorithm>

#include "ecs/lifecycle.h"
#include "ecs/operations.h"
#include "ecs/operations_internal.h"
#include "ecs/wire.h"

namespace kaapi::ecs {
namespace {

constexpr std::size_t max_tasks_described = 100;
constexpr std::size_t max_stop_reason_chars = 1'024;

Result<void> check_id(const Named& named) {
  const bool possible = named.foreign || named.name.size() == 32 || named.name.size() == 36;
  return possible ? ok() : invalid_parameter("taskId length should be one of [32,36]");
}

// A task of this cluster and region; others are misses.
std::optional<Task> find_own_task(store::Session& session, const CallContext& context, const std::string& cluster,
                                  const Named& named) {
  if (named.foreign) return std::nullopt;
  std::optional<Task> task = find_task(session, named.name);
  if (task && (task->region != context.region || task->cluster != cluster)) task.reset();
  return task;
}

Result<TaskFilter> filter_of(store::Session& session, const CallContext& context, const std::string& cluster,
                             const wire::ListTasksRequest& request) {
  TaskFilter filter;
  filter.region = context.region;
  filter.cluster = cluster;
  filter.family = request.family;
  filter.started_by = request.startedBy;
  filter.launch_type = request.launchType;
  filter.desired_running = request.desiredStatus.value_or("RUNNING") == "RUNNING";
  if (request.serviceName) {
    const Named named = parse_name(context, "service", *request.serviceName);
    if (const Result<void> checked = check_cluster_of(named, cluster); !checked) return checked.error();
    std::optional<Service> service;
    if (!named.foreign) service = find_service(session, context.region, cluster, named.name);
    if (!service) return make_error(wire::error::ServiceNotFoundException, "Service not found.");
    filter.service_id = service->id;
  }
  if (request.containerInstance) {
    const Named own = parse_name(context, "container-instance", instance_arn(context, cluster));
    const Named asked = parse_name(context, "container-instance", *request.containerInstance);
    if (asked.foreign || asked.name != own.name) {
      return invalid_parameter("The referenced container instance was not found.");
    }
    if (filter.launch_type && *filter.launch_type != "EC2") {
      return invalid_parameter("A container instance runs tasks of launchType EC2 only.");
    }
    filter.launch_type = "EC2";
  }
  return filter;
}

}  // namespace

Result<wire::StopTaskResponse> Operations::stop_task(const Context& context, const wire::StopTaskRequest& request) {
  const Named named = parse_name(context, "task", request.task);
  if (const Result<void> checked = check_id(named); !checked) return checked.error();
  const std::string reason = request.reason.value_or("Task stopped by user");
  if (reason.size() > max_stop_reason_chars) {
    return invalid_parameter(fmt::format("reason must be at most {} characters.", max_stop_reason_chars));
  }
  std::optional<Task> stopped;
  const auto stop = [&](store::Session& session) -> Result<wire::StopTaskResponse> {
    const Result<std::string> cluster = require_cluster(session, context, request.cluster);
    if (!cluster) return cluster.error();
    if (const Result<void> checked = check_cluster_of(named, *cluster); !checked) return checked.error();
    stopped = find_own_task(session, context, *cluster, named);
    if (!stopped) return invalid_parameter("The referenced task was not found.");
    request_stop(*stopped, StopCode::user_initiated, reason, clock_.now());
    save_task(session, *stopped);
    return wire::StopTaskResponse{to_wire(context, *stopped, true)};
  };
  Result<wire::StopTaskResponse> response = database_.write(stop);
  if (response) waker_.task_changed(stopped->id);
  return response;
}

Result<wire::DescribeTasksResponse> Operations::describe_tasks(const Context& context,
                                                               const wire::DescribeTasksRequest& request) {
  if (request.tasks.empty()) return invalid_parameter("Tasks cannot be empty.");
  if (request.tasks.size() > max_tasks_described) {
    return invalid_parameter(fmt::format("tasks can have at most {} items.", max_tasks_described));
  }
  const bool with_tags = includes_tags(request.include);
  return database_.read([&](store::Session& session) -> Result<wire::DescribeTasksResponse> {
    const Result<std::string> cluster = require_cluster(session, context, request.cluster);
    if (!cluster) return cluster.error();
    wire::DescribeTasksResponse response;
    response.tasks.emplace();
    response.failures.emplace();
    for (const std::string& each : request.tasks) {
      const Named named = parse_name(context, "task", each);
      if (const Result<void> checked = check_id(named); !checked) return checked.error();
      if (const Result<void> checked = check_cluster_of(named, *cluster); !checked) return checked.error();
      if (const std::optional<Task> task = find_own_task(session, context, *cluster, named)) {
        response.tasks->push_back(to_wire(context, *task, with_tags));
      } else {
        response.failures->push_back(
            {each.starts_with("arn:") ? each : task_arn(context, *cluster, each), "MISSING", std::nullopt});
      }
    }
    return response;
  });
}

Result<wire::ListTasksResponse> Operations::list_tasks(const Context& context, const wire::ListTasksRequest& request) {
  if (request.daemonName) return invalid_parameter(unsupported("daemonName"));
  const std::string scope =
      fmt::format("ListTasks {} {} {} {} {} {} {} {}", context.region, cluster_name(context, request.cluster),
                  request.family.value_or("*"), request.serviceName.value_or("*"), request.startedBy.value_or("*"),
                  request.launchType.value_or("*"), request.containerInstance.value_or("*"),
                  request.desiredStatus.value_or("RUNNING"));
  const Result<Page> page = page_of(scope, request.nextToken, request.maxResults);
  if (!page) return page.error();
  return database_.read([&](store::Session& session) -> Result<wire::ListTasksResponse> {
    const Result<std::string> cluster = require_cluster(session, context, request.cluster);
    if (!cluster) return cluster.error();
    const Result<TaskFilter> filter = filter_of(session, context, *cluster, request);
    if (!filter) return filter.error();
    wire::ListTasksResponse response;
    response.taskArns.emplace();
    // No task is ever desired to be PENDING; AWS answers with an empty list too.
    if (request.desiredStatus == "PENDING") return response;
    std::vector<std::string> ids = ecs::list_tasks(session, *filter, page->after, page->size + 1);
    response.nextToken = cut_page(ids, *page, scope, [](const std::string& id) { return id; });
    for (const std::string& id : ids) response.taskArns->push_back(task_arn(context, *cluster, id));
    return response;
  });
}

}  // namespace kaapi::ecs
