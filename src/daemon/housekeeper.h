#pragma once
// Calls something once a day, in the background.

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

#include "http/threads.h"

namespace kaapi::daemon {

// The first time an hour after it was made: a start has better things to do. Ends when destroyed, after a call in
// progress.
class Housekeeper {
 public:
  struct Intervals {
    std::chrono::milliseconds first = std::chrono::hours(1);
    std::chrono::milliseconds every = std::chrono::hours(24);
  };
  explicit Housekeeper(std::function<void()> chore) : Housekeeper(std::move(chore), Intervals()) {}
  Housekeeper(std::function<void()> chore, Intervals intervals);
  ~Housekeeper();
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

 private:
  void run();

  std::function<void()> chore_;
  Intervals intervals_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  http::Thread thread_;
};

}  // namespace kaapi::daemon
