#include "ecs/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/log.h"
#include "base/text.h"
#include "ecs/probe_text.h"
#include "ecs/state.h"

namespace kaapi::ecs {
namespace {

constexpr std::int64_t mib = 1024 * 1024;
constexpr std::int64_t cpu_units_per_cpu = 1024;
constexpr std::int64_t nano_cpus_per_cpu = 1'000'000'000;
constexpr std::int64_t min_cpu_shares = 2;  // the kernel's lower limit

bool nobody_answered(const Error& error) {
  return error.code == errc::unavailable || error.code == errc::timed_out;
}

std::vector<Fact> one(Fact fact) {
  std::vector<Fact> facts;
  facts.push_back(std::move(fact));
  return facts;
}

bool carries(const std::map<std::string, std::string>& labels, std::string_view name, const std::string& value) {
  const auto found = labels.find(std::string(name));
  return found != labels.end() && found->second == value;
}

// "256" is CPU units, "0.25 vCPU" is CPUs.
std::int64_t nano_cpus(const std::string& task_cpu) {
  const std::string text = lower(trim(task_cpu));
  const std::size_t unit = text.find("vcpu");
  if (unit != std::string::npos) return static_cast<std::int64_t>(std::strtod(text.c_str(), nullptr) * 1e9);
  return parse_number(text).value_or(0) * (nano_cpus_per_cpu / cpu_units_per_cpu);
}

}  // namespace

TaskDriver::TaskDriver(containers::Engine& engine, Images& images, Output& output, const Clock& clock,
                       DriverConfig config, TaskRoles* roles)
    : engine_(engine),
      images_(images),
      output_(output),
      clock_(clock),
      config_(std::move(config)),
      roles_(roles),
      network_(engine, config_.network, our_labels()) {}

std::map<std::string, std::string> TaskDriver::our_labels() const {
  return {{std::string(instance_label), config_.instance}};
}

std::string TaskDriver::container_name(const Task& task, std::size_t container) {
  return fmt::format("kaapi-{}-{}-{}", task.family, task.containers[container].plan.name, task.id);
}

std::string TaskDriver::source_key(const Task& task, std::size_t container) {
  return fmt::format("{}/{}", task.id, container);
}

// Of every container of the task: as the ECS agent labels them, and ours to find them again.
std::map<std::string, std::string> TaskDriver::labels_of(const Task& task) const {
  std::map<std::string, std::string> labels = our_labels();
  labels["com.amazonaws.ecs.cluster"] = task.cluster;
  labels["com.amazonaws.ecs.task-arn"] =
      fmt::format("arn:aws:ecs:{}:{}:task/{}/{}", task.region, config_.account_id, task.cluster, task.id);
  labels["com.amazonaws.ecs.task-definition-family"] = task.family;
  labels["com.amazonaws.ecs.task-definition-version"] = std::to_string(task.revision);
  labels[std::string(task_label)] = task.id;
  // An image that a job has labelled as its own would make the task's container the job's.
  labels[std::string(job_label)] = "";
  return labels;
}

containers::ContainerSpec TaskDriver::spec_of(const Task& task, std::size_t container, std::string network) const {
  const ContainerPlan& plan = task.containers[container].plan;
  containers::ContainerSpec spec;
  spec.name = container_name(task, container);
  spec.image = task.containers[container].state.image_reference;
  spec.entry_point = plan.entry_point;
  spec.command = plan.command;
  spec.environment = plan.environment;
  spec.labels = labels_of(task);
  spec.labels["com.amazonaws.ecs.container-name"] = plan.name;
  spec.labels[std::string(container_label)] = std::to_string(container);
  spec.labels.insert(plan.docker_labels.begin(), plan.docker_labels.end());  // none of ours can be taken
  spec.working_directory = plan.working_directory;
  spec.user = plan.user;
  // The name of the machine belongs to the network namespace: who joins one has the name that it has.
  if (!TaskNetwork::is_shared(task)) spec.hostname = plan.hostname;
  spec.network = std::move(network);
  if (task.network_mode == NetworkMode::bridge) {
    for (const PortMapping& port : plan.ports)
      spec.ports.push_back({port.container_port, port.host_port, port.protocol, ""});
  }
  spec.memory_bytes = plan.memory_mib * mib;
  spec.memory_reservation_bytes = plan.memory_reservation_mib * mib;
  spec.cpu_shares = plan.cpu > 0 ? std::max(plan.cpu, min_cpu_shares) : 0;
  spec.nano_cpus = nano_cpus(task.cpu);
  if (plan.init) spec.init = true;
  spec.read_only_root = plan.read_only_root;
  spec.privileged = plan.privileged;
  spec.tty = plan.tty;
  return spec;
}

std::vector<Fact> TaskDriver::resolve(const Task& task) {
  ImagesResolved resolved;
  for (const Container& container : task.containers) {
    Result<PinnedImage> pinned = images_.pin(task.region, container.plan.image);
    if (!pinned) {
      return one(ImagesUnresolved{fmt::format("CannotPullContainerError: {}", pinned.error().message),
                                  not_its_fault(pinned.error())});
    }
    resolved.images.push_back({std::move(pinned->reference), std::move(pinned->digest)});
  }
  return one(std::move(resolved));
}

void TaskDriver::release_role(const Task& task) {
  if (!task.role.empty() && roles_ != nullptr) roles_->release(task.id);
}

Result<void> TaskDriver::make_image_available(const Task& task, const ContainerState& state) {
  const Result<containers::Image> present = engine_.inspect_image(state.image_reference);
  if (present) return ok();
  if (nobody_answered(present.error())) return present.error();
  const Result<containers::Image> pulled =
      engine_.pull(state.image_reference, images_.login(task.region, state.image_reference));
  if (!pulled) return pulled.error();
  return ok();
}

// Nobody answered, or it was refused by an engine that is going down.
bool TaskDriver::not_its_fault(const Error& error) {
  return nobody_answered(error) || !engine_.ping();
}

ContainerNotStarted TaskDriver::not_started(std::size_t container, std::string runtime_id, std::string_view kind,
                                            const Error& error) {
  ContainerNotStarted fact;
  fact.container = container;
  fact.runtime_id = std::move(runtime_id);
  fact.reason = kind.empty() ? error.message : fmt::format("{}: {}", kind, error.message);
  fact.retry = not_its_fault(error);
  return fact;
}

// An earlier try, whose answer was lost, may have made the container all the same: then it is told of, for else nobody
// would remove it.
std::vector<Fact> TaskDriver::not_made(const Task& task, std::size_t container, std::string_view kind,
                                       const Error& error) {
  ContainerNotStarted fact = not_started(container, "", kind, error);
  if (fact.retry) return one(std::move(fact));
  const Result<containers::Container> earlier = engine_.inspect(container_name(task, container));
  if (earlier && carries(earlier->labels, task_label, task.id)) {
    std::vector<Fact> facts = facts_of(task, container, *earlier);
    if (!facts.empty()) {
      follow(task, container, earlier->id);
      return facts;
    }
    fact.runtime_id = earlier->id;
    return one(std::move(fact));
  }
  const Result<void> left = network_.leave(task);
  fact.retry = (!earlier && nobody_answered(earlier.error())) || (!left && nobody_answered(left.error()));
  return one(std::move(fact));
}

std::vector<Fact> TaskDriver::start(const Task& task, std::size_t container) {
  const Container& what = task.containers[container];
  if (!task.role.empty() && roles_ != nullptr) {
    if (const Result<void> admitted = roles_->admit(task); !admitted) {
      return not_made(task, container, "", admitted.error());
    }
  }
  const Result<void> image = make_image_available(task, what.state);
  if (!image) return not_made(task, container, "CannotPullContainerError", image.error());
  if (what.plan.log) {
    const Result<void> log = output_.prepare(*what.plan.log);
    if (!log) {
      const Error error(log.error().code, fmt::format("failed to initialize logging driver: {}: {}", log.error().code,
                                                      log.error().message));
      return not_made(task, container, "CannotStartContainerError", error);
    }
  }
  const Result<std::string> network = network_.join(task, labels_of(task));
  if (!network) return not_made(task, container, "CannotStartContainerError", network.error());
  const Result<std::string> id = engine_.create(spec_of(task, container, *network));
  if (!id) return not_made(task, container, "CannotCreateContainerError", id.error());
  // A container that has run before is never run again, also when it was an earlier try that nobody heard the answer
  // of.
  Result<containers::Container> found = engine_.inspect(*id);
  if (found && !found->started_at) {
    Result<void> started = network_.reach_credentials(task, *id);
    if (started) started = engine_.start(*id);
    if (!started) return refused(container, *id, started.error());
    found = engine_.inspect(*id);
  }
  if (!found) {
    Error error = found.error();
    // Gone again: somebody removed it. Anything else says nothing about it: look again.
    if (error.code != errc::not_found) error.code = errc::unavailable;
    return not_made(task, container, "CannotInspectContainerError", error);
  }
  follow(task, container, *id);
  return facts_of(task, container, *found);
}

// An engine that was killed in a start may leave a process, a mount or an endpoint behind that is in the way of the
// next one; it goes with the container.
std::vector<Fact> TaskDriver::refused(std::size_t container, const std::string& runtime_id, const Error& error) {
  ContainerNotStarted fact = not_started(container, runtime_id, "CannotStartContainerError", error);
  fact.remnant = !fact.retry && error.message.find("already exists") != std::string::npos;
  if (fact.remnant) {
    const Result<void> removed = engine_.remove(runtime_id);
    fact.retry = !removed && not_its_fault(removed.error());
  }
  return one(std::move(fact));
}

void TaskDriver::follow(const Task& task, std::size_t container, const std::string& runtime_id) {
  const std::optional<LogTarget>& target = task.containers[container].plan.log;
  if (target) output_.attach(runtime_id, source_key(task, container), *target);
}

std::vector<Fact> TaskDriver::facts_of(const Task& task, std::size_t index, const containers::Container& found) {
  std::vector<Fact> facts;
  using containers::ContainerStatus;
  const bool ran = found.started_at.has_value();
  if (found.status == ContainerStatus::created || !ran) return facts;  // made but never started
  ContainerStarted started;
  started.container = index;
  started.runtime_id = found.id;
  started.at = *found.started_at;
  TaskNetwork::Address own = network_.address_of(task, found);
  started.address = std::move(own.address);
  started.mac_address = std::move(own.mac_address);
  for (const containers::PortBinding& port : found.ports) {
    started.bindings.push_back({port.container_port, port.host_port, port.protocol});
  }
  facts.emplace_back(std::move(started));
  if (found.status == ContainerStatus::exited || found.status == ContainerStatus::dead) {
    ContainerExited exited;
    exited.container = index;
    exited.exit_code = found.exit_code;
    exited.oom_killed = found.oom_killed;
    exited.at = found.finished_at.value_or(clock_.now());
    facts.emplace_back(exited);
  }
  return facts;
}

std::vector<Fact> TaskDriver::probe(const Task& task, std::size_t container) {
  const ContainerState& state = task.containers[container].state;
  const HealthCheck& check = *task.containers[container].plan.health_check;
  const Result<containers::ExecResult> result = engine_.exec(state.runtime_id, check.command, check.timeout);
  ContainerProbed probed;
  probed.container = container;
  probed.runtime_id = state.runtime_id;
  probed.at = clock_.now();
  if (result) {
    probed.success = result->exit_code == 0;
    if (!probed.success) probed.output = probe_text(result->exit_code, result->output);
    return one(std::move(probed));
  }
  if (result.error().code == errc::timed_out) {
    probed.output = fmt::format("the health check did not end within {} ms", check.timeout.count());
    return one(std::move(probed));
  }
  if (result.error().code == errc::unavailable) {
    probed.answered = false;
    return one(std::move(probed));
  }
  // It may have ended a moment ago; if it still runs, the check itself cannot be run, which is a failure.
  std::vector<Fact> facts = look(task, container);
  probed.output = probe_text(std::nullopt, result.error().message);
  facts.emplace_back(std::move(probed));
  return facts;
}

std::vector<Fact> TaskDriver::exited(ContainerExited fact) {
  fact.blameless = fact.blameless || !engine_.ping();
  return one(fact);
}

std::vector<Fact> TaskDriver::look(const Task& task, std::size_t container) {
  const Result<containers::Container> found = engine_.inspect(container_name(task, container));
  if (found) {
    std::vector<Fact> facts = facts_of(task, container, *found);
    // A look at a running container tells nothing new; only the end does.
    std::erase_if(facts, [](const Fact& fact) { return std::holds_alternative<ContainerStarted>(fact); });
    return facts.empty() ? facts : exited(std::get<ContainerExited>(facts.front()));
  }
  if (found.error().code != errc::not_found) return {};
  ContainerExited gone;
  gone.container = container;
  gone.at = clock_.now();
  return one(gone);
}

std::vector<Fact> TaskDriver::signal(const Task& task, std::size_t container, bool kill) {
  const Result<void> sent = engine_.signal(task.containers[container].state.runtime_id, kill ? "SIGKILL" : "");
  if (!sent && !nobody_answered(sent.error())) return look(task, container);
  return {};
}

// One whose start nobody heard of. If it has run all the same, it has written something: then it is told of, and will
// be stopped and read like any other. Nothing: it has not, or it is gone.
Result<std::vector<Fact>> TaskDriver::unheard(const Task& task, std::size_t container) {
  const Result<containers::Container> found = engine_.inspect(container_name(task, container));
  if (!found && nobody_answered(found.error())) return found.error();
  if (!found || !carries(found->labels, task_label, task.id)) return std::vector<Fact>();
  std::vector<Fact> facts = facts_of(task, container, *found);
  if (!facts.empty()) follow(task, container, found->id);
  return facts;
}

std::vector<Fact> TaskDriver::remove(const Task& task, std::size_t container) {
  if (task.containers[container].state.phase == Phase::starting) {
    Result<std::vector<Fact>> ran = unheard(task, container);
    if (!ran) return one(ContainerRemoved{container, true});
    if (!ran->empty()) return std::move(*ran);
  }
  Result<void> removed = engine_.remove(container_name(task, container));
  if (removed) removed = network_.leave(task);
  ContainerRemoved fact;
  fact.container = container;
  fact.failed = !removed;
  if (!removed) {
    log::warn("ecs", "container {} could not be removed and will be tried again: {}", container_name(task, container),
              removed.error().message);
  } else if (task.containers[container].plan.log) {
    output_.forget(task.containers[container].state.runtime_id, source_key(task, container));
  }
  return one(fact);
}

void TaskDriver::compare(const Task& task, const std::map<std::string, containers::Container>& by_name,
                         std::vector<TaskFact>& facts) {
  // A container that is gone may have left its pause container: then it is not done until it was removed in due form.
  const bool nothing_beside = !TaskNetwork::is_shared(task);
  for (std::size_t i = 0; i < task.containers.size(); ++i) {
    const ContainerState& state = task.containers[i].state;
    const bool ended = state.phase == Phase::exited;
    if (by_name.contains(container_name(task, i))) {
      const Result<containers::Container> found = engine_.inspect(container_name(task, i));
      if (!found) continue;  // gone or out of reach since: the next look tells
      if (!ended || !state.drained) follow(task, i, found->id);
      if (ended && !state.drained) facts.push_back({task.id, OutputFollowed{i}});
      if (ended) continue;
      for (Fact& fact : facts_of(task, i, *found)) {
        if (auto* exit = std::get_if<ContainerExited>(&fact)) exit->blameless = true;
        facts.push_back({task.id, std::move(fact)});
      }
    } else if (state.phase == Phase::running) {
      ContainerExited gone;
      gone.blameless = true;
      gone.container = i;
      gone.at = clock_.now();
      facts.push_back({task.id, gone});
      facts.push_back({task.id, ContainerDrained{i}});
      if (nothing_beside) facts.push_back({task.id, ContainerRemoved{i}});
    } else if (ended && !state.removed) {
      facts.push_back({task.id, ContainerDrained{i}});
      if (nothing_beside) facts.push_back({task.id, ContainerRemoved{i}});
    }
  }
}

void TaskDriver::remove_strangers(store::Database& database, const std::vector<Task>& tasks,
                                  const std::vector<containers::Container>& found) {
  std::set<std::string> unfinished;
  for (const Task& task : tasks) unfinished.insert(task.id);
  for (const containers::Container& container : found) {
    const auto label = container.labels.find(std::string(task_label));
    if (label == container.labels.end() || unfinished.contains(label->second)) continue;
    // The list of tasks is older than the list of containers: ask again before anything is removed.
    const Result<bool> wanted = database.read([&](store::Session& session) -> Result<bool> {
      const std::optional<Task> task = find_task(session, label->second);
      return task && !finished(*task);
    });
    if (!wanted || *wanted) continue;
    log::info("ecs", "removing container {}: its task {} is not ours to keep", container.name, label->second);
    const Result<void> removed = engine_.remove(container.id);
    if (!removed) log::warn("ecs", "container {} could not be removed: {}", container.name, removed.error().message);
  }
}

Result<std::vector<TaskFact>> TaskDriver::resync(store::Database& database) {
  // Stored state first: whatever it says runs must then be in the engine's list.
  const Result<std::vector<Task>> tasks =
      database.read([](store::Session& session) -> Result<std::vector<Task>> { return unfinished_tasks(session); });
  if (!tasks) return tasks.error();
  const Result<std::vector<containers::Container>> found = engine_.list(our_labels());
  if (!found) return found.error();
  std::map<std::string, containers::Container> by_name;
  for (const containers::Container& container : *found) by_name.emplace(container.name, container);
  std::vector<TaskFact> facts;
  for (const Task& task : *tasks) compare(task, by_name, facts);
  remove_strangers(database, *tasks, *found);
  return facts;
}

}  // namespace kaapi::ecs
