#pragma once
// Where the scheduler's engine calls run: two bounded pools of threads that come on demand and end when idle.

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>

#include "ecs/edges.h"
#include "http/threads.h"

namespace kaapi::daemon {

struct ExecutorConfig {
  std::size_t slow_threads = 16;   // pulls and starts
  std::size_t quick_threads = 32;  // probes, signals, looks
};

// How much there is to do in one lane. What waits is bounded by the tasks: each has a few calls at most.
struct LaneLoad {
  std::size_t running = 0;
  std::size_t waiting = 0;
};

// Thread-safe.
class ThreadExecutor final : public ecs::Executor {
 public:
  explicit ThreadExecutor(ExecutorConfig config = {});
  ~ThreadExecutor() override;  // as stop(), without a limit

  // After stop() the work is dropped.
  void run(ecs::Lane lane, std::function<void()> work) override;
  LaneLoad load(ecs::Lane lane) const;
  // Drops what waits, and waits for what runs, this long at most. False when something still runs then: it must be left
  // in peace until the process ends.
  bool stop(std::chrono::milliseconds grace);

 private:
  struct LaneState {
    explicit LaneState(std::size_t threads) : pool(threads) {}
    std::size_t running = 0;
    std::size_t waiting = 0;
    http::ElasticPool pool;
  };
  void carry_out(LaneState& lane, const std::function<void()>& work);
  LaneState& state_of(ecs::Lane lane) { return lane == ecs::Lane::slow ? slow_ : quick_; }

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  bool stopping_ = false;
  LaneState slow_;
  LaneState quick_;
};

}  // namespace kaapi::daemon
