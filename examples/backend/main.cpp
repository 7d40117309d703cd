// A small web backend shaped like a real one: settings from the environment, a health route, one log line per request,
// a clean end on SIGTERM. Its switches misbehave on purpose, so that a rollout can be watched going wrong. One thread,
// one poll(): it starts in a millisecond and needs nothing but the kernel, so the image holds this one program.
// README.md lists settings and switches.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::string_view health_path = "/api/v1/utils/health/";
constexpr std::string_view wait_path = "/api/v1/utils/wait/";
constexpr std::size_t max_connections = 512;
constexpr std::size_t max_request_bytes = 16 * 1024;
constexpr milliseconds idle_timeout{60'000};
constexpr milliseconds shutdown_timeout{20'000};
constexpr milliseconds health_timeout{2'000};
constexpr long max_wait_ms = 10'000;

std::string text_setting(const char* name, const std::string& fallback) {
  const char* value = std::getenv(name);
  return value && *value ? value : fallback;
}

[[noreturn]] void stop_with_error(const std::string& message) {
  std::fprintf(stderr, "backend: %s\n", message.c_str());
  std::exit(2);
}

std::optional<long> number_setting(const char* name, long highest) {
  const std::string text = text_setting(name, "");
  if (text.empty()) return std::nullopt;
  char* end = nullptr;
  errno = 0;
  const long value = std::strtol(text.c_str(), &end, 10);
  if (errno || *end || value < 0 || value > highest) {
    stop_with_error(std::string(name) + "=" + text + " is not a whole number from 0 to " + std::to_string(highest));
  }
  return value;
}

bool switched_on(const char* name) {
  const std::string text = text_setting(name, "");
  return text == "1" || text == "true" || text == "on";
}

// On ECS the last part of the metadata address starts with the task id; a container's hostname names it elsewhere.
std::string task_id() {
  const std::string metadata = text_setting("ECS_CONTAINER_METADATA_URI_V4", "");
  if (!metadata.empty()) return metadata.substr(metadata.rfind('/') + 1);
  char name[HOST_NAME_MAX + 1] = {};
  gethostname(name, HOST_NAME_MAX);
  return name;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

// One write per line: a line is out before the next instruction, and never torn.
void log_line(const std::string& text) {
  char stamp[32];
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  const std::size_t size = std::strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(stamp + size, sizeof stamp - size, ".%03ldZ", now.tv_nsec / 1'000'000);
  const std::string line = std::string(stamp) + " " + text + "\n";
  if (write(STDOUT_FILENO, line.data(), line.size()) < 0) return;  // nobody reads: serving goes on
}

sockaddr_in address(in_addr_t host, long port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(host);
  out.sin_port = htons(static_cast<std::uint16_t>(port));
  return out;
}

struct Connection {
  int fd = -1;
  std::string peer;
  std::string in;
  std::string out;
  std::string target;  // of the request being answered late; empty: none
  bool close_after = false;
  bool peer_done = false;  // it sends no more, but may still wait for its answer
  Clock::time_point answer_at{};
  Clock::time_point idle_since = Clock::now();
};

class Backend {
 public:
  Backend(long port, int signals) : signals_(signals), listener_(listen_on(port)) {
    log_line("listening on port " + std::to_string(port) + ", version " + version_ + ", task " + task_);
  }

  // Serves until SIGTERM (or SIGINT) and until the requests in hand are answered. Returns the exit code.
  int run() {
    while (listener_ >= 0 || !connections_.empty()) {
      if (crash_after_ && Clock::now() - started_ >= std::chrono::seconds(*crash_after_)) return crash();
      if (stopping_since_ && Clock::now() - *stopping_since_ > shutdown_timeout) break;
      wait_for_work();
      for (Connection& connection : connections_) serve(connection);
      std::erase_if(connections_, [](const Connection& c) { return c.fd < 0; });
    }
    log_line("stopped");
    return 0;
  }

 private:
  static int listen_on(long port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in local = address(INADDR_ANY, port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) < 0 || listen(fd, 128) < 0) {
      stop_with_error("cannot listen on port " + std::to_string(port) + ": " + std::strerror(errno));
    }
    return fd;
  }

  int crash() const {
    log_line("CRASH_AFTER_S: crashing");
    return static_cast<int>(number_setting("CRASH_EXIT_CODE", 255).value_or(1));
  }

  void wait_for_work() {
    const std::size_t first = listener_ >= 0 ? 2 : 1;
    std::vector<pollfd> polls{{signals_, POLLIN, 0}};
    if (listener_ >= 0)
      polls.push_back({listener_, static_cast<short>(connections_.size() < max_connections ? POLLIN : 0), 0});
    for (const Connection& c : connections_) {
      const bool busy = !c.target.empty();
      polls.push_back({c.fd, static_cast<short>(!c.out.empty() ? POLLOUT : busy ? 0 : POLLIN), 0});
    }
    poll(polls.data(), polls.size(), timeout_ms());
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      if (polls[first + i].revents & (POLLIN | POLLHUP | POLLERR)) receive(connections_[i]);
    }
    if (listener_ >= 0 && polls[1].revents) accept_all();
    if (polls[0].revents) on_signal();
  }

  int timeout_ms() const {
    auto next = Clock::now() + milliseconds(60'000);
    for (const Connection& c : connections_)
      next = std::min(next, c.target.empty() ? c.idle_since + idle_timeout : c.answer_at);
    if (crash_after_) next = std::min(next, started_ + std::chrono::seconds(*crash_after_));
    if (stopping_since_) next = std::min(next, *stopping_since_ + shutdown_timeout);
    const auto left = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
    return static_cast<int>(std::max<long>(left, 0));
  }

  void accept_all() {
    while (connections_.size() < max_connections) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const int fd = accept4(listener_, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      char peer[INET_ADDRSTRLEN] = {};
      inet_ntop(AF_INET, &from.sin_addr, peer, sizeof peer);
      connections_.emplace_back();
      connections_.back().fd = fd;
      connections_.back().peer = peer;
    }
  }

  void on_signal() {
    signalfd_siginfo info{};
    if (read(signals_, &info, sizeof info) != sizeof info || stopping_since_) return;
    if (ignore_sigterm_) return log_line("IGNORE_SIGTERM: not stopping");
    accept_all();  // who is already queued is served, not reset
    close(listener_);
    listener_ = -1;
    stopping_since_ = Clock::now();
    log_line("stopping: answering what is in hand");
    for (Connection& c : connections_) receive(c);
  }

  static void drop(Connection& c) {
    close(c.fd);
    c.fd = -1;
  }

  static void receive(Connection& c) {
    char buffer[4096];
    while (c.fd >= 0) {
      const ssize_t size = recv(c.fd, buffer, sizeof buffer, 0);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) return;
      if (size < 0 || c.in.size() + static_cast<std::size_t>(size) > max_request_bytes) return drop(c);
      c.peer_done = size == 0;
      if (c.peer_done) return;
      c.in.append(buffer, static_cast<std::size_t>(size));
      c.idle_since = Clock::now();
    }
  }

  void serve(Connection& c) {
    if (c.fd >= 0 && c.target.empty() && c.out.empty()) begin_request(c);
    if (c.fd >= 0 && !c.target.empty() && Clock::now() >= c.answer_at) answer(c, "GET", std::exchange(c.target, ""));
    send_out(c);
    const bool idle = c.target.empty() && c.out.empty();
    const bool done = c.close_after || c.peer_done || (stopping_since_ && c.in.empty());
    if (c.fd >= 0 && idle && (done || Clock::now() - c.idle_since > idle_timeout)) drop(c);
  }

  void begin_request(Connection& c) {
    const std::size_t end = c.in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string head = c.in.substr(0, end);
    c.in.erase(0, end + 4);
    const std::string line = head.substr(0, head.find("\r\n"));
    const std::size_t space = line.find(' ');
    const std::size_t space2 = space == std::string::npos ? space : line.find(' ', space + 1);
    if (space2 == std::string::npos) return drop(c);
    const std::string method = line.substr(0, space);
    const std::string target = line.substr(space + 1, space2 - space - 1);
    const bool old = line.ends_with("HTTP/1.0");
    c.close_after = old || method != "GET" || strcasestr(head.c_str(), "connection: close") != nullptr;
    if (method != "GET" || !target.starts_with(wait_path)) return answer(c, method, target);
    const std::size_t ms = target.find("ms=");
    const long wait_ms = ms == std::string::npos ? 0 : std::atol(target.c_str() + ms + 3);
    c.answer_at = Clock::now() + milliseconds(std::clamp(wait_ms, 0L, max_wait_ms));
    c.target = target;
  }

  bool healthy() const {
    return !unhealthy_after_ || Clock::now() - started_ < std::chrono::seconds(*unhealthy_after_);
  }

  void answer(Connection& c, const std::string& method, const std::string& target) {
    const std::string path = target.substr(0, target.find('?'));
    std::string status = "200 OK";
    std::string body = "true";
    if (method != "GET") {
      status = "405 Method Not Allowed";
      body = R"({"error":"only GET is answered here"})";
    } else if (path == "/") {
      body = R"({"message":)" + json_text(greeting_) + R"(,"version":)" + json_text(version_) + R"(,"task":)" +
             json_text(task_) + "}";
    } else if (path == health_path && !healthy()) {
      status = "503 Service Unavailable";
      body = "false";
    } else if (path != health_path && path != wait_path) {
      status = "404 Not Found";
      body = R"({"error":"no such route"})";
    }
    c.close_after = c.close_after || stopping_since_.has_value();
    c.out = "HTTP/1.1 " + status +
            "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
            (c.close_after ? "\r\nConnection: close" : "") + "\r\n\r\n" + body;
    log_line(c.peer + " " + method + " " + target + " " + status.substr(0, 3));
  }

  static void send_out(Connection& c) {
    while (c.fd >= 0 && !c.out.empty()) {
      const ssize_t size = send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL);
      if (size < 0 && errno == EINTR) continue;
      if (size < 0 && errno == EAGAIN) return;
      if (size < 0) return drop(c);
      c.out.erase(0, static_cast<std::size_t>(size));
    }
  }

  const std::string version_ = text_setting("VERSION", "dev");
  const std::string greeting_ = text_setting("GREETING", "hello");
  const std::string task_ = task_id();
  const std::optional<long> crash_after_ = number_setting("CRASH_AFTER_S", 1'000'000);
  const std::optional<long> unhealthy_after_ = number_setting("UNHEALTHY_AFTER_S", 1'000'000);
  const bool ignore_sigterm_ = switched_on("IGNORE_SIGTERM");
  const Clock::time_point started_ = Clock::now();
  const int signals_;
  int listener_;
  std::optional<Clock::time_point> stopping_since_;
  std::vector<Connection> connections_;
};

// Asks the backend beside it and exits 0 when it answers 200 and `true`: the container's health check, with no shell
// and no curl.
int check_health(long port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval limit{health_timeout.count() / 1000, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  const sockaddr_in local = address(INADDR_LOOPBACK, port);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&local), sizeof local) < 0) return 1;
  const std::string request = "GET " + std::string(health_path) + " HTTP/1.0\r\nHost: localhost\r\n\r\n";
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size())) return 1;
  std::string answer;
  char buffer[1024];
  for (ssize_t size = 0; answer.size() < max_request_bytes && (size = recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  return answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\ntrue") ? 0 : 1;
}

// A one-off task: says what it does, ends with MIGRATION_EXIT_CODE.
int migrate() {
  const long steps = number_setting("MIGRATION_STEPS", 1000).value_or(3);
  const long code = number_setting("MIGRATION_EXIT_CODE", 255).value_or(0);
  for (long step = 1; step <= steps; ++step)
    log_line("migration " + std::to_string(step) + " of " + std::to_string(steps) + " applied");
  log_line(code == 0 ? "migrations done" : "migrations failed");
  return static_cast<int>(code);
}

// False when SIGTERM came first.
bool start_slowly(int signals) {
  const long wait_s = number_setting("SLOW_START_S", 3600).value_or(0);
  if (wait_s == 0) return true;
  log_line("SLOW_START_S: listening in " + std::to_string(wait_s) + " s");
  pollfd ready{signals, POLLIN, 0};
  return poll(&ready, 1, static_cast<int>(wait_s * 1000)) == 0 || switched_on("IGNORE_SIGTERM");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const long port = number_setting("PORT", 65535).value_or(8080);
  if (mode == "--health") return check_health(port);
  if (mode == "--migrate" || switched_on("MIGRATE")) return migrate();
  if (!mode.empty()) stop_with_error("unknown argument " + std::string(mode) + "; known: --health, --migrate");
  if (const auto code = number_setting("CRASH_ON_START", 255)) {
    log_line("CRASH_ON_START: ending with exit code " + std::to_string(*code));
    return static_cast<int>(*code);
  }
  std::signal(SIGPIPE, SIG_IGN);
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  sigprocmask(SIG_BLOCK, &stop_signals, nullptr);
  const int signals = signalfd(-1, &stop_signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (!start_slowly(signals)) return 0;
  return Backend(port, signals).run();
}
