#include "daemon/machine.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <limits>
#include <memory>

#include "base/text.h"
#include "containers/docker_engine.h"
#include "http/client.h"

namespace kaapi::daemon {
namespace {

constexpr std::chrono::milliseconds patience{3'000};
constexpr std::size_t max_health_bytes = 4'096;
constexpr std::string_view scheme = "http://";

// The peer of "http://HOST:PORT" or "http://[::1]:PORT".
Result<http::Endpoint> peer_of(std::string_view url) {
  const std::string_view rest = url.starts_with(scheme) ? url.substr(scheme.size()) : std::string_view();
  const std::size_t colon = rest.rfind(':');
  const auto port = colon == std::string_view::npos ? std::nullopt : parse_number(rest.substr(colon + 1));
  std::string_view host = rest.substr(0, colon == std::string_view::npos ? 0 : colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host.empty() || !port || *port > std::numeric_limits<std::uint16_t>::max()) {
    return make_error(errc::invalid, fmt::format("'{}' is no address of a platform: it takes http://HOST:PORT", url));
  }
  return http::Endpoint{"", std::string(host), static_cast<std::uint16_t>(*port)};
}

}  // namespace

Result<cli::EngineVersion> engine_version() {
  Result<containers::DockerConfig> config = containers::DockerConfig::from_environment();
  if (!config) return config.error();
  config->call_timeout = patience;
  const Result<containers::EngineInfo> info = containers::DockerEngine(*config).info();
  if (!info) return info.error();
  return cli::EngineVersion{info->version, info->api_version};
}

Result<cli::HealthAnswer> ask_health(const std::string& endpoint) {
  const Result<http::Endpoint> peer = peer_of(endpoint);
  if (!peer) return peer.error();
  http::Client client(*peer, max_health_bytes);
  http::ClientRequest request;
  request.target = "/healthz";
  const Result<http::ClientResponse> answer = client.send(request, patience);
  if (!answer) return answer.error();
  return cli::HealthAnswer{answer->status, std::string(answer->headers.find("Date").value_or("")), answer->body};
}

Result<cli::DiskSpace> disk_space(const std::string& folder) {
  struct statvfs info {};
  if (::statvfs(folder.c_str(), &info) != 0) {
    return make_error(errc::unavailable,
                      fmt::format("the disk under {} cannot be asked: {}", folder, std::strerror(errno)));
  }
  const std::uint64_t unit = info.f_frsize;
  return cli::DiskSpace{info.f_blocks * unit, info.f_bavail * unit};
}

std::vector<std::string> interfaces_with(const std::string& address) {
  in_addr wanted{};
  ifaddrs* list = nullptr;
  if (::inet_pton(AF_INET, address.c_str(), &wanted) != 1 || ::getifaddrs(&list) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  std::vector<std::string> found;
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in bound{};
    std::memcpy(&bound, entry->ifa_addr, sizeof bound);
    if (bound.sin_addr.s_addr == wanted.s_addr) found.emplace_back(entry->ifa_name);
  }
  return found;
}

}  // namespace kaapi::daemon
