#include "http/listener.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

namespace kaapi::http {
namespace {

Error cannot_listen(const std::string& address, std::uint16_t port, std::string_view why) {
  const bool needs_brackets = address.find(':') != std::string::npos;
  return make_error(errc::unavailable,
                    needs_brackets ? fmt::format("cannot listen on [{}]:{}: {}", address, port, why)
                                   : fmt::format("cannot listen on {}:{}: {}", address, port, why),
                    500);
}

std::string reason_of(int error) {
  switch (error) {
    case EADDRINUSE:
      return "the port is taken by another program; stop that program or choose another port";
    case EACCES:
      return "not permitted; ports below 1024 need root, choose a higher one";
    case EADDRNOTAVAIL:
      return "this machine has no such address";
    default:
      return std::strerror(error);
  }
}

}  // namespace

Result<Listener> listen_on(const std::string& address, std::uint16_t port) {
  std::string name = address;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int resolved = ::getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (resolved != 0) {
    return cannot_listen(name, port,
                         fmt::format("this is no address of this machine ({}); give an IP address such as 127.0.0.1",
                                     ::gai_strerror(resolved)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);

  const int fd = ::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return cannot_listen(name, port, reason_of(errno));
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
               sizeof on);  // a restart must not wait for old connections to time out
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::bind(fd, found->ai_addr, found->ai_addrlen) != 0 || ::listen(fd, SOMAXCONN) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) {
    const int error = errno;
    ::close(fd);
    return cannot_listen(name, port, reason_of(error));
  }
  const std::uint16_t bound_port = bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                                               : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
  return Listener{fd, ntohs(bound_port)};
}

std::string format_address(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return fmt::format("[{}]:{}", text.data(), ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
  return fmt::format("{}:{}", text.data(), ntohs(v4.sin_port));
}

}  // namespace kaapi::http
