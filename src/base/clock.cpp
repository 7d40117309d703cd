#include "base/clock.h"

#include <fmt/format.h>

#include <ctime>

namespace kaapi {

std::string format_time(Time time) {
  const std::int64_t millis = to_millis(time);
  std::int64_t seconds = millis / 1000;
  std::int64_t rest = millis % 1000;
  if (rest < 0) {
    rest += 1000;
    --seconds;
  }
  const std::time_t whole = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&whole, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, rest);
}

Time SystemClock::now() const {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

Time ManualClock::now() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

void ManualClock::advance(Duration by) {
  const std::lock_guard lock(mutex_);
  now_ += by;
}

void ManualClock::set(Time time) {
  const std::lock_guard lock(mutex_);
  now_ = time;
}

}  // namespace kaapi
