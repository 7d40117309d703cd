#include "actions/runner/endpoint.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions::runner {

Result<ServerAddress> parse_server_address(std::string_view url) {
  constexpr std::string_view scheme = "http://";
  while (url.ends_with('/')) url.remove_suffix(1);
  if (!url.starts_with(scheme)) {
    return make_error(errc::invalid, fmt::format("the platform's address '{}' must begin with http://; a runner on "
                                                 "another machine reaches it through a tunnel (ssh -L, WireGuard)",
                                                 url));
  }
  std::string_view host = url.substr(scheme.size());
  if (host.find_first_of("/?#@ ") != std::string_view::npos) {
    return make_error(errc::invalid, fmt::format("the platform's address '{}' must be http://HOST:PORT, with nothing "
                                                 "behind it",
                                                 url));
  }
  ServerAddress address;
  address.url = url;
  const std::size_t bracket = host.rfind(']');
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    const auto port = parse_number(host.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) {
      return make_error(errc::invalid, fmt::format("the platform's address '{}' has no port from 1 to 65535", url));
    }
    address.endpoint.port = static_cast<std::uint16_t>(*port);
    host = host.substr(0, colon);
  }
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty()) {
    return make_error(errc::invalid, fmt::format("the platform's address '{}' must be http://HOST:PORT", url));
  }
  address.endpoint.host = host;
  address.loopback = host == "localhost" || host == "::1" || host.starts_with("127.");
  return address;
}

std::string answer_text(const http::ClientResponse& answer) {
  if (const Result<json::value> body = parse_json(answer.body)) {
    const std::string message = string_member(*body, "message");
    if (!message.empty()) return fmt::format("{} (status {})", message, answer.status);
  }
  return fmt::format("status {}", answer.status);
}

}  // namespace kaapi::actions::runner
