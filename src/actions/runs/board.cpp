#include "actions/runs/board.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "actions/protocol/actor.h"
#include "actions/runs/environment_rules.h"
#include "actions/runs/scope.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

bool has_all(const std::vector<std::string>& runner, const std::vector<std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& label) {
    return std::any_of(runner.begin(), runner.end(),
                       [&](const std::string& own) { return expression::equal_ignoring_case(own, label); });
  });
}

bool with_runner(const Job& job) {
  return job.status == Status::in_progress && !job.is_call && !job.superseded;
}

// The job, or what calls the workflow it belongs to, is in that group already: it would wait for itself.
bool inside_group(const Run& run, const Job& job, const std::string& name) {
  if (run.group.name == name) return true;
  for (const Job* caller = caller_of(run, job.scope); caller != nullptr; caller = caller_of(run, caller->scope)) {
    if (caller->group.name == name) return true;
  }
  return false;
}

// Jobs that were given away before runners had ids go by the name alone.
bool is_with(const Job& job, const Acquire& runner) {
  return job.runner == runner.name && (job.runner_id.empty() || job.runner_id == runner.id);
}

}  // namespace

std::optional<std::string> Board::full() const {
  if (active_.size() >= settings_.max_active_runs) {
    return fmt::format("{} runs are not over yet, which is the limit: cancel some, or wait", active_.size());
  }
  std::size_t jobs = 0;
  for (const auto& [id, active] : active_) {
    const auto& all = active.run.jobs;
    jobs += static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [](const Job& job) { return !job.over(); }));
  }
  if (jobs < settings_.max_active_jobs) return std::nullopt;
  return fmt::format("{} jobs are not over yet, which is the limit: cancel some runs, or wait", jobs);
}

Board::Active& Board::put(Active one, Time now) {
  const std::int64_t id = one.run.id;
  for (Job& job : one.run.jobs) job.heard = now;
  open_.insert(id);
  return active_.insert_or_assign(id, std::move(one)).first->second;
}

Board::Active& Board::add(Run run, std::shared_ptr<const RunFiles> files, Time now) {
  Active& active = put(Active{std::move(run), std::move(files)}, now);
  settle(now);
  return active;
}

void Board::restore(std::vector<Active> kept, Time now) {
  for (Active& one : kept) put(std::move(one), now);
  settle(now);
}

Board::Active* Board::find(std::int64_t run_id) {
  const auto found = active_.find(run_id);
  return found == active_.end() ? nullptr : &found->second;
}

Board::Place Board::find_job(std::int64_t job_id) {
  for (auto& [id, active] : active_) {
    if (Job* job = active.run.job(job_id)) return {&active, job};
  }
  return {};
}

bool Board::report(const Acquire& runner, Time now) {
  bool disowned = false;
  for (auto& [id, active] : active_) {
    // Not range-for: what is lost may be started again, which adds a job.
    for (std::size_t i = 0; i < active.run.jobs.size(); ++i) {
      Job& job = active.run.jobs[i];
      if (!with_runner(job) || !is_with(job, runner)) continue;
      if (std::find(runner.running.begin(), runner.running.end(), job.id) != runner.running.end()) {
        job.heard = now;
        job.disowned = false;
      } else {
        disowned |= !std::exchange(job.disowned, true);
        if (due(active.run, job, now)) open_.insert(id);
      }
    }
  }
  settle(now);
  return disowned;
}

Board::Place Board::next_for(const std::vector<std::string>& labels) {
  std::size_t running = 0;
  Place next;
  for (auto& [id, active] : active_) {
    for (Job& job : active.run.jobs) {
      if (with_runner(job)) ++running;
      if (job.status != Status::queued || job.superseded || !has_all(labels, job.labels)) continue;
      if (next.job == nullptr || *job.queued < *next.job->queued) next = {&active, &job};
    }
  }
  const bool full = settings_.max_running_jobs > 0 && running >= settings_.max_running_jobs;
  return full ? Place() : next;
}

Board::Place Board::acquire(const Acquire& runner, Time now) {
  Place next = next_for(runner.labels);
  // One whose environment does not let it go any more is queued no longer, so that this ends.
  while (next.job != nullptr && !may_enter_environment(next.active->run, *next.job, facts_, now)) {
    open_.insert(next.active->run.id);
    settle(now);
    next = next_for(runner.labels);
  }
  if (next.job == nullptr) return {};
  Job& job = *next.job;
  job.status = Status::in_progress;
  job.reason = fmt::format("runs on {}", runner.name);
  job.runner = runner.name;
  job.runner_id = runner.id;
  job.contacted = false;
  job.disowned = false;
  job.started = job.heard = now;
  job.changed = true;
  open_.insert(next.active->run.id);
  settle(now);
  return next;
}

bool Board::heard(std::int64_t job_id, int held, Time now) {
  const Place place = find_job(job_id);
  if (place.job == nullptr) return false;
  Job& job = *place.job;
  job.heard = now;
  // The end of a request says nothing of who sent it.
  if (held >= 0) job.disowned = false;
  job.listeners = std::max(0, job.listeners + held);
  if (std::exchange(job.contacted, true)) return false;
  job.changed = true;
  return true;
}

bool Board::complete_job(std::int64_t job_id, const Completion& completion, Time now) {
  const Place place = find_job(job_id);
  if (place.job == nullptr || !with_runner(*place.job)) return false;
  Job& job = *place.job;
  job.outputs = completion.outputs;
  job.environment_url = completion.environment_url;
  job.summary = completion.summary;
  job.annotations = completion.annotations;
  const Outcome outcome = outcome_of(completion.conclusion).value_or(Outcome::failure);
  std::string reason = completion.reason;
  if (reason.empty() && job.cancel_requested && outcome == Outcome::cancelled) reason = job.cancel_reason;
  if (reason.empty()) reason = fmt::format("ended with {}", workflow::outcome_name(outcome));
  complete(job, outcome, std::move(reason), now);
  open_.insert(place.active->run.id);
  settle(now);
  return true;
}

void Board::fail_job(std::int64_t job_id, const std::string& reason, Time now) {
  const Place place = find_job(job_id);
  if (place.job == nullptr || place.job->over()) return;
  complete(*place.job, Outcome::failure, reason, now);
  open_.insert(place.active->run.id);
  settle(now);
}

bool Board::cancel_run(std::int64_t run_id, const std::string& reason, Time now) {
  Active* active = find(run_id);
  if (active == nullptr || active->run.over()) return false;
  if (active->run.cancel_requested) return true;
  active->run.cancel_requested = true;
  active->run.cancel_reason = reason;
  active->run.changed = true;
  open_.insert(run_id);
  settle(now);
  return true;
}

Result<std::size_t> Board::review(std::int64_t run_id, const std::string& environment, const std::string& reviewer,
                                  const std::vector<std::string>& names, bool approved, const std::string& comment,
                                  Time now) {
  // The environments' rules as they are now.
  open_.insert(run_id);
  settle(now);
  Active* active = find(run_id);
  std::set<std::string> environments;
  std::size_t answered = 0;
  std::string refusal;
  for (std::size_t i = 0; active != nullptr && i < active->run.jobs.size(); ++i) {
    Job& job = active->run.jobs[i];
    if (job.status != Status::waiting || job.superseded || job.reviewers.empty() || job.approved) continue;
    if (!environment.empty() && !expression::equal_ignoring_case(job.environment, environment)) continue;
    const bool may = std::any_of(job.reviewers.begin(), job.reviewers.end(), [&](const std::string& arn) {
      return std::any_of(names.begin(), names.end(),
                         [&](const std::string& name) { return principal_of(name) == principal_of(arn); });
    });
    if (!may) {
      refusal = fmt::format("{} is none of the reviewers of the environment {}: {} may", reviewer, job.environment,
                            fmt::join(job.reviewers, " or "));
      continue;
    }
    // Sessions of one role are one: whoever may assume it chooses the session's name.
    const std::string starter = principal_of(active->run.triggering_arn);
    if (approved && job.prevent_self_review &&
        (starter == principal_of(reviewer) || std::find(names.begin(), names.end(), starter) != names.end())) {
      refusal = fmt::format("the environment {} forbids who started a run to approve it, and {} did", job.environment,
                            starter);
      continue;
    }
    ++answered;
    environments.insert(job.environment);
    job.changed = true;
    if (approved) {
      job.approved = true;
    } else {
      complete(job, Outcome::failure,
               fmt::format("{} refused the deployment to {}{}{}", reviewer, job.environment,
                           comment.empty() ? "" : ": ", comment),
               now);
    }
  }
  if (answered == 0) {
    if (!refusal.empty()) return make_error(errc::conflict, refusal);
    return make_error(errc::not_found, environment.empty()
                                           ? fmt::format("no job of run {} waits for a review", run_id)
                                           : fmt::format("no job of run {} waits for a review of the environment {}",
                                                         run_id, environment));
  }
  for (const std::string& name : environments) active->run.reviews.push_back({name, reviewer, approved, comment, now});
  active->run.changed = true;
  open_.insert(run_id);
  settle(now);
  return answered;
}

bool Board::enter(Run& run, Job* job, GroupPlace& place) {
  if (job != nullptr && inside_group(run, *job, place.name)) return true;
  GroupPlace *running = nullptr, *waiting = nullptr;
  Active* running_at = nullptr;
  Active* waiting_at = nullptr;
  Job *running_job = nullptr, *waiting_job = nullptr;
  const auto look = [&](Active& active, Job* other, GroupPlace& found) {
    if (&found == &place || found.name != place.name) return;
    if (found.state == GroupPlace::State::holding) running = &found, running_at = &active, running_job = other;
    if (found.state == GroupPlace::State::waiting) waiting = &found, waiting_at = &active, waiting_job = other;
  };
  for (auto& [id, active] : active_) {
    if (active.run.repository != run.repository) continue;
    look(active, nullptr, active.run.group);
    for (Job& other : active.run.jobs) look(active, &other, other.group);
  }
  const auto mark = [&] { (job == nullptr ? run.changed : job->changed) = true; };
  if (place.state == GroupPlace::State::waiting) {
    if (running != nullptr) return false;
    place.state = GroupPlace::State::holding;
    mark();
    return true;
  }
  const auto name = [](const GroupPlace* other, const char* what) {
    return other == nullptr ? std::nullopt : std::optional<std::string>(what);
  };
  const workflow::Admission admission =
      workflow::admit({place.name, place.cancel_in_progress}, name(running, "running"), name(waiting, "waiting"));
  const std::string why = fmt::format("{} of run {} has taken its place in the concurrency group \"{}\"",
                                      job == nullptr ? "the workflow" : job->name, run.id, place.name);
  const auto cancel = [&](Active& active, Job* other) {
    if (other != nullptr) {
      request_cancel(*other, why, now_);
    } else if (!active.run.cancel_requested) {
      active.run.cancel_requested = true;
      active.run.cancel_reason = why;
      active.run.changed = true;
    }
    open_.insert(active.run.id);
  };
  if (admission.cancels_waiting && waiting != nullptr) {
    waiting->state = GroupPlace::State::none;
    cancel(*waiting_at, waiting_job);
  }
  if (admission.cancels_running && running != nullptr) cancel(*running_at, running_job);
  place.state = admission.starts ? GroupPlace::State::holding : GroupPlace::State::waiting;
  mark();
  return admission.starts;
}

void Board::settle(Time now) {
  now_ = now;
  while (true) {
    while (!open_.empty()) {
      const std::int64_t id = *open_.begin();
      open_.erase(open_.begin());
      if (Active* active = find(id)) advance(active->run, *active->files, facts_, *this, now);
    }
    // What waits for a group that nothing holds any more.
    std::set<std::string> held;
    const auto key = [](const Run& run, const GroupPlace& place) { return run.repository + " " + place.name; };
    for (const auto& [id, active] : active_) {
      if (active.run.group.state == GroupPlace::State::holding) held.insert(key(active.run, active.run.group));
      for (const Job& job : active.run.jobs) {
        if (job.group.state == GroupPlace::State::holding) held.insert(key(active.run, job.group));
      }
    }
    const auto may_go = [&](const Run& run, const GroupPlace& place) {
      return place.state == GroupPlace::State::waiting && held.count(key(run, place)) == 0;
    };
    for (const auto& [id, active] : active_) {
      const Run& run = active.run;
      const bool ready =
          std::any_of(run.jobs.begin(), run.jobs.end(), [&](const Job& job) { return may_go(run, job.group); });
      if (ready || may_go(run, run.group)) open_.insert(id);
    }
    if (open_.empty()) return;
  }
}

}  // namespace kaapi::actions::runs
