#include "ecs/round.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/log.h"
#include "ecs/model_json.h"
#include "ecs/state.h"

namespace kaapi::ecs {
namespace {

// A service is looked at again within a round when its own stops took effect at once; more than this is left to the
// next round.
constexpr int max_looks_per_round = 4;

// What of a task its service cares about.
auto service_view(const Task& task) {
  return std::make_tuple(task.status, task.desired_running, task_health(task), task.failed);
}

TaskView view_of(const Task& task) {
  TaskView view;
  view.id = task.id;
  view.deployment_id = task.deployment_id;
  view.desired_running = task.desired_running;
  view.status = task.status;
  view.has_health_check = has_health_check(task);
  view.health = task_health(task);
  view.health_reason = unhealthy_reason(task);
  view.started_at = task.started_at;
  view.ever_healthy = task.ever_healthy;
  view.failed = task.failed;
  view.accounted = task.accounted;
  view.static_ports = fixed_host_ports(task);
  return view;
}

ImagesResolved pinned_images(const Deployment& deployment) {
  ImagesResolved resolved;
  for (const ImagePin& pin : deployment.images) resolved.images.push_back({pin.reference, pin.digest});
  return resolved;
}

}  // namespace

Round::Round(store::Session& session, const std::map<std::string, Busy>& busy, const TaskFactory& factory,
             IdSource& ids, const RolloutTiming& timing, Time now)
    : session_(session), busy_(busy), factory_(factory), ids_(ids), timing_(timing), now_(now) {}

RoundOutput Round::run(const RoundInput& input) {
  for (const TaskFact& fact : input.facts) apply_fact(fact);
  to_advance_.insert(input.tasks.begin(), input.tasks.end());
  to_look_at_.insert(input.services.begin(), input.services.end());
  for (int looks = 0; looks < max_looks_per_round; ++looks) {
    for (const std::string& id : std::exchange(to_advance_, {})) {
      if (Loaded* loaded = load(id)) advance(*loaded);
    }
    if (to_look_at_.empty()) break;
    save_changed();
    for (const std::int64_t id : std::exchange(to_look_at_, {})) look_at_service(id);
  }
  for (const std::string& id : std::exchange(to_advance_, {})) {
    if (Loaded* loaded = load(id)) advance(*loaded);
  }
  save_changed();
  output_.services_left = to_look_at_;
  for (auto& [id, loaded] : loaded_) {
    if (!loaded.planned) continue;
    output_.tasks.push_back(
        {std::move(loaded.task), std::move(loaded.plan.actions), std::move(loaded.busy), loaded.plan.wake_at});
  }
  return std::move(output_);
}

Round::Loaded* Round::load(const std::string& id) {
  const auto found = loaded_.find(id);
  if (found != loaded_.end()) return &found->second;
  std::optional<Task> task = find_task(session_, id);
  if (!task) return nullptr;
  Loaded& loaded = loaded_[id];
  loaded.stored = to_stored(*task);
  loaded.task = std::move(*task);
  return &loaded;
}

Round::Loaded& Round::add(Task task) {
  Loaded& loaded = loaded_[task.id];
  loaded.task = std::move(task);
  to_advance_.insert(loaded.task.id);
  return loaded;
}

void Round::apply_fact(const TaskFact& fact) {
  Loaded* loaded = load(fact.task_id);
  if (loaded == nullptr) return;
  const auto before = service_view(loaded->task);
  if (const auto* resolved = std::get_if<ImagesResolved>(&fact.fact)) {
    ImagesResolved pinned = *resolved;
    pin(loaded->task, pinned);
    apply(loaded->task, pinned, now_);
  } else {
    apply(loaded->task, fact.fact, now_);
  }
  to_advance_.insert(fact.task_id);
  if (loaded->task.service_id != 0 && service_view(loaded->task) != before) to_look_at_.insert(loaded->task.service_id);
}

// The first task of a deployment that gets here decides for all that follow.
void Round::pin(const Task& task, ImagesResolved& resolved) {
  if (task.deployment_id.empty() || resolved.images.size() != task.containers.size()) return;
  std::optional<Deployment> deployment = find_deployment(session_, task.deployment_id);
  if (!deployment) return;
  if (!deployment->images.empty()) {
    resolved = pinned_images(*deployment);
    return;
  }
  for (std::size_t i = 0; i < task.containers.size(); ++i) {
    const ImagesResolved::Image& image = resolved.images[i];
    deployment->images.push_back({task.containers[i].plan.name, image.reference, image.digest});
  }
  save_deployment(session_, *deployment);
}

void Round::advance(Loaded& loaded) {
  const auto before = service_view(loaded.task);
  const bool was_stopped = loaded.task.status == TaskStatus::stopped;
  const auto busy = busy_.find(loaded.task.id);
  if (!loaded.planned && busy != busy_.end()) loaded.busy = busy->second;
  TaskPlan plan = lifecycle(loaded.task, loaded.busy, now_);
  for (const std::string& warning : plan.warnings) warn(loaded.task, warning);
  // A second look in the same round takes what the first one decided as under way.
  for (const Action& action : plan.actions) set_busy(loaded.busy, action, true);
  plan.actions.insert(plan.actions.begin(), loaded.plan.actions.begin(), loaded.plan.actions.end());
  loaded.plan = std::move(plan);
  loaded.planned = true;
  if (!was_stopped && loaded.task.status == TaskStatus::stopped) output_.any_stopped = true;
  if (loaded.task.service_id != 0 && service_view(loaded.task) != before) to_look_at_.insert(loaded.task.service_id);
}

std::vector<PortMapping> Round::wanted_ports(const Snapshot& snapshot) {
  const Deployment& primary = snapshot.deployments.front();
  for (const TaskView& task : snapshot.tasks) {
    if (task.deployment_id == primary.id) return task.static_ports;
  }
  const Result<Task> sample = factory_(session_, snapshot.service, primary, now_);
  return sample ? fixed_host_ports(*sample) : std::vector<PortMapping>();
}

std::optional<Snapshot> Round::snapshot_of(std::int64_t id) {
  std::optional<Service> service = find_service(session_, id);
  if (!service || service->status == ServiceStatus::inactive) return std::nullopt;
  Snapshot snapshot;
  snapshot.service = std::move(*service);
  snapshot.deployments = open_deployments(session_, id);
  if (!snapshot.service.last_completed_deployment.empty()) {
    snapshot.last_completed = find_deployment(session_, snapshot.service.last_completed_deployment);
  }
  for (const Task& task : open_tasks_of_service(session_, id)) snapshot.tasks.push_back(view_of(task));
  if (!snapshot.deployments.empty()) snapshot.wanted_static_ports = wanted_ports(snapshot);
  if (!snapshot.wanted_static_ports.empty()) {
    for (const Task& task : tasks_with_static_ports(session_)) {
      if (task.service_id == id) continue;
      const std::vector<PortMapping> held = fixed_host_ports(task);
      snapshot.occupied_static_ports.insert(snapshot.occupied_static_ports.end(), held.begin(), held.end());
    }
  }
  return snapshot;
}

void Round::look_at_service(std::int64_t id) {
  const std::optional<Snapshot> snapshot = snapshot_of(id);
  if (!snapshot) {
    output_.services[id] = std::nullopt;
    return;
  }
  const RolloutPlan plan = rollout(*snapshot, timing_, now_);
  output_.services[id] = plan.wake_at;
  carry_out(*snapshot, plan);
}

void Round::carry_out(const Snapshot& snapshot, const RolloutPlan& plan) {
  for (const std::string& id : plan.accounted) {
    if (Loaded* loaded = load(id)) loaded->task.accounted = true;
  }
  for (const std::string& id : plan.now_healthy) {
    if (Loaded* loaded = load(id)) loaded->task.ever_healthy = true;
  }
  for (const Deployment& deployment : plan.deployments) save_deployment(session_, deployment);
  if (plan.service) save_service(session_, *plan.service);
  const Service& service = plan.service ? *plan.service : snapshot.service;
  for (const StartTasks& starts : plan.starts) start_tasks(snapshot, plan, starts);
  for (const StopTask& stop : plan.stops) {
    Loaded* loaded = load(stop.task_id);
    if (loaded == nullptr) continue;
    request_stop(loaded->task, stop.code, stop.reason, now_);
    to_advance_.insert(stop.task_id);
  }
  for (const std::string& event : plan.events) tell(service, event);
}

void Round::start_tasks(const Snapshot& snapshot, const RolloutPlan& plan, const StartTasks& starts) {
  const Service& service = plan.service ? *plan.service : snapshot.service;
  std::optional<Deployment> deployment = find_deployment(session_, starts.deployment_id);
  if (!deployment) return;
  std::vector<std::string> started;
  for (int i = 0; i < starts.count; ++i) {
    Result<Task> task = factory_(session_, service, *deployment, now_);
    if (!task) {
      // Counted like a failed start, so that it is tried again later and later.
      ++deployment->failed_tasks;
      deployment->last_failure_at = now_;
      save_deployment(session_, *deployment);
      tell(service, fmt::format("(service {}) was unable to place a task: {}", service.name, task.error().message));
      to_look_at_.insert(service.id);
      break;
    }
    started.push_back(task->id);
    // No name is looked up again for a deployment that is pinned: its tag may point elsewhere by now, or nowhere.
    if (!deployment->images.empty()) apply(*task, pinned_images(*deployment), now_);
    add(std::move(*task));
  }
  if (started.empty()) return;
  tell(service, fmt::format("(service {}) has started {} tasks: (task {}).", service.name, started.size(),
                            fmt::join(started, ") (task ")));
}

void Round::tell(const Service& service, std::string message) {
  log::info("ecs", "{}", message);
  add_event(session_, service.id, {ids_.uuid(), now_, std::move(message)});
}

void Round::warn(const Task& task, const std::string& warning) {
  log::warn("ecs", "{}", warning);
  const std::optional<Service> service = find_service(session_, task.service_id);
  if (service)
    add_event(session_, service->id, {ids_.uuid(), now_, fmt::format("(service {}) {}", service->name, warning)});
}

void Round::save_changed() {
  for (auto& [id, loaded] : loaded_) {
    std::string stored = to_stored(loaded.task);
    if (stored == loaded.stored) continue;
    save_task(session_, loaded.task);
    loaded.stored = std::move(stored);
  }
}

}  // namespace kaapi::ecs
