#include "actions/runs/advance.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/runs/environment_rules.h"
#include "actions/runs/expand.h"
#include "actions/runs/scope.h"
#include "actions/workflow/call.h"
#include "actions/workflow/matrix.h"

namespace kaapi::actions::runs {
namespace {

using expression::Contexts;
using expression::Object;
using expression::Value;
using workflow::JobDecision;
using workflow::Workflow;

// True when that is new.
bool set(Job& job, Status status, std::string reason) {
  if (job.status == status && job.reason == reason) return false;
  job.status = status;
  job.reason = std::move(reason);
  job.changed = true;
  return true;
}

class Advance {
 public:
  Advance(Run& run, const RunFiles& files, const Facts& facts, Desk& desk, Time now)
      : run_(run), files_(files), facts_(facts), desk_(desk), now_(now) {}

  void go() {
    if (run_.over()) return;
    const Result<Value> vars = facts_.variables(run_.repository);
    if (!vars) return end(Outcome::failure, "the repository's variables cannot be read: " + vars.error().message);
    vars_ = *vars;
    root_ = files_.find(run_.workflow_path);
    if (!root_) return end(Outcome::failure, fmt::format("its workflow {} is gone", run_.workflow_path));
    if (!enter_group()) return;
    // Each round ends, skips or makes something, and the number of jobs is bounded.
    while (advance_scope("", *root_)) {
    }
    tell_status();
  }

 private:
  void end(Outcome outcome, std::string reason) {
    run_.status = Status::completed;
    run_.conclusion = outcome;
    run_.reason = std::move(reason);
    run_.ended = now_;
    run_.group.state = GroupPlace::State::none;
    run_.changed = true;
  }

  // The workflow's own concurrency. False while the run waits, or when it ended here.
  bool enter_group() {
    if (!run_.group_evaluated && root_->concurrency) {
      const auto group = workflow::evaluate_concurrency(*root_->concurrency, scope_contexts(run_, "", vars_));
      if (!group) {
        end(Outcome::failure, "its concurrency cannot be evaluated: " + group.error().message);
        return false;
      }
      if (*group) run_.group = {(*group)->group, (*group)->cancel_in_progress, GroupPlace::State::none};
    }
    run_.group_evaluated = true;
    if (run_.group.name.empty() || run_.group.state == GroupPlace::State::holding) return true;
    if (run_.cancel_requested) {
      end(Outcome::cancelled, run_.cancel_reason);
      return false;
    }
    if (desk_.enter(run_, nullptr, run_.group)) {
      run_.changed = true;
      return true;
    }
    set_status(Status::pending, fmt::format("waits for another run of the concurrency group \"{}\"", run_.group.name));
    return false;
  }

  bool advance_scope(const std::string& scope, const Workflow& file) {
    bool changed = scope_cancelled(run_, scope) && cancel(scope, file);
    changed |= plan(scope, file);
    // Jobs that come to be meanwhile have their turn in the next round.
    const std::size_t count = run_.jobs.size();
    for (std::size_t i = 0; i < count; ++i) {
      Job& job = run_.jobs[i];
      if (job.superseded || job.over() || job.scope != scope) continue;
      changed |= fail_fast(job);
      if (!job.over() && (job.status == Status::pending || job.status == Status::waiting)) changed |= gate(job);
      if (job.is_call && job.status == Status::in_progress) changed |= call(job);
    }
    return changed;
  }

  bool plan(const std::string& scope, const Workflow& file) {
    const Contexts contexts = scope_contexts(run_, scope, vars_);
    const workflow::RunState state = run_state(run_, file, scope);
    bool changed = false;
    for (const JobDecision& decision : workflow::plan_jobs(file, state, contexts)) {
      if (decision.action == JobDecision::Action::wait) continue;
      changed = true;
      const workflow::Job& job = *file.job(decision.job);
      if (decision.action != JobDecision::Action::start) {
        add(placeholder(scope, job, decision.outcome, decision.why));
        continue;
      }
      Contexts with_needs(&contexts);
      with_needs.set("needs", workflow::needs_context(file, job, state));
      Expanded expanded = expand(job, files_, with_needs, max_run_jobs - std::min(max_run_jobs, run_.jobs.size()));
      if (expanded.jobs.empty()) {
        add(placeholder(scope, job, Outcome::failure, std::move(expanded.why)));
        continue;
      }
      for (Job& made : expanded.jobs) add_expanded(scope, std::move(made));
    }
    return changed;
  }

  Job placeholder(const std::string& scope, const workflow::Job& job, Outcome outcome, std::string why) const {
    Job made;
    made.scope = scope;
    made.key = job.id;
    made.index = -1;
    made.is_call = job.call.has_value();
    made.name = prefix(scope) + (job.name && !job.name->value.has_expressions() ? job.name->value.source() : job.id);
    complete(made, outcome, std::move(why), now_);
    return made;
  }

  void add_expanded(const std::string& scope, Job made) {
    made.scope = scope;
    made.name = prefix(scope) + made.name;
    if (made.over()) made.ended = now_;
    made.survives_cancel = scope_cancelled(run_, scope);  // its if was met nevertheless
    add(std::move(made));
  }

  void add(Job job) {
    job.id = desk_.new_job_id();
    job.attempt = run_.attempt;
    job.created = now_;
    job.changed = true;
    run_.jobs.push_back(std::move(job));
  }

  std::string prefix(const std::string& scope) const {
    const Job* caller = caller_of(run_, scope);
    return caller == nullptr ? std::string() : caller->name + " / ";
  }

  // GitHub's rule: a job goes on when its if is met although the run was cancelled.
  bool cancel(const std::string& scope, const Workflow& file) {
    bool changed = false;
    const Contexts contexts = scope_contexts(run_, scope, vars_);
    for (Job& job : run_.jobs) {
      if (job.superseded || job.over() || job.scope != scope || job.survives_cancel || job.cancel_requested) continue;
      const auto decisions = workflow::plan_jobs(file, run_state(run_, file, scope, job.key), contexts);
      const bool goes_on = std::any_of(decisions.begin(), decisions.end(), [&](const JobDecision& decision) {
        return decision.job == job.key && decision.action == JobDecision::Action::start;
      });
      changed = true;
      job.changed = true;
      if (goes_on) {
        job.survives_cancel = true;
      } else {
        request_cancel(job, why_cancelled(scope), now_);
      }
    }
    return changed;
  }

  std::string why_cancelled(const std::string& scope) const {
    if (run_.cancel_requested) return run_.cancel_reason;
    const Job* caller = caller_of(run_, scope);
    return caller == nullptr ? "the run was cancelled" : caller->cancel_reason;
  }

  bool fail_fast(Job& job) const {
    if (!job.fail_fast || job.cancel_requested) return false;
    for (const Job* other : jobs_in(run_, job.scope, job.key)) {
      if (other->conclusion != Outcome::failure || other->continue_on_error) continue;
      request_cancel(job, fmt::format("{} failed, and strategy.fail-fast ends the others", other->name), now_);
      return true;
    }
    return false;
  }

  // What stands between a job and the queue: the environment's protection, max-parallel, its concurrency group.
  bool gate(Job& job) {
    const Status before = job.status;
    const std::string why = job.reason;
    if (!may_enter_environment(run_, job, facts_, now_)) return job.status != before || job.reason != why;
    // Who waits in a group has taken its turn of the matrix already.
    if (job.max_parallel > 0 && job.group.state == GroupPlace::State::none && running_beside(job) >= job.max_parallel) {
      return set(job, Status::pending,
                 fmt::format("strategy.max-parallel lets {} of these jobs run at once", job.max_parallel));
    }
    if (!job.group.name.empty() && job.group.state != GroupPlace::State::holding &&
        !desk_.enter(run_, &job, job.group)) {
      return set(job, Status::pending, fmt::format("waits in the concurrency group \"{}\"", job.group.name));
    }
    if (job.is_call) {
      job.started = now_;
      return set(job, Status::in_progress, "its workflow runs");
    }
    job.queued = now_;
    return set(job, Status::queued, fmt::format("waits for a runner with the labels {}", fmt::join(job.labels, ", ")));
  }

  std::int64_t running_beside(const Job& job) const {
    const auto siblings = jobs_in(run_, job.scope, job.key);
    return std::count_if(siblings.begin(), siblings.end(), [](const Job* other) {
      return !other->over() && (other->status == Status::queued || other->status == Status::in_progress ||
                                other->group.state != GroupPlace::State::none);
    });
  }

  // A called workflow: on with its jobs, and when all are over the calling job is, too.
  bool call(Job& job) {
    const std::string scope = scope_of_call(job);
    const auto file = workflow_of(run_, files_, scope);
    if (!file) {
      complete(job, Outcome::failure, "the workflow that it calls is gone", now_);
      return true;
    }
    if (advance_scope(scope, *file)) return true;
    const workflow::RunState state = run_state(run_, *file, scope);
    const auto outcome = workflow::run_outcome(*file, state);
    if (!outcome) return false;
    const Result<json::object> outputs = call_outputs(*file, state, scope_contexts(run_, scope, vars_));
    if (!outputs) {
      complete(job, Outcome::failure, outputs.error().message, now_);
      return true;
    }
    job.outputs = *outputs;
    complete(job, *outcome, why_ended(scope, *outcome), now_);
    return true;
  }

  // The first job that ended like this, for people.
  std::string why_ended(const std::string& scope, Outcome outcome) const {
    if (outcome == Outcome::cancelled && scope_cancelled(run_, scope)) return why_cancelled(scope);
    for (const Job& job : run_.jobs) {
      if (job.superseded || job.scope != scope || job.conclusion != outcome || job.continue_on_error) continue;
      if (outcome == Outcome::success) break;
      return fmt::format("{}: {}", job.name, job.reason);
    }
    return outcome == Outcome::success ? "all jobs succeeded" : fmt::format("ended with {}", outcome_name(outcome));
  }

  void set_status(Status status, std::string reason) {
    if (run_.status == status && run_.reason == reason) return;
    run_.status = status;
    run_.reason = std::move(reason);
    run_.changed = true;
  }

  void tell_status() {
    if (const auto outcome = workflow::run_outcome(*root_, run_state(run_, *root_, ""))) {
      return end(*outcome, why_ended("", *outcome));
    }
    const Job* shown = nullptr;
    const auto rank = [](const Job& job) {
      switch (job.status) {
        case Status::in_progress:
          return 3;
        case Status::queued:
          return 2;
        default:
          return 1;
      }
    };
    for (const Job& job : run_.jobs) {
      if (job.superseded || job.over() || job.is_call) continue;
      if (shown == nullptr || rank(job) > rank(*shown)) shown = &job;
    }
    if (shown == nullptr) return set_status(Status::pending, "waits for its jobs");
    const bool running = shown->status == Status::in_progress;
    if (running && !run_.started) run_.started = now_;
    set_status(shown->status, running ? "jobs run" : fmt::format("{}: {}", shown->name, shown->reason));
  }

  Run& run_;
  const RunFiles& files_;
  const Facts& facts_;
  Desk& desk_;
  Time now_;
  Value vars_;
  std::shared_ptr<const Workflow> root_;
};

}  // namespace

void advance(Run& run, const RunFiles& files, const Facts& facts, Desk& desk, Time now) {
  Advance(run, files, facts, desk, now).go();
}

void request_cancel(Job& job, const std::string& reason, Time now) {
  if (job.over() || job.cancel_requested) return;
  if (job.status != Status::in_progress) return complete(job, Outcome::cancelled, reason, now);
  job.cancel_requested = true;
  job.cancel_reason = reason;
  job.cancel_at = now;
  job.changed = true;
}

}  // namespace kaapi::actions::runs
