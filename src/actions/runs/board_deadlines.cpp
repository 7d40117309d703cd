// What the board does when time has passed, and how what ended badly is started again.

#include <fmt/format.h>

#include <algorithm>

#include "actions/runs/board.h"
#include "actions/runs/scope.h"

namespace kaapi::actions::runs {
namespace {

// A job as it was before it was queued, to be run again.
Job fresh(const Job& job, std::int64_t id, Time now) {
  Job again;
  again.id = id;
  again.attempt = job.attempt + 1;
  again.scope = job.scope;
  again.key = job.key;
  again.index = job.index;
  again.name = job.name;
  again.is_call = job.is_call;
  again.reason = "starts again";
  again.matrix = job.matrix;
  again.strategy = job.strategy;
  again.inputs = job.inputs;
  again.continue_on_error = job.continue_on_error;
  again.fail_fast = job.fail_fast;
  again.max_parallel = job.max_parallel;
  again.labels = job.labels;
  again.timeout_s = job.timeout_s;
  again.group = {job.group.name, job.group.cancel_in_progress, GroupPlace::State::none};
  again.environment = job.environment;
  again.created = now;
  again.survives_cancel = job.survives_cancel;
  return again;
}

bool succeeded(const Job& job) {
  return job.conclusion == Outcome::success;
}

// Jobs of a scope that run again, by their ids in the file; true: because of what they need, so with all of their
// matrix.
std::map<std::string, bool> again_in(const Run& run, const workflow::Workflow& file, const std::string& scope) {
  std::map<std::string, bool> again;
  for (const Job& job : run.jobs) {
    if (!job.superseded && job.scope == scope && !succeeded(job)) again.emplace(job.key, false);
  }
  for (bool more = true; more;) {
    more = false;
    for (const workflow::Job& job : file.jobs) {
      const auto known = again.find(job.id);
      if (known != again.end() && known->second) continue;
      const bool needs = std::any_of(job.needs.begin(), job.needs.end(), [&](const std::string& id) {
        const workflow::Job* needed = file.job(id);
        return needed != nullptr && again.count(needed->id) > 0;
      });
      if (!needs) continue;
      again[job.id] = true;
      more = true;
    }
  }
  return again;
}

// Everything below a call.
void supersede_scope(Run& run, const std::string& scope) {
  for (Job& job : run.jobs) {
    if (job.scope.starts_with(scope) && !job.superseded) job.superseded = job.changed = true;
  }
}

}  // namespace

void Board::start_again(Run& run, Job& job, Time now) {
  Job again = fresh(job, new_job_id(), now);
  again.retries = job.retries + 1;
  // It keeps what was granted: the review, the wait, and its place in the group.
  again.reviewers = job.reviewers;
  again.prevent_self_review = job.prevent_self_review;
  again.approved = job.approved;
  again.wait_until = job.wait_until;
  again.group.state = job.group.state;
  job.superseded = true;
  run.jobs.push_back(std::move(again));
}

// Its runner never said a word of it: the answer that gave it away was lost, and nothing has happened.
void Board::give_back(Run& run, Job& job, Time now) {
  job.status = Status::queued;
  job.reason = "waits for a runner again: the one that should have it never began";
  ++job.returns;
  job.runner.clear();
  for (std::string* hash : {&job.token_hash, &job.git_token_hash, &job.id_request_hash}) hash->clear();
  job.started.reset();
  job.queued = job.queued.value_or(now);
  job.changed = true;
  open_.insert(run.id);
}

void Board::lose(Run& run, Job& job, const std::string& reason, Time now) {
  if (!job.contacted && !job.cancel_requested) {
    if (job.returns < max_returns) return give_back(run, job, now);
    complete(
        job, Outcome::failure,
        fmt::format("no runner began it, {} times, the last one {}: its log says why", max_returns + 1, job.runner),
        now);
    open_.insert(run.id);
    return;
  }
  const std::string lost = "lost: " + reason;
  if (!job.cancel_requested && job.retries < settings_.retry_lost) {
    start_again(run, job, now);
    complete(job, Outcome::failure, lost + "; it was started again", now);
  } else if (job.cancel_requested) {
    complete(job, Outcome::cancelled, job.cancel_reason, now);
  } else {
    complete(job, Outcome::failure, lost, now);
  }
  open_.insert(run.id);
}

namespace {

bool awaits_review(const Job& job) {
  return job.status == Status::waiting && !job.reviewers.empty() && !job.approved;
}

}  // namespace

bool Board::due(Run& run, Job& job, Time now) {
  // Where somebody must agree, that the timer is over changes nothing.
  if (job.status == Status::waiting && !awaits_review(job) && job.wait_until && *job.wait_until <= now) return true;
  if (awaits_review(job) && job.created + settings_.review_limit <= now) {
    complete(job, Outcome::failure,
             fmt::format("nobody reviewed the environment {} within {} days", job.environment,
                         std::chrono::duration_cast<std::chrono::hours>(settings_.review_limit).count() / 24),
             now);
    return true;
  }
  if (job.status == Status::queued && job.queued && *job.queued + settings_.queue_limit <= now) {
    complete(job, Outcome::failure,
             fmt::format("no runner with the labels {} took it within {} hours", fmt::join(job.labels, ", "),
                         std::chrono::duration_cast<std::chrono::hours>(settings_.queue_limit).count()),
             now);
    return true;
  }
  if (job.status != Status::in_progress || job.is_call) return false;
  if (job.cancel_at && *job.cancel_at + settings_.cancel_grace <= now) {
    complete(job, Outcome::cancelled, job.cancel_reason + " (its runner did not end it in time)", now);
    return true;
  }
  const Time limit = job.started.value_or(now) + std::chrono::seconds(job.timeout_s) + settings_.timeout_grace;
  if (limit <= now) {
    complete(job, Outcome::cancelled, fmt::format("took longer than {} minutes (timeout-minutes)", job.timeout_s / 60),
             now);
    return true;
  }
  if (job.listeners > 0 || job.heard + silence(job) > now) return false;
  const std::string why = job.disowned
                              ? fmt::format(
                                    "its runner {} does not run it any more: it was started again, or gave it up "
                                    "as it could not reach the platform",
                                    job.runner)
                              : fmt::format("its runner {} was not heard of for {} s", job.runner,
                                            std::chrono::duration_cast<std::chrono::seconds>(silence(job)).count());
  lose(run, job, why, now);
  return true;
}

Duration Board::silence(const Job& job) const {
  if (job.disowned) return settings_.unknown_after;
  return job.contacted ? settings_.lost_after : settings_.unbegun_after;
}

void Board::tick(Time now) {
  for (auto& [id, active] : active_) {
    // Not range-for: what is lost may be started again, which adds a job.
    for (std::size_t i = 0; i < active.run.jobs.size(); ++i) {
      Job& job = active.run.jobs[i];
      if (!job.superseded && !job.over() && due(active.run, job, now)) open_.insert(id);
    }
  }
  settle(now);
}

std::optional<Time> Board::next_due() const {
  std::optional<Time> first;
  const auto consider = [&](Time time) { first = first ? std::min(*first, time) : time; };
  for (const auto& [id, active] : active_) {
    for (const Job& job : active.run.jobs) {
      if (job.superseded || job.over() || job.is_call) continue;
      if (job.status == Status::waiting && job.wait_until && (job.reviewers.empty() || job.approved)) {
        consider(*job.wait_until);
      }
      if (awaits_review(job)) consider(job.created + settings_.review_limit);
      if (job.status == Status::queued && job.queued) consider(*job.queued + settings_.queue_limit);
      if (job.status != Status::in_progress) continue;
      if (job.cancel_at) consider(*job.cancel_at + settings_.cancel_grace);
      if (job.started) consider(*job.started + std::chrono::seconds(job.timeout_s) + settings_.timeout_grace);
      if (job.listeners == 0) consider(job.heard + silence(job));
    }
  }
  return first;
}

// A job of the file: as a whole it is simply planned anew; otherwise what failed of its matrix runs again beside what
// succeeded, and a call goes on where it failed.
void Board::run_again(Run& run, const std::string& scope, const std::string& key, bool whole,
                      std::vector<std::string>& scopes, Time now) {
  const auto all = jobs_in(run, scope, key);
  const bool some_stay = !whole && std::any_of(all.begin(), all.end(), [](const Job* job) { return succeeded(*job); });
  for (const Job* old : all) {
    if (some_stay && succeeded(*old)) continue;
    Job& job = *run.job(old->id);
    job.superseded = job.changed = true;
    const bool entered = job.is_call && job.started.has_value();
    if (entered && whole) supersede_scope(run, scope_of_call(job));
    if (whole || (!entered && !some_stay)) continue;
    if (entered) scopes.push_back(scope_of_call(job));
    Job next = fresh(job, new_job_id(), now);
    next.survives_cancel = false;
    run.jobs.push_back(std::move(next));
  }
}

Board::Active& Board::rerun(Run run, std::shared_ptr<const RunFiles> files, bool failed_only, const std::string& actor,
                            const std::string& actor_arn, Time now) {
  ++run.attempt;
  run.status = Status::queued;
  run.conclusion.reset();
  run.reason = "starts again";
  run.group = {};
  run.group_evaluated = run.cancel_requested = run.announced = false;
  run.cancel_reason.clear();
  run.started.reset();
  run.ended.reset();
  run.triggering_actor = actor;
  run.triggering_arn = actor_arn;
  run.github["run_attempt"] = fmt::format("{}", run.attempt);
  run.github["triggering_actor"] = actor;
  run.changed = run.is_new = true;  // what is otherwise written once has changed, too
  if (!failed_only) supersede_scope(run, "");
  std::vector<std::string> scopes{""};
  for (std::size_t at = 0; at < scopes.size(); ++at) {
    const std::string scope = scopes[at];
    const auto file = workflow_of(run, *files, scope);
    if (!file) continue;
    for (const auto& [key, whole] : again_in(run, *file, scope)) {
      run_again(run, scope, key, whole, scopes, now);
    }
  }
  return add(std::move(run), std::move(files), now);
}

}  // namespace kaapi::actions::runs
