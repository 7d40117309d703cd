// What runners ask of the conductor.

#include <fmt/format.h>

#include <algorithm>

#include "actions/runs/conductor.h"
#include "actions/runs/github_context.h"
#include "actions/runs/message.h"
#include "actions/runs/scope.h"
#include "actions/runs/settings_facts.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view who = "runs";

std::string hash_of(std::string_view token) {
  return to_hex(sha256(token));
}

}  // namespace

Result<std::string> Conductor::create_runner_token(const std::string& name, const std::string& created_by,
                                                   bool replace) {
  const std::string token = ids_.hex(48);
  const Result<void> added =
      store_->add_token(hash_of(token), {"runner", 0, name, created_by, clock_.now(), std::nullopt}, replace);
  if (!added) return added.error();
  return token;
}

bool Conductor::is_runner(std::string_view token) {
  const auto found = store_->token(hash_of(token));
  return found && *found && (*found)->kind == "runner";
}

std::vector<RunnerView> Conductor::runners() {
  const std::lock_guard lock(mutex_);
  std::map<std::string, RunnerView> all = runners_;
  for (const auto& [id, active] : board_.active()) {
    for (const Job& job : active.run.jobs) {
      if (job.status != Status::in_progress || job.is_call) continue;
      RunnerView& runner = all[job.runner];
      runner.name = job.runner;
      runner.jobs.push_back(job.id);
      runner.heard = std::max(runner.heard, job.heard);
    }
  }
  std::vector<RunnerView> views;
  views.reserve(all.size());
  for (auto& [name, runner] : all) views.push_back(std::move(runner));
  return views;
}

Result<std::optional<JobMessage>> Conductor::acquire(const Acquire& runner, std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  std::unique_lock lock(mutex_);
  if (runners_.count(runner.name) > 0 || runners_.size() < max_runners) {
    runners_[runner.name] = {runner.name, runner.labels, clock_.now(), {}};
  }
  const std::optional<Time> due = board_.next_due();
  board_.report(runner, clock_.now());
  if (board_.next_due() != due) {
    // A job that it did not name is lost earlier than one that nobody speaks of.
    poked_ = true;
    due_.notify_all();
  }
  while (true) {
    const Board::Place place = board_.acquire(runner.name, runner.labels, clock_.now());
    if (place.job == nullptr) {
      if (const Result<void> saved = flush(); !saved) return saved.error();
      if (stopping_ || changed_.wait_until(lock, until) == std::cv_status::timeout) {
        return std::optional<JobMessage>();
      }
      continue;
    }
    const std::string token = ids_.hex(48);
    Result<JobMessage> message =
        make_message(place.active->run, *place.active->files, *place.job, job_settings_, token);
    if (!message) {
      board_.fail_job(place.job->id, "it cannot be given to a runner: " + message.error().message, clock_.now());
      continue;
    }
    place.job->token_hash = hash_of(token);
    place.job->changed = true;
    job_tokens_[place.job->token_hash] = place.job->id;
    log::info(who, "job {} ({}) of run {} goes to the runner {}", place.job->id, place.job->name, place.active->run.id,
              runner.name);
    if (const Result<void> saved = flush(); !saved) return saved.error();
    return std::optional(std::move(*message));
  }
}

std::optional<JobAccess> Conductor::job_access(std::string_view token) {
  const std::string hash = hash_of(token);
  const std::lock_guard lock(mutex_);
  const auto found = job_tokens_.find(hash);
  if (found == job_tokens_.end()) return std::nullopt;
  const Board::Place place = board_.find_job(found->second);
  if (place.job == nullptr || place.job->status != Status::in_progress || place.job->token_hash != hash) {
    return std::nullopt;
  }
  const Run& run = place.active->run;
  const RunFiles& files = *place.active->files;
  JobAccess access{run.id, place.job->id, run.repository, run.ref, run.default_branch, false, false, false, {}};
  const workflow::Access contents = access_of(run, files, *place.job, "contents");
  access.may_read_code = contents != workflow::Access::none;
  access.may_write_code = contents == workflow::Access::write;
  access.may_ask_token = access_of(run, files, *place.job, "id-token") == workflow::Access::write;
  access.facts = job_facts(run, files, *place.job);
  return access;
}

bool Conductor::was_token_of(std::int64_t job_id, std::string_view token) {
  const Result<Store::JobPlace> place = store_->job_place(job_id);
  if (!place) return false;
  const Result<json::value> data = parse_json(place->data);
  return data && equal_constant_time(string_member(*data, "token_hash"), hash_of(token));
}

Result<bool> Conductor::ended_so(std::int64_t job_id, std::string_view conclusion) {
  const std::lock_guard lock(mutex_);
  // The first time the disk may have been full.
  if (const Result<void> saved = flush(); !saved) return saved.error();
  const Result<Store::JobPlace> place = store_->job_place(job_id);
  if (!place) return place.error();
  const Result<json::value> data = parse_json(place->data);
  if (!data) return data.error();
  return !bool_member(*data, "superseded") && string_member(*data, "conclusion") == conclusion;
}

Result<void> Conductor::steps(const JobAccess& job, const std::vector<StepUpdate>& steps) {
  for (const StepUpdate& step : steps) {
    if (step.number < 1 || step.number > static_cast<std::int64_t>(max_steps)) {
      return make_error(errc::invalid, fmt::format("a job has steps 1 to {}, not {}", max_steps, step.number));
    }
  }
  if (const Result<void> saved = store_->save_steps(job.job_id, steps); !saved) return saved.error();
  const std::lock_guard lock(mutex_);
  const bool began = board_.heard(job.job_id, 0, clock_.now());
  tell(job.run_id);
  return began ? flush() : ok();
}

Result<std::int64_t> Conductor::log(const JobAccess& job, std::int64_t offset, std::string_view text) {
  const Result<std::int64_t> size = logs_.append(job.run_id, job.job_id, offset, text);
  const std::lock_guard lock(mutex_);
  const bool began = board_.heard(job.job_id, 0, clock_.now());
  tell(job.run_id);
  if (began) {
    if (const Result<void> saved = flush(); !saved) return saved.error();
  }
  return size;
}

std::optional<std::string> Conductor::cancellation(const JobAccess& job, std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  std::unique_lock lock(mutex_);
  // Logged inside when it cannot be kept; the next change tries again.
  if (board_.heard(job.job_id, 1, clock_.now())) static_cast<void>(flush());
  std::optional<std::string> reason;
  while (true) {
    const Board::Place place = board_.find_job(job.job_id);
    if (place.job == nullptr || place.job->over()) break;
    if (place.job->cancel_requested) {
      reason = place.job->cancel_reason;
      break;
    }
    if (stopping_ || changed_.wait_until(lock, until) == std::cv_status::timeout) break;
  }
  board_.heard(job.job_id, -1, clock_.now());
  // Its deadline counts from now.
  poked_ = true;
  due_.notify_one();
  return reason;
}

Result<void> Conductor::complete(const JobAccess& job, const Completion& completion) {
  const std::lock_guard lock(mutex_);
  // Again, or too late: then what is known stays.
  board_.complete_job(job.job_id, completion, clock_.now());
  return flush();
}

}  // namespace kaapi::actions::runs
