#pragma once
// Runs and their jobs as values: what is decided about (advance.h, board.h), kept (store.h) and told.

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/runner_api.h"
#include "actions/workflow/graph.h"
#include "base/clock.h"
#include "base/json.h"

namespace kaapi::actions::runs {

using workflow::Outcome;

// Of jobs and of runs. `pending`: something of the run itself must happen first (needs are no rows yet, a concurrency
// group, max-parallel); `waiting`: for a person or an environment's wait timer; `queued`: for a runner.
enum class Status { pending, waiting, queued, in_progress, completed };
std::string_view status_name(Status status);
std::optional<Status> status_of(std::string_view name);
std::optional<Outcome> outcome_of(std::string_view name);

// A place in a concurrency group; `name` empty: in none.
struct GroupPlace {
  enum class State { none, waiting, holding };
  std::string name;  // lower case
  bool cancel_in_progress = false;
  State state = State::none;
};

// One job of a run: a job of the file with one combination of its matrix, at one attempt.
struct Job {
  std::int64_t id = 0;
  std::int64_t attempt = 1;
  // Which call of a workflow it belongs to: "" for the run's own file, "deploy.0/" for what jobs.deploy calls.
  std::string scope;
  std::string key;         // the job's id in its file
  std::int64_t index = 0;  // of its matrix; -1: it was never expanded (skipped, or what it needs cannot be evaluated)
  std::string name;        // as shown: "deploy / test (linux, 20)"
  bool is_call = false;
  bool superseded = false;  // a later attempt has taken its place

  Status status = Status::pending;
  std::optional<Outcome> conclusion;  // once completed; before continue-on-error
  std::string reason;                 // why it is in that state, for people; never empty

  json::value matrix, strategy;  // contexts
  json::value inputs;            // of a call: the inputs context of what it calls
  bool continue_on_error = false;
  bool fail_fast = true;
  std::int64_t max_parallel = 0;  // of its matrix; 0: no limit
  std::vector<std::string> labels;
  std::int64_t timeout_s = 360L * 60;
  GroupPlace group;

  std::string environment;             // empty: none
  std::vector<std::string> reviewers;  // ARNs, one of whom must approve; empty: nobody
  bool prevent_self_review = false;
  bool approved = false;
  std::optional<Time> wait_until;  // the environment's wait timer

  bool cancel_requested = false;
  std::string cancel_reason;
  std::optional<Time> cancel_at;  // when that was
  bool survives_cancel = false;   // its if is met although the run was cancelled

  Time created{};
  std::optional<Time> queued, started, ended;
  std::string runner;       // its name, once it was acquired
  std::string runner_id;    // Acquire::id: names may be taken twice
  bool own_runner = false;  // that is the one which the platform brings along, by its token and not by its name
  // SHA-256 of the job's tokens, hexadecimal: the runner's own, GITHUB_TOKEN, and what asks for id tokens (empty
  // without that permission). Worth nothing once the job is over.
  std::string token_hash, git_token_hash, id_request_hash;
  std::int64_t retries = 0;  // how often a lost job was started again
  std::int64_t returns = 0;  // how often a runner had it and never began

  json::object outputs;  // texts by name
  std::string environment_url, summary;
  std::vector<Annotation> annotations;

  bool contacted = false;  // its runner has begun with it

  // Not kept: when its runner was last heard of, and how many of its requests are held right now.
  Time heard{};
  int listeners = 0;
  bool disowned = false;  // its runner has said since then what it runs, and did not name it
  bool changed = true;    // must be written

  bool over() const { return status == Status::completed; }
};

struct Review {
  std::string environment;
  std::string reviewer;  // an ARN
  bool approved = false;
  std::string comment;
  Time time{};
};

struct Run {
  std::int64_t id = 0;
  std::string repository;   // "OWNER/NAME"
  std::int64_t number = 0;  // counts the runs of its workflow in its repository
  std::int64_t attempt = 1;
  std::string workflow_path;  // ".github/workflows/cd.yml"
  std::string workflow_name;
  std::string title;  // run-name, or the commit's subject
  std::string event_name;
  std::string ref;  // "refs/heads/main"
  std::string sha;
  bool ref_protected = false;
  std::string actor, actor_arn;
  std::string triggering_actor, triggering_arn;  // who asked for this attempt
  std::string default_branch;                    // at the time of the event
  std::int64_t chain = 0;                        // how many workflow_run events led here

  Status status = Status::queued;
  std::optional<Outcome> conclusion;
  std::string reason;
  GroupPlace group;
  bool group_evaluated = false;
  bool cancel_requested = false;
  std::string cancel_reason;
  Time created{};
  std::optional<Time> started, ended;
  bool announced = false;  // workflow_run of its end was dealt with

  json::object github;  // the github context, without token and what a job has of its own
  json::object inputs;  // the inputs context

  // In the order in which they came to be; references stay good while jobs are added.
  std::deque<Job> jobs;
  std::vector<Review> reviews;

  bool changed = true;  // must be written
  bool is_new = true;   // was never written

  bool over() const { return status == Status::completed; }
  Job* job(std::int64_t job_id);
  const Job* job(std::int64_t job_id) const;
};

// Marks a job as over.
void complete(Job& job, Outcome outcome, std::string reason, Time now);

// The workflow files that a run is made of.
struct RunFiles {
  std::map<std::string, std::string, std::less<>> texts;  // by path
  std::map<std::string, std::shared_ptr<const workflow::Workflow>, std::less<>> parsed;
  std::shared_ptr<const workflow::Workflow> find(std::string_view path) const;
};

// As they are kept. `github` and `inputs` of a run are kept apart from it, because they never change.
json::object to_json(const Job& job);
Result<Job> job_from(const json::value& value);
json::object to_json(const Run& run);
Result<Run> run_from(const json::value& value);

}  // namespace kaapi::actions::runs
