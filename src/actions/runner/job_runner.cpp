#include "actions/runner/job_runner.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <functional>

#include "actions/runner/containers.h"
#include "actions/runner/deployments.h"
#include "actions/runner/steps.h"
#include "actions/workflow/parse.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

using expression::Kind;
using expression::Object;
using expression::Value;

std::int64_t now_ms() {
  return to_millis(SystemClock().now());
}

std::string architecture() {
  utsname about{};
  ::uname(&about);
  const std::string_view machine = about.machine;
  if (machine == "x86_64") return "X64";
  if (machine == "aarch64") return "ARM64";
  return machine.starts_with("arm") ? "ARM" : "X86";
}

class JobRunner {
 public:
  JobRunner(JobState& job, JobReports& reports) : job_(job), reports_(reports), containers_(job) {
    job_.containers = &containers_;
  }

  Completion run() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(job_.message.timeout_s);
    job_.stop.set_deadline(deadline, fmt::format("the job has exceeded the maximum execution time of {} minutes",
                                                 (job_.message.timeout_s + 59) / 60));
    shown("Set up job", [this] { return set_up(); });
    if (!job_.scope.failed) {
      if (JobContainers::needed(job_)) shown("Initialize containers", [this] { return start_containers(); });
      if (!job_.scope.failed) run_steps();
      if (job_.status() == Outcome::success) wait_for_deployments();
    }
    run_posts();
    if (containers_.any()) shown("Stop containers", [this] { return stop_containers(); });
    Completion completion;
    shown("Complete job", [&] {
      complete(completion);
      return StepEnd();
    });
    return completion;
  }

 private:
  // A step of the runner's own or of an action before and after the steps.
  void shown(const std::string& name, const std::function<StepEnd()>& body) {
    StepUpdate update = begin();
    update.name = job_.masks.mask(name);
    reports_.step(update);
    StepEnd end = body();
    if (end.outcome == Outcome::failure) note_failure(name, end.reason);
    finish(std::move(update), end.outcome);
  }

  StepUpdate begin() {
    StepUpdate update;
    update.number = ++number_;
    update.status = "in_progress";
    update.started_ms = now_ms();
    update.log_from = update.log_to = job_.log.size();
    return update;
  }

  void finish(StepUpdate update, Outcome conclusion) {
    update.status = "completed";
    update.conclusion = outcome_text(conclusion);
    update.ended_ms = now_ms();
    update.log_to = job_.log.size();
    reports_.step(std::move(update));
  }

  void note_failure(const std::string& name, const std::string& reason) {
    job_.scope.failed = true;
    if (reason_.empty()) {
      const bool code = reason.starts_with("exit code");
      reason_ = code ? fmt::format("the step \"{}\" failed with {}", name, reason)
                     : fmt::format("the step \"{}\" failed: {}", name, reason);
    }
  }

  StepEnd failed(const std::string& message) {
    job_.log.error(message);
    annotate(job_, {"error", message, "", "", 0, 0});
    return {Outcome::failure, message};
  }

  StepEnd set_up() {
    add_masks();
    add_contexts();
    job_.log.line(fmt::format("Runner: {}\nJob: {}\nLabels: {}", job_.place.runner_name, job_.message.name,
                              fmt::join(job_.message.labels, ", ")));
    for (const std::string& warning : job_.message.warnings) {
      job_.log.warning(warning);
      annotate(job_, {"warning", warning, "", "", 0, 0});
    }
    if (const Result<void> env = evaluate_env(); !env) return failed(env.error().message);
    return fetch_actions();
  }

  void add_masks() {
    for (const std::string* token : {&job_.message.token, &job_.message.git_token, &job_.message.id_request_token}) {
      add_mask(job_, *token);
    }
    for (const std::string& mask : job_.message.masks) add_mask(job_, mask);
    const auto secrets = job_.message.contexts.find("secrets");
    if (secrets == job_.message.contexts.end() || !secrets->value().is_object()) return;
    for (const auto& [name, value] : secrets->value().as_object()) {
      if (value.is_string()) add_mask(job_, std::string_view(value.as_string()));
    }
  }

  void add_contexts() {
    for (const auto& [name, value] : job_.message.contexts) {
      job_.contexts[lower(std::string_view(name))] = expression::from_json_value(value);
    }
    Object github;
    Value& given = job_.contexts["github"];
    if (given.is(Kind::object)) github = given.object();
    const auto fill = [&github](std::string_view name, const std::string& value) {
      const Value* found = github.find(name);
      if (found == nullptr || !expression::truthy(*found)) github.set(name, value);
    };
    fill("server_url", job_.place.server_url);
    fill("api_url", job_.place.server_url + "/api/v3");
    fill("graphql_url", job_.place.server_url + "/api/graphql");
    fill("repository", job_.message.repository);
    fill("job", job_.message.job);
    fill("run_id", fmt::format("{}", job_.message.run_id));
    fill("run_attempt", fmt::format("{}", job_.message.attempt));
    github.set("token", job_.message.git_token);
    github.set("workspace", job_.paths.workspace);
    github.set("event_path", job_.paths.workflow + "/event.json");
    github.set("event", expression::from_json_value(job_.message.event));
    if (!job_.message.environment.empty()) github.set("environment", job_.message.environment);
    given = Value(std::move(github));

    Object runner;
    runner.set("name", job_.place.runner_name);
    runner.set("os", "Linux");
    runner.set("arch", architecture());
    runner.set("temp", job_.paths.temp);
    runner.set("tool_cache", job_.paths.tools);
    runner.set("environment", job_.message.runner_environment);
    for (const char* context : {"secrets", "vars"}) {
      if (expression::to_text(job_.contexts[context]["ACTIONS_STEP_DEBUG"]) == "true") job_.debug = true;
    }
    runner.set("debug", job_.debug ? "1" : "");
    job_.contexts["runner"] = Value(std::move(runner));
  }

  Result<void> evaluate_env() {
    for (const workflow::Variables* variables : {&job_.workflow.env, &job_.job.env}) {
      Texts own;
      const StepEnvironment environment(job_, job_.scope, job_.env, "");
      if (variables->expression) {
        const auto value = variables->expression->value.evaluate(environment);
        if (!value) return value.error();
        if (value->is(Kind::object)) {
          for (const auto& [name, member] : value->object().members()) own[name] = expression::to_text(member);
        }
      }
      for (const workflow::Variable& variable : variables->list) {
        auto value = variable.value.value.evaluate_text(environment);
        if (!value) return make_error(errc::invalid, fmt::format("env {}: {}", variable.name, value.error().message));
        own[variable.name] = std::move(*value);
      }
      for (const auto& [name, value] : own) job_.env[name] = value;
    }
    return ok();
  }

  // All at once and before anything runs, so that a missing action is known at the beginning.
  StepEnd fetch_actions() {
    for (const workflow::Step& step : job_.job.steps) {
      if (!step.uses || step.uses->kind != workflow::ActionReference::Kind::repository) continue;
      const auto resolved = resolve_action(job_, *step.uses);
      if (!resolved && resolved.error().code == errc::cancelled) {
        job_.scope.failed = true;  // nothing of it runs
        return {Outcome::cancelled, resolved.error().message};
      }
      if (!resolved) return failed(resolved.error().message);
      job_.log.line(fmt::format("{} {}", (*resolved)->builtin != nullptr ? "Built in:" : "Fetched:", step.uses->text));
    }
    return {};
  }

  StepEnd start_containers() {
    StepFrame frame{job_.scope, nullptr, "__containers"};
    frame.env = job_.env;
    frame.since = job_.stop.level();
    if (const Result<void> started = containers_.start(frame); !started) return failed(started.error().message);
    return {};
  }

  StepEnd stop_containers() {
    StepFrame frame{job_.scope, nullptr, "__containers"};
    frame.since = StopLevel::cancel;
    containers_.stop(frame);
    return {};
  }

  std::string action_name(std::size_t at) const {
    const workflow::Step& step = job_.job.steps[at];
    return step.id.empty() ? fmt::format("__{}_{}", step.run ? "run" : "action", at + 1) : step.id;
  }

  // Shown as a step only by a job that asked for some. A platform that cannot say is one that has none to wait for.
  void wait_for_deployments() {
    Result<DeploymentNews> news = deployment_news(job_, "");
    if (!news || news->lines.empty()) return;
    shown("Follow deployments", [&] { return follow_deployments(job_, std::move(*news)); });
  }

  void run_steps() {
    for (std::size_t at = 0; at < job_.job.steps.size(); ++at) {
      for (const PostStep& pre : pre_steps(job_, job_.scope, job_.job.steps[at], action_name(at))) run_planned(pre);
    }
    for (std::size_t at = 0; at < job_.job.steps.size(); ++at) {
      StepUpdate update = begin();
      const StepDone done =
          run_step(job_, job_.scope, job_.job.steps[at], action_name(at), [&](const std::string& name) {
            update.name = name;
            reports_.step(update);
          });
      if (done.conclusion == Outcome::failure) note_failure(done.name, done.reason);
      finish(std::move(update), done.conclusion);
    }
  }

  void run_planned(const PostStep& planned) {
    const Result<bool> wanted = planned.wanted();
    shown(planned.name, [&]() -> StepEnd {
      if (!wanted) return failed(wanted.error().message);
      if (job_.stop.level() == StopLevel::kill) return {Outcome::cancelled, job_.stop.reason()};
      if (!*wanted) return {Outcome::skipped, ""};
      return planned.run();
    });
  }

  void run_posts() {
    // A post step plans no other.
    for (std::size_t left = job_.posts.size(); left > 0; --left) run_planned(job_.posts[left - 1]);
  }

  void complete(Completion& completion) {
    const Outcome outcome = job_.status();
    completion.conclusion = outcome_text(outcome);
    completion.reason = job_.masks.mask(outcome == Outcome::cancelled ? job_.stop.reason() : reason_);
    evaluate_outputs(completion);
    const StepEnvironment environment(job_, job_.scope, job_.env, "");
    if (job_.job.environment && job_.job.environment->url) {
      const auto url = job_.job.environment->url->value.evaluate_text(environment);
      if (url) completion.environment_url = job_.masks.mask(trim(*url));
      if (!url) job_.log.warning("environment.url: " + url.error().message);
    }
    if (job_.annotations_cut) {
      job_.log.warning(fmt::format("Only {} annotations of a job are kept; the log has them all.", max_annotations));
    }
    completion.summary = job_.summary;
    completion.annotations = job_.annotations;
    job_.log.line(
        fmt::format("Job {}{}", completion.conclusion, completion.reason.empty() ? "" : ": " + completion.reason));
  }

  void evaluate_outputs(Completion& completion) {
    const StepEnvironment environment(job_, job_.scope, job_.env, "");
    std::size_t bytes = 0;
    for (const workflow::Variable& output : job_.job.outputs) {
      const auto value = output.value.value.evaluate_text(environment);
      if (!value) {
        job_.log.error(fmt::format("outputs.{}: {}", output.name, value.error().message));
        continue;
      }
      if (job_.masks.mask(*value) != *value) {
        job_.log.warning(fmt::format("Skip output '{}' since it may contain secret.", output.name));
        continue;
      }
      bytes += value->size();
      if (bytes > max_job_output_bytes) {
        job_.log.warning(fmt::format("Skip output '{}': a job's outputs have at most 1 MiB.", output.name));
        continue;
      }
      completion.outputs[output.name] = *value;
    }
  }

  JobState& job_;
  JobReports& reports_;
  JobContainers containers_;
  std::int64_t number_ = 0;
  std::string reason_;
};

Completion refused(const std::string& reason, JobReports& reports) {
  const Masks none;
  JobLog(reports.log(), none).error(reason);
  Completion completion;
  completion.conclusion = "failure";
  completion.reason = reason;
  return completion;
}

}  // namespace

Completion run_job(const JobMessage& message, const JobPlace& place, const JobTools& tools, JobReports& reports) {
  const workflow::ParsedWorkflow parsed = workflow::parse_workflow(message.workflow_path, message.workflow_text);
  if (!parsed.workflow) {
    const std::string fault =
        parsed.faults.empty() ? "no workflow" : workflow::format_fault(message.workflow_path, parsed.faults[0]);
    return refused(fmt::format("the workflow file cannot be read: {}", fault), reports);
  }
  const workflow::Job* job = parsed.workflow->job(message.job);
  if (job == nullptr) {
    return refused(fmt::format("{} has no job '{}'", message.workflow_path, message.job), reports);
  }
  const Result<JobPaths> paths = make_paths(place, message);
  if (!paths) return refused(paths.error().message, reports);
  JobState state{message,    place,         *parsed.workflow,  *job, *paths, reports.log(),
                 tools.stop, tools.actions, tools.find_builtin};
  state.base_path = tools.base_path;
  return JobRunner(state, reports).run();
}

}  // namespace kaapi::actions::runner
