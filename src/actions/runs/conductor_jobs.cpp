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
constexpr std::size_t token_digits = 48;

// Of the job's tokens the one with that hash. A job has no hash of those that it does not have.
std::optional<TokenKind> kind_of(const Job& job, std::string_view hash) {
  if (equal_constant_time(job.token_hash, hash)) return TokenKind::runner;
  if (equal_constant_time(job.git_token_hash, hash)) return TokenKind::git;
  if (equal_constant_time(job.id_request_hash, hash)) return TokenKind::id_request;
  return std::nullopt;
}

// Whether the run's attempt begins with this job, which has just been given away.
bool begins(const Run& run, const Job& job) {
  return run.started == job.started && std::none_of(run.jobs.begin(), run.jobs.end(), [&](const Job& other) {
           return other.id != job.id && other.attempt == run.attempt && !other.is_call && other.started;
         });
}

}  // namespace

void Conductor::remember_tokens(const Job& job) {
  for (const std::string* hash : {&job.token_hash, &job.git_token_hash, &job.id_request_hash}) {
    if (!hash->empty()) job_tokens_[*hash] = job.id;
  }
}

void Conductor::forget_tokens(const Job& job) {
  for (const std::string* hash : {&job.token_hash, &job.git_token_hash, &job.id_request_hash}) job_tokens_.erase(*hash);
}

// Its tokens are in the message alone; their hashes stay.
Result<JobMessage> Conductor::hand_out(const Board::Place& place, const RunnerToken& token) {
  Job& job = *place.job;
  job.own_runner = token.own;
  const JobTokens tokens{ids_.hex(token_digits), ids_.hex(token_digits), ids_.hex(token_digits)};
  Result<JobMessage> message = make_message(place.active->run, *place.active->files, job, job_settings_, tokens);
  if (!message) return message;
  job.token_hash = hash_of(message->token);
  job.git_token_hash = hash_of(message->git_token);
  job.id_request_hash = message->may_ask_token ? hash_of(message->id_request_token) : std::string();
  job.changed = true;
  remember_tokens(job);
  return message;
}

Result<std::optional<JobMessage>> Conductor::acquire(const RunnerToken& token, const Acquire& runner,
                                                     std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  std::unique_lock lock(mutex_);
  note(runner);
  const std::optional<Time> due = board_.next_due();
  if (board_.report(runner, clock_.now())) changed_.notify_all();
  if (board_.next_due() != due) {
    // A job that it did not name is lost earlier than one that nobody speaks of.
    poked_ = true;
    due_.notify_all();
  }
  while (true) {
    const Result<std::optional<Token>> kept = store_->token(token.hash);
    if (!kept) return kept.error();
    if (!*kept) return std::optional<JobMessage>();
    const Board::Place place = board_.acquire(runner, clock_.now());
    if (place.job == nullptr) {
      if (const Result<void> saved = flush(); !saved) return saved.error();
      if (stopping_ || changed_.wait_until(lock, until) == std::cv_status::timeout) {
        return std::optional<JobMessage>();
      }
      continue;
    }
    Result<JobMessage> message = hand_out(place, token);
    if (!message) {
      board_.fail_job(place.job->id, "it cannot be given to a runner: " + message.error().message, clock_.now());
      continue;
    }
    if (begins(place.active->run, *place.job)) to_announce_.push_back({place.active->run.id, "in_progress"});
    log::info(who, "job {} ({}) of run {} goes to the runner {}, by the token {}", place.job->id, place.job->name,
              place.active->run.id, runner.name, token.name);
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
  if (place.job == nullptr || place.job->status != Status::in_progress) return std::nullopt;
  const std::optional<TokenKind> kind = kind_of(*place.job, hash);
  if (!kind) return std::nullopt;
  const Run& run = place.active->run;
  const RunFiles& files = *place.active->files;
  JobAccess access{run.id, place.job->id, run.repository, run.ref, run.default_branch, false, false, false, false, {}};
  const workflow::Access contents = access_of(run, files, *place.job, "contents");
  access.may_read_code = contents != workflow::Access::none;
  access.may_write_code = contents == workflow::Access::write;
  access.may_ask_token = access_of(run, files, *place.job, "id-token") == workflow::Access::write;
  access.may_read_actions = access_of(run, files, *place.job, "actions") != workflow::Access::none;
  access.facts = job_facts(run, files, *place.job);
  access.kind = *kind;
  return access;
}

bool Conductor::is_superseded(std::int64_t job_id) {
  const std::lock_guard lock(mutex_);
  const Board::Place place = board_.find_job(job_id);
  return place.job != nullptr && place.job->superseded;
}

Result<void> Conductor::check_run(const std::string& repository, std::int64_t run_id) {
  const Result<Run> run = find_run(repository, run_id);
  return run ? ok() : Result<void>(run.error());
}

std::optional<TokenKind> Conductor::was_token_of(std::int64_t job_id, std::string_view token) {
  const Result<Store::JobPlace> place = store_->job_place(job_id);
  if (!place) return std::nullopt;
  const Result<json::value> data = parse_json(place->data);
  if (!data) return std::nullopt;
  const Result<Job> job = job_from(*data);
  return job ? kind_of(*job, hash_of(token)) : std::nullopt;
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
  Result<std::int64_t> size = logs_.append(job.run_id, job.job_id, offset, text);
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
    // Disowned: see Board::report.
    if (place.job == nullptr || place.job->over() || place.job->disowned) break;
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
