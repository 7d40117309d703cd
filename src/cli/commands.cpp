#include "cli/commands.h"

#include <fmt/format.h>

#include <limits>

#include "base/text.h"

namespace kaapi::cli {

Result<ListenAddress> parse_listen_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const std::string_view host = text.substr(0, colon == std::string_view::npos ? 0 : colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  const bool ambiguous = !bracketed && host.find(':') != std::string_view::npos;
  const auto port = colon == std::string_view::npos ? std::nullopt : parse_number(text.substr(colon + 1));
  if (host.empty() || ambiguous || !port || *port > std::numeric_limits<std::uint16_t>::max()) {
    return make_error(errc::invalid,
                      fmt::format("'{}' is no address to listen on: it takes ADDRESS:PORT, like 127.0.0.1:4566 or "
                                  "[::1]:4566",
                                  text));
  }
  return ListenAddress{std::string(host), static_cast<std::uint16_t>(*port)};
}

Result<std::chrono::seconds> parse_duration(std::string_view text) {
  constexpr std::int64_t longest_s = 100LL * 365 * 24 * 3600;
  const auto seconds_of = [](char unit) -> std::int64_t {
    switch (unit) {
      case 's':
        return 1;
      case 'm':
        return 60;
      case 'h':
        return 3600;
      case 'd':
        return 24 * 3600;
      default:
        return 0;
    }
  };
  const std::int64_t unit = text.empty() ? 0 : seconds_of(text.back());
  const auto count = unit == 0 ? std::nullopt : parse_number(text.substr(0, text.size() - 1));
  if (!count || *count > longest_s / unit) {
    return make_error(
        errc::invalid,
        fmt::format("'{}' is no length of time: it takes a number and s, m, h or d, like 90s, 30m, 1h or 2d", text));
  }
  return std::chrono::seconds(*count * unit);
}

}  // namespace kaapi::cli
