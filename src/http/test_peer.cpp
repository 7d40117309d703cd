#include "http/test_peer.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/text.h"

namespace kaapi::http {

std::string RawAnswer::field(std::string_view name) const {
  for (const std::string& line : split(head, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string::npos && lower(line.substr(0, colon)) == lower(name)) {
      return std::string(trim(std::string_view(line).substr(colon + 1)));
    }
  }
  return "";
}

TestPeer::TestPeer(std::uint16_t port, const std::string& address, int receive_buffer_bytes) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return;
  fd_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (receive_buffer_bytes > 0) {
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  connected_ = ::connect(fd_, found->ai_addr, found->ai_addrlen) == 0;
  ::freeaddrinfo(found);
}

TestPeer::~TestPeer() {
  close();
}

TestPeer::TestPeer(TestPeer&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_), received_(std::move(other.received_)) {}

bool TestPeer::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void TestPeer::finish_sending() {
  ::shutdown(fd_, SHUT_WR);
}

void TestPeer::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool TestPeer::fill() {
  static thread_local std::array<char, 256 * 1024> buffer;
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), 0);
  if (got > 0) received_.append(buffer.data(), static_cast<std::size_t>(got));
  return got > 0;
}

RawAnswer TestPeer::read_answer(bool head_only) {
  RawAnswer answer;
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return answer;
  }
  answer.head = received_.substr(0, end + 2);
  answer.status = static_cast<int>(parse_number(answer.head.substr(9, 3)).value_or(0));
  received_.erase(0, end + 4);
  const auto length = static_cast<std::size_t>(parse_number(answer.field("Content-Length")).value_or(0));
  if (head_only) return answer;
  while (received_.size() < length && fill()) continue;
  answer.body = received_.substr(0, length);
  received_.erase(0, answer.body.size());
  return answer;
}

RawAnswer TestPeer::ask(std::string_view request, bool head_only) {
  static_cast<void>(send(request));
  return read_answer(head_only);
}

std::string TestPeer::read_some() {
  if (received_.empty()) static_cast<void>(fill());
  return std::exchange(received_, "");
}

bool TestPeer::ended() {
  return received_.empty() && !fill();
}

}  // namespace kaapi::http
