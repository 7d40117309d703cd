// From events to runs.

#include <fmt/format.h>

#include <algorithm>

#include "actions/runs/conductor.h"
#include "actions/runs/conductor_trigger.h"
#include "actions/runs/github_context.h"
#include "actions/runs/scope.h"
#include "actions/runs/settings_facts.h"
#include "actions/workflow/trigger.h"
#include "base/log.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view who = "runs";

bool no_commit(std::string_view sha) {
  return sha.find_first_not_of('0') == std::string_view::npos;
}

// Only then it matters which files were changed, which costs git a walk.
bool filters_paths(const workflow::Workflow& workflow) {
  const workflow::Event* push = workflow.event("push");
  return push != nullptr && (push->paths || push->paths_ignore);
}

std::shared_ptr<const workflow::Workflow> named(const CommitWorkflows& commit, const std::string& name) {
  for (const auto& [path, parsed] : commit.files.parsed) {
    if (path == name || path == ".github/workflows/" + name || parsed->name == name) return parsed;
  }
  return nullptr;
}

bool startable(const CommitWorkflows& commit, const std::string& path) {
  return std::find(commit.startable.begin(), commit.startable.end(), path) != commit.startable.end();
}

}  // namespace

Result<WatchedRun> Conductor::launch(Trigger trigger, const CommitWorkflows& commit,
                                     const workflow::Workflow& workflow) {
  const Result<expression::Value> vars = facts_->variables(trigger.repository);
  if (!vars) return vars.error();
  const bool ref_protected = source_.is_protected(trigger.repository, trigger.ref);
  const std::lock_guard lock(mutex_);
  if (stopping_) return make_error(errc::unavailable, "the platform ends: push again when it is back");
  if (const auto full = board_.full()) return make_error(errc::conflict, *full);
  const Result<std::int64_t> number = store_->next_number(trigger.repository, workflow.path);
  if (!number) return number.error();
  Run run;
  run.id = next_run_id_++;
  run.repository = trigger.repository;
  run.number = *number;
  run.workflow_path = workflow.path;
  run.workflow_name = workflow.name;
  run.event_name = trigger.event_name;
  run.ref = trigger.ref;
  run.ref_protected = ref_protected;
  run.sha = trigger.sha;
  run.actor = run.triggering_actor = trigger.actor.name;
  run.actor_arn = run.triggering_arn = trigger.actor.arn;
  run.default_branch = trigger.default_branch;
  run.chain = trigger.chain;
  run.created = clock_.now();
  run.reason = trigger.why;
  run.inputs = std::move(trigger.inputs);
  run.github = github_context(run, std::move(trigger.payload), settings_.server_url());
  run.title = trigger.title.empty() ? workflow.name : trigger.title;
  if (workflow.run_name) {
    const auto title = workflow.run_name->value.evaluate_text(scope_contexts(run, "", *vars));
    if (!title) return make_error(errc::invalid, "run-name cannot be evaluated: " + title.error().message);
    if (!title->empty()) run.title = *title;
  }
  const Run& added = board_.add(std::move(run), files_of(commit, workflow), clock_.now()).run;
  log::info(who, "run {} of {} ({}) starts: {}", added.id, added.repository, added.workflow_name, trigger.why);
  to_announce_.emplace_back(added.id, "requested");
  Result<WatchedRun> made = watched(added);
  const Result<void> saved = flush();
  if (!saved) return saved.error();
  return made;
}

PushReport Conductor::pushed(const PushEvent& event) {
  PushReport report;
  std::size_t seen = 0;
  for (const RefUpdate& update : event.updates) {
    const bool counts = update.ref.starts_with("refs/heads/") || update.ref.starts_with("refs/tags/");
    if (!counts || no_commit(update.after)) continue;
    if (++seen > max_push_refs) {
      report.lines.push_back(
          fmt::format("only the first {} refs of a push start runs: push the others again one by one", max_push_refs));
      break;
    }
    push_ref(event, update, report);
  }
  return report;
}

void Conductor::push_ref(const PushEvent& event, const RefUpdate& update, PushReport& report) {
  const std::string name = ref_name(update.ref);
  const Result<Commit> commit = source_.commit(event.repository, update.after);
  if (!commit) return report.lines.push_back(fmt::format("{}: {}", name, commit.error().message));
  const auto files = workflows_.get(event.repository, commit->sha);
  if (!files) return report.lines.push_back(fmt::format("{}: {}", name, files.error().message));
  const CommitWorkflows& workflows = **files;
  report.lines.insert(report.lines.end(), workflows.faults.begin(), workflows.faults.end());
  const Result<std::string> default_branch = source_.default_branch(event.repository);
  const std::string branch = default_branch ? *default_branch : "main";
  if (update.ref == "refs/heads/" + branch) reschedule(event.repository, workflows);
  if (event.by_job) {
    return report.lines.push_back(
        fmt::format("{}: nothing was started, as a job pushed it: kaapi run start FILE starts one", name));
  }
  if (asks_to_skip(commit->message)) {
    return report.lines.push_back(
        fmt::format("{}: nothing was started, as the message of {} asks", name, commit->sha.substr(0, 7)));
  }
  workflow::Push push{update.ref, false, std::nullopt};
  bool changed_known = false;
  for (const std::string& path : workflows.startable) {
    const workflow::Workflow& workflow = *workflows.files.find(path);
    if (const auto silent = workflow.silent_events(); !silent.empty()) {
      report.lines.push_back(fmt::format("{}: {} never happens here", path, fmt::join(silent, ", ")));
    }
    if (workflow.event("push") == nullptr) continue;
    if (filters_paths(workflow) && !std::exchange(changed_known, true)) {
      auto changed = source_.changed(event.repository, update.before, commit->sha, workflow::max_changed_files);
      if (changed) push.changed = std::move(*changed);
    }
    const workflow::Verdict verdict = workflow::match_push(workflow, push);
    if (!verdict.starts) {
      report.lines.push_back(fmt::format("{} was not started: {}", workflow.name, verdict.why));
      continue;
    }
    Trigger trigger;
    trigger.event_name = "push";
    trigger.repository = event.repository;
    trigger.ref = update.ref;
    trigger.sha = commit->sha;
    trigger.title = subject(commit->message);
    trigger.why = verdict.why;
    trigger.actor = {event.actor, event.actor_arn};
    trigger.default_branch = branch;
    trigger.payload = push_payload(event, update, *commit, branch, settings_.server_url());
    const Result<WatchedRun> started = launch(std::move(trigger), workflows, workflow);
    if (!started) {
      report.lines.push_back(fmt::format("{} could not be started: {}", workflow.name, started.error().message));
      continue;
    }
    report.lines.push_back(fmt::format("{} started: kaapi run watch {}", started->name, started->run_id));
    report.runs.push_back(*started);
  }
}

Result<Conductor::Head> Conductor::head(const std::string& repository) {
  const Result<std::string> branch = source_.default_branch(repository);
  if (!branch) return branch.error();
  const auto resolved = source_.resolve(repository, "refs/heads/" + *branch);
  if (!resolved) return resolved.error();
  auto files = workflows_.get(repository, resolved->sha);
  if (!files) return files.error();
  return Head{*branch, "refs/heads/" + *branch, resolved->sha, std::move(*files)};
}

Result<WatchedRun> Conductor::start_run(const StartRequest& request) {
  const Result<std::string> branch = source_.default_branch(request.repository);
  if (!branch) return branch.error();
  const auto resolved = source_.resolve(request.repository, request.ref.empty() ? *branch : request.ref);
  if (!resolved) return resolved.error();
  if (resolved->ref.empty()) {
    return make_error(errc::invalid, fmt::format("{} is a commit: name a branch or a tag", request.ref));
  }
  const auto files = workflows_.get(request.repository, resolved->sha);
  if (!files) return files.error();
  const CommitWorkflows& workflows = **files;
  const auto workflow = named(workflows, request.workflow);
  if (!workflow || !startable(workflows, workflow->path)) {
    for (const std::string& fault : workflows.faults) {
      if (fault.find(request.workflow) != std::string::npos) return make_error(errc::invalid, fault);
    }
    return make_error(errc::not_found, fmt::format("there is no workflow {} at {} of {}", request.workflow,
                                                   ref_name(resolved->ref), request.repository));
  }
  const Result<expression::Value> inputs = workflow::dispatch_inputs(*workflow, request.inputs);
  if (!inputs) return inputs.error();
  Result<json::value> kept = to_json_value(*inputs);
  if (!kept) return kept.error();
  Trigger trigger;
  trigger.event_name = "workflow_dispatch";
  trigger.repository = request.repository;
  trigger.ref = resolved->ref;
  trigger.sha = resolved->sha;
  trigger.actor = request.actor;
  trigger.default_branch = *branch;
  trigger.why = request.actor.name + " started it";
  trigger.inputs = kept->as_object();
  // As texts, as GitHub has them in the payload.
  json::object texts;
  for (const auto& [name, value] : inputs->object().members()) texts[name] = to_text(value);
  trigger.payload = {{"inputs", std::move(texts)},
                     {"ref", resolved->ref},
                     {"workflow", workflow->path},
                     {"repository", repository_payload(request.repository, *branch, settings_.server_url())}};
  return launch(std::move(trigger), workflows, *workflow);
}

Result<PushReport> Conductor::dispatch_event(const std::string& repository, const std::string& type,
                                             json::value payload, const Actor& actor) {
  const Result<Head> at = head(repository);
  if (!at) return at.error();
  PushReport report;
  for (const std::string& path : at->workflows->startable) {
    const workflow::Workflow& workflow = *at->workflows->files.find(path);
    const workflow::Verdict verdict = workflow::match_repository_dispatch(workflow, type);
    if (!verdict.starts) continue;
    Trigger trigger = at->trigger(repository, "repository_dispatch", verdict.why, actor);
    trigger.title = type;
    trigger.payload = {{"action", type},
                       {"branch", at->branch},
                       {"client_payload", payload},
                       {"repository", repository_payload(repository, at->branch, settings_.server_url())}};
    Result<WatchedRun> started = launch(std::move(trigger), *at->workflows, workflow);
    if (!started) return started.error();
    report.lines.push_back(fmt::format("{} started: kaapi run watch {}", started->name, started->run_id));
    report.runs.push_back(std::move(*started));
  }
  if (report.runs.empty()) {
    report.lines.push_back(
        fmt::format("no workflow of {} listens to repository_dispatch of type {}", at->branch, type));
  }
  return report;
}

void Conductor::announce(std::int64_t run_id, const std::string& action) {
  const Result<Run> run = store_->run(run_id);
  const bool deep = run && run->chain >= max_run_chain;
  const Result<Head> at = !run || deep ? Result<Head>(make_error(errc::not_found, "")) : head(run->repository);
  if (at) {
    for (const std::string& path : at->workflows->startable) {
      const workflow::Workflow& workflow = *at->workflows->files.find(path);
      const auto verdict = workflow::match_workflow_run(workflow, run->workflow_name, action, ref_name(run->ref));
      if (!verdict.starts) continue;
      Trigger trigger = at->trigger(run->repository, "workflow_run", verdict.why, {run->actor, run->actor_arn});
      trigger.title = run->title;
      trigger.chain = run->chain + 1;
      trigger.payload = workflow_run_payload(*run, action, settings_.server_url());
      const Result<WatchedRun> started = launch(std::move(trigger), *at->workflows, workflow);
      if (started) continue;
      log::warn(who, "{} after run {}: {}", workflow.name, run_id, started.error().message);
      // The platform ends, or the disk is full: the event is made when it is back.
      if (started.error().code == errc::unavailable) return;
    }
  }
  if (action != "completed") return;
  const Result<void> kept = store_->announced(run_id);
  if (!kept) log::warn(who, "run {}: {}", run_id, kept.error().message);
}

void Conductor::reschedule(const std::string& repository, const CommitWorkflows& commit) {
  std::vector<ScheduledWorkflow> mine;
  for (const std::string& path : commit.startable) {
    const auto next = workflow::next_start(*commit.files.find(path), clock_.now());
    if (next) mine.push_back({repository, path, next->time});
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
    if (one.repository == schedule.repository && one.path == schedule.path) one.next = clock_.now() + schedule_retry;
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
  // Which of its lines it was: the one that fired at that minute.
  const auto was = workflow ? workflow::next_start(*workflow, schedule.next - std::chrono::minutes(1)) : std::nullopt;
  if (was && was->time == schedule.next && startable(*at->workflows, schedule.path)) {
    Trigger trigger = at->trigger(schedule.repository, "schedule", "its schedule " + was->schedule, {"schedule", ""});
    trigger.payload = {{"schedule", was->schedule},
                       {"workflow", schedule.path},
                       {"repository", repository_payload(schedule.repository, at->branch, settings_.server_url())}};
    const Result<WatchedRun> started = launch(std::move(trigger), *at->workflows, *workflow);
    if (!started) log::warn(who, "the schedule of {}: {}", schedule.path, started.error().message);
  }
  reschedule(schedule.repository, *at->workflows);
}

}  // namespace kaapi::actions::runs
