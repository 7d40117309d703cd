#include "daemon/addresses.h"

#include <fmt/format.h>

namespace kaapi::daemon {
namespace {

std::string_view bare(std::string_view address) {
  if (address.starts_with('[') && address.ends_with(']')) return address.substr(1, address.size() - 2);
  return address;
}

std::string with_port(std::string_view host, std::uint16_t port) {
  const std::string_view name = bare(host);
  const bool ipv6 = name.find(':') != std::string_view::npos;
  return ipv6 ? fmt::format("[{}]:{}", name, port) : fmt::format("{}:{}", name, port);
}

// A public host may bring its own port: something in front of us may listen elsewhere.
std::string public_name(std::string_view host, std::uint16_t port) {
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos &&
                        (host.starts_with('[') || host.find(':') == colon);
  return has_port ? std::string(host) : with_port(host, port);
}

}  // namespace

bool is_loopback(std::string_view address) {
  const std::string_view name = bare(address);
  return name == "localhost" || name == "::1" || name.starts_with("127.");
}

bool is_wildcard(std::string_view address) {
  const std::string_view name = bare(address);
  return name == "0.0.0.0" || name == "::";
}

Addresses addresses_of(std::string_view listen_address, std::uint16_t port, std::string_view public_host) {
  const bool local = is_loopback(listen_address) || is_wildcard(listen_address);
  Addresses addresses;
  const std::string here = with_port(listen_address, port);
  addresses.endpoint = "http://" + (is_wildcard(listen_address) ? with_port("127.0.0.1", port) : here);
  addresses.pull_host = local ? with_port("localhost", port) : here;
  addresses.registry_host = public_host.empty() ? addresses.pull_host : public_name(public_host, port);
  addresses.own_hosts = {with_port("localhost", port), with_port("127.0.0.1", port)};
  for (const std::string& host : {addresses.registry_host, here}) {
    if (host != addresses.own_hosts[0] && host != addresses.own_hosts[1]) addresses.own_hosts.push_back(host);
  }
  return addresses;
}

}  // namespace kaapi::daemon
