#pragma once
// Threads with small stacks, and the pool for handlers that wait for their peer.

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <utility>

namespace kaapi::http {

// A joinable thread with a stack of thread_stack_bytes and SIGPIPE blocked (sendfile has no MSG_NOSIGNAL).
// Joins when destroyed.
class Thread {
 public:
  Thread() = default;
  ~Thread() { join(); }
  Thread(Thread&& other) noexcept : handle_(other.handle_), running_(std::exchange(other.running_, false)) {}
  Thread& operator=(Thread&&) = delete;

  // False when the machine has no room for another thread.
  bool start(std::function<void()> body);
  void join();

 private:
  pthread_t handle_{};
  bool running_ = false;
};

// Runs jobs on up to `limit` threads that are made when needed and end after a while without work, so that an idle
// program has none and a slow upload holds nothing but its own thread. More jobs wait in line; the caller bounds how
// many there can be. Thread-safe.
class ElasticPool {
 public:
  explicit ElasticPool(std::size_t limit) : limit_(limit) {}
  ~ElasticPool() { stop(); }
  ElasticPool(const ElasticPool&) = delete;
  ElasticPool& operator=(const ElasticPool&) = delete;

  // False when there is no thread and none can be made: the job was not taken.
  bool submit(std::function<void()> job);
  // Waits for every job. Nothing may be submitted afterwards.
  void stop();

 private:
  void run(std::list<Thread>::iterator self);
  bool add_thread();  // with mutex_ held

  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::list<Thread> threads_;
  std::list<Thread> ended_;  // to be joined by whoever comes next
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace kaapi::http
