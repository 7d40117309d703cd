#include "actions/runs/conductor.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/runs/github_context.h"
#include "actions/runs/message.h"
#include "actions/runs/settings_facts.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view who = "runs";

}  // namespace

Conductor::Conductor(ConductorSettings settings, const Source& source, const JobSettings& job_settings,
                     JobStorage& storage, const Clock& clock, IdSource& ids, std::unique_ptr<Store> store)
    : settings_(std::move(settings)),
      source_(source),
      job_settings_(job_settings),
      storage_(storage),
      clock_(clock),
      ids_(ids),
      store_(std::move(store)),
      logs_(settings_.data_directory + "/runs"),
      workflows_(source),
      facts_(std::make_unique<SettingsFacts>(job_settings)),
      board_(*facts_, settings_.board) {}

Conductor::~Conductor() {
  stop();
}

Result<std::unique_ptr<Conductor>> Conductor::open(ConductorSettings settings, const Source& source,
                                                   const JobSettings& job_settings, JobStorage& storage,
                                                   const Clock& clock, IdSource& ids) {
  Result<std::unique_ptr<Store>> store = Store::open(settings.data_directory + "/pipeline.db");
  if (!store) return store.error();
  std::unique_ptr<Conductor> conductor(
      new Conductor(std::move(settings), source, job_settings, storage, clock, ids, std::move(*store)));
  const Result<void> loaded = conductor->load();
  if (!loaded) return loaded.error();
  return conductor;
}

Result<void> Conductor::load() {
  const std::lock_guard lock(mutex_);
  const Result<NextIds> next = store_->next_ids();
  if (!next) return next.error();
  next_run_id_ = next->run;
  board_.set_next_job_id(next->job);
  const Result<std::vector<std::int64_t>> unfinished = store_->unfinished();
  if (!unfinished) return unfinished.error();
  std::vector<Board::Active> kept;
  for (const std::int64_t id : *unfinished) {
    Result<Run> run = store_->run(id);
    auto texts = store_->files(id);
    if (!run || !texts) {
      // One that cannot be read must not keep all others, and the platform, from going on.
      const Error& why = run ? texts.error() : run.error();
      log::error(who, "run {} cannot be read and is left as it is: {}", id, why.message);
      continue;
    }
    for (const Job& job : run->jobs) {
      if (job.status == Status::in_progress) remember_tokens(job);
    }
    kept.push_back({std::move(*run), std::make_shared<const RunFiles>(parse_files(std::move(*texts)))});
  }
  board_.restore(std::move(kept), clock_.now());
  if (!unfinished->empty()) log::info(who, "{} runs that were not over go on", unfinished->size());
  const Result<std::vector<std::int64_t>> unannounced = store_->unannounced();
  if (!unannounced) return unannounced.error();
  for (const std::int64_t id : *unannounced) {
    // Perhaps it was in the middle of that.
    Result<std::set<std::string>> started = store_->started_after(id);
    if (!started) return started.error();
    to_announce_.push_back({id, "completed", 0, {}, std::move(*started)});
  }
  Result<std::vector<ScheduledWorkflow>> schedules = store_->schedules();
  if (!schedules) return schedules.error();
  schedules_ = std::move(*schedules);
  return flush();
}

Result<void> Conductor::flush() {
  std::vector<Run*> changed;
  std::map<std::int64_t, const RunFiles*> files;
  std::vector<std::int64_t> over;
  for (const auto& [id, ignored] : board_.active()) {
    Board::Active& active = *board_.find(id);
    Run& run = active.run;
    const bool any = run.changed || run.is_new ||
                     std::any_of(run.jobs.begin(), run.jobs.end(), [](const Job& j) { return j.changed; });
    if (run.over()) over.push_back(id);
    if (!any) continue;
    changed.push_back(&run);
    if (run.is_new) files[id] = active.files.get();
  }
  if (changed.empty() && over.empty()) return ok();
  const Result<void> saved = store_->save(changed, files, {next_run_id_, board_.next_job_id()});
  if (!saved) {
    // The marks stay, so the next change writes this one, too.
    log::error(who, "what happened to {} runs cannot be kept: {}", changed.size(), saved.error().message);
    return saved.error();
  }
  for (const Run* run : changed) {
    for (const Job& job : run->jobs) {
      if (job.over()) forget_tokens(job);
    }
    tell(run->id);
  }
  for (const std::int64_t id : over) {
    const Run& run = board_.find(id)->run;
    log::info(who, "run {} of {} ({}) ended with {}: {}", id, run.repository, run.workflow_name,
              workflow::outcome_name(run.conclusion.value_or(Outcome::failure)), run.reason);
    to_announce_.push_back({id, "completed"});
    board_.forget(id);
  }
  poked_ = true;
  due_.notify_one();
  changed_.notify_all();
  return ok();
}

void Conductor::tell(std::int64_t run_id) {
  const std::lock_guard lock(followers_mutex_);
  const auto found = followers_.find(run_id);
  if (found == followers_.end()) return;
  for (const int event_fd : found->second) ::eventfd_write(event_fd, 1);
}

void Conductor::add_follower(std::int64_t run_id, int event_fd) {
  const std::lock_guard lock(followers_mutex_);
  followers_[run_id].push_back(event_fd);
}

void Conductor::remove_follower(std::int64_t run_id, int event_fd) {
  const std::lock_guard lock(followers_mutex_);
  auto& all = followers_[run_id];
  all.erase(std::remove(all.begin(), all.end(), event_fd), all.end());
  if (all.empty()) followers_.erase(run_id);
}

Result<RunView> Conductor::view(std::int64_t run_id) {
  Result<Run> run = store_->run(run_id);
  if (!run) return run.error();
  RunView view{std::move(*run), {}};
  for (const Job& job : view.run.jobs) {
    Result<std::vector<StepUpdate>> steps = store_->steps(job.id);
    if (!steps) return steps.error();
    if (!steps->empty()) view.steps[job.id] = std::move(*steps);
  }
  return view;
}

Result<Run> Conductor::find_run(const std::string& repository, std::int64_t run_id) {
  Result<Run> run = store_->run(run_id);
  if (run && run->repository == repository) return run;
  if (!run && run.error().code != errc::not_found) return run.error();
  return make_error(errc::not_found, fmt::format("there is no run {} in the repository {}", run_id, repository));
}

Result<WatchedRun> Conductor::watched(const Run& run) {
  WatchedRun watched;
  watched.run_id = run.id;
  watched.name = fmt::format("{} #{}", run.workflow_name, run.number);
  watched.path = fmt::format("{}runs/{}/follow", runner_api_path, run.id);
  watched.token = ids_.hex(48);
  const Time now = clock_.now();
  const Result<void> added =
      store_->add_token(hash_of(watched.token), {"watch", run.id, "", "", now, now + watch_token_life}, false);
  if (!added) return added.error();
  return watched;
}

std::optional<std::int64_t> Conductor::watched_run(std::string_view token) {
  const auto found = store_->token(hash_of(token));
  if (!found || !*found || (*found)->kind != "watch") return std::nullopt;
  if ((*found)->expires && *(*found)->expires < clock_.now()) return std::nullopt;
  return (*found)->run_id;
}

Result<std::vector<Run>> Conductor::list(const RunFilter& filter) {
  return store_->list(filter);
}

Result<RunView> Conductor::describe(const std::string& repository, std::int64_t run_id) {
  const Result<Run> run = find_run(repository, run_id);
  if (!run) return run.error();
  return view(run_id);
}

Result<void> Conductor::cancel(const std::string& repository, std::int64_t run_id, const Actor& actor) {
  const std::lock_guard lock(mutex_);
  const Result<Run> run = find_run(repository, run_id);
  if (!run) return run.error();
  if (!board_.cancel_run(run_id, fmt::format("{} cancelled it", actor.name), clock_.now())) {
    return make_error(errc::conflict, fmt::format("run {} is over already", run_id));
  }
  return flush();
}

Result<WatchedRun> Conductor::rerun(const std::string& repository, std::int64_t run_id, bool failed_only,
                                    const Actor& actor) {
  const std::lock_guard lock(mutex_);
  Result<Run> run = find_run(repository, run_id);
  if (!run) return run.error();
  if (!run->over() || board_.find(run_id) != nullptr) {
    return make_error(errc::conflict, fmt::format("run {} is not over: cancel it first, or wait", run_id));
  }
  if (failed_only && run->conclusion == Outcome::success) {
    return make_error(errc::conflict, fmt::format("no job of run {} failed: run all of them again instead", run_id));
  }
  if (const auto full = board_.full()) return make_error(errc::conflict, *full);
  auto texts = store_->files(run_id);
  if (!texts) return texts.error();
  const auto files = std::make_shared<const RunFiles>(parse_files(std::move(*texts)));
  Result<WatchedRun> made = watched(*run);
  if (!made) return made;
  board_.rerun(std::move(*run), files, failed_only, actor.name, actor.arn, clock_.now());
  if (const Result<void> saved = flush(); !saved) return saved.error();
  return made;
}

Result<std::size_t> Conductor::review(const std::string& repository, std::int64_t run_id,
                                      const std::string& environment, bool approved, const std::string& comment,
                                      const Actor& actor) {
  const std::lock_guard lock(mutex_);
  const Result<Run> run = find_run(repository, run_id);
  if (!run) return run.error();
  std::vector<std::string> names = actor.names;
  names.push_back(actor.arn);
  Result<std::size_t> answered = board_.review(run_id, environment, actor.arn, names, approved, comment, clock_.now());
  if (!answered) return answered;
  if (const Result<void> saved = flush(); !saved) return saved.error();
  return answered;
}

Result<WatchedRun> Conductor::watch(const std::string& repository, std::int64_t run_id) {
  const Result<Run> run = find_run(repository, run_id);
  if (!run) return run.error();
  return watched(*run);
}

Result<void> Conductor::remove(const std::string& repository, std::int64_t run_id) {
  const std::lock_guard lock(mutex_);
  const Result<Run> run = find_run(repository, run_id);
  if (!run) return run.error();
  if (!run->over() || board_.find(run_id) != nullptr) {
    return make_error(errc::conflict, fmt::format("run {} is not over: cancel it first", run_id));
  }
  // Artifacts and logs first: what is left behind by a failure is found again by the run.
  if (const Result<void> gone = storage_.forget_run(run_id); !gone) return gone.error();
  if (const Result<void> gone = logs_.remove(run_id); !gone) return gone.error();
  return store_->remove(run_id);
}

Result<void> Conductor::forget_repository(const std::string& repository) {
  for (const char* status : {"pending", "waiting", "queued", "in_progress"}) {
    RunFilter open;
    open.repository = repository;
    open.status = status;
    open.limit = 1;
    const Result<std::vector<Run>> left = list(open);
    if (!left) return left.error();
    if (left->empty()) continue;
    return make_error(errc::conflict, fmt::format("run {0} of {1} is not over: cancel it first (kaapi run cancel {0})",
                                                  left->front().id, repository));
  }
  reschedule(repository, {});
  RunFilter all;
  all.repository = repository;
  while (true) {
    const Result<std::vector<Run>> some = list(all);
    if (!some) return some.error();
    if (some->empty()) return ok();
    for (const Run& run : *some) {
      if (Result<void> gone = remove(repository, run.id); !gone) return gone;
    }
  }
}

}  // namespace kaapi::actions::runs
