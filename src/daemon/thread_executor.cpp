#include "daemon/thread_executor.h"

#include <exception>

#include "base/log.h"

namespace kaapi::daemon {

ThreadExecutor::ThreadExecutor(ExecutorConfig config) : slow_(config.slow_threads), quick_(config.quick_threads) {}

ThreadExecutor::~ThreadExecutor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  slow_.pool.stop();
  quick_.pool.stop();
}

void ThreadExecutor::run(ecs::Lane lane, std::function<void()> work) {
  LaneState& state = state_of(lane);
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    ++state.waiting;
  }
  const auto shared = std::make_shared<std::function<void()>>(std::move(work));
  if (state.pool.submit([this, &state, shared] { carry_out(state, *shared); })) return;
  // Lost work would leave its task waiting for ever.
  log::warn("daemon", "the machine has no room for another thread: the scheduler itself calls the engine");
  carry_out(state, *shared);
}

void ThreadExecutor::carry_out(LaneState& lane, const std::function<void()>& work) {
  {
    const std::lock_guard lock(mutex_);
    --lane.waiting;
    if (stopping_) return;
    ++lane.running;
  }
  try {
    work();
  } catch (const std::exception& failure) {
    log::error("daemon", "a call to the engine ended in a way it must not: {}", failure.what());
  }
  const std::lock_guard lock(mutex_);
  --lane.running;
  ended_.notify_all();
}

LaneLoad ThreadExecutor::load(ecs::Lane lane) const {
  const std::lock_guard lock(mutex_);
  const LaneState& state = lane == ecs::Lane::slow ? slow_ : quick_;
  return {state.running, state.waiting};
}

bool ThreadExecutor::stop(std::chrono::milliseconds grace) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  return ended_.wait_for(lock, grace, [this] { return slow_.running == 0 && quick_.running == 0; });
}

}  // namespace kaapi::daemon
