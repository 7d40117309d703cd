#pragma once
// Opens a listening socket, with errors that a person understands.

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>

#include "base/error.h"

namespace kaapi::http {

struct Listener {
  int fd = -1;  // non-blocking; the caller closes it
  std::uint16_t port = 0;
};

// `address`: an IPv4 or IPv6 address or a local name ("127.0.0.1", "::1", "[::]", "localhost"); `port` 0 picks a free
// one. Error: `Unavailable`, one line naming address, port and reason.
Result<Listener> listen_on(const std::string& address, std::uint16_t port);

// "127.0.0.1:51234" or "[::1]:51234".
std::string format_address(const sockaddr_storage& address);

}  // namespace kaapi::http
