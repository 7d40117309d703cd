#include "actions/runner/steps.h"

#include <fmt/format.h>

#include <cmath>

#include "actions/workflow/matrix.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

using expression::Object;
using expression::Value;
using workflow::Step;

// env of a step, on top of what is above it.
Result<void> evaluate_env(const JobState& job, StepFrame& frame) {
  frame.env = job.env;
  for (const auto& [name, value] : frame.scope.env) frame.env[name] = value;
  const StepEnvironment environment(job, frame.scope, frame.env, frame.action);
  if (frame.step->env.expression) {
    const auto value = frame.step->env.expression->value.evaluate(environment);
    if (!value) return value.error();
    if (!value->is(expression::Kind::object)) return make_error(errc::invalid, "env: the expression yields no mapping");
    for (const auto& [name, member] : value->object().members()) frame.own_env[name] = expression::to_text(member);
  }
  for (const workflow::Variable& variable : frame.step->env.list) {
    auto value = variable.value.value.evaluate_text(environment);
    if (!value) return make_error(errc::invalid, fmt::format("env {}: {}", variable.name, value.error().message));
    frame.own_env[variable.name] = std::move(*value);
  }
  for (const auto& [name, value] : frame.own_env) frame.env[name] = value;
  return ok();
}

std::string name_of(const JobState& job, const StepFrame& frame) {
  const Step& step = *frame.step;
  const StepEnvironment environment(job, frame.scope, frame.env, frame.action);
  if (step.name) {
    const auto name = step.name->value.evaluate_text(environment);
    if (name && !trim(*name).empty()) return job.masks.mask(trim(*name));
    if (!name) return job.masks.mask(step.name->value.source());
  }
  if (step.uses) return "Run " + step.uses->text;
  if (!step.run) return "Run";
  const auto script = step.run->value.evaluate_text(environment);
  const std::string text(trim(script ? *script : step.run->value.source()));
  return "Run " + job.masks.mask(trim(text.substr(0, text.find('\n'))).substr(0, 200));
}

Result<void> evaluate_timeout(const JobState& job, StepFrame& frame) {
  if (!frame.step->timeout_minutes) return ok();
  const StepEnvironment environment(job, frame.scope, frame.env, frame.action);
  const Result<double> minutes = workflow::evaluate_number(*frame.step->timeout_minutes, environment);
  if (!minutes) return minutes.error();
  if (!(*minutes > 0) || *minutes > 30.0 * 24 * 60) return ok();  // 0: none, as GitHub
  const auto by = std::chrono::steady_clock::now() +
                  std::chrono::milliseconds(static_cast<std::int64_t>(std::llround(*minutes * 60'000)));
  frame.ends_by = frame.ends_by ? std::min(*frame.ends_by, by) : by;
  return ok();
}

Result<bool> may_fail(const JobState& job, const StepFrame& frame) {
  if (!frame.step->continue_on_error) return false;
  const StepEnvironment environment(job, frame.scope, frame.env, frame.action);
  return workflow::evaluate_flag(*frame.step->continue_on_error, environment);
}

void note(StepFrame& frame, const StepDone& done) {
  if (frame.step->id.empty()) return;
  Object result;
  result.set("outputs", object_of(frame.outputs, Object::Case::insensitive));
  result.set("outcome", outcome_text(done.outcome));
  result.set("conclusion", outcome_text(done.conclusion));
  frame.scope.results.emplace_back(frame.step->id, Value(std::move(result)));
}

StepEnd failed(JobState& job, const std::string& message) {
  job.log.error(message);
  annotate(job, {"error", message, "", "", 0, 0});
  return {Outcome::failure, message};
}

StepEnd execute(JobState& job, StepFrame& frame, const StepDone& done, std::size_t depth) {
  if (const Result<void> timeout = evaluate_timeout(job, frame); !timeout) {
    return failed(job, "timeout-minutes: " + timeout.error().message);
  }
  StepEnd end = frame.step->run ? run_script(job, frame) : run_action(job, frame, done.name, depth);
  if (frame.timed_out) {
    end = failed(job, fmt::format("The step '{}' has timed out.", done.name));
  } else if (end.outcome == Outcome::failure && depth == 0) {
    annotate(job, {"error", fmt::format("{}: {}", done.name, end.reason), "", "", 0, 0});
  } else if (end.outcome == Outcome::cancelled) {
    job.log.error("The operation was canceled.");
  }
  return end;
}

}  // namespace

StepDone run_step(JobState& job, Scope& scope, const Step& step, std::string action,
                  const std::function<void(const std::string&)>& begin, std::size_t depth,
                  std::optional<std::chrono::steady_clock::time_point> ends_by) {
  job.stop.tick();
  StepFrame frame{scope, &step, std::move(action)};
  frame.since = job.stop.level();
  frame.ends_by = ends_by;
  if (const auto before = job.pre_states.find(place_of(scope, frame.action)); before != job.pre_states.end())
    frame.state = before->second;
  StepDone done;
  StepEnd end;
  const Result<void> env = evaluate_env(job, frame);
  done.name = name_of(job, frame);
  begin(done.name);
  const StepEnvironment environment(job, scope, frame.env, frame.action);
  const auto wanted = step.condition.condition.evaluate(environment);
  if (job.stop.level() == StopLevel::kill) {
    end = {Outcome::cancelled, job.stop.reason()};
  } else if (!wanted) {
    end = failed(job, "if: " + wanted.error().message);
  } else if (!*wanted) {
    end.outcome = Outcome::skipped;
  } else if (!env) {
    end = failed(job, env.error().message);
  } else {
    end = execute(job, frame, done, depth);
  }
  done.outcome = done.conclusion = end.outcome;
  done.reason = std::move(end.reason);
  if (end.outcome == Outcome::failure) {
    const Result<bool> tolerated = may_fail(job, frame);
    if (!tolerated) {
      failed(job, "continue-on-error: " + tolerated.error().message);
    } else if (*tolerated) {
      done.conclusion = Outcome::success;
    }
  }
  if (done.conclusion == Outcome::failure) scope.failed = true;
  note(frame, done);
  return done;
}

}  // namespace kaapi::actions::runner
