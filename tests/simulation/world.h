#pragma once
// A whole platform in one thread: real scheduler and store, fake engine, clock and executor, and trouble drawn from a
// seed.

#include <fmt/format.h>

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "containers/fake_engine.h"
#include "ecs/driver.h"
#include "ecs/edges.h"
#include "ecs/model.h"
#include "ecs/scheduler.h"
#include "store/database.h"

namespace kaapi::simulation {

// What the containers of one version of the application are like.
enum class Behaviour { good, slow, crashes_at_start, crashes_soon, never_healthy, image_missing };

// Thrown from a commit: the platform dies.
struct Crash {};

struct Options {
  std::uint64_t seed = 0;
  bool tell = false;  // print the story
};

// Of a task's network, not one of its containers.
bool is_pause(const containers::Container& container);

class World {
 public:
  explicit World(Options options);
  ~World();

  // Lets a service live through updates and trouble, then lets the trouble end. Returns what went wrong; empty:
  // nothing.
  std::string run();

 private:
  // Work that the executor has taken and not done yet.
  struct Pending {
    Time due;
    std::uint64_t order;
    std::function<void()> work;
    bool operator<(const Pending& other) const { return std::tie(due, order) < std::tie(other.due, other.order); }
  };
  class QueueExecutor;
  class TagImages;
  class WatchedOutput;

  bool chance(double probability);
  std::int64_t between(std::int64_t low, std::int64_t high);
  template <class... Args>
  void tell(fmt::format_string<Args...> format, Args&&... args);

  void set_up_engine();
  void start_platform();
  void crash();
  void dare_to_crash();

  Result<ecs::Task> make_task();
  void create_service();
  void user_acts();
  void act_as_user();
  void push_version(Behaviour behaviour);
  void update();
  void scale();
  void stop_some_task();
  void run_task();
  std::vector<containers::Container> containers_now();
  void trouble();
  void step_scheduler();
  void advance_to_next();
  std::optional<Time> next_time() const;

  // Checks; each adds to fault_ what it finds.
  struct View {
    std::optional<ecs::Service> service;
    std::vector<ecs::Deployment> deployments;
    std::vector<ecs::Task> tasks;
  };
  View view();
  static int live(const View& view);
  bool is_healthy(const ecs::Task& task) const;
  int healthy(const View& view) const;
  void check_removal(const std::string& container);
  void check_step(const View& before, const View& after);
  void check_end();
  void check_outcome(const View& now);
  void check_rolled_back(const View& now);
  void check_acknowledged();
  void check_containers(const View& now);
  void check_namespaces();
  bool quiet();
  template <class... Args>
  void fail(fmt::format_string<Args...> format, Args&&... args);

  Options options_;
  std::mt19937_64 random_;
  ManualClock clock_;
  const bool paired_;  // tasks have two containers that share a network namespace
  SeededIds ids_;
  containers::FakeEngine engine_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<TagImages> images_;
  std::unique_ptr<WatchedOutput> output_;
  std::unique_ptr<QueueExecutor> executor_;
  std::unique_ptr<ecs::TaskDriver> driver_;
  std::unique_ptr<ecs::Scheduler> scheduler_;
  std::unique_ptr<containers::Subscription> events_;
  ecs::RolloutTiming timing_;

  bool calm_ = false;        // the trouble is over
  bool watching_ = false;    // the world itself looks at the engine: no trouble for it
  double crash_chance_ = 0;  // per commit
  bool awake_ = false;       // the scheduler asked for a step
  std::optional<Time> wake_at_;
  Time next_user_{};
  Time next_trouble_{};
  Time end_of_trouble_{};

  std::int64_t service_id_ = 0;
  int version_ = 0;
  std::map<std::string, Behaviour> behaviours_;  // by digest
  std::set<std::string> stored_;                 // containers, by id, whose output is all in the log store
  std::map<std::string, int> starts_;            // by container name
  std::string asked_deployment_;                 // the last that was acknowledged
  Behaviour asked_behaviour_ = Behaviour::good;
  int asked_count_ = 0;
  bool checked_ = true;               // its containers have a health check
  bool zero_since_update_ = false;    // no task was wanted at some time since the last update
  std::vector<std::string> one_off_;  // acknowledged tasks of RunTask
  std::string fault_;
};

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

}  // namespace kaapi::simulation
