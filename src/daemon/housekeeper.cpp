#include "daemon/housekeeper.h"

#include <exception>

#include "base/log.h"

namespace kaapi::daemon {

Housekeeper::Housekeeper(std::function<void()> chore, Intervals intervals)
    : chore_(std::move(chore)), intervals_(intervals) {
  if (!thread_.start([this] { run(); })) {
    log::warn("daemon", "the machine has no room for another thread: nothing is tidied up until the next start");
  }
}

Housekeeper::~Housekeeper() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_one();
}

void Housekeeper::run() {
  std::unique_lock lock(mutex_);
  auto wait = intervals_.first;
  while (!changed_.wait_for(lock, wait, [this] { return stopping_; })) {
    lock.unlock();
    try {
      chore_();
    } catch (const std::exception& failure) {
      log::error("daemon", "tidying up failed and will be tried again: {}", failure.what());
    }
    lock.lock();
    wait = intervals_.every;
  }
}

}  // namespace kaapi::daemon
