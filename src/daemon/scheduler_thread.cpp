#include "daemon/scheduler_thread.h"

#include <exception>

#include "base/log.h"

namespace kaapi::daemon {
namespace {

constexpr Duration retry_after_failure{1'000};

// A round that throws is our own mistake or a machine without memory. Whatever it was, the next round may do better.
std::optional<Time> step(ecs::Scheduler& scheduler) {
  try {
    return scheduler.step();
  } catch (const std::exception& failure) {
    log::error("daemon", "a scheduler round failed and will be tried again: {}", failure.what());
    return SystemClock().now() + retry_after_failure;
  }
}

}  // namespace

SchedulerThread::SchedulerThread(ecs::Scheduler& scheduler) : scheduler_(scheduler) {
  scheduler_.on_work([this] {
    const std::lock_guard lock(mutex_);
    work_ = true;
    changed_.notify_one();
  });
}

Result<void> SchedulerThread::start() {
  if (thread_.start([this] { run(); })) return ok();
  return internal_error("the machine has no room for another thread");
}

void SchedulerThread::stop() {
  scheduler_.on_work(nullptr);
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

void SchedulerThread::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    work_ = false;
    lock.unlock();
    const std::optional<Time> due = step(scheduler_);
    if (look_) look_();
    lock.lock();
    const auto something = [this] { return work_ || stopping_; };
    if (due) {
      changed_.wait_until(lock, *due, something);
    } else {
      changed_.wait(lock, something);
    }
  }
}

}  // namespace kaapi::daemon
