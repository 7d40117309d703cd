#include "actions/workflow/cron.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

constexpr std::array<std::string_view, 12> month_names = {"jan", "feb", "mar", "apr", "may", "jun",
                                                          "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> day_names = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct Field {
  std::string_view name;
  unsigned min;
  unsigned max;
  std::span<const std::string_view> names;  // of min, min + 1, ...
};

constexpr std::size_t field_count = 5;
const std::array<Field, field_count> fields = {{
    {"minute", 0, 59, {}},
    {"hour", 0, 23, {}},
    {"day of month", 1, 31, {}},
    {"month", 1, 12, month_names},
    {"day of week", 0, 6, day_names},
}};

Error wrong(const Field& field, std::string_view found) {
  return make_error(errc::invalid,
                    fmt::format("the {} {} is invalid: expected {} to {}, *, a list (1,2), a range (1-5) "
                                "or a step (*/15)",
                                field.name, found, field.min, field.max));
}

std::optional<unsigned> read_value(const Field& field, std::string_view text) {
  for (std::size_t i = 0; i < field.names.size(); ++i) {
    if (lower(text) == field.names[i]) return field.min + static_cast<unsigned>(i);
  }
  const std::optional<std::int64_t> number = text.size() <= 2 ? parse_number(text) : std::nullopt;
  if (!number || *number < field.min || *number > field.max) return std::nullopt;
  return static_cast<unsigned>(*number);
}

// One member of a list: *, 5, 1-5, */15, 10-40/5, 10/5.
Result<std::uint64_t> read_item(const Field& field, std::string_view item) {
  const std::size_t slash = item.find('/');
  std::uint64_t step = 1;
  if (slash != std::string_view::npos) {
    const std::optional<std::int64_t> number = parse_number(item.substr(slash + 1));
    if (!number || *number < 1 || *number > field.max) return wrong(field, item);
    step = static_cast<std::uint64_t>(*number);
  }
  const std::string_view range = item.substr(0, slash);
  std::optional<unsigned> first = field.min, last = field.max;
  if (range != "*") {
    const std::size_t dash = range.find('-');
    first = read_value(field, range.substr(0, dash));
    if (dash != std::string_view::npos) {
      last = read_value(field, range.substr(dash + 1));
    } else if (slash == std::string_view::npos) {
      last = first;
    }
  }
  if (!first || !last || *last < *first) return wrong(field, item);
  std::uint64_t bits = 0;
  for (std::uint64_t value = *first; value <= *last; value += step) bits |= std::uint64_t{1} << value;
  return bits;
}

Result<std::uint64_t> read_field(const Field& field, std::string_view text) {
  std::uint64_t bits = 0;
  for (const std::string& item : split(text, ',')) {
    const Result<std::uint64_t> more = read_item(field, item);
    if (!more) return more.error();
    bits |= *more;
  }
  return bits;
}

bool has(std::uint64_t bits, unsigned value) {
  return ((bits >> value) & 1U) != 0;
}

}  // namespace

Result<Cron> Cron::parse(std::string_view text) {
  if (text.size() > max_cron_bytes) {
    return make_error(errc::invalid, fmt::format("the schedule has more than {} characters", max_cron_bytes));
  }
  std::vector<std::string> words;
  for (std::string& word : split(text, ' ')) {
    if (!word.empty()) words.push_back(std::move(word));
  }
  if (words.size() != field_count) {
    return make_error(errc::invalid,
                      fmt::format("the schedule \"{}\" has {} fields: expected five, minute, hour, day of "
                                  "month, month and day of week",
                                  text, words.size()));
  }
  Cron cron;
  cron.text_ = text;
  const std::array<std::uint64_t*, field_count> bits = {&cron.minutes_, &cron.hours_, &cron.days_, &cron.months_,
                                                        &cron.weekdays_};
  for (std::size_t i = 0; i < field_count; ++i) {
    const Result<std::uint64_t> read = read_field(fields[i], words[i]);
    if (!read) return read.error();
    *bits[i] = *read;
  }
  cron.any_day_ = words[2].starts_with('*');
  cron.any_weekday_ = words[4].starts_with('*');
  return cron;
}

bool Cron::day_matches(unsigned day, unsigned weekday) const {
  const bool by_day = has(days_, day), by_weekday = has(weekdays_, weekday);
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

std::optional<Time> Cron::next(Time after) const {
  using namespace std::chrono;
  const auto first = ceil<minutes>(after + Duration(1));
  auto day = floor<days>(first);
  const auto last_day = day + years(max_cron_years);
  for (; day <= last_day; day += days(1)) {
    const year_month_day date(day);
    if (!has(months_, static_cast<unsigned>(date.month()))) continue;
    if (!day_matches(static_cast<unsigned>(date.day()), weekday(day).c_encoding())) continue;
    const auto earliest = std::max<std::chrono::minutes>(first - day, std::chrono::minutes(0));
    for (unsigned hour = static_cast<unsigned>(floor<hours>(earliest).count()); hour < 24; ++hour) {
      if (!has(hours_, hour)) continue;
      for (unsigned minute = 0; minute < 60; ++minute) {
        const std::chrono::minutes at = hours(hour) + std::chrono::minutes(minute);
        if (has(minutes_, minute) && at >= earliest) return time_point_cast<Duration>(day + at);
      }
    }
  }
  return std::nullopt;
}

}  // namespace kaapi::actions::workflow
