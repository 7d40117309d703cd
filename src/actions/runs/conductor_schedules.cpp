// Workflows that start by the clock.

#include "actions/runs/conductor.h"
#include "actions/runs/conductor_trigger.h"
#include "actions/workflow/trigger.h"
#include "base/log.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view who = "runs";

}  // namespace

void Conductor::default_branch_changed(const std::string& repository) {
  const Result<Head> at = head(repository);
  if (at) return reschedule(repository, *at->workflows);
  if (at.error().code == errc::not_found) return reschedule(repository, CommitWorkflows());
  log::warn(who, "the schedules of {} stay as they were: {}", repository, at.error().message);
}

void Conductor::reschedule(const std::string& repository, const CommitWorkflows& commit) {
  std::vector<ScheduledWorkflow> mine;
  for (const std::string& path : commit.startable) {
    const auto next = workflow::next_start(*commit.files.find(path), clock_.now());
    if (next) mine.push_back({repository, path, *next});
  }
  const std::lock_guard lock(mutex_);
  std::vector<ScheduledWorkflow> all;
  std::size_t before = 0;
  for (const ScheduledWorkflow& one : schedules_) {
    if (one.repository == repository) {
      ++before;
    } else {
      all.push_back(one);
    }
  }
  if (before == 0 && mine.empty()) return;
  all.insert(all.end(), mine.begin(), mine.end());
  const Result<void> kept = store_->set_schedules(repository, mine);
  if (!kept) log::warn(who, "the schedules of {} cannot be kept: {}", repository, kept.error().message);
  schedules_ = std::move(all);
  poked_ = true;
  due_.notify_one();
}

void Conductor::postpone(const ScheduledWorkflow& schedule) {
  const std::lock_guard lock(mutex_);
  for (ScheduledWorkflow& one : schedules_) {
    if (one.repository == schedule.repository && one.path == schedule.path) one.next = clock_.now() + event_retry;
  }
}

void Conductor::fire(const ScheduledWorkflow& schedule) {
  const Result<Head> at = head(schedule.repository);
  if (!at) {
    log::warn(who, "the schedule of {} in {}: {}", schedule.path, schedule.repository, at.error().message);
    // A repository that is gone has no schedules any more; of one that cannot be read now, this time is missed.
    if (at.error().code == errc::not_found) return reschedule(schedule.repository, CommitWorkflows());
    return postpone(schedule);
  }
  const auto workflow = at->workflows->files.find(schedule.path);
  if (workflow && at->workflows->can_start(schedule.path)) {
    for (const std::string& line : workflow::schedules_at(*workflow, schedule.next)) {
      Trigger trigger = at->trigger(schedule.repository, "schedule", "its schedule " + line, {"schedule", ""});
      trigger.payload = {{"schedule", line}, {"workflow", schedule.path}};
      const Result<WatchedRun> started = launch(std::move(trigger), *at->workflows, *workflow);
      if (!started) log::warn(who, "the schedule {} of {}: {}", line, schedule.path, started.error().message);
    }
  }
  reschedule(schedule.repository, *at->workflows);
}

}  // namespace kaapi::actions::runs
