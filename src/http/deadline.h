#pragma once
// When a connection has waited long enough. No timer per connection: the owner stores a time, one watcher looks through
// all of them when the earliest is due.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace kaapi::http {

// Milliseconds of the steady clock.
using Millis = std::int64_t;

inline Millis now_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// What a connection waits for.
enum class Wait : std::uint8_t { idle, head, body, write, linger };

// The owner sets and clears; any thread may expire. A deadline is expired by exactly one side: either the owner's
// clear() comes first and the watcher finds nothing, or clear() reports it. set() and clear() also order the owner's
// memory for the next owner.
class Deadline {
 public:
  void set(Wait wait, Millis due) { packed_.store((due << wait_bits) | static_cast<Millis>(wait)); }
  // True when it had expired.
  bool clear() { return packed_.exchange(0) < 0; }

  // When it is due; nullopt when none is set or it has expired.
  std::optional<Millis> due() const {
    const Millis packed = packed_.load();
    return packed > 0 ? std::optional<Millis>(packed >> wait_bits) : std::nullopt;
  }
  // Expires it when one is set and condition(Wait, Millis due) agrees; then says what was waited for.
  template <class Condition>
  std::optional<Wait> expire_if(Condition&& condition) {
    Millis packed = packed_.load();
    if (packed <= 0) return std::nullopt;
    const auto wait = static_cast<Wait>(packed & ((1 << wait_bits) - 1));
    if (!condition(wait, packed >> wait_bits)) return std::nullopt;
    return packed_.compare_exchange_strong(packed, -packed) ? std::optional<Wait>(wait) : std::nullopt;
  }

 private:
  static constexpr int wait_bits = 3;
  std::atomic<Millis> packed_{0};  // 0: none; negative: expired
};

}  // namespace kaapi::http
