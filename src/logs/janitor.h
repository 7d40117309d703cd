#pragma once
// Runs LogStore::maintain() when it is due: expired events and what deleted groups left behind.

#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/clock.h"
#include "logs/store.h"

namespace kaapi::logs {

// A thread that sleeps until something expires or the store says that there is something to do. Sleeps in real time,
// reads `clock`.
class Janitor {
 public:
  // Both outlive the janitor. Takes the store's on_maintenance_changed() for itself: make it before the store is used.
  Janitor(LogStore& store, const Clock& clock);
  ~Janitor();
  Janitor(const Janitor&) = delete;
  Janitor& operator=(const Janitor&) = delete;

 private:
  void run();

  LogStore& store_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool due_ = true;  // at the start, too
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace kaapi::logs
