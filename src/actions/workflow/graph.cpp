#include "actions/workflow/graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "actions/expression/contexts.h"
#include "actions/workflow/matrix.h"
#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

using expression::Function;
using expression::Object;
using expression::Value;

const JobState* state_of(const RunState& run, std::string_view id) {
  const auto found = run.jobs.find(std::string(id));
  return found == run.jobs.end() ? nullptr : &found->second;
}

// Everything that a job needs, also through others.
std::vector<const Job*> ancestors(const Workflow& workflow, const Job& job) {
  std::vector<const Job*> found;
  std::set<const Job*> seen;
  std::vector<const Job*> open = {&job};
  while (!open.empty()) {
    const Job* at = open.back();
    open.pop_back();
    for (const std::string& id : at->needs) {
      const Job* needed = workflow.job(id);
      if (needed == nullptr || !seen.insert(needed).second) continue;
      found.push_back(needed);
      open.push_back(needed);
    }
  }
  return found;
}

// The status functions of a job's `if`.
class JobEnvironment final : public expression::Contexts {
 public:
  JobEnvironment(const expression::Environment& below, const RunState& run, std::vector<const Job*> needed)
      : Contexts(&below), run_(run), needed_(std::move(needed)) {}

  Result<bool> status(Function function, std::span<const std::string> jobs) const override {
    switch (function) {
      case Function::always:
        return true;
      case Function::cancelled:
        return run_.cancelled;
      case Function::success:
        return !run_.cancelled && std::all_of(needed_.begin(), needed_.end(), [&](const Job* job) {
          return !named(*job, jobs) || ended(*job, Outcome::success);
        });
      default:
        return !run_.cancelled && std::any_of(needed_.begin(), needed_.end(), [&](const Job* job) {
          return named(*job, jobs) && ended(*job, Outcome::failure);
        });
    }
  }

 private:
  static bool named(const Job& job, std::span<const std::string> jobs) {
    return jobs.empty() || std::any_of(jobs.begin(), jobs.end(), [&](const std::string& id) {
             return expression::equal_ignoring_case(id, job.id);
           });
  }

  bool ended(const Job& job, Outcome outcome) const {
    const JobState* state = state_of(run_, job.id);
    return state != nullptr && state->outcome == outcome;
  }

  const RunState& run_;
  std::vector<const Job*> needed_;
};

std::string why_not(const Job& job, const RunState& run, const std::vector<const Job*>& needed) {
  if (run.cancelled) return "the run was cancelled";
  if (!job.condition.condition.uses_status_function()) {
    for (const Job* other : needed) {
      const JobState* state = state_of(run, other->id);
      if (state == nullptr || !state->outcome || state->outcome == Outcome::success) continue;
      return fmt::format("it needs {}, which ended with {}", other->id, outcome_name(*state->outcome));
    }
  }
  return fmt::format("its if is not met: {}", quoted(job.condition.condition.text().source()));
}

JobDecision decide(const Workflow& workflow, const Job& job, const RunState& run,
                   const expression::Environment& environment) {
  JobDecision decision;
  decision.job = job.id;
  for (const std::string& id : job.needs) {
    const Job* needed = workflow.job(id);
    const JobState* state = needed == nullptr ? nullptr : state_of(run, needed->id);
    if (state != nullptr && state->outcome) continue;
    decision.why = fmt::format("waits for {}", id);
    return decision;
  }
  const std::vector<const Job*> needed = ancestors(workflow, job);
  JobEnvironment contexts(environment, run, needed);
  contexts.set("needs", needs_context(workflow, job, run));
  const auto met = job.condition.condition.evaluate(contexts);
  if (!met) {
    decision.action = JobDecision::Action::fail;
    decision.outcome = Outcome::failure;
    decision.why =
        fmt::format("its if cannot be evaluated (line {}): {}", job.condition.position.line, met.error().message);
  } else if (*met) {
    decision.action = JobDecision::Action::start;
    decision.why = job.needs.empty() ? "it needs no other job" : "all that it needs is over";
  } else {
    decision.action = JobDecision::Action::skip;
    decision.outcome = run.cancelled ? Outcome::cancelled : Outcome::skipped;
    decision.why = why_not(job, run, needed);
  }
  return decision;
}

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::success:
      return "success";
    case Outcome::failure:
      return "failure";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::skipped:
      return "skipped";
  }
  return {};
}

Outcome worse(Outcome a, Outcome b) {
  // A skipped job harms nothing, but is no success either.
  constexpr auto rank = [](Outcome outcome) {
    switch (outcome) {
      case Outcome::skipped:
        return 0;
      case Outcome::success:
        return 1;
      case Outcome::cancelled:
        return 2;
      case Outcome::failure:
        return 3;
    }
    return 3;
  };
  return rank(a) >= rank(b) ? a : b;
}

Value needs_context(const Workflow& workflow, const Job& job, const RunState& run) {
  Object needs;
  for (const std::string& id : job.needs) {
    const Job* needed = workflow.job(id);
    const JobState* state = needed == nullptr ? nullptr : state_of(run, needed->id);
    if (state == nullptr || !state->outcome) continue;
    Object entry;
    entry.set("result", outcome_name(*state->outcome));
    entry.set("outputs", state->outputs.is(expression::Kind::object) ? state->outputs : Value(Object()));
    needs.set(needed->id, std::move(entry));
  }
  return needs;
}

std::vector<JobDecision> plan_jobs(const Workflow& workflow, const RunState& run,
                                   const expression::Environment& environment) {
  std::vector<JobDecision> decisions;
  for (const Job& job : workflow.jobs) {
    const JobState* state = state_of(run, job.id);
    if (state != nullptr && (state->started || state->outcome)) continue;
    decisions.push_back(decide(workflow, job, run, environment));
  }
  return decisions;
}

std::optional<Outcome> run_outcome(const Workflow& workflow, const RunState& run) {
  Outcome outcome = Outcome::skipped;
  for (const Job& job : workflow.jobs) {
    const JobState* state = state_of(run, job.id);
    if (state == nullptr || !state->outcome) return std::nullopt;
    outcome = worse(outcome, *state->outcome);
  }
  return outcome;
}

Result<std::optional<ConcurrencyGroup>> evaluate_concurrency(const Concurrency& concurrency,
                                                             const expression::Environment& environment) {
  auto group = concurrency.group.value.evaluate_text(environment);
  if (!group) return group.error();
  if (group->empty()) return std::optional<ConcurrencyGroup>();
  // Groups are the same whatever their case.
  ConcurrencyGroup result{lower(*group), false};
  if (concurrency.cancel_in_progress) {
    const Result<bool> cancel = evaluate_flag(*concurrency.cancel_in_progress, environment);
    if (!cancel) return cancel.error();
    result.cancel_in_progress = *cancel;
  }
  return std::optional(std::move(result));
}

Admission admit(const ConcurrencyGroup& group, const std::optional<std::string>& running,
                const std::optional<std::string>& waiting) {
  Admission admission;
  admission.starts = !running;
  admission.cancels_waiting = waiting;
  admission.cancels_running = running.has_value() && group.cancel_in_progress;
  return admission;
}

}  // namespace kaapi::actions::workflow
