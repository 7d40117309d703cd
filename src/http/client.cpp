#include "http/client.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>
#include <vector>

#include "http/client_parser.h"
#include "http/client_stream.h"

namespace kaapi::http {
namespace {

using std::chrono::milliseconds;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::size_t max_idle_connections = 16;
constexpr std::size_t read_buffer_bytes = 64 * 1024;

std::string words_of(int error) {
  return std::generic_category().message(error);
}

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    close();
    fd_ = std::exchange(other.fd_, -1);
    return *this;
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  bool open() const { return fd_ >= 0; }

 private:
  void close() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  int fd_;
};

// How long a call may still take.
class Deadline {
 public:
  explicit Deadline(milliseconds timeout) : timeout_(timeout), end_(std::chrono::steady_clock::now() + timeout) {}

  milliseconds left() const {
    const auto rest = std::chrono::ceil<milliseconds>(end_ - std::chrono::steady_clock::now());
    return std::max(rest, milliseconds(0));
  }
  milliseconds timeout() const { return timeout_; }

 private:
  milliseconds timeout_;
  SteadyTime end_;
};

// Waits until one of `events` (or an error) is there. 0: the deadline passed.
short wait_for(int fd, short events, const Deadline& deadline) {
  while (true) {
    pollfd entry{fd, events, 0};
    const auto left = static_cast<int>(std::min<std::int64_t>(deadline.left().count(), 1'000'000'000));
    const int ready = ::poll(&entry, 1, left);
    if (ready > 0) {
      return entry.revents;
    }
    if (ready == 0 && deadline.left().count() == 0) {
      return 0;
    }
  }
}

bool has_line_break(std::string_view text) {
  return text.find_first_of("\r\n") != std::string_view::npos || text.find('\0') != std::string_view::npos;
}

// The request line and header, up to and with the empty line.
Result<std::string> render_head(const Endpoint& endpoint, const ClientRequest& request) {
  std::string text = request.method + " " + request.target + " HTTP/1.1\r\n";
  if (has_line_break(request.method) || has_line_break(request.target) ||
      request.target.find(' ') != std::string::npos) {
    return make_error(errc::invalid, "a request's method and target must hold neither line breaks nor spaces");
  }
  if (!request.headers.find("Host")) {
    text += "Host: " + endpoint.host + (endpoint.port == 80 ? "" : ":" + std::to_string(endpoint.port)) + "\r\n";
  }
  for (const auto& [name, value] : request.headers) {
    if (has_line_break(name) || has_line_break(value)) {
      return make_error(errc::invalid, "the request header '" + name + "' holds a line break");
    }
    text.append(name).append(": ").append(value).append("\r\n");
  }
  const bool bodiless = request.method == "GET" || request.method == "HEAD" || request.method == "DELETE";
  if (!request.body.empty() || !bodiless) {
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  text += "\r\n";
  return text;
}

struct Failure {
  Error error;
  bool nothing_received = false;  // the peer had closed the connection: worth another try on a new one
};

}  // namespace

struct Client::State {
  State(Endpoint where, std::size_t max_bytes) : endpoint(std::move(where)), max_body_bytes(max_bytes) {}

  Endpoint endpoint;
  std::size_t max_body_bytes;
  std::mutex mutex;
  std::vector<Socket> idle;
  std::unique_ptr<StreamLoop> loop;

  std::string peer() const {
    return endpoint.unix_path.empty() ? endpoint.host + ":" + std::to_string(endpoint.port) : endpoint.unix_path;
  }
  Error timed_out(const Deadline& deadline) const {
    return make_error(errc::timed_out, "no whole answer from " + peer() + " within " +
                                           std::to_string(deadline.timeout().count()) + " ms");
  }
  Error lost(std::string_view why) const {
    return make_error(errc::unavailable, "the connection to " + peer() + " was lost: " + std::string(why));
  }
  Error no_connection(std::string_view why) const {
    return make_error(errc::unavailable, "cannot connect to " + peer() + ": " + std::string(why));
  }

  Result<Socket> connect(const Deadline& deadline) const;
  Result<Socket> connect_unix(const Deadline& deadline) const;
  Socket take_idle();
  void give_back(Socket socket);
  // False: the peer answers (or closed) before it took everything.
  Result<bool> write_request(const Socket& socket, std::string_view head, std::string_view body,
                             const Deadline& deadline) const;
  std::optional<Failure> read_answer(const Socket& socket, AnswerParser& parser, const Deadline& deadline) const;
};

Result<Socket> Client::State::connect_unix(const Deadline& deadline) const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (endpoint.unix_path.size() >= sizeof(address.sun_path)) {
    return no_connection("the path is too long for a Unix socket");
  }
  std::memcpy(address.sun_path, endpoint.unix_path.data(), endpoint.unix_path.size());
  Socket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.open()) {
    return no_connection(words_of(errno));
  }
  // A blocking connect with a send timeout: it waits in line when the listener's backlog is full, where a non-blocking
  // one would fail.
  const auto left = std::max(deadline.left(), milliseconds(1));
  const timeval limit{left.count() / 1000, (left.count() % 1000) * 1000};
  ::setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  if (::connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    if (errno == EAGAIN || errno == EINPROGRESS) {
      return timed_out(deadline);
    }
    return no_connection(words_of(errno));
  }
  ::fcntl(socket.fd(), F_SETFL, ::fcntl(socket.fd(), F_GETFL) | O_NONBLOCK);
  return socket;
}

Result<Socket> Client::State::connect(const Deadline& deadline) const {
  if (!endpoint.unix_path.empty()) {
    return connect_unix(deadline);
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found)) {
    return no_connection(::gai_strerror(failed));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  int last_error = ECONNREFUSED;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    Socket socket(::socket(entry->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int one = 1;
    ::setsockopt(socket.fd(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    int error = ::connect(socket.fd(), entry->ai_addr, entry->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      if (wait_for(socket.fd(), POLLOUT, deadline) == 0) {
        return timed_out(deadline);
      }
      socklen_t size = sizeof(error);
      ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) {
      return socket;
    }
    last_error = error;
  }
  return no_connection(words_of(last_error));
}

Socket Client::State::take_idle() {
  const std::lock_guard lock(mutex);
  while (!idle.empty()) {
    Socket socket = std::move(idle.back());
    idle.pop_back();
    // Silent and open is what an idle connection must be; anything to read is its end, or bytes nobody asked for.
    char byte = 0;
    if (::recv(socket.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      return socket;
    }
  }
  return Socket();
}

void Client::State::give_back(Socket socket) {
  const std::lock_guard lock(mutex);
  if (idle.size() < max_idle_connections) {
    idle.push_back(std::move(socket));
  }
}

Result<bool> Client::State::write_request(const Socket& socket, std::string_view head, std::string_view body,
                                          const Deadline& deadline) const {
  while (!head.empty() || !body.empty()) {
    std::string_view& part = head.empty() ? body : head;
    const int more = !head.empty() && !body.empty() ? MSG_MORE : 0;
    const ssize_t count = ::send(socket.fd(), part.data(), part.size(), MSG_NOSIGNAL | more);
    if (count >= 0) {
      part.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    if (errno == EINTR) {
      continue;
    }
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      return false;  // what the peer said before it closed, if anything, is more useful: read_answer finds out
    }
    const short events = wait_for(socket.fd(), POLLIN | POLLOUT, deadline);
    if (events == 0) {
      return timed_out(deadline);
    }
    if ((events & POLLIN) != 0) {
      return false;  // it answers early: it does not want the rest
    }
  }
  return true;
}

std::optional<Failure> Client::State::read_answer(const Socket& socket, AnswerParser& parser,
                                                  const Deadline& deadline) const {
  std::array<char, read_buffer_bytes> buffer;
  while (!parser.done()) {
    const ssize_t count = ::recv(socket.fd(), buffer.data(), buffer.size(), 0);
    if (count > 0) {
      if (Result<void> fed = parser.feed(std::string_view(buffer.data(), static_cast<std::size_t>(count))); !fed) {
        return Failure{fed.error(), false};
      }
      if (!parser.done() && deadline.left().count() == 0) {
        return Failure{timed_out(deadline), false};
      }
      continue;
    }
    if (count == 0 || errno == ECONNRESET || errno == EPIPE) {
      const bool nothing = !parser.any_byte();
      Result<void> ended = parser.end_of_input();
      return ended ? std::nullopt : std::optional(Failure{lost(ended.error().message), nothing});
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (wait_for(socket.fd(), POLLIN, deadline) == 0) {
        return Failure{timed_out(deadline), false};
      }
    } else if (errno != EINTR) {
      return Failure{lost(words_of(errno)), false};
    }
  }
  return std::nullopt;
}

Client::Client(Endpoint endpoint, std::size_t max_body_bytes)
    : state_(std::make_unique<State>(std::move(endpoint), max_body_bytes)) {}

Client::~Client() = default;

Result<ClientResponse> Client::send(const ClientRequest& request, milliseconds timeout, const BodySink& sink) {
  const Deadline deadline(timeout);
  const Result<std::string> head = render_head(state_->endpoint, request);
  if (!head) {
    return head.error();
  }
  Socket socket = state_->take_idle();
  while (true) {
    const bool pooled = socket.open();
    if (!pooled) {
      Result<Socket> fresh = state_->connect(deadline);
      if (!fresh) {
        return fresh.error();
      }
      socket = std::move(*fresh);
    }
    ClientResponse response;
    bool too_large = false;
    AnswerParser::Callbacks callbacks;
    callbacks.on_head = [&](int status, Headers headers) {
      response.status = status;
      response.headers = std::move(headers);
    };
    callbacks.on_bytes = [&](std::string_view bytes) {
      if (sink) {
        return sink(bytes);
      }
      too_large = bytes.size() > state_->max_body_bytes - response.body.size();
      if (!too_large) {
        response.body += bytes;
      }
      return !too_large;
    };
    AnswerParser parser(request.method == "HEAD", std::move(callbacks));
    const Result<bool> written_whole = state_->write_request(socket, *head, request.body, deadline);
    if (!written_whole) {
      return written_whole.error();
    }
    const std::optional<Failure> failure = state_->read_answer(socket, parser, deadline);
    if (!failure) {
      if (*written_whole && parser.reusable()) {
        state_->give_back(std::move(socket));
      }
      return response;
    }
    if (too_large) {
      return make_error(errc::too_large, "the answer of " + state_->peer() + " to " + request.method + " " +
                                             request.target + " is larger than " +
                                             std::to_string(state_->max_body_bytes) + " bytes");
    }
    if (!pooled || !failure->nothing_received) {
      return failure->error;
    }
    socket = Socket();
  }
}

std::unique_ptr<Client::Stream> Client::stream(const ClientRequest& request, StreamCallbacks callbacks) {
  Result<std::string> head = render_head(state_->endpoint, request);
  StreamLoop* loop = nullptr;
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->loop) {
      state_->loop = std::make_unique<StreamLoop>(state_->endpoint);
    }
    loop = state_->loop.get();
  }
  if (!head) {
    return loop->fail(head.error(), std::move(callbacks));
  }
  return loop->start(*head + request.body, request.method == "HEAD", std::move(callbacks));
}

}  // namespace kaapi::http
