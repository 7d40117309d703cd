#include "http/core.h"

#include <fmt/format.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

#include "base/log.h"
#include "http/limits.h"

namespace kaapi::http {
namespace {

constexpr Millis never = std::numeric_limits<Millis>::max();
constexpr int accepts_per_turn = 16;
// Deadlines that are due this close together are handled by one sweep.
constexpr Millis sweep_slack = 10;

void expire(const Connection& connection, Wait wait) {
  // Ends the wait that the connection is in: its owner-to-be finds the deadline expired. Writing stays possible where
  // an answer is still to be given.
  const bool answerable = wait == Wait::idle || wait == Wait::head || wait == Wait::body;
  ::shutdown(connection.fd(), answerable ? SHUT_RD : SHUT_RDWR);
}

}  // namespace

bool HandlerSlots::take(Connection& connection) {
  const std::lock_guard lock(mutex_);
  if (running_ < limit_) {
    ++running_;
    return true;
  }
  waiting_.push_back(&connection);
  return false;
}

Connection* HandlerSlots::release() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) {
    --running_;
    return nullptr;
  }
  Connection* next = waiting_.front();
  waiting_.pop_front();
  return next;
}

Core::Core(const ServerConfig& config, const Router& router)
    : shared_{config, router},
      next_sweep_(never),
      slots_(std::max(1U, config.worker_threads)),
      streams_(std::max(1U, config.max_stream_threads)) {}

Core::~Core() {
  stop(std::chrono::milliseconds(0));
  for (const int fd : {listener_fd_, epoll_fd_, timer_fd_, exit_fd_}) {
    if (fd >= 0) ::close(fd);
  }
}

Result<void> Core::start() {
  const auto listener = listen_on(shared_.config.address, shared_.config.port);
  if (!listener) return listener.error();
  listener_fd_ = listener->fd;
  port_ = listener->port;

  epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  timer_fd_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  exit_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (epoll_fd_ < 0 || timer_fd_ < 0 || exit_fd_ < 0 || !watch(timer_fd_, EPOLLIN | EPOLLET) ||
      !watch(exit_fd_, EPOLLIN)) {
    return make_error(errc::unavailable, fmt::format("cannot serve HTTP: {}", std::strerror(errno)), 500);
  }
  watch_listener(EPOLL_CTL_ADD);
  const unsigned count = std::max(1U, shared_.config.worker_threads) + std::max(1U, shared_.config.io_threads);
  for (unsigned i = 0; i < count; ++i) {
    if (!threads_.emplace_back().start([this] { run(); })) {
      stop(std::chrono::milliseconds(0));
      return make_error(errc::unavailable, fmt::format("cannot serve HTTP: no room for {} threads", count), 500);
    }
  }
  return ok();
}

// The server's own descriptors are told apart from connections by where the event points.
bool Core::watch(int fd, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = fd == timer_fd_ ? &timer_fd_ : &exit_fd_;
  return ::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, fd, &event) == 0;
}

void Core::watch_listener(int operation) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLONESHOT;
  event.data.ptr = &listener_fd_;
  ::epoll_ctl(epoll_fd_, operation, listener_fd_, &event);
}

void Core::run() {
  while (true) {
    epoll_event event{};
    if (::epoll_wait(epoll_fd_, &event, 1, -1) != 1) continue;  // interrupted by a signal
    if (event.data.ptr == &exit_fd_) return;
    if (event.data.ptr == &timer_fd_) {
      sweep();
    } else if (event.data.ptr == &listener_fd_) {
      accept_some();
    } else {
      Connection& connection = *static_cast<Connection*>(event.data.ptr);
      settle(connection, connection.on_ready());
    }
  }
}

void Core::accept_some() {
  const std::lock_guard lock(listener_mutex_);
  if (listener_fd_ < 0) return;
  for (int i = 0; i < accepts_per_turn; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(listener_fd_, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      add_connection(fd, peer);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      break;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      log::warn("http", "cannot accept a connection: {}; trying again shortly", std::strerror(errno));
      accepting_paused_ = true;
      schedule(now_millis() + accept_pause.count());
      return;
    }
    // Anything else is the failure of one connection that is gone already.
  }
  watch_listener(EPOLL_CTL_MOD);
}

void Core::add_connection(int fd, const sockaddr_storage& peer) {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  Connection* connection = nullptr;
  bool refused = false;
  {
    const std::lock_guard lock(registry_mutex_);
    if (connections_.size() >= shared_.config.max_connections + max_refused_connections) {
      ::close(fd);
      shared_.refused.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    refused = connections_.size() >= shared_.config.max_connections;
    connection = &connections_.emplace_front(fd, format_address(peer), shared_);
    connection->self = connections_.begin();
  }
  settle(*connection, connection->begin(refused));
}

void Core::settle(Connection& connection, Next next) {
  switch (next) {
    case Next::wait:
      return arm(connection);
    case Next::close:
      return destroy(connection);
    case Next::handle:
      return run_handlers(connection);
    case Next::stream:
      if (!streams_.submit([this, &connection] { settle(connection, connection.handle()); })) {
        settle(connection, connection.handle_overload());
      }
      return;
    case Next::produce:
      if (!streams_.submit([this, &connection] { settle(connection, connection.produce()); })) {
        settle(connection, connection.handle_overload());
      }
      return;
  }
}

void Core::run_handlers(Connection& first) {
  if (!slots_.take(first)) return;
  for (Connection* current = &first; current != nullptr; current = slots_.release()) {
    settle(*current, current->handle());  // handle() ends in wait, produce or close, so this does not nest
  }
}

void Core::arm(Connection& connection) {
  const Connection::Interest interest = connection.interest();
  epoll_event event{};
  event.events = interest.events | EPOLLONESHOT;
  event.data.ptr = &connection;
  const int operation = std::exchange(connection.registered, true) ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
  const int fd = connection.fd();
  connection.deadline.set(interest.wait, interest.due);
  schedule(interest.due);
  // Either stop() sees this deadline or we see that it has begun.
  if (shared_.stopping && interest.wait == Wait::idle) {
    if (connection.deadline.expire_if([](Wait, Millis) { return true; })) expire(connection, Wait::idle);
  }
  if (shared_.aborting) ::shutdown(fd, SHUT_RDWR);
  // From here on the connection belongs to the thread that gets its event.
  int armed = 0;
  {
    const std::lock_guard lock(arming_mutex(fd));
    armed = ::epoll_ctl(epoll_fd_, operation, fd, &event);
  }
  if (armed != 0) {
    log::error("http", "cannot watch a connection: {}; it is closed", std::strerror(errno));
    destroy(connection);
  }
}

void Core::destroy(Connection& connection) {
  // The descriptor is not closed before the call that armed it last has returned on its thread.
  const std::lock_guard armed(arming_mutex(connection.fd()));
  std::list<Connection> ended;
  const std::lock_guard lock(registry_mutex_);
  ended.splice(ended.end(), connections_, connection.self);
  ended.clear();
  if (connections_.empty()) registry_empty_.notify_all();
}

void Core::schedule(Millis due) {
  if (due >= next_sweep_.load()) return;
  const std::lock_guard lock(timer_mutex_);
  if (due >= next_sweep_.load()) return;
  next_sweep_.store(due);
  itimerspec at{};
  at.it_value.tv_sec = due / 1000;
  at.it_value.tv_nsec = (due % 1000) * 1'000'000 + 1;  // never 0, which would disarm
  ::timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &at, nullptr);
}

void Core::sweep() {
  std::uint64_t expirations = 0;
  if (::read(timer_fd_, &expirations, sizeof expirations) < 0) return;  // moved meanwhile
  // Before looking: a deadline that is set from now on schedules its own sweep.
  next_sweep_.store(never);
  const Millis horizon = now_millis() + sweep_slack;
  Millis earliest = never;
  {
    const std::lock_guard lock(registry_mutex_);
    for (Connection& connection : connections_) {
      const auto wait = connection.deadline.expire_if([&](Wait, Millis due) { return due <= horizon; });
      if (wait) {
        expire(connection, *wait);
      } else if (const auto due = connection.deadline.due()) {
        earliest = std::min(earliest, *due);
      }
    }
  }
  if (earliest != never) schedule(earliest);
  resume_accepting();
}

void Core::resume_accepting() {
  const std::lock_guard lock(listener_mutex_);
  if (listener_fd_ >= 0 && std::exchange(accepting_paused_, false)) watch_listener(EPOLL_CTL_MOD);
}

void Core::stop(std::chrono::milliseconds grace) {
  if (threads_.empty()) return;
  shared_.stopping = true;
  {
    const std::lock_guard lock(listener_mutex_);
    if (listener_fd_ >= 0) ::close(std::exchange(listener_fd_, -1));
  }
  end_connections(grace);
  const std::uint64_t one = 1;
  if (::write(exit_fd_, &one, sizeof one) < 0)
    log::error("http", "cannot wake the server's threads: {}", std::strerror(errno));
  threads_.clear();
  streams_.stop();
}

void Core::end_connections(std::chrono::milliseconds grace) {
  std::unique_lock lock(registry_mutex_);
  for (Connection& connection : connections_) {
    const auto wait = connection.deadline.expire_if([](Wait kind, Millis) { return kind == Wait::idle; });
    if (wait) expire(connection, *wait);
  }
  const auto empty = [&] { return connections_.empty(); };
  if (registry_empty_.wait_for(lock, grace, empty)) return;
  shared_.aborting = true;
  for (const Connection& connection : connections_) ::shutdown(connection.fd(), SHUT_RDWR);
  // Handlers still end by themselves: what they are doing may be half done.
  registry_empty_.wait(lock, empty);
}

ServerCounters Core::counters() const {
  const std::lock_guard lock(registry_mutex_);
  return ServerCounters{shared_.requests, connections_.size(), shared_.refused};
}

}  // namespace kaapi::http
