#include "logs/janitor.h"

#include <algorithm>
#include <optional>

#include "base/log.h"

namespace kaapi::logs {
namespace {

constexpr Duration retry_after_failure = std::chrono::minutes(1);
// The wall clock may be set while we sleep.
constexpr Duration longest_sleep = std::chrono::hours(24);

}  // namespace

Janitor::Janitor(LogStore& store, const Clock& clock) : store_(store), clock_(clock) {
  store_.on_maintenance_changed([this] {
    {
      const std::lock_guard lock(mutex_);
      due_ = true;
    }
    changed_.notify_one();
  });
  thread_ = std::thread([this] { run(); });
}

Janitor::~Janitor() {
  store_.on_maintenance_changed({});
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Janitor::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    due_ = false;
    lock.unlock();
    const Result<Maintenance> done = store_.maintain(clock_.now());
    if (!done)
      log::warn("logs", "cannot delete expired log events, trying again in a minute: {}", done.error().message);
    lock.lock();
    const auto woken = [&] { return due_ || stopping_; };
    if (done && !done->next) {
      changed_.wait(lock, woken);
    } else {
      const Duration sleep = done ? *done->next - clock_.now() : retry_after_failure;
      if (sleep > Duration::zero()) changed_.wait_for(lock, std::min(sleep, longest_sleep), woken);
    }
  }
}

}  // namespace kaapi::logs
