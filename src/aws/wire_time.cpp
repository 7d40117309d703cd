#include "aws/wire_time.h"

#include <fmt/format.h>

namespace kaapi::aws {
namespace {

// `digits` decimal digits from `at` on, or -1.
int number_at(std::string_view text, std::size_t at, std::size_t digits) {
  int number = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    number = number * 10 + (text[i] - '0');
  }
  return number;
}

std::optional<Time> make_time(int year, int month, int day, int hour, int minute, int second, int millis) {
  if (year < 0 || month < 0 || day < 0 || hour < 0 || minute < 0 || second < 0 || millis < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  return Time(std::chrono::sys_days(date)) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + Duration(millis);
}

}  // namespace

std::optional<Time> parse_wire_time(std::string_view text) {
  constexpr std::size_t whole_seconds = 19;  // "2026-07-01T09:30:00"
  if (text.size() < whole_seconds + 1 || text.size() > 32 || text.back() != 'Z') return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') return std::nullopt;
  int millis = 0;
  const std::string_view fraction = text.substr(whole_seconds, text.size() - whole_seconds - 1);
  if (!fraction.empty()) {
    if (fraction[0] != '.' || fraction.size() < 2) return std::nullopt;
    for (std::size_t i = 1; i < fraction.size(); ++i) {
      if (number_at(fraction, i, 1) < 0) return std::nullopt;
    }
    millis = number_at(std::string(fraction.substr(1)) + "00", 0, 3);
  }
  return make_time(number_at(text, 0, 4), number_at(text, 5, 2), number_at(text, 8, 2), number_at(text, 11, 2),
                   number_at(text, 14, 2), number_at(text, 17, 2), millis);
}

std::optional<Time> parse_basic_time(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  return make_time(number_at(text, 0, 4), number_at(text, 4, 2), number_at(text, 6, 2), number_at(text, 9, 2),
                   number_at(text, 11, 2), number_at(text, 13, 2), 0);
}

std::string format_basic_time(Time time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time - days).count();
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), seconds / 3600,
                     seconds / 60 % 60, seconds % 60);
}

}  // namespace kaapi::aws
