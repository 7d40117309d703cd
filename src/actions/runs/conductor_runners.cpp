// Runners, and the tokens by which they are known.

#include <fmt/format.h>

#include <algorithm>

#include "actions/runs/conductor.h"
#include "base/log.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view who = "runs";
constexpr std::string_view given_kind = "runner", own_kind = "own-runner";
constexpr std::string_view own_name = "the platform's own";  // no name that can be given
constexpr std::size_t token_digits = 48;

}  // namespace

Result<std::string> Conductor::create_runner_token(const std::string& name, const std::string& created_by,
                                                   bool replace) {
  const Result<std::vector<Token>> before = runner_tokens();
  if (!before) return before.error();
  const auto others = std::count_if(before->begin(), before->end(), [&](const Token& t) { return t.name != name; });
  if (others >= static_cast<std::ptrdiff_t>(max_runner_tokens)) {
    return make_error(errc::conflict, fmt::format("there are {} runner tokens, which is the most: take one back with "
                                                  "kaapi run token --delete NAME",
                                                  max_runner_tokens));
  }
  const std::string token = ids_.hex(token_digits);
  const Token made{std::string(given_kind), 0, name, created_by, clock_.now(), std::nullopt};
  if (const Result<void> added = store_->add_token(hash_of(token), made, replace); !added) return added.error();
  return token;
}

Result<std::string> Conductor::create_own_runner_token() {
  const std::string token = ids_.hex(token_digits);
  const Token made{std::string(own_kind), 0, std::string(own_name), "the platform", clock_.now(), std::nullopt};
  if (const Result<void> added = store_->add_token(hash_of(token), made, true); !added) return added.error();
  return token;
}

Result<std::vector<Token>> Conductor::runner_tokens() {
  return store_->tokens(given_kind);
}

Result<void> Conductor::delete_runner_token(const std::string& name) {
  // Under the lock: who is given a job meanwhile has looked at the token under it, too.
  const std::lock_guard lock(mutex_);
  Result<void> gone = store_->remove_token(given_kind, name);
  if (!gone && gone.error().code == errc::not_found) {
    return make_error(errc::not_found, fmt::format("there is no runner token {}: kaapi run tokens lists them", name));
  }
  if (!gone) return gone;
  log::info(who, "the runner token {} was taken back", name);
  changed_.notify_all();
  return ok();
}

std::optional<RunnerToken> Conductor::runner_token(std::string_view token) {
  const std::string hash = hash_of(token);
  const Result<std::optional<Token>> found = store_->token(hash);
  if (!found || !*found) return std::nullopt;
  const Token& known = **found;
  const bool own = known.kind == own_kind;
  if (!own && known.kind != given_kind) return std::nullopt;
  const Time now = clock_.now();
  if (!known.last_used || *known.last_used + token_used_precision <= now) {
    const Result<void> noted = store_->token_used(hash, now);
    if (!noted) log::warn(who, "the use of the runner token {} is not noted: {}", known.name, noted.error().message);
  }
  return RunnerToken{known.name, own, hash};
}

void Conductor::note(const Acquire& runner) {
  const RunnerKey key{runner.name, runner.id};
  if (runners_.count(key) == 0) {
    const Time long_ago = clock_.now() - runner_forgotten_after;
    std::erase_if(runners_, [&](const auto& known) { return known.second.heard < long_ago; });
    if (runners_.size() >= max_runners) return;
  }
  runners_[key] = {runner.name, runner.labels, clock_.now(), {}};
}

std::vector<RunnerView> Conductor::runners() {
  const std::lock_guard lock(mutex_);
  std::map<RunnerKey, RunnerView> all = runners_;
  for (const auto& [id, active] : board_.active()) {
    for (const Job& job : active.run.jobs) {
      if (job.status != Status::in_progress || job.is_call) continue;
      RunnerView& runner = all[{job.runner, job.runner_id}];
      runner.name = job.runner;
      runner.jobs.push_back(job.id);
      runner.heard = std::max(runner.heard, job.heard);
    }
  }
  std::vector<RunnerView> views;
  views.reserve(all.size());
  for (auto& [key, runner] : all) views.push_back(std::move(runner));
  return views;
}

}  // namespace kaapi::actions::runs
