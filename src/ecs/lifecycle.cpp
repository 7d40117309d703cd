#include "ecs/lifecycle.h"

#include <fmt/format.h>

#include <algorithm>

namespace kaapi::ecs {
namespace {

constexpr Duration engine_retry{1'000};     // before a call that the engine did not answer is tried again
constexpr int max_remnants = 3;             // tries that a remnant of an earlier start may spoil
constexpr Duration kill_retry{10'000};      // before SIGKILL is sent once more
constexpr Duration drain_patience{10'000};  // how long STOPPED waits for the last output

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

bool flag(const std::vector<bool>& flags, std::size_t index) {
  return index < flags.size() && flags[index];
}

void earliest(std::optional<Time>& wake_at, Time time) {
  if (!wake_at || time < *wake_at) wake_at = time;
}

void set_health(ContainerState& state, Health health, Time at) {
  if (state.health == health) return;
  state.health = health;
  state.health_changed_at = at;
}

void never_ran(ContainerState& state) {
  state.phase = Phase::exited;
  state.drained = true;
  state.removed = true;
}

// From when on failed probes may count, and the earliest time at which the next one does.
Time next_counted_failure(const HealthCheck& check, const ContainerState& state) {
  const Time base = state.last_counted_failure_at.value_or(state.started_at.value_or(Time{}) + check.start_period);
  return base + check.interval;
}

void apply_probe(const HealthCheck& check, ContainerState& state, const ContainerProbed& probe) {
  if (state.last_probe_at && probe.at <= *state.last_probe_at) return;  // told twice
  state.last_probe_at = probe.at;
  ++state.probes;
  if (probe.success) {
    state.failures = 0;
    state.last_counted_failure_at.reset();
    state.last_probe_output.clear();
    state.reason.clear();
    set_health(state, Health::healthy, probe.at);
    return;
  }
  state.last_probe_output = probe.output;
  // The quick probes of the start can only help: their failures count no sooner than those of the configured interval
  // would.
  if (state.health == Health::unknown && probe.at < next_counted_failure(check, state)) return;
  state.last_counted_failure_at = probe.at;
  if (++state.failures < check.retries && state.health != Health::unhealthy) return;
  set_health(state, Health::unhealthy, probe.at);
  state.reason = "health check failed: " + state.last_probe_output;
}

void apply_started(Task& task, const ContainerStarted& started) {
  Container& container = task.containers[started.container];
  ContainerState& state = container.state;
  state.runtime_id = started.runtime_id;
  if (!state.started_at) state.started_at = started.at;
  state.bindings = started.bindings;
  if (task.network_mode == NetworkMode::awsvpc && !started.address.empty()) {
    task.address = started.address;
    task.mac_address = started.mac_address;
  }
  if (state.phase == Phase::running) {
    // Found again after a restart or a lost connection: a signal that was meant for it may never have been sent.
    state.term_sent_at.reset();
    state.kill_sent_at.reset();
  } else if (state.phase != Phase::exited) {
    state.phase = Phase::running;
  }
}

void fail_to_start(Task& task, std::string_view reason, Time now) {
  if (task.desired_running) task.failed = true;
  request_stop(task, StopCode::task_failed_to_start, reason, now);
}

void apply_not_started(Task& task, const ContainerNotStarted& fact, Time now) {
  ContainerState& state = task.containers[fact.container].state;
  if (state.phase == Phase::running || state.phase == Phase::exited) return;
  if (fact.retry || (fact.remnant && ++state.remnants <= max_remnants)) {
    task.retry_at = now + engine_retry;
    return;
  }
  never_ran(state);
  state.runtime_id = fact.runtime_id;
  state.removed = fact.runtime_id.empty();
  state.reason = fact.reason;
  fail_to_start(task, fact.reason, now);
}

void apply_exited(Task& task, const ContainerExited& fact, Time now) {
  Container& container = task.containers[fact.container];
  ContainerState& state = container.state;
  if (state.phase == Phase::exited) return;
  state.phase = Phase::exited;
  state.exit_code = fact.exit_code;
  state.finished_at = fact.at;
  if (fact.oom_killed) {
    state.reason = "OutOfMemoryError: Container killed due to memory usage";
  } else if (!fact.exit_code) {
    state.reason = "the container was gone from the engine; its exit code is not known";
  } else if (fact.blameless && task.desired_running) {
    state.reason = "it ended while the container engine went down or the platform was away";
  }
  if (!container.plan.log) state.drained = true;
  if (container.plan.essential && task.desired_running) {
    task.failed = !fact.blameless;
    request_stop(task, StopCode::essential_container_exited, "Essential container in task exited", now);
  }
}

enum class Readiness { ready, waiting, impossible };

Readiness readiness(const Task& task, const ContainerPlan& plan) {
  for (const Dependency& dependency : plan.depends_on) {
    const auto other = std::find_if(task.containers.begin(), task.containers.end(),
                                    [&](const Container& c) { return c.plan.name == dependency.container; });
    if (other == task.containers.end()) continue;
    const ContainerState& state = other->state;
    const bool exited = state.phase == Phase::exited;
    switch (dependency.condition) {
      case Condition::start:
        if (state.phase != Phase::running && !exited) return Readiness::waiting;
        break;
      case Condition::complete:
        if (!exited) return Readiness::waiting;
        break;
      case Condition::success:
        if (!exited) return Readiness::waiting;
        if (state.exit_code != 0) return Readiness::impossible;
        break;
      case Condition::healthy:
        if (exited || state.health == Health::unhealthy) return Readiness::impossible;
        if (state.health != Health::healthy) return Readiness::waiting;
        break;
    }
  }
  return Readiness::ready;
}

bool dependents_gone(const Task& task, const std::string& name) {
  return std::none_of(task.containers.begin(), task.containers.end(), [&](const Container& other) {
    return other.state.phase == Phase::running &&
           std::any_of(other.plan.depends_on.begin(), other.plan.depends_on.end(),
                       [&](const Dependency& dependency) { return dependency.container == name; });
  });
}

// Computes one step of a task that should run.
class Upward {
 public:
  Upward(Task& task, const Busy& busy, Time now, TaskPlan& plan) : task_(task), busy_(busy), now_(now), plan_(plan) {}

  void step() {
    if (task_.retry_at && now_ < *task_.retry_at) {
      earliest(plan_.wake_at, *task_.retry_at);
    } else {
      task_.retry_at.reset();
      if (!task_.resolved) {
        if (!task_.pull_started_at) task_.pull_started_at = now_;
        if (!busy_.resolving) plan_.actions.emplace_back(ResolveImages{});
      } else {
        start_containers();
      }
    }
    if (!task_.desired_running) return;
    advance_status();
    for (std::size_t i = 0; i < task_.containers.size(); ++i) probe(i);
  }

 private:
  void start_containers() {
    for (std::size_t i = 0; i < task_.containers.size(); ++i) {
      Container& container = task_.containers[i];
      const bool open = container.state.phase == Phase::waiting || container.state.phase == Phase::starting;
      if (!open || flag(busy_.starting, i)) continue;
      switch (readiness(task_, container.plan)) {
        case Readiness::waiting:
          break;
        case Readiness::ready:
          container.state.phase = Phase::starting;
          plan_.actions.emplace_back(StartContainer{i});
          break;
        case Readiness::impossible:
          fail_to_start(task_, "dependsOn of container " + container.plan.name + " cannot be met any more", now_);
          return;
      }
    }
  }

  void advance_status() {
    if (task_.status == TaskStatus::provisioning && task_.resolved) task_.status = TaskStatus::pending;
    const bool all_started = std::all_of(task_.containers.begin(), task_.containers.end(), [](const Container& c) {
      return c.state.phase == Phase::running || c.state.phase == Phase::exited;
    });
    if (all_started && task_.status < TaskStatus::running) {
      task_.status = TaskStatus::running;
      task_.started_at = now_;
      task_.pull_stopped_at = task_.pull_stopped_at.value_or(now_);
    }
  }

  void probe(std::size_t i) {
    const Container& container = task_.containers[i];
    if (container.state.phase != Phase::running || !container.plan.health_check || flag(busy_.probing, i)) return;
    if (task_.retry_at) return;  // the engine does not answer; step() has asked to be woken
    const Time due = next_probe_at(*container.plan.health_check, container.state);
    if (due <= now_) {
      plan_.actions.emplace_back(ProbeContainer{i});
    } else {
      earliest(plan_.wake_at, due);
    }
  }

  Task& task_;
  const Busy& busy_;
  Time now_;
  TaskPlan& plan_;
};

// Computes one step of a task that should end.
class Downward {
 public:
  Downward(Task& task, const Busy& busy, Time now, TaskPlan& plan) : task_(task), busy_(busy), now_(now), plan_(plan) {}

  void step() {
    if (task_.status < TaskStatus::stopping) {
      note_start();
      task_.status = TaskStatus::stopping;
    }
    for (std::size_t i = 0; i < task_.containers.size(); ++i) stop_container(i);
    const bool all_exited = std::all_of(task_.containers.begin(), task_.containers.end(),
                                        [](const Container& c) { return c.state.phase == Phase::exited; });
    if (!all_exited) return;
    if (!task_.execution_stopped_at) task_.execution_stopped_at = now_;
    const bool drained = std::all_of(task_.containers.begin(), task_.containers.end(),
                                     [](const Container& c) { return c.state.drained; });
    const Time give_up = *task_.execution_stopped_at + drain_patience;
    if (drained || now_ >= give_up) {
      task_.status = TaskStatus::stopped;
      task_.stopped_at = now_;
    } else {
      task_.status = TaskStatus::deprovisioning;
      earliest(plan_.wake_at, give_up);
    }
  }

 private:
  // A task may have been RUNNING for so short a time that its start and its end are seen at once.
  void note_start() {
    const bool ran = std::all_of(task_.containers.begin(), task_.containers.end(),
                                 [](const Container& container) { return container.state.started_at.has_value(); });
    Time last{};
    for (const Container& container : task_.containers)
      last = std::max(last, container.state.started_at.value_or(last));
    if (ran && !task_.started_at) task_.started_at = last;
    if (task_.pull_started_at && !task_.pull_stopped_at) task_.pull_stopped_at = ran ? last : now_;
  }

  void stop_container(std::size_t i) {
    Container& container = task_.containers[i];
    switch (container.state.phase) {
      case Phase::waiting:
        never_ran(container.state);
        break;
      case Phase::starting:
        // Nobody is starting it any more and nothing was seen of it: make sure that it is not there.
        if (!flag(busy_.starting, i) && !flag(busy_.removing, i)) remove_unseen(i);
        break;
      case Phase::running:
        stop_running(i);
        break;
      case Phase::exited:
        break;
    }
  }

  void remove_unseen(std::size_t i) {
    if (task_.retry_at && now_ < *task_.retry_at) {
      earliest(plan_.wake_at, *task_.retry_at);
    } else {
      plan_.actions.emplace_back(RemoveContainer{i});
    }
  }

  void stop_running(std::size_t i) {
    Container& container = task_.containers[i];
    ContainerState& state = container.state;
    if (flag(busy_.signalling, i)) return;
    if (!state.term_sent_at) {
      if (!dependents_gone(task_, container.plan.name)) return;
      state.term_sent_at = now_;
      plan_.actions.emplace_back(SignalContainer{i, false});
      earliest(plan_.wake_at, now_ + container.plan.stop_timeout);
      return;
    }
    const Time kill_at =
        state.kill_sent_at ? *state.kill_sent_at + kill_retry : *state.term_sent_at + container.plan.stop_timeout;
    if (now_ < kill_at) {
      earliest(plan_.wake_at, kill_at);
      return;
    }
    state.kill_sent_at = now_;
    plan_.actions.emplace_back(SignalContainer{i, true});
    earliest(plan_.wake_at, now_ + kill_retry);
  }

  Task& task_;
  const Busy& busy_;
  Time now_;
  TaskPlan& plan_;
};

// The engine's copy of what a container wrote goes with the container. False: it has to stay for that.
bool output_is_safe(const Task& task, Container& container, Time now, TaskPlan& plan) {
  ContainerState& state = container.state;
  if (state.drained || !container.plan.log || state.output_lost) return true;
  const Time ended = task.execution_stopped_at.value_or(now);
  const Time give_up = std::max(ended, state.followed_at.value_or(ended)) + drain_limit;
  if (now < give_up) {
    earliest(plan.wake_at, give_up);
    return false;
  }
  state.output_lost = true;
  plan.warnings.push_back(
      fmt::format("(task {}) output of container {} is lost: what it wrote after the last event in log stream {} of "
                  "group {} could not be stored within {} min after its end, and the container is removed now.",
                  task.id, container.plan.name, container.plan.log->stream, container.plan.log->group,
                  std::chrono::duration_cast<std::chrono::minutes>(drain_limit).count()));
  return true;
}

void clean_up(Task& task, const Busy& busy, Time now, TaskPlan& plan) {
  if (task.retry_at && now < *task.retry_at) {
    plan.wake_at = task.retry_at;
    return;
  }
  for (std::size_t i = 0; i < task.containers.size(); ++i) {
    // A start that is still under way would make it anew after the removal.
    const bool in_use = flag(busy.removing, i) || flag(busy.starting, i);
    if (task.containers[i].state.removed || in_use) continue;
    if (output_is_safe(task, task.containers[i], now, plan)) plan.actions.emplace_back(RemoveContainer{i});
  }
}

}  // namespace

Time next_probe_at(const HealthCheck& check, const ContainerState& state) {
  const Time started = state.started_at.value_or(Time{});
  if (!state.last_probe_at) return started;
  if (state.health != Health::unknown) return *state.last_probe_at + check.interval;
  // A tenth of the age, so that a start of any length is noticed with at most a tenth of delay.
  const Duration age = *state.last_probe_at - started;
  const Duration gap = std::clamp(age / 10, Duration(50), check.interval);
  const Time quick = *state.last_probe_at + gap;
  return std::min(quick, std::max(*state.last_probe_at + Duration(1), next_counted_failure(check, state)));
}

void request_stop(Task& task, StopCode code, std::string_view reason, Time now) {
  if (!task.desired_running) return;
  task.desired_running = false;
  task.stop_code = code;
  task.stopped_reason = reason;
  task.stopping_at = now;
}

void apply(Task& task, const Fact& fact, Time now) {
  const auto known = [&](std::size_t container) { return container < task.containers.size(); };
  std::visit(Overloaded{
                 [&](const ImagesResolved& resolved) {
                   if (task.resolved || resolved.images.size() != task.containers.size()) return;
                   for (std::size_t i = 0; i < task.containers.size(); ++i) {
                     task.containers[i].state.image_reference = resolved.images[i].reference;
                     task.containers[i].state.image_digest = resolved.images[i].digest;
                   }
                   task.resolved = true;
                 },
                 [&](const ImagesUnresolved& unresolved) {
                   if (unresolved.retry) {
                     task.retry_at = now + engine_retry;
                   } else {
                     fail_to_start(task, unresolved.reason, now);
                   }
                 },
                 [&](const ContainerStarted& started) {
                   if (known(started.container)) apply_started(task, started);
                 },
                 [&](const ContainerNotStarted& not_started) {
                   if (known(not_started.container)) apply_not_started(task, not_started, now);
                 },
                 [&](const ContainerExited& exited) {
                   if (known(exited.container)) apply_exited(task, exited, now);
                 },
                 [&](const ContainerProbed& probed) {
                   if (!known(probed.container)) return;
                   if (!probed.answered) {
                     task.retry_at = now + engine_retry;
                     return;
                   }
                   Container& container = task.containers[probed.container];
                   const bool current =
                       container.state.phase == Phase::running && container.state.runtime_id == probed.runtime_id;
                   if (current && container.plan.health_check)
                     apply_probe(*container.plan.health_check, container.state, probed);
                 },
                 [&](const ContainerDrained& drained) {
                   if (known(drained.container)) task.containers[drained.container].state.drained = true;
                 },
                 [&](const OutputFollowed& followed) {
                   if (known(followed.container)) task.containers[followed.container].state.followed_at = now;
                 },
                 [&](const ContainerRemoved& removed) {
                   if (!known(removed.container)) return;
                   ContainerState& state = task.containers[removed.container].state;
                   if (removed.failed) {
                     task.retry_at = now + engine_retry;
                   } else if (state.phase == Phase::starting) {
                     never_ran(state);
                   } else {
                     state.removed = true;
                   }
                 },
             },
             fact);
}

TaskPlan lifecycle(Task& task, const Busy& busy, Time now) {
  TaskPlan plan;
  if (task.desired_running) Upward(task, busy, now, plan).step();
  if (!task.desired_running && task.status != TaskStatus::stopped) {
    // Work that was planned a moment ago for a task that turned out to be unable to start is not begun.
    std::erase_if(plan.actions, [](const Action& action) { return std::holds_alternative<StartContainer>(action); });
    Downward(task, busy, now, plan).step();
  }
  if (task.status == TaskStatus::stopped) clean_up(task, busy, now, plan);
  return plan;
}

void set_busy(Busy& busy, const Action& action, bool under_way) {
  const auto set = [&](std::vector<bool>& flags, std::size_t container) {
    if (flags.size() <= container) flags.resize(container + 1);
    flags[container] = under_way;
  };
  std::visit(Overloaded{
                 [&](const ResolveImages&) { busy.resolving = under_way; },
                 [&](const StartContainer& start) { set(busy.starting, start.container); },
                 [&](const ProbeContainer& probe) { set(busy.probing, probe.container); },
                 [&](const SignalContainer& signal) { set(busy.signalling, signal.container); },
                 [&](const RemoveContainer& remove) { set(busy.removing, remove.container); },
             },
             action);
}

bool finished(const Task& task) {
  return task.status == TaskStatus::stopped && std::all_of(task.containers.begin(), task.containers.end(),
                                                           [](const Container& c) { return c.state.removed; });
}

}  // namespace kaapi::ecs
