#pragma once
// Turns facts and wake-ups into decisions, commits them, and has them carried out. One round at a time, on one thread;
// engine calls run elsewhere and come back as facts. Idle services cost nothing: there is no polling, only timers that
// a decision asked for.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "ecs/driver.h"
#include "ecs/edges.h"
#include "ecs/lifecycle.h"
#include "ecs/rollout.h"
#include "ecs/waker.h"
#include "store/database.h"

namespace kaapi::ecs {

struct RoundOutput;

class Scheduler final : public Waker {
 public:
  // All references outlive the scheduler.
  Scheduler(store::Database& database, TaskDriver& driver, Executor& executor, const Clock& clock, IdSource& ids,
            TaskFactory factory, RolloutTiming timing);
  ~Scheduler() override;

  // Called from any thread whenever there is something for step() to do. Set before begin().
  void on_work(std::function<void()> notify);
  // Looks at everything that is stored and at everything that the engine has; nothing is started or stopped before that
  // look is over.
  void begin();

  // Thread-safe.
  void service_changed(std::int64_t service_id) override;
  void task_changed(const std::string& task_id) override;
  void engine_event(const containers::Event& event);
  // Everything that the container wrote is stored. `source_key` as given to Output::attach.
  void output_drained(const std::string& source_key);

  // One round: takes in what came, decides, commits, acts. Returns when the next timer is due; nullopt: only when
  // something comes. Only one thread may call it.
  std::optional<Time> step();

 private:
  // Something that was done for a task, with what was seen.
  struct Completion {
    std::string task_id;
    std::optional<Action> action;  // absent: nobody had planned it, it was only seen
    std::vector<Fact> facts;
  };
  // What the engine said of a container that carries a task's labels. So may anybody's, by an image that brings them
  // along: whether it is the task's is seen by its id.
  struct Heard {
    std::string task_id;
    std::size_t container = 0;
    std::string runtime_id;
    std::optional<ContainerExited> exited;  // absent: the engine must be asked
  };
  // What came from other threads since the last round. Shared with work in flight, which may outlive the scheduler.
  struct Inbox {
    std::mutex mutex;
    std::vector<Completion> completions;
    std::set<std::int64_t> services;
    std::set<std::string> tasks;
    std::vector<Heard> heard;
    Time engine_back_at{};  // what ended before this was told late
    std::optional<Result<std::vector<TaskFact>>> resync;
    bool resync_wanted = false;
    std::function<void()> notify;
  };
  // A timer's key: a service's number or a task's id.
  using Key = std::variant<std::int64_t, std::string>;

  template <class Change>
  void put(Change&& change);
  void start_resync();
  void take_in(Time now);
  void take_resync(Result<std::vector<TaskFact>> outcome, Time now);
  void take_due(Time now);
  bool nothing_to_do() const;
  void set_timer(const Key& key, std::optional<Time> at);
  void act(const std::shared_ptr<const Task>& task, const Action& action);
  // What is to be asked of the engine after the commit.
  struct Questions {
    std::vector<std::pair<Task, std::size_t>> looks;
    std::vector<std::pair<std::string, ContainerExited>> exits;
    std::vector<Heard> held;  // of containers whose start is under way: their ids are not known yet
  };
  Questions sort_heard(store::Session& session, std::vector<TaskFact>& facts) const;
  void release_held(const std::string& task_id);
  void look(Task task, std::size_t container);
  void hand_over(Lane lane, std::string task_id, std::optional<Action> action, std::function<std::vector<Fact>()> call);
  void carry_out(RoundOutput output);
  std::optional<Time> next_due() const;

  store::Database& database_;
  TaskDriver& driver_;
  Executor& executor_;
  const Clock& clock_;
  IdSource& ids_;
  TaskFactory factory_;
  RolloutTiming timing_;
  std::shared_ptr<Inbox> inbox_;

  bool synced_ = false;
  bool resyncing_ = false;
  std::optional<Time> resync_at_;
  std::optional<Time> hold_until_;  // after a failed commit
  std::optional<Time> prune_at_;
  // Waiting for the next round.
  std::vector<TaskFact> facts_;
  std::set<std::int64_t> services_;
  std::set<std::string> tasks_;
  std::vector<Heard> heard_;
  std::vector<Heard> held_;  // until their task's start has come to something
  std::map<std::string, Busy> busy_;
  std::map<Key, Time> timers_;
  std::set<std::pair<Time, Key>> due_;
};

}  // namespace kaapi::ecs
