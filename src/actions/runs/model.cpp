#include "actions/runs/model.h"

#include <algorithm>

#include "actions/protocol/fields.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::string_view status_names[] = {"pending", "waiting", "queued", "in_progress", "completed"};
constexpr std::string_view group_states[] = {"none", "waiting", "holding"};

json::value texts(const std::vector<std::string>& list) {
  json::array array;
  for (const std::string& text : list) array.emplace_back(text);
  return array;
}

void put(json::object& out, std::string_view key, const std::optional<Time>& time) {
  if (time) out[key] = to_millis(*time);
}

std::optional<Time> time_in(const json::value& value, std::string_view key) {
  if (find_member(value, key) == nullptr) return std::nullopt;
  return from_millis(int_member(value, key));
}

json::value value_in(const json::value& value, std::string_view key) {
  const json::value* found = find_member(value, key);
  return found == nullptr ? json::value() : *found;
}

json::object to_json(const GroupPlace& place) {
  return {{"name", place.name},
          {"cancel_in_progress", place.cancel_in_progress},
          {"state", group_states[static_cast<std::size_t>(place.state)]}};
}

GroupPlace group_in(const json::value& value) {
  const json::value group = value_in(value, "group");
  GroupPlace place{string_member(group, "name"), bool_member(group, "cancel_in_progress"), GroupPlace::State::none};
  const std::string state = string_member(group, "state");
  if (state == "waiting") place.state = GroupPlace::State::waiting;
  if (state == "holding") place.state = GroupPlace::State::holding;
  return place;
}

json::array to_json(const std::vector<Review>& reviews) {
  json::array array;
  for (const Review& review : reviews) {
    array.push_back(json::object{{"environment", review.environment},
                                 {"reviewer", review.reviewer},
                                 {"approved", review.approved},
                                 {"comment", review.comment},
                                 {"time", to_millis(review.time)}});
  }
  return array;
}

// What came from the runner, in the form in which the runner sends it.
json::value completion_part(const Job& job) {
  Completion completion;
  completion.conclusion = "success";
  completion.outputs = job.outputs;
  completion.environment_url = job.environment_url;
  completion.summary = job.summary;
  completion.annotations = job.annotations;
  return to_json(completion);
}

}  // namespace

std::string_view status_name(Status status) {
  return status_names[static_cast<std::size_t>(status)];
}

std::optional<Status> status_of(std::string_view name) {
  const auto* const found = std::find(std::begin(status_names), std::end(status_names), name);
  if (found == std::end(status_names)) return std::nullopt;
  return static_cast<Status>(found - std::begin(status_names));
}

std::optional<Outcome> outcome_of(std::string_view name) {
  for (const Outcome outcome : {Outcome::success, Outcome::failure, Outcome::cancelled, Outcome::skipped}) {
    if (workflow::outcome_name(outcome) == name) return outcome;
  }
  return std::nullopt;
}

Job* Run::job(std::int64_t job_id) {
  const auto found = std::find_if(jobs.begin(), jobs.end(), [&](const Job& job) { return job.id == job_id; });
  return found == jobs.end() ? nullptr : &*found;
}

const Job* Run::job(std::int64_t job_id) const {
  const auto found = std::find_if(jobs.begin(), jobs.end(), [&](const Job& job) { return job.id == job_id; });
  return found == jobs.end() ? nullptr : &*found;
}

void complete(Job& job, Outcome outcome, std::string reason, Time now) {
  job.status = Status::completed;
  job.conclusion = outcome;
  job.reason = std::move(reason);
  job.ended = now;
  job.group.state = GroupPlace::State::none;
  job.changed = true;
}

std::shared_ptr<const workflow::Workflow> RunFiles::find(std::string_view path) const {
  const auto found = parsed.find(path);
  return found == parsed.end() ? nullptr : found->second;
}

json::object to_json(const Job& job) {
  json::object out{{"id", job.id},
                   {"attempt", job.attempt},
                   {"scope", job.scope},
                   {"key", job.key},
                   {"index", job.index},
                   {"name", job.name},
                   {"is_call", job.is_call},
                   {"superseded", job.superseded},
                   {"status", status_name(job.status)},
                   {"conclusion", job.conclusion ? workflow::outcome_name(*job.conclusion) : ""},
                   {"reason", job.reason},
                   {"matrix", job.matrix},
                   {"strategy", job.strategy},
                   {"inputs", job.inputs},
                   {"continue_on_error", job.continue_on_error},
                   {"fail_fast", job.fail_fast},
                   {"max_parallel", job.max_parallel},
                   {"labels", texts(job.labels)},
                   {"timeout_s", job.timeout_s},
                   {"group", to_json(job.group)},
                   {"environment", job.environment},
                   {"reviewers", texts(job.reviewers)},
                   {"prevent_self_review", job.prevent_self_review},
                   {"approved", job.approved},
                   {"cancel_requested", job.cancel_requested},
                   {"cancel_reason", job.cancel_reason},
                   {"survives_cancel", job.survives_cancel},
                   {"created", to_millis(job.created)},
                   {"runner", job.runner},
                   {"runner_id", job.runner_id},
                   {"own_runner", job.own_runner},
                   {"token_hash", job.token_hash},
                   {"git_token_hash", job.git_token_hash},
                   {"id_request_hash", job.id_request_hash},
                   {"retries", job.retries},
                   {"returns", job.returns},
                   {"contacted", job.contacted},
                   {"completion", completion_part(job)}};
  put(out, "wait_until", job.wait_until);
  put(out, "cancel_at", job.cancel_at);
  put(out, "queued", job.queued);
  put(out, "started", job.started);
  put(out, "ended", job.ended);
  return out;
}

Result<Job> job_from(const json::value& value) {
  Job job;
  Fields fields(value, "kept job");
  std::string status, conclusion;
  std::int64_t created = 0;
  fields.read("id", job.id);
  fields.read("attempt", job.attempt);
  fields.read("scope", job.scope);
  fields.read("key", job.key);
  fields.read("index", job.index);
  fields.read("name", job.name);
  fields.read("is_call", job.is_call);
  fields.read("superseded", job.superseded);
  fields.read("status", status);
  fields.read("conclusion", conclusion);
  fields.read("reason", job.reason);
  fields.read("continue_on_error", job.continue_on_error);
  fields.read("fail_fast", job.fail_fast);
  fields.read("max_parallel", job.max_parallel);
  fields.read("labels", job.labels);
  fields.read("timeout_s", job.timeout_s);
  fields.read("environment", job.environment);
  fields.read("reviewers", job.reviewers);
  fields.read("prevent_self_review", job.prevent_self_review);
  fields.read("approved", job.approved);
  fields.read("cancel_requested", job.cancel_requested);
  fields.read("cancel_reason", job.cancel_reason);
  fields.read("survives_cancel", job.survives_cancel);
  fields.read("created", created);
  fields.read("runner", job.runner);
  fields.read("runner_id", job.runner_id);
  fields.read("own_runner", job.own_runner);
  fields.read("token_hash", job.token_hash);
  fields.read("git_token_hash", job.git_token_hash);
  fields.read("id_request_hash", job.id_request_hash);
  fields.read("retries", job.retries);
  fields.read("returns", job.returns);
  fields.read("contacted", job.contacted);
  if (const Result<void> done = fields.done(); !done) return done.error();
  const std::optional<Status> known = status_of(status);
  if (!known) return make_error(errc::damaged, "a kept job has the unknown status " + status);
  job.status = *known;
  job.conclusion = outcome_of(conclusion);
  job.created = from_millis(created);
  job.matrix = value_in(value, "matrix");
  job.strategy = value_in(value, "strategy");
  job.inputs = value_in(value, "inputs");
  job.group = group_in(value);
  job.wait_until = time_in(value, "wait_until");
  job.cancel_at = time_in(value, "cancel_at");
  job.queued = time_in(value, "queued");
  job.started = time_in(value, "started");
  job.ended = time_in(value, "ended");
  Result<Completion> completion = completion_from(value_in(value, "completion"));
  if (!completion) return completion.error();
  job.outputs = std::move(completion->outputs);
  job.environment_url = std::move(completion->environment_url);
  job.summary = std::move(completion->summary);
  job.annotations = std::move(completion->annotations);
  job.changed = false;
  return job;
}

json::object to_json(const Run& run) {
  json::object out{{"id", run.id},
                   {"repository", run.repository},
                   {"number", run.number},
                   {"attempt", run.attempt},
                   {"workflow_path", run.workflow_path},
                   {"workflow_name", run.workflow_name},
                   {"title", run.title},
                   {"event_name", run.event_name},
                   {"ref", run.ref},
                   {"sha", run.sha},
                   {"ref_protected", run.ref_protected},
                   {"actor", run.actor},
                   {"actor_arn", run.actor_arn},
                   {"triggering_actor", run.triggering_actor},
                   {"triggering_arn", run.triggering_arn},
                   {"default_branch", run.default_branch},
                   {"chain", run.chain},
                   {"status", status_name(run.status)},
                   {"conclusion", run.conclusion ? workflow::outcome_name(*run.conclusion) : ""},
                   {"reason", run.reason},
                   {"group", to_json(run.group)},
                   {"group_evaluated", run.group_evaluated},
                   {"cancel_requested", run.cancel_requested},
                   {"cancel_reason", run.cancel_reason},
                   {"created", to_millis(run.created)},
                   {"announced", run.announced},
                   {"reviews", to_json(run.reviews)}};
  put(out, "started", run.started);
  put(out, "ended", run.ended);
  return out;
}

Result<Run> run_from(const json::value& value) {
  Run run;
  Fields fields(value, "kept run");
  std::string status, conclusion;
  std::int64_t created = 0;
  fields.read("id", run.id);
  fields.read("repository", run.repository);
  fields.read("number", run.number);
  fields.read("attempt", run.attempt);
  fields.read("workflow_path", run.workflow_path);
  fields.read("workflow_name", run.workflow_name);
  fields.read("title", run.title);
  fields.read("event_name", run.event_name);
  fields.read("ref", run.ref);
  fields.read("sha", run.sha);
  fields.read("ref_protected", run.ref_protected);
  fields.read("actor", run.actor);
  fields.read("actor_arn", run.actor_arn);
  fields.read("triggering_actor", run.triggering_actor);
  fields.read("triggering_arn", run.triggering_arn);
  fields.read("default_branch", run.default_branch);
  fields.read("chain", run.chain);
  fields.read("status", status);
  fields.read("conclusion", conclusion);
  fields.read("reason", run.reason);
  fields.read("group_evaluated", run.group_evaluated);
  fields.read("cancel_requested", run.cancel_requested);
  fields.read("cancel_reason", run.cancel_reason);
  fields.read("created", created);
  fields.read("announced", run.announced);
  fields.read_list("reviews", run.reviews, [](const json::value& item) -> Result<Review> {
    return Review{string_member(item, "environment"), string_member(item, "reviewer"), bool_member(item, "approved"),
                  string_member(item, "comment"), from_millis(int_member(item, "time"))};
  });
  if (const Result<void> done = fields.done(); !done) return done.error();
  const std::optional<Status> known = status_of(status);
  if (!known) return make_error(errc::damaged, "a kept run has the unknown status " + status);
  run.status = *known;
  run.conclusion = outcome_of(conclusion);
  run.created = from_millis(created);
  run.group = group_in(value);
  run.started = time_in(value, "started");
  run.ended = time_in(value, "ended");
  run.changed = false;
  run.is_new = false;
  return run;
}

}  // namespace kaapi::actions::runs
