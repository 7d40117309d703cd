#include "world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "base/log.h"
#include "ecs/deployments.h"
#include "ecs/lifecycle.h"
#include "ecs/rollout.h"
#include "ecs/state.h"

namespace kaapi::simulation {

using containers::ExecResult;
using ecs::Task;

namespace {

constexpr Duration trouble_lasts{90'000};
constexpr Duration patience{40 * 60'000};    // virtual time in which a calm world must come to rest
constexpr Duration long_enough{3 * 60'000};  // to see that a bad version without a breaker gets nowhere
constexpr int max_steps = 200'000;
constexpr std::string_view image_name = "app:latest";
constexpr std::string_view region = "us-east-1";
constexpr std::string_view cluster = "c";

// Once the trouble is over. Without a health check nobody notices that a version is never ready.
bool works(Behaviour behaviour, bool checked) {
  return (!checked && behaviour == Behaviour::never_healthy) || behaviour == Behaviour::good ||
         behaviour == Behaviour::slow || behaviour == Behaviour::crashes_soon;
}

bool is_pause(const containers::Container& container) {
  return container.labels.at("kaapi.container") == "pause";
}

Error no_answer() {
  return make_error(errc::unavailable, "the engine does not answer");
}

}  // namespace

// Takes work and does it later, in the order of the clock.
class World::QueueExecutor final : public ecs::Executor {
 public:
  explicit QueueExecutor(World& world) : world_(world) {}

  void run(ecs::Lane lane, std::function<void()> work) override {
    Duration delay(world_.between(1, lane == ecs::Lane::slow ? 400 : 80));
    // Now and then something hangs.
    if (!world_.calm_ && world_.chance(0.02)) delay = Duration(world_.between(5'000, 40'000));
    queue_.insert({world_.clock_.now() + delay, ++order_, std::move(work)});
  }

  std::optional<Time> next() const { return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->due); }
  void run_due() {
    while (!queue_.empty() && queue_.begin()->due <= world_.clock_.now()) {
      const Pending pending = *queue_.begin();
      queue_.erase(queue_.begin());
      pending.work();
    }
  }
  // The platform died: some of the work reached the engine all the same, but nobody hears of it.
  void die() {
    for (const Pending& pending : std::exchange(queue_, {})) {
      if (world_.chance(0.3)) pending.work();
    }
  }
  bool idle() const { return queue_.empty(); }

 private:
  World& world_;
  std::uint64_t order_ = 0;
  std::set<Pending> queue_;
};

// One tag, moved by every push.
class World::TagImages final : public ecs::Images {
 public:
  explicit TagImages(World& world) : world_(world) {}

  Result<ecs::PinnedImage> pin(const std::string&, const std::string&) override {
    if (!world_.calm_ && world_.chance(0.03)) return make_error(errc::unavailable, "the registry does not answer");
    const std::string digest = current();
    if (world_.behaviours_.at(digest) == Behaviour::image_missing) {
      return make_error(errc::not_found, fmt::format("image {} not found", image_name));
    }
    return ecs::PinnedImage{"app@" + digest, digest};
  }
  std::optional<containers::RegistryLogin> login(const std::string&, const std::string&) override {
    return std::nullopt;
  }

  std::string current() const { return fmt::format("sha256:{:064x}", world_.version_); }

 private:
  World& world_;
};

// Tells that a container is drained some time after it ended.
class World::WatchedOutput final : public ecs::Output {
 public:
  explicit WatchedOutput(World& world) : world_(world) {}

  Result<void> prepare(const ecs::LogTarget&) override { return ok(); }
  void attach(const std::string& runtime_id, const std::string& source_key, const ecs::LogTarget&) override {
    followed_[source_key] = runtime_id;
  }
  void forget(const std::string&, const std::string& source_key) override { followed_.erase(source_key); }

  void tell_drained() {
    world_.watching_ = true;
    for (auto it = followed_.begin(); it != followed_.end();) {
      const auto found = world_.engine_.inspect(it->second);
      const bool gone = !found && found.error().code == errc::not_found;
      const bool ended = found && found->status == containers::ContainerStatus::exited;
      if (gone || ended) {
        world_.scheduler_->output_drained(it->first);
        it = followed_.erase(it);
      } else {
        ++it;
      }
    }
    world_.watching_ = false;
  }
  void die() { followed_.clear(); }

 private:
  World& world_;
  std::map<std::string, std::string> followed_;
};

World::World(Options options)
    : options_(options),
      random_(options.seed),
      paired_(options.seed % 3 == 2),
      ids_(options.seed + 1),
      engine_(clock_, {containers::FakeEngineConfig::Delivery::manual}) {
  log::set_level(log::Level::off);
  database_ = *store::Database::open(":memory:", ecs::migrations());
  images_ = std::make_unique<TagImages>(*this);
  output_ = std::make_unique<WatchedOutput>(*this);
  executor_ = std::make_unique<QueueExecutor>(*this);
  driver_ = std::make_unique<ecs::TaskDriver>(engine_, *images_, *output_, clock_,
                                              ecs::DriverConfig{"sim", "123456789012", "kaapi-sim"});
  crash_chance_ = chance(0.5) ? 0.004 : 0.0;
  set_up_engine();
}

World::~World() = default;

bool World::chance(double probability) {
  return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
}

std::int64_t World::between(std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
}

template <class... Args>
void World::tell(fmt::format_string<Args...> format, Args&&... args) {
  if (!options_.tell) return;
  const auto since = clock_.now() - from_millis(1'750'000'000'000);
  fmt::print("{:>9.3f} s  {}\n", static_cast<double>(since.count()) / 1000,
             fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void World::fail(fmt::format_string<Args...> format, Args&&... args) {
  const std::string text = fmt::format(format, std::forward<Args>(args)...);
  tell("FAULT {}", text);
  if (fault_.empty()) fault_ = text;
}

void World::set_up_engine() {
  const auto behaviour_of = [this](const containers::Container& container) {
    if (is_pause(container)) return Behaviour::good;
    return behaviours_.at(container.image.substr(container.image.find('@') + 1));
  };
  engine_.set_start([this, behaviour_of](const containers::Container& container) -> std::optional<int> {
    // One that nobody needed any more may have been made anew.
    if (++starts_[is_pause(container) ? container.id : container.name] > 1) {
      for (const containers::FakeCall& call : engine_.calls()) {
        if (call.subject == container.name || call.subject == container.id)
          tell("  asked the engine: {} {}", call.call, call.subject);
      }
      fail("container {} was started twice", container.name);
    }
    return behaviour_of(container) == Behaviour::crashes_at_start ? std::optional(1) : std::nullopt;
  });
  engine_.set_exec([this, behaviour_of](const containers::Container& container,
                                        const std::vector<std::string>&) -> Result<ExecResult> {
    const Behaviour behaviour = behaviour_of(container);
    const Duration age = clock_.now() - container.started_at.value_or(clock_.now());
    const bool flaps = !calm_ && chance(0.05);
    const bool ready = behaviour != Behaviour::never_healthy && (behaviour != Behaviour::slow || age > Duration(4'000));
    return ExecResult{ready && !flaps ? 0 : 1, ""};
  });
  engine_.set_signal([](const containers::Container& container, std::string_view signal) -> std::optional<int> {
    // One in eight containers ignores SIGTERM, for its whole life.
    const bool ignores = std::hash<std::string>()(container.name) % 8 == 0;
    if (signal != "SIGKILL" && ignores) return std::nullopt;
    return signal == "SIGKILL" ? 137 : 0;
  });
  engine_.set_failure([this](std::string_view call, const std::string&) -> std::optional<Error> {
    if (calm_ || watching_ || !chance(0.02)) return std::nullopt;
    if (call == "start" && chance(0.3)) return make_error(errc::internal, "no space left on device");
    return no_answer();
  });
  engine_.set_answer_loss([this](std::string_view, const std::string&) -> std::optional<Error> {
    return !calm_ && !watching_ && chance(0.01) ? std::optional(no_answer()) : std::nullopt;
  });
  engine_.set_event_filter([this](const containers::Event&) { return !calm_ && chance(0.1) ? 2 : 1; });
}

// The task definition of the simulation: one container, or two, with a health check and a log.
Result<Task> make_task(IdSource& ids, Time now, bool checked, bool paired) {
  Task task;
  task.id = ids.hex(32);
  task.region = region;
  task.cluster = cluster;
  task.family = "app";
  task.revision = 1;
  task.created_at = now;
  ecs::Container container;
  container.plan.name = "web";
  container.plan.image = image_name;
  ecs::HealthCheck check;
  check.command = {"/health"};
  check.interval = Duration(10'000);
  check.retries = 2;
  if (checked) container.plan.health_check = check;
  container.plan.stop_timeout = Duration(5'000);
  container.plan.log = ecs::LogTarget{std::string(region), "g", "s/" + task.id, false};
  task.containers.push_back(container);
  if (paired) {
    task.network_mode = ecs::NetworkMode::awsvpc;
    container.plan.name = "side";
    container.plan.health_check.reset();
    task.containers.push_back(std::move(container));
  }
  return task;
}

void World::start_platform() {
  ecs::TaskFactory factory = [this](store::Session&, const ecs::Service& service, const ecs::Deployment& deployment,
                                    Time now) -> Result<Task> {
    Result<Task> task = make_task(ids_, now, checked_, paired_);
    task->service_id = service.id;
    task->deployment_id = deployment.id;
    task->started_by = deployment.id;
    task->group = "service:" + service.name;
    return task;
  };
  scheduler_ =
      std::make_unique<ecs::Scheduler>(*database_, *driver_, *executor_, clock_, ids_, std::move(factory), timing_);
  scheduler_->on_work([this] { awake_ = true; });
  events_ = engine_.watch(driver_->our_labels(), [this](const containers::Event& event) {
    if (scheduler_) scheduler_->engine_event(event);
  });
  scheduler_->begin();
  awake_ = true;
}

void World::crash() {
  tell("the platform is gone");
  events_.reset();
  scheduler_.reset();
  executor_->die();
  output_->die();
  while (engine_.undelivered() > 0) engine_.deliver();
  clock_.advance(Duration(between(0, 3'000)));
  tell("the platform starts again");
  start_platform();
}

void World::push_version(Behaviour behaviour) {
  ++version_;
  const std::string digest = images_->current();
  behaviours_[digest] = behaviour;
  engine_.add_remote_image("app@" + digest);
}

void World::create_service() {
  push_version(chance(0.8) ? Behaviour::good : Behaviour::crashes_at_start);
  ecs::Service service;
  service.region = region;
  service.cluster = cluster;
  service.name = "web";
  checked_ = chance(0.7);
  service.desired_count = static_cast<int>(between(1, 5));
  service.minimum_healthy_percent = chance(0.6) ? 100 : static_cast<int>(between(0, 9)) * 10;
  service.maximum_percent =
      chance(0.6) ? 200 : std::max(service.minimum_healthy_percent + 50, static_cast<int>(between(10, 20)) * 10);
  service.breaker_enabled = chance(0.6);
  service.breaker_rollback = chance(0.7);
  service.created_at = clock_.now();
  ecs::Deployment deployment;
  deployment.id = "ecs-svc/" + ids_.decimal(19);
  const Result<void> created = database_->write([&](store::Session& session) -> Result<void> {
    ecs::insert_service(session, service);
    ecs::begin_deployment(session, service, deployment, clock_.now());
    return ok();
  });
  if (!created) fail("the service could not be made: {}", created.error().message);
  service_id_ = service.id;
  asked_deployment_ = deployment.id;
  asked_behaviour_ = behaviours_.at(images_->current());
  asked_count_ = service.desired_count;
  tell("service with {} tasks, {}..{} %, breaker {} rollback {}", service.desired_count,
       service.minimum_healthy_percent, service.maximum_percent, service.breaker_enabled, service.breaker_rollback);
  scheduler_->service_changed(service_id_);
}

void World::update() {
  static constexpr Behaviour all[] = {
      Behaviour::good,         Behaviour::good,          Behaviour::slow,         Behaviour::crashes_at_start,
      Behaviour::crashes_soon, Behaviour::never_healthy, Behaviour::image_missing};
  push_version(all[between(0, 6)]);
  ecs::Deployment deployment;
  deployment.id = "ecs-svc/" + ids_.decimal(19);
  const Result<void> updated = database_->write([&](store::Session& session) -> Result<void> {
    ecs::Service service = *ecs::find_service(session, service_id_);
    ecs::begin_deployment(session, service, deployment, clock_.now());
    return ok();
  });
  if (!updated) return fail("an update was refused: {}", updated.error().message);
  asked_deployment_ = deployment.id;
  asked_behaviour_ = behaviours_.at(images_->current());
  zero_since_update_ = asked_count_ == 0;
  tell("update to version {} ({}): {}", version_, static_cast<int>(asked_behaviour_), deployment.id);
  scheduler_->service_changed(service_id_);
}

void World::scale() {
  const int count = static_cast<int>(between(0, 6));
  const Result<void> scaled = database_->write([&](store::Session& session) -> Result<void> {
    ecs::Service service = *ecs::find_service(session, service_id_);
    service.desired_count = count;
    service.steady = false;
    ecs::save_service(session, service);
    return ok();
  });
  if (!scaled) return fail("scaling was refused: {}", scaled.error().message);
  asked_count_ = count;
  zero_since_update_ = zero_since_update_ || count == 0;
  tell("scale to {}", count);
  scheduler_->service_changed(service_id_);
}

void World::stop_some_task() {
  const View now = view();
  if (now.tasks.empty()) return;
  const std::string id =
      now.tasks[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(now.tasks.size()) - 1))].id;
  const Result<void> stopped = database_->write([&](store::Session& session) -> Result<void> {
    std::optional<Task> task = ecs::find_task(session, id);
    ecs::request_stop(*task, ecs::StopCode::user_initiated, "by hand", clock_.now());
    ecs::save_task(session, *task);
    return ok();
  });
  if (stopped) tell("StopTask {}", id);
  scheduler_->task_changed(id);
}

void World::run_task() {
  Task task = *make_task(ids_, clock_.now(), checked_, paired_);
  task.group = "family:app";
  const Result<void> accepted = database_->write([&](store::Session& session) -> Result<void> {
    ecs::save_task(session, task);
    return ok();
  });
  if (!accepted) return fail("RunTask was refused: {}", accepted.error().message);
  one_off_.push_back(task.id);
  tell("RunTask {}", task.id);
  scheduler_->task_changed(task.id);
}

void World::user_acts() {
  // A death inside leaves it open whether the change was made, for the user as for us; deaths right after it are drawn
  // elsewhere.
  database_->set_commit_hook({});
  act_as_user();
  dare_to_crash();
}

void World::act_as_user() {
  next_user_ = clock_.now() + Duration(between(500, 25'000));
  switch (between(0, 9)) {
    case 0:
      scale();
      break;
    case 1:
      stop_some_task();
      break;
    case 2:
      run_task();
      break;
    case 3:
    case 4:
      break;
    default:
      update();
  }
}

// What the engine has, without any trouble in asking.
std::vector<containers::Container> World::containers_now() {
  watching_ = true;
  Result<std::vector<containers::Container>> found = engine_.list(driver_->our_labels());
  watching_ = false;
  if (!found) fail("the engine cannot be looked at: {}", found.error().message);
  return found ? std::move(*found) : std::vector<containers::Container>();
}

// Things that happen to a machine.
void World::trouble() {
  next_trouble_ = clock_.now() + Duration(between(100, 4'000));
  for (const containers::Container& container : containers_now()) {
    if (container.status != containers::ContainerStatus::running) continue;
    const auto behaviour =
        is_pause(container) ? Behaviour::good : behaviours_.at(container.image.substr(container.image.find('@') + 1));
    if (behaviour == Behaviour::crashes_soon || chance(0.02)) {
      tell("container {} dies", container.name);
      engine_.exit(container.id, 1);
    }
  }
  if (chance(0.03)) {
    tell("the stream of events breaks");
    engine_.disconnect_events();
  }
  if (chance(0.01)) {
    const bool keep = chance(0.7);
    tell("the engine restarts, containers {}", keep ? "go on" : "die");
    engine_.restart_engine(keep);
  }
}

std::optional<Time> World::next_time() const {
  std::optional<Time> next = wake_at_;
  const auto sooner = [&](std::optional<Time> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  sooner(executor_->next());
  if (!calm_) {
    sooner(next_user_);
    sooner(next_trouble_);
    sooner(end_of_trouble_);
  }
  return next;
}

void World::advance_to_next() {
  const std::optional<Time> next = next_time();
  if (next && *next > clock_.now()) clock_.set(*next);
}

void World::dare_to_crash() {
  database_->set_commit_hook([this](bool committed) {
    if (calm_ || !chance(crash_chance_)) return;
    tell("dies {} a commit", committed ? "after" : "before");
    throw Crash();
  });
}

World::View World::view() {
  View result;
  database_->set_commit_hook({});
  const Result<void> read = database_->read([&](store::Session& session) -> Result<void> {
    result.service = ecs::find_service(session, service_id_);
    result.deployments = ecs::open_deployments(session, service_id_);
    result.tasks = ecs::open_tasks_of_service(session, service_id_);
    return ok();
  });
  if (!read) fail("the store cannot be read: {}", read.error().message);
  dare_to_crash();
  return result;
}

int World::live(const View& view) {
  return static_cast<int>(std::count_if(view.tasks.begin(), view.tasks.end(), [](const Task& task) {
    return task.desired_running && task.status != ecs::TaskStatus::stopped;
  }));
}

bool World::is_healthy(const Task& task) const {
  if (!task.desired_running || task.status != ecs::TaskStatus::running) return false;
  return checked_ ? ecs::task_health(task) == ecs::Health::healthy : clock_.now() >= *task.started_at + timing_.settle;
}

int World::healthy(const View& view) const {
  return static_cast<int>(
      std::count_if(view.tasks.begin(), view.tasks.end(), [&](const Task& task) { return is_healthy(task); }));
}

void World::check_step(const View& before, const View& after) {
  if (!after.service) return fail("the service is lost");
  std::map<std::string, const Task*> old;
  for (const Task& task : before.tasks) old.emplace(task.id, &task);
  bool any_new = false;
  bool stopped_healthy = false;
  std::map<std::string, std::set<std::string>> digests;
  for (const Task& task : after.tasks) {
    const auto known = old.find(task.id);
    any_new = any_new || known == old.end();
    const bool was_healthy = known != old.end() && is_healthy(*known->second);
    const bool our_doing = !task.desired_running && task.stop_code == ecs::StopCode::service_scheduler_initiated;
    stopped_healthy = stopped_healthy || (was_healthy && our_doing && ecs::task_health(task) != ecs::Health::unhealthy);
    if (task.resolved) digests[task.deployment_id].insert(task.containers[0].state.image_digest);
  }
  if (any_new && live(after) > ecs::upper_bound(*after.service)) {
    fail("{} tasks, above the upper bound {}", live(after), ecs::upper_bound(*after.service));
  }
  if (stopped_healthy && healthy(after) < ecs::lower_bound(*after.service)) {
    fail("{} healthy tasks after our own stops, below the lower bound {}", healthy(after),
         ecs::lower_bound(*after.service));
  }
  for (const auto& [deployment, of] : digests) {
    if (of.size() > 1) fail("deployment {} runs {} different digests", deployment, of.size());
  }
  const auto primaries = std::count_if(
      after.deployments.begin(), after.deployments.end(),
      [](const ecs::Deployment& deployment) { return deployment.status == ecs::DeploymentStatus::primary; });
  if (primaries != 1) fail("{} PRIMARY deployments", primaries);
  if (after.service->desired_count != asked_count_) fail("the desired count that was acknowledged is lost");
}

void World::step_scheduler() {
  if (!awake_ && !(wake_at_ && *wake_at_ <= clock_.now())) return;
  const View before = view();
  for (int rounds = 0; rounds < 50; ++rounds) {
    awake_ = false;
    wake_at_ = scheduler_->step();
    if (!awake_ && !(wake_at_ && *wake_at_ <= clock_.now())) break;
  }
  const View after = view();
  if (options_.tell) {
    for (const Task& task : after.tasks) {
      tell("  task {} of {}: {} {} {}{} {}", task.id.substr(0, 6), task.deployment_id.substr(8, 6),
           ecs::wire_name(task.status), ecs::wire_name(ecs::task_health(task)),
           task.desired_running ? "" : "-> STOPPED ", ecs::wire_name(task.stop_code), task.stopped_reason);
    }
    for (const ecs::Deployment& deployment : after.deployments) {
      tell("  deployment {}: {} {} failed {} desired {}", deployment.id.substr(8, 6), ecs::wire_name(deployment.status),
           ecs::wire_name(deployment.rollout_state), deployment.failed_tasks, deployment.desired_count);
    }
  }
  check_step(before, after);
}

// Nothing is under way and nothing is due soon.
bool World::quiet() {
  if (!executor_->idle() || engine_.undelivered() > 0 || awake_) return false;
  const View now = view();
  const ecs::Deployment* primary = nullptr;
  for (const ecs::Deployment& deployment : now.deployments) {
    if (deployment.status == ecs::DeploymentStatus::primary) primary = &deployment;
  }
  if (primary == nullptr) return false;
  const bool ends = primary->rollout_state == ecs::RolloutState::completed && now.deployments.size() == 1 &&
                    live(now) == asked_count_ && healthy(now) == asked_count_;
  const bool failed = primary->rollout_state == ecs::RolloutState::failed && !primary->is_rollback;
  const bool hopeless = !now.service->breaker_enabled && !works(asked_behaviour_, checked_) &&
                        clock_.now() > end_of_trouble_ + long_enough;
  return ends || failed || hopeless;
}

void World::check_end() {
  const View now = view();
  const ecs::Deployment& primary = now.deployments.front();
  const bool good = works(asked_behaviour_, checked_);
  // ceil(lower) and floor(upper) may meet: then nothing may be started before something stops, nor stopped before
  // something starts.
  const bool stuck_by_bounds = ecs::lower_bound(*now.service) >= ecs::upper_bound(*now.service) && asked_count_ > 0;
  // A deployment of no tasks completes whatever its version is like; scaling it out later is no deployment.
  if (!good && zero_since_update_) return;
  if (primary.rollout_state == ecs::RolloutState::completed) {
    if (healthy(now) != asked_count_) fail("completed with {} healthy tasks of {}", healthy(now), asked_count_);
    if (primary.id != asked_deployment_) {
      const Result<std::optional<ecs::Deployment>> asked =
          database_->read([&](store::Session& session) -> Result<std::optional<ecs::Deployment>> {
            return ecs::find_deployment(session, asked_deployment_);
          });
      if (!*asked) return fail("the deployment that was acknowledged is lost");
      if ((*asked)->rollout_state != ecs::RolloutState::failed)
        fail("another deployment is PRIMARY, and the one asked for is not FAILED");
      if (!now.service->breaker_rollback || !now.service->breaker_enabled) fail("rolled back without being asked to");
    } else if (!good && asked_count_ > 0) {
      fail("a version that never works is COMPLETED");
    }
  } else if (stuck_by_bounds) {
    return;
  } else if (good && primary.id == asked_deployment_ && primary.rollout_state == ecs::RolloutState::in_progress) {
    fail("a good version did not complete");
  } else if (!good && now.service->breaker_enabled && asked_count_ > 0 &&
             primary.rollout_state == ecs::RolloutState::in_progress) {
    fail("the breaker did not trip");
  }
  std::set<std::string> wanted;
  for (const Task& task : now.tasks) {
    if (task.status != ecs::TaskStatus::running) continue;
    for (std::size_t i = 0; i < task.containers.size(); ++i) wanted.insert(ecs::TaskDriver::container_name(task, i));
  }
  const Result<std::vector<std::string>> unfinished =
      database_->read([&](store::Session& session) -> Result<std::vector<std::string>> {
        std::vector<std::string> names;
        for (const Task& task : ecs::unfinished_tasks(session)) {
          for (std::size_t i = 0; i < task.containers.size(); ++i) {
            names.push_back(ecs::TaskDriver::container_name(task, i));
          }
          if (ecs::TaskNetwork::is_shared(task)) names.push_back(ecs::TaskNetwork::pause_name(task));
        }
        for (const std::string& id : one_off_) {
          if (!ecs::find_task(session, id)) names.push_back("lost task " + id);
        }
        return names;
      });
  for (const std::string& name : *unfinished) {
    if (name.starts_with("lost")) fail("{} was acknowledged", name);
  }
  const std::set<std::string> known(unfinished->begin(), unfinished->end());
  std::set<std::string> present;
  for (const containers::Container& container : containers_now()) {
    if (container.status == containers::ContainerStatus::running) present.insert(container.name);
    if (!known.contains(container.name)) fail("container {} was left behind", container.name);
  }
  std::map<std::string, std::set<std::string>> namespaces;
  for (const containers::Container& container : containers_now()) {
    if (container.status != containers::ContainerStatus::running || is_pause(container)) continue;
    namespaces[container.labels.at("kaapi.task")].insert(engine_.spec(container.id)->network);
  }
  for (const auto& [task, of] : namespaces) {
    if (of.size() > 1) fail("the containers of task {} are in {} namespaces", task, of.size());
  }
  for (const std::string& name : wanted) {
    if (!present.contains(name)) fail("a RUNNING task has no container: {}", name);
  }
}

std::string World::run() {
  start_platform();
  create_service();
  dare_to_crash();
  next_user_ = clock_.now() + Duration(between(500, 20'000));
  next_trouble_ = clock_.now() + Duration(1'000);
  end_of_trouble_ = clock_.now() + trouble_lasts;
  Time deadline = end_of_trouble_ + patience;
  for (int steps = 0; fault_.empty(); ++steps) {
    if (steps > max_steps) {
      fail("no rest after {} steps", max_steps);
      break;
    }
    try {
      advance_to_next();
      if (!calm_ && clock_.now() >= end_of_trouble_) {
        calm_ = true;
        tell("--- calm ---");
        engine_.disconnect_events();  // whatever was missed is told now
      }
      executor_->run_due();
      if (!calm_ && clock_.now() >= next_user_) user_acts();
      if (!calm_ && clock_.now() >= next_trouble_) trouble();
      engine_.deliver(static_cast<std::size_t>(between(0, 5)) + (calm_ ? 100U : 0U));
      output_->tell_drained();
      step_scheduler();
      if (!calm_ && chance(crash_chance_)) crash();
    } catch (const Crash&) {
      crash();
    }
    if (calm_ && (quiet() || clock_.now() > deadline)) break;
    if (calm_ && !next_time() && !awake_ && engine_.undelivered() == 0) break;
  }
  if (fault_.empty()) check_end();
  return fault_;
}

}  // namespace kaapi::simulation
