#include "http/connection.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/log.h"
#include "http/limits.h"
#include "http/stream_body.h"

namespace kaapi::http {
namespace {

constexpr std::string_view end_of_head = "\r\n\r\n";

bool has_body(const ParsedHead& request) {
  return request.chunked || request.head.content_length.value_or(0) > 0;
}

}  // namespace

Connection::Connection(int fd, std::string remote_address, Shared& shared)
    : fd_(fd), remote_address_(std::move(remote_address)), shared_(shared) {}

Connection::~Connection() {
  release_body();
  ::close(fd_);
}

Next Connection::wait_for(std::uint32_t events, Wait wait, Millis due) {
  interest_ = Interest{events, wait, due};
  return Next::wait;
}

Next Connection::begin(bool refused) {
  if (refused) {
    return refuse(503, fmt::format("more than {} connections; try again later", shared_.config.max_connections));
  }
  return wait_for(EPOLLIN, Wait::idle, now_millis() + shared_.config.idle_timeout.count());
}

Next Connection::on_ready() {
  const bool expired = deadline.clear();
  if (shared_.aborting) return Next::close;
  switch (phase_) {
    case Phase::head:
      if (!expired) return read_head();
      return input_.empty() ? Next::close : refuse(408, "the head of the request did not arrive in time");
    case Phase::body:
      return expired ? refuse(408, "the body of the request did not arrive in time") : read_body();
    case Phase::write:
      if (!expired) return write_some();
      break;
    case Phase::linger:
      if (!expired) return discard();
      break;
  }
  // The peer takes nothing any more: a reset frees what the kernel still holds for it.
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  return Next::close;
}

long Connection::receive() {
  thread_local std::array<char, receive_bytes> buffer;
  while (true) {
    const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      input_.append(buffer.data(), static_cast<std::size_t>(got));
      return got;
    }
    if (got == 0) return -1;
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
  }
}

Next Connection::read_head() {
  if (!std::exchange(pipelined_, false)) {
    const long got = receive();
    if (got < 0) return Next::close;
    if (got == 0 && input_.empty()) return begin(false);
  }
  return take_head();
}

Next Connection::take_head() {
  // RFC 9112, section 2.2: empty lines before a request are ignored.
  if (scanned_ == 0) {
    std::size_t empty_lines = 0;
    while (std::string_view(input_).substr(empty_lines).starts_with("\r\n")) empty_lines += 2;
    input_.erase(0, empty_lines);
  }
  if (input_.empty()) {
    head_due_ = 0;
    return begin(false);
  }
  const std::size_t end = input_.find(end_of_head, scanned_ < end_of_head.size() ? 0 : scanned_ - end_of_head.size());
  const std::size_t head_bytes = end == std::string::npos ? input_.size() : end + end_of_head.size();
  if (head_bytes > shared_.config.max_header_bytes) {
    return refuse(431, fmt::format("the head of the request is longer than {} bytes", shared_.config.max_header_bytes));
  }
  if (end != std::string::npos) return check_head(head_bytes);

  if (head_due_ == 0) head_due_ = now_millis() + shared_.config.header_timeout.count();
  if (input_ == "\r") return wait_for(EPOLLIN, Wait::head, head_due_);  // half an empty line
  scanned_ = input_.size();
  // A TLS hello or other noise would have us wait for an empty line that never comes.
  if (static_cast<unsigned char>(input_.front()) < '!' || static_cast<unsigned char>(input_.front()) > '~') {
    return refuse(400, "this is not HTTP; the port speaks plain HTTP/1.1");
  }
  return wait_for(EPOLLIN, Wait::head, head_due_);
}

Next Connection::check_head(std::size_t head_bytes) {
  request_ = ParsedHead{};
  if (auto refusal = parse_request_head(std::string_view(input_).substr(0, head_bytes), request_)) {
    return refuse(refusal->status, std::move(refusal->text));
  }
  input_.erase(0, head_bytes);
  scanned_ = 0;
  head_due_ = 0;
  request_.head.remote_address = remote_address_;
  keep_alive_ = request_.keep_alive;
  head_only_ = request_.head.method == "HEAD";
  shared_.requests.fetch_add(1, std::memory_order_relaxed);
  return begin_request();
}

Next Connection::begin_request() {
  route_ = shared_.router.find(request_.head.path);
  body_.clear();
  body_remaining_ = request_.head.content_length.value_or(0);
  chunks_ = ChunkDecoder();
  if (route_ == nullptr) {
    if (has_body(request_)) keep_alive_ = !(linger_ = true);
    return start_answer(Response::text(404, "nothing is served at this path\n"));
  }
  if (std::holds_alternative<StreamHandler>(route_->handler)) {
    return has_body(request_) || route_->may_wait ? Next::stream : Next::handle;
  }
  if (body_remaining_ > route_->max_body_bytes) {
    return refuse(413, fmt::format("the body is longer than {} bytes", route_->max_body_bytes));
  }
  if (!has_body(request_)) return Next::handle;
  if (request_.expect_continue && input_.empty()) send_continue();
  phase_ = Phase::body;
  body_due_ = now_millis() + shared_.config.whole_body_timeout.count();
  return read_body();
}

void Connection::send_continue() {
  static constexpr std::string_view answer = "HTTP/1.1 100 Continue\r\n\r\n";
  // The socket's buffer is empty, so it takes all of it or the connection is broken, which the next read will tell.
  static_cast<void>(::send(fd_, answer.data(), answer.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
}

Next Connection::read_body() {
  return request_.chunked ? read_chunked_body() : read_sized_body();
}

Next Connection::read_sized_body() {
  const auto ready = static_cast<std::size_t>(std::min<std::uint64_t>(body_remaining_, input_.size()));
  body_.append(input_, 0, ready);
  input_.erase(0, ready);
  body_remaining_ -= ready;
  while (body_remaining_ > 0) {
    // Room for what comes, not for what was announced: an announcement costs the peer nothing.
    const std::size_t before = body_.size();
    body_.resize(before + static_cast<std::size_t>(std::min<std::uint64_t>(body_remaining_, body_growth_bytes)));
    const ssize_t got = ::recv(fd_, body_.data() + before, body_.size() - before, MSG_DONTWAIT);
    const int error = errno;
    body_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got > 0) {
      body_remaining_ -= static_cast<std::uint64_t>(got);
      if (!charge_body()) return refuse_for_memory();
    } else if (got < 0 && (error == EAGAIN || error == EWOULDBLOCK)) {
      return wait_for_body();
    } else if (got == 0 || error != EINTR) {
      return Next::close;
    }
  }
  return Next::handle;
}

Next Connection::read_chunked_body() {
  while (true) {
    const auto progress = chunks_.decode(input_);
    if (!progress) return refuse(400, progress.error().message);
    body_.append(input_, 0, progress->produced);
    input_.erase(0, progress->consumed);
    if (body_.size() > route_->max_body_bytes) {
      return refuse(413, fmt::format("the body is longer than {} bytes", route_->max_body_bytes));
    }
    if (chunks_.finished()) return Next::handle;
    if (!charge_body()) return refuse_for_memory();
    const long got = receive();
    if (got < 0) return Next::close;
    if (got == 0) return wait_for_body();
  }
}

Next Connection::wait_for_body() {
  return wait_for(EPOLLIN, Wait::body, std::min(body_due_, now_millis() + shared_.config.body_timeout.count()));
}

bool Connection::charge_body() {
  // Small requests are served however much the large ones hold.
  const std::size_t wanted = body_.size() > body_growth_bytes ? body_.size() - body_growth_bytes : 0;
  if (wanted <= charged_bytes_) return true;
  const std::size_t more = wanted - std::exchange(charged_bytes_, wanted);
  const std::size_t before = shared_.large_body_bytes.fetch_add(more, std::memory_order_relaxed);
  return before + more <= shared_.config.max_large_body_bytes;
}

void Connection::release_body() {
  body_ = std::string();
  shared_.large_body_bytes.fetch_sub(std::exchange(charged_bytes_, 0), std::memory_order_relaxed);
}

Next Connection::refuse_for_memory() {
  return refuse(503, "too many large requests at once; try again later");
}

Next Connection::handle() {
  if (shared_.aborting) return Next::close;
  Response response = run_handler();
  release_body();
  return start_answer(std::move(response));
}

Next Connection::handle_overload() {
  return refuse(503, "too many uploads at once; try again later");
}

Response Connection::run_handler() {
  std::string what;
  const std::string label = fmt::format("{} {}", request_.head.method, request_.head.path);
  try {
    if (const auto* stream = std::get_if<StreamHandler>(&route_->handler)) return run_stream_handler(*stream);
    const Request request{std::move(request_.head), std::move(body_)};
    return std::get<Handler>(route_->handler)(request);
  } catch (const std::exception& exception) {
    what = exception.what();
  } catch (...) {
    what = "unknown exception";
  }
  log::error("http", "{} failed inside: {}", label, what);
  keep_alive_ = false;
  linger_ = true;
  return Response::text(500, "internal error; the server's log says more\n");
}

Response Connection::run_stream_handler(const StreamHandler& handler) {
  StreamBody body(*this);
  Response response = handler(request_.head, body);
  if (!body.finished()) {
    keep_alive_ = false;
    linger_ = true;
  }
  return response;
}

Next Connection::refuse(int status, std::string text) {
  shared_.refused.fetch_add(1, std::memory_order_relaxed);
  keep_alive_ = false;
  linger_ = true;
  release_body();
  text += '\n';
  return start_answer(Response::text(status, std::move(text)));
}

}  // namespace kaapi::http
