#include "ecs/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "ecs/round.h"
#include "ecs/state.h"

namespace kaapi::ecs {
namespace {

constexpr Duration retry_after_failed_commit{1'000};
constexpr Duration retry_after_failed_resync{1'000};
constexpr Duration prune_interval{10 * 60'000};
constexpr int killed_exit_code = 137;  // by SIGKILL: the engine knows whether that was for want of memory
constexpr std::size_t max_held = 10'000;

// Also of a start that is told of in this very round. Empty: none is known.
std::string runtime_id_of(const Task& task, std::size_t container, const std::vector<TaskFact>& facts) {
  std::string id = task.containers[container].state.runtime_id;
  for (const TaskFact& fact : facts) {
    const auto* started = std::get_if<ContainerStarted>(&fact.fact);
    if (started != nullptr && fact.task_id == task.id && started->container == container) id = started->runtime_id;
  }
  return id;
}

}  // namespace

Scheduler::Scheduler(store::Database& database, TaskDriver& driver, Executor& executor, const Clock& clock,
                     IdSource& ids, TaskFactory factory, RolloutTiming timing)
    : database_(database),
      driver_(driver),
      executor_(executor),
      clock_(clock),
      ids_(ids),
      factory_(std::move(factory)),
      timing_(timing),
      inbox_(std::make_shared<Inbox>()) {}

Scheduler::~Scheduler() {
  const std::lock_guard lock(inbox_->mutex);
  inbox_->notify = nullptr;
}

template <class Change>
void Scheduler::put(Change&& change) {
  const std::lock_guard lock(inbox_->mutex);
  change(*inbox_);
  if (inbox_->notify) inbox_->notify();
}

void Scheduler::on_work(std::function<void()> notify) {
  const std::lock_guard lock(inbox_->mutex);
  inbox_->notify = std::move(notify);
}

void Scheduler::begin() {
  put([](Inbox& inbox) { inbox.resync_wanted = true; });
}

void Scheduler::service_changed(std::int64_t service_id) {
  put([&](Inbox& inbox) { inbox.services.insert(service_id); });
}

void Scheduler::task_changed(const std::string& task_id) {
  put([&](Inbox& inbox) { inbox.tasks.insert(task_id); });
}

void Scheduler::engine_event(const containers::Event& event) {
  if (event.kind == containers::EventKind::reconnected) {
    put([&](Inbox& inbox) {
      inbox.resync_wanted = true;
      inbox.engine_back_at = event.at;
    });
    return;
  }
  if (event.kind != containers::EventKind::die && event.kind != containers::EventKind::destroy) return;
  const auto task = event.labels.find(std::string(task_label));
  const auto container = event.labels.find(std::string(container_label));
  if (task == event.labels.end() || container == event.labels.end()) return;
  const std::optional<std::int64_t> index = parse_number(container->second);
  if (!index) return;
  Heard heard{task->second, static_cast<std::size_t>(*index), event.container, std::nullopt};
  if (event.kind == containers::EventKind::die && event.exit_code != killed_exit_code) {
    // The event says all there is; the engine itself would answer only after it has taken the network down.
    heard.exited.emplace();
    heard.exited->container = heard.container;
    heard.exited->exit_code = event.exit_code;
    heard.exited->at = event.at;
  }
  put([&](Inbox& inbox) {
    if (heard.exited) heard.exited->blameless = heard.exited->at <= inbox.engine_back_at;
    inbox.heard.push_back(std::move(heard));
  });
}

void Scheduler::output_drained(const std::string& source_key) {
  const std::size_t slash = source_key.find('/');
  if (slash == std::string::npos) return;
  const std::optional<std::int64_t> index = parse_number(source_key.substr(slash + 1));
  if (!index) return;
  Completion drained;
  drained.task_id = source_key.substr(0, slash);
  drained.facts.emplace_back(ContainerDrained{static_cast<std::size_t>(*index)});
  put([&](Inbox& inbox) { inbox.completions.push_back(std::move(drained)); });
}

std::optional<Time> Scheduler::step() {
  const Time now = clock_.now();
  take_in(now);
  if (!synced_) return resyncing_ ? std::nullopt : resync_at_;
  take_due(now);
  if (nothing_to_do() || (hold_until_ && now < *hold_until_)) return next_due();
  hold_until_.reset();

  RoundOutput output;
  Questions questions;
  RoundInput input{std::exchange(facts_, {}), std::exchange(services_, {}), std::exchange(tasks_, {})};
  const Result<void> committed = database_.write([&](store::Session& session) -> Result<void> {
    questions = sort_heard(session, input.facts);
    output = Round(session, busy_, factory_, ids_, timing_, now).run(input);
    if (output.any_stopped && (!prune_at_ || now >= *prune_at_)) {
      prune_tasks(session, now);
      prune_at_ = now + prune_interval;
    }
    return ok();
  });
  if (!committed) {
    log::error("ecs", "a decision could not be stored and will be tried again: {}", committed.error().message);
    facts_ = std::move(input.facts);
    services_ = std::move(input.services);
    tasks_ = std::move(input.tasks);
    hold_until_ = now + retry_after_failed_commit;
    return next_due();
  }
  heard_.clear();
  std::move(questions.held.begin(), questions.held.end(), std::back_inserter(held_));
  carry_out(std::move(output));
  for (const auto& [id, exited] : questions.exits) {
    hand_over(Lane::quick, id, std::nullopt, [driver = &driver_, fact = exited] { return driver->exited(fact); });
  }
  for (auto& [task, container] : questions.looks) look(std::move(task), container);
  return services_.empty() ? next_due() : std::optional<Time>(now);
}

void Scheduler::carry_out(RoundOutput output) {
  services_ = std::move(output.services_left);
  for (const auto& [id, wake_at] : output.services) set_timer(id, wake_at);
  for (RoundOutput::TaskOutcome& outcome : output.tasks) {
    set_timer(outcome.task.id, outcome.wake_at);
    if (outcome.task.status == TaskStatus::stopped && !outcome.task.role.empty()) {
      executor_.run(Lane::quick, [driver = &driver_, task = outcome.task] { driver->release_role(task); });
    }
    if (finished(outcome.task)) {
      busy_.erase(outcome.task.id);
      continue;
    }
    busy_[outcome.task.id] = std::move(outcome.busy);
    const auto task = std::make_shared<const Task>(std::move(outcome.task));
    for (const Action& action : outcome.actions) act(task, action);
  }
}

Scheduler::Questions Scheduler::sort_heard(store::Session& session, std::vector<TaskFact>& facts) const {
  Questions questions;
  for (const Heard& heard : heard_) {
    std::optional<Task> task = find_task(session, heard.task_id);
    if (!task || heard.container >= task->containers.size()) continue;
    const std::string known = runtime_id_of(*task, heard.container, facts);
    if (known.empty() && task->containers[heard.container].state.phase == Phase::starting) {
      if (held_.size() + questions.held.size() < max_held) questions.held.push_back(heard);
    } else if (known != heard.runtime_id) {
      log::debug("ecs", "container {} carries the labels of task {}, and is none of its", heard.runtime_id, task->id);
    } else if (!heard.exited) {
      questions.looks.emplace_back(std::move(*task), heard.container);
    } else if (task->desired_running && task->service_id != 0 && !heard.exited->blameless) {
      // Before it counts against the deployment, the engine is asked whether it is going down.
      questions.exits.emplace_back(heard.task_id, *heard.exited);
    } else {
      facts.push_back({heard.task_id, *heard.exited});
    }
  }
  return questions;
}

void Scheduler::release_held(const std::string& task_id) {
  const auto is_of = [&](const Heard& heard) { return heard.task_id == task_id; };
  std::copy_if(held_.begin(), held_.end(), std::back_inserter(heard_), is_of);
  std::erase_if(held_, is_of);
}

bool Scheduler::nothing_to_do() const {
  return facts_.empty() && services_.empty() && tasks_.empty() && heard_.empty();
}

std::optional<Time> Scheduler::next_due() const {
  std::optional<Time> due;
  const auto sooner = [&](std::optional<Time> at) {
    if (at && (!due || *at < *due)) due = at;
  };
  if (!due_.empty()) due = due_.begin()->first;
  if (!resyncing_) sooner(resync_at_);
  // While a commit is held back nothing else can be done, however due it is.
  return hold_until_ ? hold_until_ : due;
}

void Scheduler::take_in(Time now) {
  std::optional<Result<std::vector<TaskFact>>> resync;
  {
    const std::lock_guard lock(inbox_->mutex);
    for (Completion& completion : inbox_->completions) {
      const auto busy = busy_.find(completion.task_id);
      if (completion.action && busy != busy_.end()) set_busy(busy->second, *completion.action, false);
      tasks_.insert(completion.task_id);
      release_held(completion.task_id);
      for (Fact& fact : completion.facts) {
        if (auto* exit = std::get_if<ContainerExited>(&fact)) {
          exit->blameless = exit->blameless || exit->at <= inbox_->engine_back_at;
        }
        facts_.push_back({completion.task_id, std::move(fact)});
      }
    }
    inbox_->completions.clear();
    services_.merge(inbox_->services);
    inbox_->services.clear();
    tasks_.merge(inbox_->tasks);
    inbox_->tasks.clear();
    std::move(inbox_->heard.begin(), inbox_->heard.end(), std::back_inserter(heard_));
    inbox_->heard.clear();
    resync = std::exchange(inbox_->resync, std::nullopt);
    if (std::exchange(inbox_->resync_wanted, false)) resync_at_ = now;
  }
  if (resync) take_resync(std::move(*resync), now);
  if (resync_at_ && now >= *resync_at_ && !resyncing_) start_resync();
}

void Scheduler::start_resync() {
  resync_at_.reset();
  resyncing_ = true;
  executor_.run(Lane::quick, [inbox = inbox_, driver = &driver_, database = &database_] {
    Result<std::vector<TaskFact>> outcome = driver->resync(*database);
    const std::lock_guard lock(inbox->mutex);
    inbox->resync = std::move(outcome);
    if (inbox->notify) inbox->notify();
  });
}

void Scheduler::take_resync(Result<std::vector<TaskFact>> outcome, Time now) {
  resyncing_ = false;
  if (!outcome) {
    log::warn("ecs", "the container engine could not be looked at and will be tried again: {}",
              outcome.error().message);
    resync_at_ = now + retry_after_failed_resync;
    return;
  }
  std::move(outcome->begin(), outcome->end(), std::back_inserter(facts_));
  std::move(held_.begin(), held_.end(), std::back_inserter(heard_));
  held_.clear();
  if (synced_) return;
  // The first look is over: now everything that is stored may go on.
  const Result<void> queued = database_.read([&](store::Session& session) -> Result<void> {
    for (const Task& task : unfinished_tasks(session)) tasks_.insert(task.id);
    for (const std::int64_t id : open_services(session)) services_.insert(id);
    return ok();
  });
  if (!queued) {
    log::error("ecs", "stored tasks could not be read and will be tried again: {}", queued.error().message);
    resync_at_ = now + retry_after_failed_resync;
    return;
  }
  synced_ = true;
}

void Scheduler::take_due(Time now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const Key key = due_.begin()->second;
    set_timer(key, std::nullopt);
    if (const auto* service = std::get_if<std::int64_t>(&key)) {
      services_.insert(*service);
    } else {
      tasks_.insert(std::get<std::string>(key));
    }
  }
}

void Scheduler::set_timer(const Key& key, std::optional<Time> at) {
  if (const auto old = timers_.find(key); old != timers_.end()) {
    due_.erase({old->second, key});
    timers_.erase(old);
  }
  if (!at) return;
  timers_.emplace(key, *at);
  due_.emplace(*at, key);
}

void Scheduler::hand_over(Lane lane, std::string task_id, std::optional<Action> action,
                          std::function<std::vector<Fact>()> call) {
  executor_.run(lane, [inbox = inbox_, task_id = std::move(task_id), action, call = std::move(call)] {
    Completion done{task_id, action, call()};
    const std::lock_guard lock(inbox->mutex);
    inbox->completions.push_back(std::move(done));
    if (inbox->notify) inbox->notify();
  });
}

void Scheduler::look(Task task, std::size_t container) {
  auto shared = std::make_shared<const Task>(std::move(task));
  hand_over(Lane::quick, shared->id, std::nullopt,
            [driver = &driver_, shared, container] { return driver->look(*shared, container); });
}

void Scheduler::act(const std::shared_ptr<const Task>& task, const Action& action) {
  TaskDriver* driver = &driver_;
  if (std::holds_alternative<ResolveImages>(action)) {
    hand_over(Lane::slow, task->id, action, [driver, task] { return driver->resolve(*task); });
  } else if (const auto* start = std::get_if<StartContainer>(&action)) {
    hand_over(Lane::slow, task->id, action, [driver, task, i = start->container] { return driver->start(*task, i); });
  } else if (const auto* probe = std::get_if<ProbeContainer>(&action)) {
    hand_over(Lane::quick, task->id, action, [driver, task, i = probe->container] { return driver->probe(*task, i); });
  } else if (const auto* signal = std::get_if<SignalContainer>(&action)) {
    hand_over(Lane::quick, task->id, action,
              [driver, task, i = signal->container, kill = signal->kill] { return driver->signal(*task, i, kill); });
  } else if (const auto* remove = std::get_if<RemoveContainer>(&action)) {
    hand_over(Lane::quick, task->id, action,
              [driver, task, i = remove->container] { return driver->remove(*task, i); });
  }
}

}  // namespace kaapi::ecs
