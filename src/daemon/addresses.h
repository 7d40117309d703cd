#pragma once
// How a platform is called by those who reach it. Pure.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kaapi::daemon {

bool is_loopback(std::string_view address);  // 127.0.0.0/8, ::1, localhost
bool is_wildcard(std::string_view address);  // 0.0.0.0, ::

struct Addresses {
  std::string endpoint;                // for clients: "http://127.0.0.1:4566"
  std::string registry_host;           // in repository URIs: "localhost:4566"
  std::string pull_host;               // for the engine beside us; plain HTTP is allowed on localhost only
  std::vector<std::string> own_hosts;  // every name of our registry in an image name
};

// `public_host` may be empty, a name, or a name with a port.
Addresses addresses_of(std::string_view listen_address, std::uint16_t port, std::string_view public_host);

}  // namespace kaapi::daemon
