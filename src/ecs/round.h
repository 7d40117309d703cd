#pragma once
// One round of the scheduler inside one transaction: applies facts, asks lifecycle and rollout, stores what changed.
// What is to be done and the timers that were asked for are collected, to be acted on after the commit.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "ecs/driver.h"
#include "ecs/edges.h"
#include "ecs/lifecycle.h"
#include "ecs/rollout.h"
#include "store/database.h"

namespace kaapi::ecs {

struct RoundInput {
  std::vector<TaskFact> facts;
  std::set<std::int64_t> services;
  std::set<std::string> tasks;
};

struct RoundOutput {
  struct TaskOutcome {
    Task task;
    std::vector<Action> actions;
    Busy busy;  // with these actions under way
    std::optional<Time> wake_at;
  };
  std::vector<TaskOutcome> tasks;
  std::map<std::int64_t, std::optional<Time>> services;  // looked at, with their next time
  std::set<std::int64_t> services_left;                  // changed again at the end: for the next round
  bool any_stopped = false;
};

// Not thread-safe; lives as long as the transaction.
class Round {
 public:
  Round(store::Session& session, const std::map<std::string, Busy>& busy, const TaskFactory& factory, IdSource& ids,
        const RolloutTiming& timing, Time now);
  RoundOutput run(const RoundInput& input);

 private:
  struct Loaded {
    Task task;
    std::string stored;  // as it was read; empty for a new one
    TaskPlan plan;       // of the last lifecycle, with the actions of all in this round
    Busy busy;
    bool planned = false;
  };

  Loaded* load(const std::string& id);
  Loaded& add(Task task);
  void apply_fact(const TaskFact& fact);
  void pin(const Task& task, ImagesResolved& resolved);
  void advance(Loaded& loaded);
  void look_at_service(std::int64_t id);
  std::optional<Snapshot> snapshot_of(std::int64_t id);
  // Fixed host ports of one task of the PRIMARY deployment.
  std::vector<PortMapping> wanted_ports(const Snapshot& snapshot);
  void carry_out(const Snapshot& snapshot, const RolloutPlan& plan);
  void start_tasks(const Snapshot& snapshot, const RolloutPlan& plan, const StartTasks& starts);
  void tell(const Service& service, std::string message);
  void warn(const Task& task, const std::string& warning);
  void save_changed();

  store::Session& session_;
  const std::map<std::string, Busy>& busy_;
  const TaskFactory& factory_;
  IdSource& ids_;
  const RolloutTiming& timing_;
  Time now_;
  std::map<std::string, Loaded> loaded_;
  std::set<std::string> to_advance_;
  std::set<std::int64_t> to_look_at_;
  RoundOutput output_;
};

}  // namespace kaapi::ecs
