#include "http/stream_body.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace kaapi::http {
namespace {

Error peer_gone() {
  return make_error(errc::unavailable, "the client closed the connection before the end of the body");
}

}  // namespace

bool StreamBody::finished() const {
  return connection_.request_.chunked ? connection_.chunks_.finished() : connection_.body_remaining_ == 0;
}

Result<std::size_t> StreamBody::read(std::span<char> buffer) {
  if (finished() || buffer.empty()) return 0;
  if (!std::exchange(started_, true) && connection_.request_.expect_continue && connection_.input_.empty()) {
    connection_.send_continue();
  }
  if (connection_.request_.chunked) return read_chunked(buffer);
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), connection_.body_remaining_));
  const auto got = read_raw(buffer.first(room));
  if (got) connection_.body_remaining_ -= *got;
  return got;
}

Result<std::size_t> StreamBody::read_chunked(std::span<char> buffer) {
  while (true) {
    const auto got = read_raw(buffer);
    if (!got) return got;
    const auto progress = connection_.chunks_.decode(buffer.first(*got));
    if (!progress) return progress.error();
    // Behind the end of the body the next request may have begun.
    connection_.input_.insert(0, buffer.data() + progress->consumed, *got - progress->consumed);
    if (progress->produced > 0 || connection_.chunks_.finished()) return progress->produced;
  }
}

Result<std::size_t> StreamBody::read_raw(std::span<char> buffer) {
  std::string& early = connection_.input_;
  if (!early.empty()) {
    const std::size_t count = std::min(buffer.size(), early.size());
    std::memcpy(buffer.data(), early.data(), count);
    early.erase(0, count);
    return count;
  }
  while (true) {
    const ssize_t got = ::recv(connection_.fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got == 0) return peer_gone();
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (const auto ready = wait_readable(); !ready) return ready.error();
    } else if (errno != EINTR) {
      return peer_gone();
    }
  }
}

Result<void> StreamBody::wait_readable() {
  const auto timeout = connection_.shared_.config.body_timeout;
  pollfd wanted{connection_.fd_, POLLIN, 0};
  const int ready = ::poll(&wanted, 1, static_cast<int>(timeout.count()));
  if (ready == 0) {
    return make_error(errc::timed_out, fmt::format("the client sent nothing of the body for {} ms", timeout.count()),
                      408);
  }
  if (ready < 0 && errno != EINTR) return peer_gone();
  return ok();
}

}  // namespace kaapi::http
