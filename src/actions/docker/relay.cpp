#include "actions/docker/relay.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace kaapi::actions::docker {
namespace {

constexpr std::size_t turn_bytes = 64UL * 1024;

// One direction: from one socket to another, with one turn of bytes in between.
struct Lane {
  int from;
  int to;
  std::string waiting;  // received, not yet sent
  bool open = true;     // more may come

  bool reads() const { return open && waiting.empty(); }
  bool over() const { return !open && waiting.empty(); }

  // False: the other side is gone.
  bool send_some() {
    while (!waiting.empty()) {
      const ssize_t sent = ::send(to, waiting.data(), waiting.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent < 0) return errno == EAGAIN || errno == EINTR;
      waiting.erase(0, static_cast<std::size_t>(sent));
    }
    return true;
  }

  // What has come; empty with `open` false at the end.
  std::string receive() {
    std::string bytes(turn_bytes, '\0');
    const ssize_t got = ::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) open = false;
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }
};

short wanted(bool read, bool write) {
  return static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0));
}

bool has(const pollfd& polled, int events) {
  return (polled.revents & events) != 0;
}

}  // namespace

Result<std::string> RequestBody::content(std::string_view bytes) {
  if (!chunked_) {
    const std::size_t taken = std::min<std::uint64_t>(bytes.size(), left_);
    left_ -= taken;
    return std::string(bytes.substr(0, taken));
  }
  std::string content(bytes);
  const Result<http::ChunkDecoder::Progress> progress = chunks_.decode(content);
  if (!progress) return progress.error();
  content.resize(progress->produced);
  return content;
}

Result<std::string> RequestBody::take(std::string_view bytes) {
  const bool before = whole();
  Result<std::string> taken = content(bytes);
  if (!taken || !chunked_) return taken;
  std::string framed;
  if (!taken->empty()) framed = fmt::format("{:x}\r\n{}\r\n", taken->size(), *taken);
  if (!before && whole()) framed += "0\r\n\r\n";
  return framed;
}

void relay_exchange(int client, int engine, int stop, RequestBody body, std::string early) {
  Lane up{client, engine, {}};
  Lane down{engine, client, {}};
  bool broken = false;
  const auto take = [&](std::string_view bytes) {
    Result<std::string> next = body.take(bytes);
    broken = broken || !next;
    if (next) up.waiting += *next;
    up.open = up.open && !body.whole();
  };
  take(early);
  while (!broken && !down.over()) {
    // A client that has hung up wants no answer, be it of a log that is followed for hours.
    std::array<pollfd, 3> polled = {
        pollfd{client, static_cast<short>(wanted(up.reads(), !down.waiting.empty()) | POLLRDHUP), 0},
        pollfd{engine, wanted(down.reads(), !up.waiting.empty()), 0}, pollfd{stop, POLLIN, 0}};
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if (has(polled[2], POLLIN)) return;
    if (up.reads() && has(polled[0], POLLIN)) take(up.receive());
    if (!up.send_some()) {
      // The engine has said what it had to say before it had everything: its answer is still there.
      up.waiting.clear();
      up.open = false;
    }
    if (down.reads() && has(polled[1], POLLIN | POLLHUP | POLLERR)) down.waiting = down.receive();
    if (!down.send_some()) return;
    if (has(polled[0], POLLRDHUP | POLLHUP | POLLERR) && !down.over()) return;
  }
}

void relay_stream(int client, int engine, int stop, std::string to_client, std::string to_engine) {
  Lane up{client, engine, std::move(to_engine)};
  Lane down{engine, client, std::move(to_client)};
  bool told = false;
  while (!down.over()) {
    std::array<pollfd, 3> polled = {pollfd{client, wanted(up.reads(), !down.waiting.empty()), 0},
                                    pollfd{engine, wanted(down.reads(), !up.waiting.empty()), 0},
                                    pollfd{stop, POLLIN, 0}};
    // Not asked for anything, a socket that has hung up would still answer at once.
    if (polled[0].events == 0) polled[0].fd = -1;
    if (polled[1].events == 0) polled[1].fd = -1;
    if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return;
    if (has(polled[2], POLLIN)) return;
    if (up.reads() && has(polled[0], POLLIN | POLLHUP | POLLERR)) up.waiting = up.receive();
    if (!up.send_some()) return;
    if (up.over() && !told) {
      told = true;
      ::shutdown(engine, SHUT_WR);
    }
    if (down.reads() && has(polled[1], POLLIN | POLLHUP | POLLERR)) down.waiting = down.receive();
    if (!down.send_some()) return;
  }
  ::shutdown(client, SHUT_WR);
}

}  // namespace kaapi::actions::docker
