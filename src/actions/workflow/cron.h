#pragma once
// `schedule: - cron:` in UTC: five fields (minute, hour, day of month, month, day of week) as POSIX cron, with names,
// lists, ranges and steps; @hourly and its like are no part of GitHub's syntax.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace kaapi::actions::workflow {

inline constexpr std::size_t max_cron_bytes = 256;
inline constexpr int max_cron_years = 9;  // a 29 February may be eight years away; later than that never comes

// Immutable; thread-safe.
class Cron {
 public:
  // Errors: `Invalid` with the field, what was found and what was expected.
  static Result<Cron> parse(std::string_view text);

  // The first full minute after `after`; nullopt when there is none within max_cron_years (30 February).
  std::optional<Time> next(Time after) const;

  const std::string& text() const { return text_; }

 private:
  bool day_matches(unsigned day, unsigned weekday) const;

  std::string text_;
  std::uint64_t minutes_ = 0;  // one bit for each value
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0;      // 1 to 31
  std::uint64_t months_ = 0;    // 1 to 12
  std::uint64_t weekdays_ = 0;  // 0 is Sunday
  // Both days restricted: either suffices, as in POSIX.
  bool any_day_ = false;
  bool any_weekday_ = false;
};

}  // namespace kaapi::actions::workflow
