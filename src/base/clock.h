#pragma once
// Time as the product sees it: milliseconds since the Unix epoch, read through an interface so that tests and the
// simulation own it.

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace kaapi {

using Duration = std::chrono::milliseconds;
using Time = std::chrono::time_point<std::chrono::system_clock, Duration>;

constexpr std::int64_t to_millis(Time time) {
  return time.time_since_epoch().count();
}
constexpr Time from_millis(std::int64_t millis) {
  return Time(Duration(millis));
}

// "2026-07-01T09:30:00.125Z" (RFC 3339, UTC).
std::string format_time(Time time);

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time now() const override;
};

// A clock that stands until it is moved. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Time start = from_millis(1'750'000'000'000)) : now_(start) {}
  Time now() const override;
  void advance(Duration by);
  void set(Time time);

 private:
  mutable std::mutex mutex_;
  Time now_;
};

}  // namespace kaapi
