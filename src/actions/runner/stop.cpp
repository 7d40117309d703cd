#include "actions/runner/stop.h"

#include <sys/eventfd.h>

#include <cstdint>
#include <utility>

namespace kaapi::actions::runner {
namespace {

void make_readable(int descriptor) {
  const std::uint64_t one = 1;
  // It cannot fail: the counter is far from its end.
  [[maybe_unused]] const auto written = ::write(descriptor, &one, sizeof one);
}

}  // namespace

StopSource::StopSource() : cancel_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), kill_(::eventfd(0, EFD_CLOEXEC)) {}

void StopSource::raise(StopLevel level, std::string reason) {
  const std::lock_guard lock(mutex_);
  raise_locked(level, std::move(reason));
}

void StopSource::raise_locked(StopLevel level, std::string reason) {
  if (level <= level_.load()) return;
  if (level_.load() == StopLevel::none) {
    reason_ = std::move(reason);
    make_readable(cancel_.get());
  }
  level_ = level;
  if (level == StopLevel::kill) {
    make_readable(kill_.get());
    deadline_.reset();
  } else {
    deadline_ = std::chrono::steady_clock::now() + cancel_grace;
    deadline_reason_ = "the job did not end in time after it was cancelled";
  }
}

void StopSource::set_deadline(SteadyTime when, std::string reason) {
  const std::lock_guard lock(mutex_);
  if (level_.load() != StopLevel::none) return;
  deadline_ = when;
  deadline_reason_ = std::move(reason);
}

std::string StopSource::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

std::optional<StopSource::SteadyTime> StopSource::next_deadline() const {
  const std::lock_guard lock(mutex_);
  return deadline_;
}

void StopSource::tick() {
  const std::lock_guard lock(mutex_);
  if (!deadline_ || std::chrono::steady_clock::now() < *deadline_) return;
  const StopLevel next = level_.load() == StopLevel::none ? StopLevel::cancel : StopLevel::kill;
  raise_locked(next, deadline_reason_);
}

}  // namespace kaapi::actions::runner
