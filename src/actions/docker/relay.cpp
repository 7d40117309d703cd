#include "actions/docker/relay.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include "actions/docker/unix_socket.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

constexpr std::size_t turn_bytes = 64UL * 1024;
// Of the end of an answer: where a stream's error stands.
constexpr std::size_t tail_bytes = 4UL * 1024;
// Clients leave as soon as they have their answer: the engine's own end comes right behind it.
constexpr std::chrono::seconds last_words{1};

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

// One that nothing is wanted of is not looked at: having hung up it would answer at once, again and again.
pollfd looked_at(int fd, short events) {
  return pollfd{events == 0 ? -1 : fd, events, 0};
}

bool has(const pollfd& polled, int events) {
  return (polled.revents & events) != 0;
}

// False: `stop` is readable, or nothing can be waited for.
bool wait(std::array<pollfd, 3>& polled) {
  if (::poll(polled.data(), polled.size(), -1) < 0 && errno != EINTR) return false;
  return !has(polled[2], POLLIN);
}

// The status in the first bytes of an answer.
int status_in(std::string_view head) {
  constexpr std::size_t before = std::string_view("HTTP/1.1 ").size();
  if (!head.starts_with("HTTP/1.") || head.size() < before + 3) return 0;
  return static_cast<int>(parse_number(head.substr(before, 3)).value_or(0));
}

}  // namespace

Result<std::string> RequestBody::content(std::string& bytes) {
  if (!chunked_) {
    const std::size_t taken = std::min<std::uint64_t>(bytes.size(), left_);
    left_ -= taken;
    std::string content = bytes.substr(0, taken);
    bytes.erase(0, taken);
    return content;
  }
  std::string content(bytes);
  const Result<http::ChunkDecoder::Progress> progress = chunks_.decode(content);
  if (!progress) return progress.error();
  bytes.erase(0, progress->consumed);
  content.resize(progress->produced);
  return content;
}

Result<std::string> RequestBody::take(std::string_view bytes) {
  const bool before = whole();
  std::string left(bytes);
  Result<std::string> taken = content(left);
  if (!taken || !chunked_) return taken;
  std::string framed;
  if (!taken->empty()) framed = fmt::format("{:x}\r\n{}\r\n", taken->size(), *taken);
  if (!before && whole()) framed += "0\r\n\r\n";
  return framed;
}

namespace {

// The request's body on its way up, and the answer on its way down.
class Exchange {
 public:
  Exchange(int client, int engine, RequestBody body)
      : up_{client, engine, {}}, down_{engine, client, {}}, body_(body) {}

  void run(int stop, std::string_view early) {
    take(early);
    while (!broken_ && !down_.over()) {
      const short of_client = wanted(up_.reads(), !down_.waiting.empty());
      // The client is looked at in any case: whoever has hung up wants no answer, be it of a log that is followed for
      // hours.
      std::array<pollfd, 3> polled = {pollfd{up_.from, of_client, 0},
                                      looked_at(up_.to, wanted(down_.reads(), !up_.waiting.empty())),
                                      pollfd{stop, POLLIN, 0}};
      if (!wait(polled) || !send_up(polled[0]) || !send_down(polled[1])) return;
      if (has(polled[0], POLLHUP | POLLERR)) return hear_out(stop);
    }
  }

  bool done() const {
    const int status = status_in(head_);
    return !down_.open && status >= 200 && status < 300 && tail_.find("\"errorDetail\"") == std::string::npos;
  }

 private:
  void take(std::string_view bytes) {
    Result<std::string> next = body_.take(bytes);
    broken_ = broken_ || !next;
    if (next) up_.waiting += *next;
    up_.open = up_.open && !body_.whole();
  }

  bool send_up(const pollfd& client) {
    if (up_.reads() && has(client, POLLIN)) {
      take(up_.receive());
      // It sends no more, and the body is not whole: the engine shall not wait for the rest.
      if (!up_.open && !body_.whole()) ::shutdown(up_.to, SHUT_WR);
    }
    if (!up_.send_some()) {
      // The engine has said what it had to say before it had everything: its answer is still there.
      up_.waiting.clear();
      up_.open = false;
    }
    return !broken_;
  }

  bool send_down(const pollfd& engine) {
    if (down_.reads() && has(engine, POLLIN | POLLHUP | POLLERR)) hear();
    return down_.send_some();
  }

  void hear() {
    down_.waiting = down_.receive();
    if (head_.size() < 16) head_ += down_.waiting.substr(0, 16);
    tail_ += down_.waiting;
    if (tail_.size() > tail_bytes) tail_.erase(0, tail_.size() - tail_bytes);
  }

  // The client has gone.
  void hear_out(int stop) {
    const auto until = std::chrono::steady_clock::now() + last_words;
    while (down_.open && wait_readable(down_.from, stop, until)) hear();
  }

  Lane up_, down_;
  RequestBody body_;
  std::string head_, tail_;  // the answer's beginning and end
  bool broken_ = false;
};

}  // namespace

bool relay_exchange(int client, int engine, int stop, RequestBody body, std::string early) {
  Exchange exchange(client, engine, body);
  exchange.run(stop, early);
  return exchange.done();
}

void relay_stream(int client, int engine, int stop, std::string to_client, std::string to_engine) {
  Lane up{client, engine, std::move(to_engine)};
  Lane down{engine, client, std::move(to_client)};
  bool told = false;
  while (!down.over()) {
    const short of_client = wanted(up.reads(), !down.waiting.empty());
    std::array<pollfd, 3> polled = {// Once all that it said is passed on, its end is the stream's; not before.
                                    up.over() ? pollfd{client, of_client, 0} : looked_at(client, of_client),
                                    looked_at(engine, wanted(down.reads(), !up.waiting.empty())),
                                    pollfd{stop, POLLIN, 0}};
    if (!wait(polled)) return;
    if (up.over() && has(polled[0], POLLHUP | POLLERR)) return;
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
