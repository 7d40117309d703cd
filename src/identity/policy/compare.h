#pragma once
// Values of conditions, read strictly. nullopt: the text is none of the type.

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kaapi::identity::policy {

// A decimal number, with an optional fraction and exponent.
std::optional<long double> parse_decimal(std::string_view text);

// Milliseconds since the epoch, of an ISO 8601 date (W3C profile: YYYY, YYYY-MM, YYYY-MM-DD, with Thh:mm[:ss[.f]] and
// Z or +hh:mm) or of epoch seconds. Four digits are a year.
std::optional<std::int64_t> parse_date(std::string_view text);

// One address, or a network in CIDR notation. IPv4 in IPv6 ("::ffff:127.0.0.1") counts as IPv4.
struct IpRange {
  bool v6 = false;
  std::array<std::uint8_t, 16> bytes{};
  int prefix_bits = 0;
};
std::optional<IpRange> parse_ip(std::string_view text);
bool contains(const IpRange& network, const IpRange& address);

// "arn:" and five more colons or more.
bool is_arn(std::string_view text);

}  // namespace kaapi::identity::policy
