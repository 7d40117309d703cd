// What the conductor does by itself, when its time has come.

#include <algorithm>
#include <iterator>

#include "actions/runs/conductor.h"
#include "actions/runs/settings_facts.h"
#include "base/log.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view who = "runs";
constexpr std::chrono::hours expiry_interval{1};
constexpr std::size_t expiry_batch = 200;  // runs that are removed in one go
// Waits are cut here, so that a clock that was set is noticed.
constexpr std::chrono::minutes longest_sleep{1};

}  // namespace

void Conductor::start() {
  thread_ = std::thread([this] { loop(); });
}

void Conductor::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    due_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Conductor::loop() {
  while (true) {
    run_due();
    std::unique_lock lock(mutex_);
    Time next = clock_.now() + longest_sleep;
    if (const auto due = board_.next_due()) next = std::min(next, *due);
    for (const ScheduledWorkflow& schedule : schedules_) next = std::min(next, schedule.next);
    for (const Announcement& event : postponed_) next = std::min(next, event.next);
    due_.wait_for(lock, std::max(next - clock_.now(), Duration(0)),
                  [&] { return stopping_ || poked_ || !to_announce_.empty(); });
    if (stopping_) return;
    poked_ = false;
  }
}

void Conductor::run_due() {
  const Time now = clock_.now();
  std::vector<Announcement> announcements;
  std::vector<ScheduledWorkflow> fired;
  bool expiring = false;
  {
    const std::lock_guard lock(mutex_);
    const auto due = board_.next_due();
    if (due && *due <= now) {
      board_.tick(now);
      // Logged inside; what could not be written is written with the next change.
      static_cast<void>(flush());
    }
    announcements.swap(to_announce_);
    const auto waits = [&](const Announcement& event) { return event.next > now; };
    const auto due_again = std::stable_partition(postponed_.begin(), postponed_.end(), waits);
    std::move(due_again, postponed_.end(), std::back_inserter(announcements));
    postponed_.erase(due_again, postponed_.end());
    for (ScheduledWorkflow& schedule : schedules_) {
      if (schedule.next > now) continue;
      fired.push_back(schedule);
      schedule.next = now + longest_sleep;  // until fire() knows better
    }
    if (next_expiry_ <= now) {
      expiring = true;
      next_expiry_ = now + expiry_interval;
    }
  }
  for (Announcement& event : announcements) announce(std::move(event));
  for (const ScheduledWorkflow& schedule : fired) fire(schedule);
  if (expiring) expire(now);
}

void Conductor::expire(Time now) {
  if (const Result<void> done = store_->remove_expired_tokens(now); !done) {
    log::warn(who, "old tokens cannot be removed: {}", done.error().message);
  }
  if (settings_.keep_runs.count() == 0) return;
  const auto old = store_->ended_before(now - settings_.keep_runs, expiry_batch);
  if (!old) return log::warn(who, "old runs cannot be found: {}", old.error().message);
  std::size_t removed = 0;
  for (const std::int64_t id : *old) {
    const Result<Run> run = store_->run(id);
    const Result<void> gone = run ? remove(run->repository, id) : Result<void>(run.error());
    if (gone) ++removed;
    if (!gone) log::warn(who, "run {} is old and cannot be removed: {}", id, gone.error().message);
  }
  if (removed > 0) log::info(who, "{} old runs were removed", removed);
  if (old->size() < expiry_batch || removed == 0) return;
  // There are more. Deadlines come in between.
  const std::lock_guard lock(mutex_);
  next_expiry_ = now;
  poked_ = true;
}

}  // namespace kaapi::actions::runs
