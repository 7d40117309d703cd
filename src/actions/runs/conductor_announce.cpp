// workflow_run: what starts when a run was asked for, begins, or has ended.

#include "actions/runs/conductor.h"
#include "actions/runs/conductor_trigger.h"
#include "actions/runs/github_context.h"
#include "actions/workflow/trigger.h"
#include "base/log.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view who = "runs";

// Whose event goes on in what follows it.
Actor actor_of_run(const Run& run) {
  const json::value* id = run.github.if_contains("actor_id");
  const bool known = id != nullptr && id->is_string();
  return {run.actor, run.actor_arn, {}, known ? std::string(std::string_view(id->get_string())) : std::string()};
}

// There will be room again, and a disk or git that works.
bool may_pass(const Error& error) {
  return error.code == errc::unavailable || error.code == errc::conflict;
}

}  // namespace

void Conductor::announce(Announcement event) {
  const Result<Run> run = store_->run(event.run_id);
  const Result<void> made = run ? start_after(*run, event) : Result<void>(run.error());
  if (!made && may_pass(made.error()) && try_later(event, made.error())) return;
  // What could not be kept because the platform ends, or the disk is full, is made after its next start.
  if (event.action != "completed" || (!made && made.error().code == errc::unavailable)) return;
  const Result<void> kept = store_->announced(event.run_id);
  if (!kept) log::warn(who, "run {}: {}", event.run_id, kept.error().message);
}

Result<void> Conductor::start_after(const Run& run, Announcement& event) {
  if (run.chain >= max_run_chain) return ok();
  const Result<Head> at = head(run.repository);
  if (!at) return at.error();
  Result<void> made = ok();
  for (const std::string& path : at->workflows->startable) {
    const workflow::Workflow& workflow = *at->workflows->files.find(path);
    const auto verdict = workflow::match_workflow_run(workflow, run.workflow_name, event.action, ref_name(run.ref));
    if (!verdict.starts || event.started.count(path) > 0) continue;
    const Result<RepositoryIds> ids = source_.ids(run.repository);
    if (!ids) return ids.error();
    const Result<Commit> commit = source_.commit(run.repository, run.sha);
    const std::string url = settings_.server_url();
    Trigger trigger = at->trigger(run.repository, "workflow_run", verdict.why, actor_of_run(run));
    trigger.title = run.title;
    trigger.chain = run.chain + 1;
    trigger.payload = workflow_run_payload(run, event.action, commit ? std::optional(*commit) : std::nullopt,
                                           repository_payload(run.repository, *ids, at->branch, url), url);
    const Result<WatchedRun> started = launch(std::move(trigger), *at->workflows, workflow);
    if (started) {
      event.started.insert(path);
      continue;
    }
    log::warn(who, "{} after run {}: {}", workflow.name, run.id, started.error().message);
    if (may_pass(started.error())) made = started.error();
  }
  return made;
}

bool Conductor::try_later(Announcement& event, const Error& why) {
  const std::lock_guard lock(mutex_);
  ++event.tries;
  if (event.tries >= max_event_tries || postponed_.size() >= max_postponed_events) {
    log::error(who, "what workflow_run starts after run {} ({}) is given up after {} tries: {}", event.run_id,
               event.action, event.tries, why.message);
    return false;
  }
  log::warn(who, "what workflow_run starts after run {} ({}) is tried again later: {}", event.run_id, event.action,
            why.message);
  event.next = clock_.now() + event_retry;
  postponed_.push_back(std::move(event));
  return true;
}

}  // namespace kaapi::actions::runs
