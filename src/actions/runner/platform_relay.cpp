#include "actions/runner/platform_relay.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>

#include "actions/docker/relay.h"
#include "base/file_descriptor.h"
#include "base/log.h"
#include "base/text.h"
#include "http/listener.h"

namespace kaapi::actions::runner {
namespace {

FileDescriptor connect_to(const http::Endpoint& platform) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(platform.host.c_str(), fmt::format("{}", platform.port).c_str(), &hints, &found) != 0) {
    return FileDescriptor(-1);
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    FileDescriptor line(::socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (line && ::connect(line.get(), entry->ai_addr, entry->ai_addrlen) == 0) return line;
  }
  return FileDescriptor(-1);
}

bool comes_from(const Subnet& subnet, int client) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(client, reinterpret_cast<sockaddr*>(&peer), &size) != 0 || peer.ss_family != AF_INET) return false;
  return subnet.has(ntohl(reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr));
}

void serve(const http::Endpoint& platform, int client, int stop) {
  const FileDescriptor line = connect_to(platform);
  // The client sees what it would see of a platform that is away: a connection that ends.
  if (!line) return log::warn("runner", "a container of the job does not reach the platform: it does not answer");
  docker::relay_stream(client, line.get(), stop, {}, {});
}

// With what stands before it exchanged for `to`, where that is `from` as a whole.
std::optional<std::string> exchanged(std::string_view text, std::string_view from, std::string_view to) {
  if (!text.starts_with(from)) return std::nullopt;
  const std::string_view rest = text.substr(from.size());
  if (!rest.empty() && rest[0] != '/' && rest[0] != '?') return std::nullopt;
  return fmt::format("{}{}", to, rest);
}

std::vector<std::string> names_of(const ServerAddress& platform) {
  return {platform.url, fmt::format("http://127.0.0.1:{}", platform.endpoint.port),
          fmt::format("http://localhost:{}", platform.endpoint.port)};
}

}  // namespace

Result<Subnet> parse_subnet(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto bits = slash == std::string_view::npos ? std::nullopt : parse_number(text.substr(slash + 1));
  in_addr address{};
  if (!bits || *bits > 32 || ::inet_pton(AF_INET, std::string(text.substr(0, slash)).c_str(), &address) != 1) {
    return make_error(errc::invalid, fmt::format("'{}' is no subnet of IPv4", text));
  }
  const std::uint32_t mask = *bits == 0 ? 0 : ~std::uint32_t{0} << (32 - static_cast<unsigned>(*bits));
  return Subnet{ntohl(address.s_addr) & mask, mask};
}

PlatformRelay::PlatformRelay(FileDescriptor listener, std::uint16_t port, std::string gateway, Subnet subnet,
                             const ServerAddress& platform)
    : host_(std::move(gateway)),
      port_(port),
      platform_url_(platform.url),
      names_(names_of(platform)),
      acceptor_(std::move(listener), max_relayed_connections,
                [endpoint = platform.endpoint, subnet](int client, int stop) {
                  if (comes_from(subnet, client)) serve(endpoint, client, stop);
                }) {}

Result<std::unique_ptr<PlatformRelay>> PlatformRelay::open(const std::string& gateway, std::string_view subnet,
                                                           const ServerAddress& platform) {
  const Result<Subnet> peers = parse_subnet(subnet);
  if (!peers) return peers.error();
  Result<http::Listener> listener = http::listen_on(gateway, platform.endpoint.port);
  // A platform that listens everywhere has it already; below 1024 no port is a job's.
  if (!listener) listener = http::listen_on(gateway, 0);
  if (!listener) return listener.error();
  return std::unique_ptr<PlatformRelay>(
      new PlatformRelay(FileDescriptor(listener->fd), listener->port, gateway, *peers, platform));
}

std::string PlatformRelay::url() const {
  return fmt::format("http://{}:{}", host_, port_);
}

std::string PlatformRelay::translate(std::string_view text) const {
  for (const std::string& name : names_) {
    if (auto made = exchanged(text, name, url())) return std::move(*made);
  }
  return std::string(text);
}

std::string PlatformRelay::back(std::string_view text) const {
  return exchanged(text, url(), platform_url_).value_or(std::string(text));
}

}  // namespace kaapi::actions::runner
