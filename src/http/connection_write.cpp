// The half of Connection that answers.

#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>

#include "base/log.h"
#include "http/chunk_writer.h"
#include "http/connection.h"
#include "http/limits.h"
#include "http/response_head.h"

namespace kaapi::http {
namespace {

// Sends what is left of head and text with one call. Bytes sent, or -1 with errno.
ssize_t send_text(int fd, std::string_view head, std::string_view body, std::uint64_t written) {
  const auto skip_head = static_cast<std::size_t>(std::min<std::uint64_t>(written, head.size()));
  const auto skip_body = static_cast<std::size_t>(written - skip_head);
  head.remove_prefix(skip_head);
  body.remove_prefix(skip_body);
  body = body.substr(0, write_turn_bytes);
  std::array<iovec, 2> parts{iovec{const_cast<char*>(head.data()), head.size()},
                             iovec{const_cast<char*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = body.empty() ? 1 : 2;
  return ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

// The same for a file: first the head, then the file's bytes, from its page cache.
ssize_t send_file(int fd, std::string_view head, const FileBody& file, std::uint64_t written) {
  if (written < head.size()) {
    head.remove_prefix(static_cast<std::size_t>(written));
    return ::send(fd, head.data(), head.size(), MSG_NOSIGNAL | MSG_DONTWAIT | MSG_MORE);
  }
  const std::uint64_t done = written - head.size();
  auto offset = static_cast<off_t>(file.offset + done);
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(file.length - done, write_turn_bytes));
  return ::sendfile(fd, file.fd, &offset, count);
}

}  // namespace

Next Connection::start_answer(Response response) {
  response_ = std::move(response);
  if (shared_.stopping) keep_alive_ = false;
  body_to_write_ = 0;
  if (std::holds_alternative<ProducedBody>(response_.body) && status_has_body(response_.status) && !head_only_) {
    keep_alive_ = false;
    return Next::produce;
  }
  std::optional<std::uint64_t> length;
  if (status_has_body(response_.status)) {
    length = body_length(response_);
    if (head_only_) {
      length = response_.announced_length.value_or(*length);
    } else {
      body_to_write_ = *length;
    }
  }
  if (body_to_write_ == 0) response_.body = std::string();
  response_head_ = encode_response_head(response_, length, keep_alive_);
  written_ = 0;
  phase_ = Phase::write;
  return write_some();
}

Next Connection::write_some() {
  const std::uint64_t total = response_head_.size() + body_to_write_;
  const std::uint64_t turn_end = written_ + write_turn_bytes;
  while (written_ < total) {
    const auto* file = std::get_if<FileBody>(&response_.body);
    const ssize_t sent = file != nullptr
                             ? send_file(fd_, response_head_, *file, written_)
                             : send_text(fd_, response_head_, std::get<std::string>(response_.body), written_);
    if (sent > 0) {
      written_ += static_cast<std::uint64_t>(sent);
      if (written_ < turn_end) continue;
    } else if (sent == 0) {
      log::warn("http", "a file became shorter while it was sent; the connection is closed");
      return Next::close;
    } else if (errno == EINTR) {
      continue;
    } else if (errno != EAGAIN && errno != EWOULDBLOCK) {
      return Next::close;
    }
    if (written_ == total) break;
    return wait_for(EPOLLOUT, Wait::write, now_millis() + shared_.config.body_timeout.count());
  }
  return finish_answer();
}

Next Connection::produce() {
  if (shared_.aborting) return Next::close;
  ChunkWriter writer(*this, request_.knows_chunks);
  const ProducedBody body = std::move(std::get<ProducedBody>(response_.body));
  response_.body = std::string();
  bool complete = false;
  try {
    complete = writer.begin(encode_response_head(response_, std::nullopt, false, request_.knows_chunks)) &&
               body.produce(writer);
  } catch (const std::exception& failure) {
    log::error("http", "the body of an answer failed inside: {}", failure.what());
  }
  if (!complete || !writer.finish()) return Next::close;
  return finish_answer();
}

Next Connection::finish_answer() {
  response_ = Response();
  response_head_.clear();
  phase_ = Phase::head;
  head_only_ = false;
  if (keep_alive_ && !shared_.stopping) {
    const Millis now = now_millis();
    if (input_.empty()) {
      if (input_.capacity() > kept_input_bytes) input_.shrink_to_fit();
      return wait_for(EPOLLIN, Wait::idle, now + shared_.config.idle_timeout.count());
    }
    // The next request is here already. Being writable comes at once, but after everybody else who is ready.
    pipelined_ = true;
    return wait_for(EPOLLIN | EPOLLOUT, Wait::head, now + shared_.config.header_timeout.count());
  }
  if (!linger_ && input_.empty()) return Next::close;
  ::shutdown(fd_, SHUT_WR);
  input_ = std::string();
  phase_ = Phase::linger;
  linger_due_ = now_millis() + linger_timeout.count();
  return discard();
}

Next Connection::discard() {
  static constexpr int reads_per_turn = 64;
  thread_local std::array<char, receive_bytes> nowhere;
  for (int read = 0; read < reads_per_turn; ++read) {
    const ssize_t got = ::recv(fd_, nowhere.data(), nowhere.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return Next::close;
    if (got < 0 && errno != EINTR) break;
  }
  return wait_for(EPOLLIN, Wait::linger, linger_due_);
}

}  // namespace kaapi::http
