#pragma once
// pipeline.db: runs, jobs, steps, the workflow files they are made of, tokens, schedules.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/runner_api.h"
#include "actions/runs/model.h"
#include "store/database.h"

namespace kaapi::actions::runs {

// What ListRuns may ask for; empty: all.
struct RunFilter {
  std::string repository;
  std::string workflow;  // path, file name or name
  std::string ref;
  std::string status;               // of the run
  std::int64_t before = INT64_MAX;  // ids below
  std::size_t limit = 50;
};

struct Token {
  std::string kind;  // "runner", "own-runner" (the platform's own), "watch"
  std::int64_t run_id = 0;
  std::string name;  // of a runner
  std::string created_by;
  Time created{};
  std::optional<Time> expires;
  std::optional<Time> last_used{};  // of a runner, to the minute
};

// What is kept of a token: SHA-256, hexadecimal.
std::string hash_of(std::string_view token);

struct ScheduledWorkflow {
  std::string repository, path;
  Time next{};
};

// The numbers that runs and jobs get next.
struct NextIds {
  std::int64_t run = 1, job = 1;
};

// Thread-safe. What is answered is on disk. Errors: those of store::Database; `NotFound` where it says so.
class Store {
 public:
  static Result<std::unique_ptr<Store>> open(const std::string& path);

  Result<NextIds> next_ids();
  // Writes what is marked as changed and takes the marks away; `files` of runs that are new, by run.
  Result<void> save(const std::vector<Run*>& runs, const std::map<std::int64_t, const RunFiles*>& files,
                    const NextIds& next);
  Result<std::vector<std::int64_t>> unfinished();
  Result<Run> run(std::int64_t id);  // with its jobs; `NotFound`
  Result<std::map<std::string, std::string, std::less<>>> files(std::int64_t run_id);
  // Without jobs, the newest first.
  Result<std::vector<Run>> list(const RunFilter& filter);
  Result<std::int64_t> next_number(std::string_view repository, std::string_view workflow_path);
  // Runs that ended and whose workflow_run event is still to be made.
  Result<std::vector<std::int64_t>> unannounced();
  Result<void> announced(std::int64_t run_id);
  // Paths of the workflows that the end of the run's newest attempt has started.
  Result<std::set<std::string>> started_after(std::int64_t run_id);
  Result<std::vector<std::int64_t>> ended_before(Time time, std::size_t limit);
  Result<void> remove(std::int64_t run_id);

  // The run and the job that the id belongs to, and the hash of its token. `NotFound`.
  struct JobPlace {
    std::int64_t run_id = 0;
    std::string data;
  };
  Result<JobPlace> job_place(std::int64_t job_id);

  Result<void> save_steps(std::int64_t job_id, const std::vector<StepUpdate>& steps);
  Result<std::vector<StepUpdate>> steps(std::int64_t job_id);

  Result<void> add_token(std::string_view hash, const Token& token, bool replace_same_name);
  Result<std::optional<Token>> token(std::string_view hash);
  Result<std::vector<Token>> tokens(std::string_view kind);
  Result<void> token_used(std::string_view hash, Time now);
  Result<void> remove_token(std::string_view kind, std::string_view name);  // `NotFound`
  Result<void> remove_expired_tokens(Time now);

  // Replaces all schedules of a repository.
  Result<void> set_schedules(std::string_view repository, const std::vector<ScheduledWorkflow>& schedules);
  Result<std::vector<ScheduledWorkflow>> schedules();

 private:
  explicit Store(std::unique_ptr<store::Database> database) : database_(std::move(database)) {}

  std::unique_ptr<store::Database> database_;
};

}  // namespace kaapi::actions::runs
