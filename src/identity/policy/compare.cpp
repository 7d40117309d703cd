#include "identity/policy/compare.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <string>

#include "base/text.h"
#include "identity/policy/condition.h"

namespace kaapi::identity::policy {
namespace {

constexpr int v4_bits = 32;
constexpr int v6_bits = 128;

// Takes exactly `digits` digits off the front.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

// The digits behind a decimal point, as milliseconds; what is finer is cut off.
std::optional<std::int64_t> take_fraction_ms(std::string_view& text) {
  std::int64_t millis = 0;
  std::int64_t unit = 100;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    millis += unit * (text[digits] - '0');
    unit /= 10;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return millis;
}

// "Z", "+hh:mm" or "-hh:mm", as minutes to subtract.
std::optional<int> take_zone_minutes(std::string_view& text) {
  if (take(text, 'Z')) return 0;
  const int sign = text.starts_with('-') ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const std::optional<int> hours = take_digits(text, 2);
  if (!hours || *hours > 23) return std::nullopt;
  take(text, ':');
  const std::optional<int> minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

// "hh:mm[:ss[.fraction]]" and the zone.
std::optional<std::int64_t> take_time_ms(std::string_view& text) {
  const std::optional<int> hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const std::optional<int> minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  std::int64_t millis = (*hour * 60LL + *minute) * 60'000;
  if (take(text, ':')) {
    const std::optional<int> second = take_digits(text, 2);
    if (!second || *second > 59) return std::nullopt;
    millis += *second * 1'000LL;
    if (take(text, '.')) {
      const std::optional<std::int64_t> fraction = take_fraction_ms(text);
      if (!fraction) return std::nullopt;
      millis += *fraction;
    }
  }
  const std::optional<int> zone = take_zone_minutes(text);
  if (!zone) return std::nullopt;
  return millis - *zone * 60'000LL;
}

std::optional<std::int64_t> parse_iso_date(std::string_view text) {
  const std::optional<int> year = take_digits(text, 4);
  if (!year) return std::nullopt;
  std::optional<int> month = 1;
  std::optional<int> day = 1;
  std::optional<std::int64_t> time = 0;
  if (take(text, '-')) {
    month = take_digits(text, 2);
    if (month && take(text, '-')) {
      day = take_digits(text, 2);
      if (day && take(text, 'T')) time = take_time_ms(text);
    }
  }
  if (!month || !day || !time || !text.empty()) return std::nullopt;
  const std::chrono::year_month_day date(std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day)));
  if (!date.ok()) return std::nullopt;
  const auto days = std::chrono::sys_days(date).time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(days).count() + *time;
}

template <class T>
bool stands(Comparison equals, Comparison comparison, const std::optional<T>& policy, const std::optional<T>& request) {
  if (!policy || !request) return false;
  // The five comparisons of a type stand in one order.
  switch (static_cast<int>(comparison) - static_cast<int>(equals)) {
    case 0:
      return *request == *policy;
    case 1:
      return *request < *policy;
    case 2:
      return *request <= *policy;
    case 3:
      return *request > *policy;
    default:
      return *request >= *policy;
  }
}

bool same_bool(std::string_view policy, std::string_view request) {
  const std::string wanted = lower(policy);
  return (wanted == "true" || wanted == "false") && lower(request) == wanted;
}

bool same_bytes(std::string_view policy, std::string_view request) {
  const std::optional<std::string> wanted = base64_decode(policy);
  return wanted && base64_decode(request) == wanted;
}

bool in_network(std::string_view policy, std::string_view request) {
  const std::optional<IpRange> network = parse_ip(policy);
  const std::optional<IpRange> address = parse_ip(request);
  return network && address && contains(*network, *address);
}

}  // namespace

std::optional<long double> parse_decimal(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return std::nullopt;
  if (text.starts_with('+')) text.remove_prefix(1);
  long double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_date(std::string_view text) {
  constexpr std::size_t year_digits = 4;
  if (text.find_first_not_of("0123456789.") == std::string_view::npos && text.size() != year_digits) {
    const std::optional<long double> seconds = parse_decimal(text);
    constexpr long double max_epoch_s = 1e12L;
    if (!seconds || *seconds > max_epoch_s) return std::nullopt;
    return static_cast<std::int64_t>(std::floor(*seconds * 1'000));
  }
  return parse_iso_date(text);
}

std::optional<IpRange> parse_ip(std::string_view text) {
  IpRange range;
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  if (address.find('\0') != std::string::npos) return std::nullopt;
  range.v6 = address.find(':') != std::string::npos;
  if (inet_pton(range.v6 ? AF_INET6 : AF_INET, address.c_str(), range.bytes.data()) != 1) return std::nullopt;
  const int bits = range.v6 ? v6_bits : v4_bits;
  range.prefix_bits = bits;
  if (slash != std::string_view::npos) {
    const std::optional<std::int64_t> prefix = parse_number(text.substr(slash + 1));
    if (!prefix || *prefix > bits) return std::nullopt;
    range.prefix_bits = static_cast<int>(*prefix);
  }
  constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
  if (range.v6 && range.prefix_bits >= v6_bits - v4_bits &&
      std::equal(mapped.begin(), mapped.end(), range.bytes.begin())) {
    range.v6 = false;
    range.prefix_bits -= v6_bits - v4_bits;
    std::copy(range.bytes.begin() + mapped.size(), range.bytes.end(), range.bytes.begin());
  }
  return range;
}

bool contains(const IpRange& network, const IpRange& address) {
  if (network.v6 != address.v6 || address.prefix_bits < network.prefix_bits) return false;
  const auto whole = static_cast<std::size_t>(network.prefix_bits / 8);
  if (std::memcmp(network.bytes.data(), address.bytes.data(), whole) != 0) return false;
  const int rest = network.prefix_bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xFFU << static_cast<unsigned>(8 - rest));
  return ((network.bytes.at(whole) ^ address.bytes.at(whole)) & mask) == 0;
}

bool is_arn(std::string_view text) {
  constexpr std::ptrdiff_t colons = 5;
  return text.starts_with("arn:") && std::count(text.begin(), text.end(), ':') >= colons;
}

bool compare(Comparison comparison, std::string_view policy, std::string_view request) {
  switch (comparison) {
    case Comparison::string_equals:
      return policy == request;
    case Comparison::string_equals_ignore_case:
      return policy.size() == request.size() && lower(policy) == lower(request);
    case Comparison::string_like:
      return wildcard_match(policy, request);
    case Comparison::numeric_equals:
    case Comparison::numeric_less:
    case Comparison::numeric_less_equals:
    case Comparison::numeric_greater:
    case Comparison::numeric_greater_equals:
      return stands(Comparison::numeric_equals, comparison, parse_decimal(policy), parse_decimal(request));
    case Comparison::date_equals:
    case Comparison::date_less:
    case Comparison::date_less_equals:
    case Comparison::date_greater:
    case Comparison::date_greater_equals:
      return stands(Comparison::date_equals, comparison, parse_date(policy), parse_date(request));
    case Comparison::boolean:
      return same_bool(policy, request);
    case Comparison::binary_equals:
      return same_bytes(policy, request);
    case Comparison::ip_address:
      return in_network(policy, request);
    case Comparison::arn_like:
      return is_arn(request) && wildcard_match(policy, request);
    case Comparison::null:
      return false;  // asks about the key, not its values: evaluate()
  }
  return false;
}

}  // namespace kaapi::identity::policy
