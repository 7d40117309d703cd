#include "actions/runner/stop.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

namespace kaapi::actions::runner {
namespace {

using Clock = std::chrono::steady_clock;

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

bool StopSource::wait(StopLevel since, std::optional<SteadyTime> until, int readable) {
  while (true) {
    tick();
    if (level() > since || level() == StopLevel::kill) return false;
    const Clock::time_point now = Clock::now();
    if (until && now >= *until) return true;
    std::optional<SteadyTime> next = next_deadline();
    if (until && (!next || *until < *next)) next = until;
    int wait_ms = -1;
    if (next) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
      wait_ms = static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
    }
    std::array<pollfd, 2> waited = {pollfd{descriptor(since), POLLIN, 0}, pollfd{readable, POLLIN, 0}};
    ::poll(waited.data(), waited.size(), wait_ms);
    if (waited[1].revents != 0) return true;
  }
}

}  // namespace kaapi::actions::runner
