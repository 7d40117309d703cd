#include "actions/runs/expand.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "actions/runs/advance.h"
#include "actions/runs/scope.h"
#include "actions/workflow/matrix.h"
#include "actions/workflow/trigger.h"

namespace kaapi::actions::runs {
namespace {

using expression::Contexts;
using expression::Environment;
using expression::Object;
using expression::Value;

Error blame(const workflow::Job& job, std::string_view what, const Error& error) {
  return make_error(errc::invalid,
                    fmt::format("jobs.{}{} (line {}): {}", job.id, what, job.position.line, error.message));
}

Result<std::int64_t> timeout_of(const workflow::Text& text, const Environment& environment) {
  const Result<double> minutes = workflow::evaluate_number(text, environment);
  if (!minutes) return minutes.error();
  if (!(*minutes > 0)) return make_error(errc::invalid, "expected a number of minutes above 0");
  const double seconds = std::min(*minutes * 60, static_cast<double>(max_timeout_s));
  return std::max<std::int64_t>(1, std::llround(seconds));
}

Result<void> evaluate_group(const workflow::Concurrency& concurrency, const Environment& environment, Job& made) {
  const auto group = workflow::evaluate_concurrency(concurrency, environment);
  if (!group) return group.error();
  if (*group) made.group = {(*group)->group, (*group)->cancel_in_progress, GroupPlace::State::none};
  return ok();
}

// What every job has, also one that calls a workflow.
Result<void> evaluate_common(const workflow::Job& job, const Environment& environment, Job& made) {
  if (job.continue_on_error) {
    const Result<bool> flag = workflow::evaluate_flag(*job.continue_on_error, environment);
    if (!flag) return blame(job, ".continue-on-error", flag.error());
    made.continue_on_error = *flag;
  }
  if (!job.concurrency) return ok();
  const Result<void> group = evaluate_group(*job.concurrency, environment, made);
  return group ? ok() : Result<void>(blame(job, ".concurrency", group.error()));
}

Result<void> evaluate_steps_job(const workflow::Job& job, const Environment& environment, Job& made) {
  if (job.runs_on) {
    Result<workflow::RunnerLabels> labels = workflow::evaluate_runs_on(*job.runs_on, environment);
    if (!labels) return blame(job, ".runs-on", labels.error());
    made.labels = std::move(labels->labels);
    // A group is one more thing that the runner must have.
    if (!labels->group.empty()) made.labels.push_back(labels->group);
  }
  if (job.environment) {
    auto name = job.environment->name.value.evaluate_text(environment);
    if (!name) return blame(job, ".environment", name.error());
    made.environment = std::move(*name);
  }
  if (job.timeout_minutes) {
    const Result<std::int64_t> timeout = timeout_of(*job.timeout_minutes, environment);
    if (!timeout) return blame(job, ".timeout-minutes", timeout.error());
    made.timeout_s = *timeout;
  }
  return ok();
}

Result<void> evaluate_call(const workflow::Job& job, const RunFiles& files, const Environment& environment, Job& made) {
  const auto called = files.find(job.call->workflow.path);
  if (!called) {
    return blame(job, ".uses", make_error(errc::invalid, fmt::format("{} is gone", job.call->workflow.path)));
  }
  std::vector<std::pair<std::string, Value>> given;
  for (const workflow::DataMember& member : job.call->with) {
    auto value = member.value.evaluate(environment);
    if (!value) return blame(job, ".with." + member.key, value.error());
    given.emplace_back(member.key, std::move(*value));
  }
  const Result<Value> inputs = workflow::call_inputs(*called, given, environment);
  if (!inputs) return blame(job, ".with", inputs.error());
  Result<json::value> kept = to_json_value(*inputs);
  if (!kept) return blame(job, ".with", kept.error());
  made.inputs = std::move(*kept);
  if (made.group.name.empty() && called->concurrency) {
    Contexts contexts(&environment);
    contexts.set("inputs", *inputs);
    const Result<void> group = evaluate_group(*called->concurrency, contexts, made);
    if (!group) return blame(job, fmt::format(": concurrency of {}", called->path), group.error());
  }
  return ok();
}

Result<void> evaluate(const workflow::Job& job, const RunFiles& files, const workflow::JobInstance& instance,
                      const Environment& below, Job& made) {
  Contexts environment(&below);
  environment.set("matrix", instance.matrix);
  environment.set("strategy", instance.strategy);
  Result<json::value> matrix = to_json_value(instance.matrix);
  if (!matrix) return blame(job, ".strategy.matrix", matrix.error());
  Result<json::value> strategy = to_json_value(instance.strategy);
  if (!strategy) return blame(job, ".strategy", strategy.error());
  made.matrix = std::move(*matrix);
  made.strategy = std::move(*strategy);
  if (const Result<void> done = evaluate_common(job, environment, made); !done) return done.error();
  return job.call ? evaluate_call(job, files, environment, made) : evaluate_steps_job(job, environment, made);
}

}  // namespace

Expanded expand(const workflow::Job& job, const RunFiles& files, const Environment& environment, std::size_t room) {
  Expanded expanded;
  const Result<workflow::ExpandedJob> instances = workflow::expand_job(job, environment);
  if (!instances) {
    expanded.why = blame(job, ".strategy", instances.error()).message;
    return expanded;
  }
  if (instances->instances.size() > room) {
    expanded.why = fmt::format("the run would have more than {} jobs", max_run_jobs);
    return expanded;
  }
  for (const workflow::JobInstance& instance : instances->instances) {
    Job made;
    made.key = job.id;
    made.index = static_cast<std::int64_t>(expanded.jobs.size());
    made.name = instance.name;
    made.is_call = job.call.has_value();
    made.timeout_s = default_timeout_s;
    made.fail_fast = instances->fail_fast;
    made.max_parallel = static_cast<std::int64_t>(instances->max_parallel.value_or(0));
    made.reason = "just made";
    const Result<void> evaluated = evaluate(job, files, instance, environment, made);
    if (!evaluated) complete(made, Outcome::failure, evaluated.error().message, Time{});
    expanded.jobs.push_back(std::move(made));
  }
  return expanded;
}

Result<json::object> call_outputs(const workflow::Workflow& called, const workflow::RunState& state,
                                  const Environment& contexts) {
  json::object outputs;
  const workflow::Event* event = called.event("workflow_call");
  if (event == nullptr) return outputs;
  Object jobs;
  for (const auto& [id, job] : state.jobs) {
    Object entry;
    entry.set("result", workflow::outcome_name(job.outcome.value_or(Outcome::skipped)));
    entry.set("outputs", job.outputs);
    jobs.set(id, std::move(entry));
  }
  Contexts environment(&contexts);
  environment.set("jobs", std::move(jobs));
  for (const workflow::CallOutput& output : event->outputs) {
    const auto value = output.value.value.evaluate_text(environment);
    if (!value) {
      return make_error(errc::invalid, fmt::format("on.workflow_call.outputs.{} of {}: {}", output.name, called.path,
                                                   value.error().message));
    }
    outputs[output.name] = *value;
  }
  return outputs;
}

}  // namespace kaapi::actions::runs
