#include "actions/docker/unix_socket.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace kaapi::actions::docker {
namespace {

constexpr time_t connect_limit_s = 10;

using SteadyClock = std::chrono::steady_clock;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return make_error(errc::invalid, fmt::format("{} is too long for a socket's path", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<void> wait_for(int fd, short what, int stop, SteadyClock::time_point until) {
  while (true) {
    std::array<pollfd, 2> polled = {pollfd{fd, what, 0}, pollfd{stop, POLLIN, 0}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - SteadyClock::now()).count();
    // Also of what drips without an end.
    if (left <= 0) return make_error(errc::timed_out, "nothing came in time", 408);
    const int ready = ::poll(polled.data(), polled.size(), static_cast<int>(left));
    if (polled[1].revents != 0) return make_error(errc::cancelled, "the job is over", 503);
    if (ready > 0) return ok();
    if (ready < 0 && errno != EINTR) return make_error(errc::unavailable, std::strerror(errno), 500);
  }
}

}  // namespace

Result<FileDescriptor> connect_unix(const std::string& path) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return address.error();
  FileDescriptor line(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // A listener whose line is full is waited for, but not for ever.
  const timeval limit{connect_limit_s, 0};
  if (line) ::setsockopt(line.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  if (!line || ::connect(line.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    return make_error(errc::unavailable, fmt::format("cannot connect to {}: {}", path, std::strerror(errno)), 502);
  }
  return line;
}

Result<FileDescriptor> listen_unix(const std::string& path, uid_t uid, gid_t gid, int backlog) {
  const Result<sockaddr_un> address = address_of(path);
  if (!address) return address.error();
  FileDescriptor line(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!line) return file_error("make the socket", path);
  // Nobody's until it is the job's. The folder is the caller's alone, so that nobody can exchange it meanwhile.
  const bool bound = ::fchmod(line.get(), 0600) == 0 &&
                     ::bind(line.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0 &&
                     ::chmod(path.c_str(), 0600) == 0 && ::chown(path.c_str(), uid, gid) == 0 &&
                     ::listen(line.get(), backlog) == 0;
  if (!bound) return file_error("listen at", path);
  return line;
}

Result<void> wait_readable(int fd, int stop, SteadyClock::time_point until) {
  return wait_for(fd, POLLIN, stop, until);
}

Result<void> wait_writable(int fd, int stop, SteadyClock::time_point until) {
  return wait_for(fd, POLLOUT, stop, until);
}

bool is_readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, 0) > 0;
}

Result<void> send_all(int fd, std::string_view bytes, int stop, SteadyClock::time_point until) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (sent < 0 && errno == EAGAIN) {
      if (const Result<void> ready = wait_writable(fd, stop, until); !ready) return ready;
    } else if (sent == 0 || errno != EINTR) {
      return make_error(errc::unavailable, fmt::format("Docker: {}", std::strerror(errno)), 502);
    }
  }
  return ok();
}

}  // namespace kaapi::actions::docker
