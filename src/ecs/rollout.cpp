#include "ecs/rollout.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace kaapi::ecs {
namespace {

constexpr int breaker_threshold_min = 3;
constexpr int breaker_threshold_max = 200;
constexpr int throttle_event_after = 3;  // failures in a row

bool is_live(const TaskView& task) {
  return task.desired_running && task.status != TaskStatus::stopped;
}

Duration backoff(int failures, const RolloutTiming& timing) {
  if (failures < 2) return Duration(0);
  const int doublings = std::min(failures - 2, 20);
  return std::min<Duration>(timing.max_backoff, timing.first_backoff * (1LL << doublings));
}

bool overlaps(const std::vector<PortMapping>& a, const std::vector<PortMapping>& b) {
  return std::any_of(a.begin(), a.end(), [&](const PortMapping& x) {
    return std::any_of(b.begin(), b.end(),
                       [&](const PortMapping& y) { return x.host_port == y.host_port && x.protocol == y.protocol; });
  });
}

// One evaluation. Tasks that this plan stops leave `live` at once, so that every later step sees the world as it will
// be.
class Planner {
 public:
  Planner(const Snapshot& snapshot, const RolloutTiming& timing, Time now)
      : snapshot_(snapshot),
        timing_(timing),
        now_(now),
        service_(snapshot.service),
        deployments_(snapshot.deployments) {
    for (const TaskView& task : snapshot.tasks) {
      if (is_live(task)) live_.push_back(&task);
    }
  }

  RolloutPlan run() {
    count_failures();
    note_healthy();
    if (service_.status == ServiceStatus::draining) {
      drain();
    } else if (primary() != nullptr) {
      trip_breaker();
      stop_never_healthy();
      keep_old_available();
      start_primary();
      stop_unhealthy_replaced();
      stop_surplus();
      stop_old();
      complete();
    }
    retire();
    settle_down();
    collect();
    return std::move(plan_);
  }

 private:
  // Questions about the world as it will be.

  Deployment* primary() {
    const auto found = std::find_if(deployments_.begin(), deployments_.end(),
                                    [](const Deployment& d) { return d.status == DeploymentStatus::primary; });
    return found == deployments_.end() ? nullptr : &*found;
  }
  Deployment* deployment(const std::string& id) {
    const auto found =
        std::find_if(deployments_.begin(), deployments_.end(), [&](const Deployment& d) { return d.id == id; });
    return found == deployments_.end() ? nullptr : &*found;
  }
  bool healthy(const TaskView& task) const { return counts_as_healthy(task, timing_, now_); }
  bool unhealthy(const TaskView& task) {
    if (task.health != Health::unhealthy) return false;
    const Time grace_end = task.started_at.value_or(now_) + Duration(service_.health_check_grace_s * 1000LL);
    if (now_ < grace_end) {
      wake(grace_end);
      return false;
    }
    return true;
  }
  template <class Predicate>
  int count(Predicate&& predicate) {
    return static_cast<int>(
        std::count_if(live_.begin(), live_.end(), [&](const TaskView* task) { return predicate(*task); }));
  }
  int live_of(const std::string& id) {
    return count([&](const TaskView& task) { return task.deployment_id == id; });
  }
  int good_of(const std::string& id) {
    return count([&](const TaskView& task) { return task.deployment_id == id && !unhealthy(task); });
  }
  int healthy_of(const std::string& id) {
    return count([&](const TaskView& task) { return task.deployment_id == id && healthy(task); });
  }
  int healthy_total() {
    return count([&](const TaskView& task) { return healthy(task); });
  }
  int live_total() const { return static_cast<int>(live_.size()) + started_; }
  // How many healthy tasks may be stopped without going below the lower bound through our own doing.
  int spare() { return healthy_total() - lower_bound(service_); }

  void wake(Time at) {
    if (!plan_.wake_at || at < *plan_.wake_at) plan_.wake_at = at;
  }
  template <class... Args>
  void event(fmt::format_string<Args...> format, Args&&... args) {
    plan_.events.push_back(fmt::format("(service {}) ", service_.name) +
                           fmt::format(format, std::forward<Args>(args)...));
  }
  void tell_unhealthy(const TaskView& task) {
    const std::string why = task.health_reason.empty() ? "" : fmt::format(" Container {}", task.health_reason);
    event("(task {}) failed container health checks.{}", task.id, why);
  }
  void stop(const TaskView& task, std::string reason) {
    plan_.stops.push_back({task.id, StopCode::service_scheduler_initiated, std::move(reason)});
    std::erase(live_, &task);
  }

  // Steps.

  void count_failures() {
    for (const TaskView& task : snapshot_.tasks) {
      if (!task.failed || task.accounted) continue;
      plan_.accounted.push_back(task.id);
      count_failure(task.deployment_id);
    }
  }

  void count_failure(const std::string& id) {
    if (Deployment* failed = deployment(id)) {
      ++failed->failed_tasks;
      failed->last_failure_at = now_;
    }
  }

  void note_healthy() {
    for (const TaskView* task : live_) {
      if (healthy(*task)) {
        if (task->ever_healthy) continue;
        plan_.now_healthy.push_back(task->id);
        if (Deployment* of = deployment(task->deployment_id)) {
          of->failed_tasks = 0;
          of->last_failure_at.reset();
          of->throttled = false;
        }
      } else if (!task->has_health_check && task->status == TaskStatus::running && task->started_at) {
        wake(*task->started_at + timing_.settle);
      }
    }
  }

  void drain() {
    const std::vector<const TaskView*> all = live_;
    for (const TaskView* task : all) stop(*task, "Service deleted");
  }

  void trip_breaker() {
    Deployment& current = *primary();
    const bool trips = service_.breaker_enabled && current.rollout_state == RolloutState::in_progress &&
                       current.failed_tasks >= breaker_threshold(service_.desired_count);
    if (!trips) return;
    current.rollout_state = RolloutState::failed;
    event("(deployment {}) deployment failed: tasks failed to start.", current.id);
    const bool back = service_.breaker_rollback && !current.is_rollback && snapshot_.last_completed &&
                      snapshot_.last_completed->id != current.id;
    if (back) {
      roll_back(current, *snapshot_.last_completed);
    } else {
      current.rollout_reason = "ECS deployment circuit breaker: tasks failed to start.";
    }
  }

  // The last completed deployment becomes PRIMARY again; "the COMPLETED deployment changes back to IN_PROGRESS".
  void roll_back(Deployment& failed, Deployment target) {
    if (const Deployment* listed = deployment(target.id)) target = *listed;
    failed.status = DeploymentStatus::active;
    failed.desired_count = 0;
    failed.rollout_reason = fmt::format("ECS deployment circuit breaker: rolling back to deploymentId {}.", target.id);
    target.status = DeploymentStatus::primary;
    target.rollout_state = RolloutState::in_progress;
    target.rollout_reason = fmt::format("ECS deployment {} in progress.", target.id);
    target.is_rollback = true;
    target.failed_tasks = 0;
    target.last_failure_at.reset();
    target.throttled = false;
    service_.family = target.family;
    service_.revision = target.revision;
    event("rolling back to deployment {}.", target.id);
    std::erase_if(deployments_, [&](const Deployment& d) { return d.id == target.id; });
    deployments_.insert(deployments_.begin(), std::move(target));
  }

  // A task whose checks never succeeded is of no use to anybody: it goes at once and counts as failed.
  void stop_never_healthy() {
    const std::vector<const TaskView*> all = live_;
    for (const TaskView* task : all) {
      if (task->ever_healthy || !unhealthy(*task)) continue;
      tell_unhealthy(*task);
      stop(*task, "Task failed container health checks");
      count_failure(task->deployment_id);
    }
    trip_breaker();
  }

  bool held_back(Deployment& of) {
    if (of.rollout_state == RolloutState::failed && !of.is_rollback) return true;
    if (!of.last_failure_at) return false;
    if (of.failed_tasks >= throttle_event_after && !of.throttled) {
      of.throttled = true;
      event("is unable to consistently start tasks successfully.");
    }
    const Time next = *of.last_failure_at + backoff(of.failed_tasks, timing_);
    if (now_ >= next) return false;
    wake(next);
    return true;
  }

  void start(const std::string& id, int how_many) {
    if (how_many <= 0) return;
    plan_.starts.push_back({id, how_many});
    started_ += how_many;
  }

  // Tasks of an older deployment that died meanwhile are replaced from their own revision while the new one cannot
  // carry the load yet.
  void keep_old_available() {
    const int allowed = std::max(0, service_.desired_count - healthy_of(primary()->id));
    for (Deployment& old : deployments_) {
      if (old.status != DeploymentStatus::active || old.rollout_state == RolloutState::failed) continue;
      old.desired_count = std::min(old.desired_count, allowed);
      const int coming = started_ + count([&](const TaskView& task) { return backs_up(task); });
      const int deficit = lower_bound(service_) - healthy_total() - coming;
      const int missing = old.desired_count - good_of(old.id);
      const int places =
          std::min(upper_bound(service_) - live_total(), allowed - static_cast<int>(old_tasks().size()) - started_);
      const int wanted = std::min({deficit, missing, places});
      if (wanted > 0 && snapshot_.wanted_static_ports.empty() && !held_back(old)) start(old.id, wanted);
    }
  }

  // How many tasks of the PRIMARY deployment the machine could take now, as far as fixed host ports are concerned.
  int free_places(int wanted) {
    if (snapshot_.wanted_static_ports.empty()) return wanted;
    const bool own = std::any_of(snapshot_.tasks.begin(), snapshot_.tasks.end(), [&](const TaskView& task) {
      return task.status != TaskStatus::stopped && overlaps(task.static_ports, snapshot_.wanted_static_ports);
    });
    return own || overlaps(snapshot_.occupied_static_ports, snapshot_.wanted_static_ports) ? 0 : std::min(wanted, 1);
  }

  // The ports are held by nobody but own tasks that are on their way out.
  bool only_waits_for_ports() {
    const auto wanted = [&](const std::vector<PortMapping>& held) {
      return overlaps(held, snapshot_.wanted_static_ports);
    };
    return !wanted(snapshot_.occupied_static_ports) &&
           count([&](const TaskView& task) { return wanted(task.static_ports); }) == 0;
  }

  void start_primary() {
    Deployment& current = *primary();
    current.desired_count = service_.desired_count;
    const int wanted = service_.desired_count - good_of(current.id);
    if (wanted <= 0 || held_back(current)) return;
    const int room = upper_bound(service_) - live_total();
    const int possible = std::min(free_places(wanted), std::max(0, room));
    start(current.id, std::min(wanted, possible));
    int short_by = wanted - std::min(wanted, possible);
    if (short_by <= 0) return;
    const bool ports_taken = room > 0;
    short_by = make_room(current.id, short_by);
    if (ports_taken && short_by > 0 && plan_.starts.empty() && plan_.stops.empty() && !only_waits_for_ports()) {
      event(
          "was unable to place a task because no container instance met all of its requirements. "
          "The closest matching container-instance is already using a port required by your task.");
    }
  }

  // Stops tasks that stand in the way of new ones: unhealthy ones of the same deployment, then older ones as far as the
  // lower bound lets.
  int make_room(const std::string& current, int short_by) {
    const std::vector<const TaskView*> all = live_;
    for (const TaskView* task : all) {
      if (short_by <= 0) return 0;
      if (task->deployment_id == current && unhealthy(*task)) {
        tell_unhealthy(*task);
        stop(*task, "Task failed container health checks");
        --short_by;
      }
    }
    return short_by - stop_some(old_tasks(), short_by);
  }

  // The older deployments' tasks, those that are missed least first.
  std::vector<const TaskView*> old_tasks() {
    std::vector<const TaskView*> old;
    std::copy_if(live_.begin(), live_.end(), std::back_inserter(old),
                 [&](const TaskView* task) { return task->deployment_id != primary()->id; });
    sort_by_use(old);
    return old;
  }

  void sort_by_use(std::vector<const TaskView*>& tasks) {
    const auto use = [&](const TaskView* task) {
      if (unhealthy(*task)) return 0;
      if (!healthy(*task)) return 1;
      const Deployment* of = deployment(task->deployment_id);
      return of != nullptr && of->rollout_state == RolloutState::failed ? 2 : 3;
    };
    std::stable_sort(tasks.begin(), tasks.end(), [&](const TaskView* a, const TaskView* b) { return use(a) < use(b); });
  }

  // Whether the lower bound rests on it: a healthy task, or one of an older deployment that was started to become one.
  bool needed(const TaskView& task) {
    if (healthy(task)) return spare() <= 0;
    return backs_up(task) && spare() + count([&](const TaskView& t) { return backs_up(t); }) <= 0;
  }
  bool backs_up(const TaskView& task) {
    const Deployment* of = deployment(task.deployment_id);
    return of != nullptr && of->status == DeploymentStatus::active && of->rollout_state != RolloutState::failed &&
           !healthy(task) && !unhealthy(task);
  }

  // Stops up to `how_many`, never one that is needed. Returns how many.
  int stop_some(const std::vector<const TaskView*>& tasks, int how_many) {
    std::vector<std::string> stopped;
    for (const TaskView* task : tasks) {
      if (static_cast<int>(stopped.size()) >= how_many) break;
      if (needed(*task)) continue;
      stopped.push_back(task->id);
      stop(*task, fmt::format("Scaling activity initiated by (deployment {})", primary()->id));
    }
    if (!stopped.empty()) {
      event("has stopped {} running tasks: (task {}).", stopped.size(), fmt::join(stopped, ") (task "));
    }
    return static_cast<int>(stopped.size());
  }

  // A task that was healthy once and fails now stays until its replacement is healthy (start-first).
  void stop_unhealthy_replaced() {
    const Deployment& current = *primary();
    if (healthy_of(current.id) < service_.desired_count) return;
    const std::vector<const TaskView*> all = live_;
    for (const TaskView* task : all) {
      if (task->deployment_id != current.id || !unhealthy(*task)) continue;
      tell_unhealthy(*task);
      stop(*task, "Task failed container health checks");
    }
  }

  void stop_surplus() {
    const int surplus = good_of(primary()->id) - service_.desired_count;
    if (surplus <= 0) return;
    std::vector<const TaskView*> own;
    // Newest first among equals: the oldest have proved themselves longest.
    std::copy_if(live_.rbegin(), live_.rend(), std::back_inserter(own),
                 [&](const TaskView* task) { return task->deployment_id == primary()->id; });
    sort_by_use(own);
    stop_some(own, surplus);
  }

  void stop_old() {
    const int allowed = std::max(0, service_.desired_count - healthy_of(primary()->id));
    const std::vector<const TaskView*> old = old_tasks();
    const int surplus = static_cast<int>(old.size()) - allowed;
    if (surplus > 0) stop_some(old, surplus);
  }

  bool in_place() {
    const std::string& id = primary()->id;
    return started_ == 0 && static_cast<int>(live_.size()) == service_.desired_count &&
           live_of(id) == service_.desired_count && healthy_of(id) == service_.desired_count;
  }

  void complete() {
    Deployment& current = *primary();
    const bool open = current.rollout_state == RolloutState::in_progress ||
                      (current.rollout_state == RolloutState::failed && current.is_rollback);
    if (!open || !in_place()) return;
    current.rollout_state = RolloutState::completed;
    current.rollout_reason = fmt::format("ECS deployment {} completed.", current.id);
    current.is_rollback = false;
    current.failed_tasks = 0;
    service_.last_completed_deployment = current.id;
    event("(deployment {}) deployment completed.", current.id);
  }

  bool any_left(const std::string& id) const {
    return std::any_of(snapshot_.tasks.begin(), snapshot_.tasks.end(), [&](const TaskView& task) {
      return task.deployment_id == id && task.status != TaskStatus::stopped;
    });
  }

  bool starts_any(const std::string& id) const {
    return std::any_of(plan_.starts.begin(), plan_.starts.end(),
                       [&](const StartTasks& starts) { return starts.deployment_id == id; });
  }

  void retire() {
    for (Deployment& each : deployments_) {
      const bool old = each.status == DeploymentStatus::active || service_.status == ServiceStatus::draining;
      if (!old || any_left(each.id) || starts_any(each.id)) continue;
      // A completed deployment that lost its last task may still be the one that keeps the service up.
      if (each.desired_count > 0 && each.status == DeploymentStatus::active && needs_old()) continue;
      each.status = DeploymentStatus::inactive;
      each.desired_count = 0;
    }
    if (service_.status == ServiceStatus::draining &&
        snapshot_.tasks.end() == std::find_if(snapshot_.tasks.begin(), snapshot_.tasks.end(), [](const TaskView& task) {
          return task.status != TaskStatus::stopped;
        })) {
      service_.status = ServiceStatus::inactive;
      service_.desired_count = 0;
    }
  }

  bool needs_old() { return primary() != nullptr && healthy_total() < lower_bound(service_); }

  void settle_down() {
    if (!plan_.starts.empty() || !plan_.stops.empty()) {
      service_.steady = false;
      return;
    }
    const bool alone = std::count_if(deployments_.begin(), deployments_.end(),
                                     [](const Deployment& d) { return d.status != DeploymentStatus::inactive; }) == 1;
    const Deployment* current = primary();
    if (service_.status != ServiceStatus::active || current == nullptr || !alone ||
        current->rollout_state != RolloutState::completed || !in_place()) {
      return;
    }
    if (!service_.steady) event("has reached a steady state.");
    service_.steady = true;
  }

  void collect() {
    for (Deployment& each : deployments_) {
      const auto before = std::find_if(snapshot_.deployments.begin(), snapshot_.deployments.end(),
                                       [&](const Deployment& d) { return d.id == each.id; });
      if (before != snapshot_.deployments.end() && *before == each) continue;
      each.updated_at = now_;
      plan_.deployments.push_back(each);
    }
    if (!(service_ == snapshot_.service)) plan_.service = service_;
  }

  const Snapshot& snapshot_;
  const RolloutTiming& timing_;
  Time now_;
  Service service_;
  std::vector<Deployment> deployments_;
  std::vector<const TaskView*> live_;
  int started_ = 0;
  RolloutPlan plan_;
};

}  // namespace

int lower_bound(const Service& service) {
  const std::int64_t product = std::int64_t{service.desired_count} * service.minimum_healthy_percent;
  return static_cast<int>((product + 99) / 100);
}

int upper_bound(const Service& service) {
  const std::int64_t product = std::int64_t{service.desired_count} * service.maximum_percent;
  return static_cast<int>(product / 100);
}

int breaker_threshold(int desired_count) {
  return std::clamp((desired_count + 1) / 2, breaker_threshold_min, breaker_threshold_max);
}

bool counts_as_healthy(const TaskView& task, const RolloutTiming& timing, Time now) {
  if (!is_live(task) || task.status != TaskStatus::running) return false;
  if (task.has_health_check) return task.health == Health::healthy;
  return task.started_at && now >= *task.started_at + timing.settle;
}

RolloutPlan rollout(const Snapshot& snapshot, const RolloutTiming& timing, Time now) {
  return Planner(snapshot, timing, now).run();
}

}  // namespace kaapi::ecs
