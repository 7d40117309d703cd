#pragma once
// The platform for the containers of a job. It listens on this machine's loopback, which no container reaches; a relay
// listens at the gateway of the job's network instead. What containers ask there is signed or has a token, as
// elsewhere.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actions/docker/acceptor.h"
#include "actions/runner/endpoint.h"
#include "base/error.h"

namespace kaapi::actions::runner {

inline constexpr std::size_t max_relayed_connections = 64;  // of one job

struct Subnet {
  std::uint32_t network = 0, mask = 0;  // in the host's order
  bool has(std::uint32_t address) const { return (address & mask) == network; }
};

// Serves from open() until it is destroyed, on threads of its own.
class PlatformRelay {
 public:
  // `gateway`: an address of this machine, 172.18.0.1. `subnet`: who may connect, 172.18.0.0/16; other networks of the
  // machine reach the gateway too. At the platform's own port where that is free. Errors: those of http::listen_on(),
  // `Invalid` (a subnet that is none of IPv4).
  static Result<std::unique_ptr<PlatformRelay>> open(const std::string& gateway, std::string_view subnet,
                                                     const ServerAddress& platform);

  const std::string& host() const { return host_; }  // the gateway
  std::string url() const;                           // "http://172.18.0.1:4566"

  // The text with the platform's address at its beginning exchanged, under any of its names: URLs below it change,
  // other texts do not. And the way back.
  std::string translate(std::string_view text) const;
  std::string back(std::string_view text) const;

 private:
  PlatformRelay(FileDescriptor listener, std::uint16_t port, std::string gateway, Subnet subnet,
                const ServerAddress& platform);

  const std::string host_;
  const std::uint16_t port_;
  const std::string platform_url_;
  const std::vector<std::string> names_;  // URLs of the platform
  docker::Acceptor acceptor_;
};

// "172.18.0.0/16". Error: `Invalid`.
Result<Subnet> parse_subnet(std::string_view text);

}  // namespace kaapi::actions::runner
