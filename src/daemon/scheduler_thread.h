#pragma once
// The one thread on which the scheduler decides.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <utility>

#include "ecs/scheduler.h"
#include "http/threads.h"

namespace kaapi::daemon {

// Sleeps until something comes or a timer is due; timers are in real time.
class SchedulerThread {
 public:
  // `scheduler` outlives it and belongs to it alone from start() to stop(). Takes the scheduler's on_work().
  explicit SchedulerThread(ecs::Scheduler& scheduler);
  ~SchedulerThread() { stop(); }
  SchedulerThread(const SchedulerThread&) = delete;
  SchedulerThread& operator=(const SchedulerThread&) = delete;

  // Called after each round on that thread, when something may have changed; must be quick. Set before start().
  void on_round(std::function<void()> look) { look_ = std::move(look); }

  // Error: InternalError when the machine has no room for a thread.
  Result<void> start();
  // Lets the round in progress end. Harmless when it does not run.
  void stop();

 private:
  void run();

  ecs::Scheduler& scheduler_;
  std::function<void()> look_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool work_ = true;  // the first look at everything
  bool stopping_ = false;
  http::Thread thread_;
};

}  // namespace kaapi::daemon
