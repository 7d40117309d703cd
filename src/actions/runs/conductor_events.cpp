// From events to runs.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "actions/protocol/actor.h"
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
constexpr std::size_t max_payload_commits = 250;  // of a push; GitHub's has up to 2,048

bool no_commit(std::string_view sha) {
  return sha.find_first_not_of('0') == std::string_view::npos;
}

// Only then it matters which files were changed, which costs git a walk.
bool filters_paths(const workflow::Workflow& workflow) {
  const workflow::Event* push = workflow.event("push");
  return push != nullptr && (push->paths || push->paths_ignore);
}

// The head alone where git cannot tell, such as when there is too much to say.
std::vector<Commit> pushed_commits(const Source& source, const PushEvent& event, const RefUpdate& update,
                                   const Commit& head) {
  auto commits = source.new_commits(event.repository, update.before, head.sha, event.updates, max_payload_commits);
  return commits ? std::move(*commits) : std::vector<Commit>{head};
}

// Whether it may go by itself, unlike what is wrong with the commit or its files.
bool passes(const Error& error) {
  return error.code != errc::invalid && error.code != errc::not_found && error.code != errc::too_large;
}

std::string not_yet(const std::string& what, const Error& error) {
  return fmt::format("{}: {}{}", what, error.message, passes(error) ? "; it is tried again by itself" : "");
}

void put_off(const RefUpdate& update, const std::string& name, const Error& error, PushReport& report) {
  report.lines.push_back(not_yet(name, error));
  if (passes(error)) report.again.push_back(update);
}

// Branches and tags that are there, the most important first: more than max_push_refs are not looked at.
std::vector<const RefUpdate*> in_order(const PushEvent& event, const std::string& default_branch) {
  const auto rank = [&](const RefUpdate* update) {
    if (update->ref == "refs/heads/" + default_branch) return 0;
    return update->ref.starts_with("refs/tags/") ? 1 : 2;
  };
  std::vector<const RefUpdate*> updates;
  for (const RefUpdate& update : event.updates) {
    const bool counts = update.ref.starts_with("refs/heads/") || update.ref.starts_with("refs/tags/");
    if (counts && !no_commit(update.after)) updates.push_back(&update);
  }
  std::stable_sort(updates.begin(), updates.end(),
                   [&](const RefUpdate* a, const RefUpdate* b) { return rank(a) < rank(b); });
  return updates;
}

std::shared_ptr<const workflow::Workflow> named(const CommitWorkflows& commit, const std::string& name) {
  for (const auto& [path, parsed] : commit.files.parsed) {
    if (path == name || path == ".github/workflows/" + name || parsed->name == name) return parsed;
  }
  return nullptr;
}

std::string id_of(const Actor& actor) {
  if (!actor.id.empty()) return actor.id;
  return actor_id("", actor.arn.empty() ? actor.name : actor.arn);
}

}  // namespace

Result<WatchedRun> Conductor::launch(Trigger trigger, const CommitWorkflows& commit,
                                     const workflow::Workflow& workflow) {
  const Result<expression::Value> vars = facts_->variables(trigger.repository);
  if (!vars) return vars.error();
  const Result<RepositoryIds> ids = source_.ids(trigger.repository);
  if (!ids) return ids.error();
  const bool ref_protected = source_.is_protected(trigger.repository, trigger.ref);
  const std::lock_guard lock(mutex_);
  if (stopping_) return make_error(errc::unavailable, "the platform ends");
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
  trigger.payload["repository"] = repository_payload(run.repository, *ids, run.default_branch, settings_.server_url());
  trigger.payload["sender"] = person_payload(run.actor);
  run.github = github_context(run, *ids, id_of(trigger.actor), std::move(trigger.payload), settings_.server_url());
  run.title = trigger.title.empty() ? workflow.name : trigger.title;
  if (workflow.run_name) {
    const auto title = workflow.run_name->value.evaluate_text(scope_contexts(run, "", *vars));
    if (!title) return make_error(errc::invalid, "run-name cannot be evaluated: " + title.error().message);
    if (!title->empty()) run.title = *title;
  }
  const Result<WatchedRun> made = watched(run);
  if (!made) return made.error();
  const std::int64_t id = run.id;
  board_.add(std::move(run), files_of(commit, workflow), clock_.now());
  if (const Result<void> saved = flush(); !saved) {
    // What is not on disk has not started. Runs that it would have replaced in a concurrency group stay cancelled.
    board_.forget(id);
    return saved.error();
  }
  log::info(who, "run {} of {} ({}) starts: {}", id, trigger.repository, workflow.name, trigger.why);
  to_announce_.push_back({id, "requested"});
  return made;
}

PushReport Conductor::pushed(const PushEvent& event) {
  PushReport report;
  const Result<std::string> branch = source_.default_branch(event.repository);
  const std::vector<const RefUpdate*> updates = in_order(event, branch ? *branch : "main");
  for (std::size_t i = 0; i < std::min(updates.size(), max_push_refs); ++i) push_ref(event, *updates[i], report);
  if (updates.size() > max_push_refs) {
    report.lines.push_back(fmt::format(
        "only {} refs of a push start runs (the default branch, then tags, then the others), so {} start none, such as "
        "{}; start those of one: kaapi repo replay {} REF",
        max_push_refs, updates.size() - max_push_refs, ref_name(updates[max_push_refs]->ref), event.repository));
  }
  return report;
}

void Conductor::push_ref(const PushEvent& event, const RefUpdate& update, PushReport& report) {
  const std::string name = ref_name(update.ref);
  const Result<Commit> commit = source_.commit(event.repository, update.after);
  if (!commit) return put_off(update, name, commit.error(), report);
  const auto files = workflows_.get(event.repository, commit->sha);
  if (!files) return put_off(update, name, files.error(), report);
  const CommitWorkflows& workflows = **files;
  report.lines.insert(report.lines.end(), workflows.faults.begin(), workflows.faults.end());
  const Result<std::string> default_branch = source_.default_branch(event.repository);
  const std::string branch = default_branch ? *default_branch : "main";
  // One that is told again may be behind what was pushed since.
  const auto now = source_.resolve(event.repository, update.ref);
  if (update.ref == "refs/heads/" + branch && (!now || now->sha == commit->sha))
    reschedule(event.repository, workflows);
  if (event.by_job) {
    return report.lines.push_back(
        fmt::format("{}: nothing was started, as a job pushed it: kaapi run start FILE starts one", name));
  }
  if (asks_to_skip(commit->message)) {
    return report.lines.push_back(
        fmt::format("{}: nothing was started, as the message of {} asks", name, commit->sha.substr(0, 7)));
  }
  workflow::Push push{update.ref, false, std::nullopt};
  bool changed_known = update.all_paths;
  bool failed = false;
  RefUpdate rest = update;
  std::optional<std::vector<Commit>> commits;
  for (const std::string& path : workflows.startable) {
    const workflow::Workflow& workflow = *workflows.files.find(path);
    if (const auto silent = workflow.silent_events(); !silent.empty()) {
      report.lines.push_back(fmt::format("{}: {} never happens here", path, fmt::join(silent, ", ")));
    }
    const bool started_before = std::count(update.started.begin(), update.started.end(), path) > 0;
    if (workflow.event("push") == nullptr || started_before) continue;
    if (filters_paths(workflow) && !std::exchange(changed_known, true)) {
      auto changed =
          source_.changed(event.repository, update.before, commit->sha, event.updates, workflow::max_changed_files);
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
    trigger.actor = {event.actor, event.actor_arn, {}, event.actor_id};
    trigger.default_branch = branch;
    if (!commits) commits = pushed_commits(source_, event, update, *commit);
    trigger.payload = push_payload(event, update, *commits, *commit, settings_.server_url());
    const Result<WatchedRun> started = launch(std::move(trigger), workflows, workflow);
    if (!started) {
      failed = failed || passes(started.error());
      report.lines.push_back(not_yet(workflow.name + " could not be started", started.error()));
      continue;
    }
    rest.started.push_back(path);
    report.lines.push_back(fmt::format("{} started: kaapi run watch {}", started->name, started->run_id));
    warn_of_environments(event.repository, workflow, report);
    report.runs.push_back(*started);
    report.runs.back().ref = update.ref;
  }
  if (failed) report.again.push_back(std::move(rest));
}

// Of those with a name that is known before the run; the others are told in their job's log.
void Conductor::warn_of_environments(const std::string& repository, const workflow::Workflow& workflow,
                                     PushReport& report) const {
  std::set<std::string> told;
  for (const workflow::Job& job : workflow.jobs) {
    if (!job.environment || job.environment->name.value.has_expressions()) continue;
    const std::string& name = job.environment->name.value.source();
    const Result<Protection> rules = job_settings_.protection(repository, name);
    if (!rules || rules->exists || !told.insert(name).second) continue;
    report.lines.push_back(fmt::format("{}: {}", workflow.name, missing_environment(repository, name)));
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
  if (!workflow || !workflows.can_start(workflow->path)) {
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
  trigger.payload = {{"inputs", std::move(texts)}, {"ref", resolved->ref}, {"workflow", workflow->path}};
  return launch(std::move(trigger), workflows, *workflow);
}

Result<PushReport> Conductor::dispatch_event(const std::string& repository, const std::string& type,
                                             json::value payload, const Actor& actor) {
  const Result<Head> at = head(repository);
  if (!at) return at.error();
  PushReport report;
  std::optional<Error> failure;  // the first; what was started is told all the same
  for (const std::string& path : at->workflows->startable) {
    const workflow::Workflow& workflow = *at->workflows->files.find(path);
    const workflow::Verdict verdict = workflow::match_repository_dispatch(workflow, type);
    if (!verdict.starts) continue;
    Trigger trigger = at->trigger(repository, "repository_dispatch", verdict.why, actor);
    trigger.title = type;
    trigger.payload = {{"action", type}, {"branch", at->branch}, {"client_payload", payload}};
    Result<WatchedRun> started = launch(std::move(trigger), *at->workflows, workflow);
    if (!started) {
      if (!failure) failure = started.error();
      report.lines.push_back(fmt::format("{} could not be started: {}", workflow.name, started.error().message));
      continue;
    }
    report.lines.push_back(fmt::format("{} started: kaapi run watch {}", started->name, started->run_id));
    report.runs.push_back(std::move(*started));
  }
  if (!report.runs.empty()) return report;
  if (failure) return *failure;
  report.lines.push_back(fmt::format("no workflow of {} listens to repository_dispatch of type {}", at->branch, type));
  return report;
}

}  // namespace kaapi::actions::runs
