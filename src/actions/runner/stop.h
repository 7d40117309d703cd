#pragma once
// Why and how urgently a job shall end. Cancelling lets steps with always() or cancelled() still run; killing does not.

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>

#include "base/file_descriptor.h"

namespace kaapi::actions::runner {

// How long steps with always() have after a cancellation, as GitHub's runner.
inline constexpr std::chrono::minutes cancel_grace{5};

enum class StopLevel { none, cancel, kill };

// Thread-safe. Whoever waits polls descriptor() and not longer than until next_deadline(), then calls tick().
class StopSource {
 public:
  using SteadyTime = std::chrono::steady_clock::time_point;

  StopSource();

  // Rises only; the reason of the first rise stays.
  void raise(StopLevel level, std::string reason);
  // Cancels by itself then.
  void set_deadline(SteadyTime when, std::string reason);

  StopLevel level() const { return level_.load(); }
  std::string reason() const;
  // Readable once level() is above `level`, which is none or cancel.
  int descriptor(StopLevel level) const { return level == StopLevel::none ? cancel_.get() : kill_.get(); }
  std::optional<SteadyTime> next_deadline() const;
  // Raises what is due.
  void tick();
  // Waits until then (nullopt: for ever), or until `readable` has something to be read (-1: nothing). False: level() is
  // above `since`.
  bool wait(StopLevel since, std::optional<SteadyTime> until, int readable = -1);

 private:
  void raise_locked(StopLevel level, std::string reason);

  mutable std::mutex mutex_;
  std::atomic<StopLevel> level_ = StopLevel::none;
  std::string reason_;
  std::optional<SteadyTime> deadline_;
  std::string deadline_reason_;
  FileDescriptor cancel_, kill_;
};

}  // namespace kaapi::actions::runner
