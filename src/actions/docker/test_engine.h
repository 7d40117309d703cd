#pragma once
// For tests: a Docker Engine on a Unix socket that answers what the test says and remembers what it was asked.

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "actions/docker/acceptor.h"
#include "actions/docker/relay.h"
#include "actions/docker/unix_socket.h"
#include "base/test_directory.h"
#include "http/request_head.h"

namespace kaapi::actions::docker {

// The other side of a connection, and a client: waits for at most this long.
inline std::chrono::steady_clock::time_point test_limit() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(20);
}

// Everything until the other side sends no more; `enough`: until it is in there.
inline std::string read_all(int fd, std::string_view enough = {}) {
  std::string all;
  std::array<char, 4096> bytes{};
  while (enough.empty() || all.find(enough) == std::string::npos) {
    if (!wait_readable(fd, -1, test_limit())) break;
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (got <= 0) break;
    all.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return all;
}

class TestEngine {
 public:
  struct Asked {
    std::string method, target, head, body;
  };
  struct Answer {
    Answer(int code = 200, std::string text = "{}", std::function<void(int fd)> over = {})
        : status(code), body(std::move(text)), stream(std::move(over)) {}
    int status;
    std::string body;
    std::function<void(int fd)> stream;  // takes over the connection instead
  };
  using Handler = std::function<Answer(const Asked&)>;

  explicit TestEngine(Handler handler)
      : handler_(std::move(handler)),
        acceptor_(std::make_unique<Acceptor>(listen_unix(path(), ::getuid(), ::getgid(), 16).value(), 64,
                                             [this](int fd, int stop) { serve(fd, stop); })) {}

  std::string path() const { return folder_.file("engine.sock"); }
  std::vector<Asked> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  // The last one whose method and beginning of the path are these.
  std::optional<Asked> last(std::string_view method, std::string_view target) const {
    std::optional<Asked> found;
    for (const Asked& one : asked()) {
      if (one.method == method && one.target.starts_with(target)) found = one;
    }
    return found;
  }

 private:
  void serve(int fd, int stop) {
    std::string input;
    while (true) {
      while (input.find("\r\n\r\n") == std::string::npos) {
        if (!more(fd, stop, input)) return;
      }
      const std::size_t end = input.find("\r\n\r\n") + 4;
      http::ParsedHead head;
      Asked asked{"", "", input.substr(0, end), ""};
      if (http::parse_request_head(asked.head, head)) return;
      input.erase(0, end);
      RequestBody body =
          head.chunked ? RequestBody::chunked() : RequestBody::sized(head.head.content_length.value_or(0));
      asked.body = body.content(input).value();
      while (!body.whole()) {
        if (!more(fd, stop, input)) return;
        asked.body += body.content(input).value();
      }
      asked.method = head.head.method;
      asked.target = head.head.target;
      const Answer answer = tell(asked);
      if (answer.stream) return answer.stream(fd);
      const std::string text =
          fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", answer.status, answer.body.size(), answer.body);
      if (!send_all(fd, text, stop, test_limit()) || !head.keep_alive) return;
    }
  }

  static bool more(int fd, int stop, std::string& input) {
    std::array<char, 4096> bytes{};
    if (!wait_readable(fd, stop, test_limit())) return false;
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (got <= 0) return false;
    input.append(bytes.data(), static_cast<std::size_t>(got));
    return true;
  }

  Answer tell(const Asked& asked) {
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(asked);
    }
    return handler_(asked);
  }

  const TestDirectory folder_;
  const Handler handler_;
  mutable std::mutex mutex_;
  std::vector<Asked> asked_;
  std::unique_ptr<Acceptor> acceptor_;
};

}  // namespace kaapi::actions::docker
