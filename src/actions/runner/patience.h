#pragma once
// How long to go on with a platform that does not answer: it may be restarting. Pauses double, until it has been away
// for too long.

#include <algorithm>
#include <chrono>
#include <optional>

namespace kaapi::actions::runner {

inline constexpr std::chrono::milliseconds retry_min{100}, retry_max{2'000};

// Not thread-safe.
class Patience {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Patience(std::chrono::milliseconds lost_after) : lost_after_(lost_after) {}

  void answered() {
    away_since_.reset();
    pause_ = retry_min;
  }
  // The pause before the next attempt; nullopt: it is lost.
  std::optional<std::chrono::milliseconds> not_answered(Time now) {
    if (!away_since_) away_since_ = now;
    if (now - *away_since_ >= lost_after_) return std::nullopt;
    const std::chrono::milliseconds pause = pause_;
    pause_ = std::min(pause_ * 2, retry_max);
    return pause;
  }

 private:
  std::chrono::milliseconds lost_after_;
  std::optional<Time> away_since_;
  std::chrono::milliseconds pause_ = retry_min;
};

}  // namespace kaapi::actions::runner
