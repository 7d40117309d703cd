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

}  // namespace kaapi::cli
