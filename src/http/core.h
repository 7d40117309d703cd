#pragma once
// The running server behind Server: one epoll instance that all threads wait on, the registry of connections, and who
// may run a handler.
//
// A thread that gets an event owns that connection (EPOLLONESHOT) and carries it as far as it goes without waiting: it
// reads, runs the handler, answers, and arms the next event. So a small request costs no hand-over between threads.
// There are io_threads more threads than handlers that may run at once; those stay free for transport when every
// handler blocks.

#include <array>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <string>

#include "http/connection.h"
#include "http/listener.h"
#include "http/threads.h"

namespace kaapi::http {

// At most `limit` handlers at once; connections with a complete request wait in line for one to end. Thread-safe.
class HandlerSlots {
 public:
  explicit HandlerSlots(std::size_t limit) : limit_(limit) {}
  // True: run it now. False: it stands in line and belongs to whoever gets it from release().
  bool take(Connection& connection);
  // After a handler: the next one to run in the same slot, or nullptr.
  Connection* release();

 private:
  const std::size_t limit_;
  std::mutex mutex_;
  std::size_t running_ = 0;
  std::deque<Connection*> waiting_;
};

// One run of a server, from start() to stop().
class Core {
 public:
  Core(const ServerConfig& config, const Router& router);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Result<void> start();
  void stop(std::chrono::milliseconds grace);
  std::uint16_t port() const { return port_; }
  ServerCounters counters() const;

 private:
  void run();
  void accept_some();
  void add_connection(int fd, const sockaddr_storage& peer);
  // Carries out what a connection asked for; it may be gone afterwards.
  void settle(Connection& connection, Next next);
  void run_handlers(Connection& first);
  void arm(Connection& connection);
  void destroy(Connection& connection);
  // Looks at every deadline and wakes those that are due.
  void sweep();
  void schedule(Millis due);
  void watch_listener(int operation);
  void resume_accepting();
  void end_connections(std::chrono::milliseconds grace);
  bool watch(int fd, std::uint32_t events);

  Shared shared_;
  int epoll_fd_ = -1;
  int timer_fd_ = -1;
  int exit_fd_ = -1;
  std::uint16_t port_ = 0;

  std::mutex listener_mutex_;
  int listener_fd_ = -1;  // -1: closed
  bool accepting_paused_ = false;

  mutable std::mutex registry_mutex_;
  std::condition_variable registry_empty_;
  std::list<Connection> connections_;

  std::mutex& arming_mutex(int fd) { return arming_mutexes_[static_cast<std::size_t>(fd) % arming_mutexes_.size()]; }
  std::array<std::mutex, 32> arming_mutexes_;  // by descriptor

  std::mutex timer_mutex_;
  std::atomic<Millis> next_sweep_;

  HandlerSlots slots_;
  std::list<Thread> threads_;
  ElasticPool streams_;
};

}  // namespace kaapi::http
