#include "http/chunk_writer.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace kaapi::http {
namespace {

Error peer_gone() {
  return make_error(errc::unavailable, "the client closed the connection before the end of the answer");
}

}  // namespace

Result<void> ChunkWriter::write(std::string_view bytes) {
  if (bytes.empty()) return ok();  // an empty chunk would be the end
  if (!chunked_) return send_all(bytes);
  std::string chunk = fmt::format("{:x}\r\n", bytes.size());
  chunk.append(bytes).append("\r\n");
  return send_all(chunk);
}

bool ChunkWriter::finish() {
  return !chunked_ || send_all("0\r\n\r\n");
}

Result<void> ChunkWriter::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    if (connection_.shared_.aborting) return make_error(errc::unavailable, "the server ends");
    const ssize_t sent = ::send(connection_.fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (const Result<void> ready = wait_writable(); !ready) return ready.error();
    } else if (errno != EINTR) {
      return peer_gone();
    }
  }
  return ok();
}

Result<void> ChunkWriter::wait_writable() {
  const auto timeout = connection_.shared_.config.body_timeout;
  pollfd wanted{connection_.fd_, POLLOUT, 0};
  const int ready = ::poll(&wanted, 1, static_cast<int>(timeout.count()));
  if (ready == 0) {
    return make_error(errc::timed_out, fmt::format("the client took nothing of the answer for {} ms", timeout.count()));
  }
  if (ready < 0 && errno != EINTR) return peer_gone();
  return ok();
}

}  // namespace kaapi::http
