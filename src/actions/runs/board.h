#pragma once
// All runs that are not over: events in, changed runs out. It owns the queue, the concurrency groups and the deadlines.
// Pure: no disk, no clock, no threads. The Conductor locks it, writes what changed and tells who waits.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/runner_api.h"
#include "actions/runs/advance.h"
#include "actions/runs/model.h"

namespace kaapi::actions::runs {

// How often a job goes back to the queue because the runner that was to have it never began.
inline constexpr std::int64_t max_returns = 5;

struct BoardSettings {
  std::size_t max_active_runs = 1'000;  // that are not over; one more is refused
  std::size_t max_active_jobs = 10'000;
  std::size_t max_running_jobs = 0;  // with runners at once; 0: as many as runners take
  std::int64_t retry_lost = 1;       // how often a job whose runner was lost is started again
  Duration lost_after = runner_lost_after;
  // A runner that says what it runs and does not name a job has lost it; requests that cross each other have so long.
  Duration unknown_after = std::chrono::seconds(10);
  Duration unbegun_after = std::chrono::seconds(20);    // a runner that was given a job and does not begin it
  Duration queue_limit = std::chrono::hours(24);        // GitHub's: a job that no runner takes fails
  Duration review_limit = std::chrono::hours(30 * 24);  // GitHub's: a job that nobody reviews fails
  Duration cancel_grace = std::chrono::minutes(5);      // for steps with always(), once a job shall end
  Duration timeout_grace = std::chrono::seconds(60);    // the runner ends a job in time itself
};

// Not thread-safe. `facts` must outlive it.
class Board final : private Desk {
 public:
  Board(const Facts& facts, BoardSettings settings) : facts_(facts), settings_(settings) {}

  struct Active {
    Run run;
    std::shared_ptr<const RunFiles> files;
  };
  struct Place {  // of a job; both null when there is no such job here
    Active* active = nullptr;
    Job* job = nullptr;
  };

  // The ids of jobs from `next` on are free.
  void set_next_job_id(std::int64_t next) { next_job_id_ = next; }
  std::int64_t next_job_id() const { return next_job_id_; }

  // Whether one more run may come; otherwise why not.
  std::optional<std::string> full() const;
  // Runners of jobs that run already have lost_after to be heard of.
  Active& add(Run run, std::shared_ptr<const RunFiles> files, Time now);
  // All that were kept, at once: what one of them may do is for the others to say, too.
  void restore(std::vector<Active> kept, Time now);

  // What a runner says it runs: those jobs are heard of; jobs that it was given and does not name are disowned, and
  // lost unless they are heard of soon. True when one is since now: whoever is held on behalf of it shall ask again,
  // since a request that is held may be of a process that is dead.
  bool report(const Acquire& runner, Time now);
  // The job that the runner gets next, in progress from now on: the oldest that it has the labels for.
  Place acquire(const Acquire& runner, Time now);
  // Its runner is there. `held`: +1 or -1 for a request that is held on behalf of it.
  // True the first time, which must be kept: from then on the job has begun.
  bool heard(std::int64_t job_id, int held, Time now);
  // The end of a job, as its runner tells it. False when the job is not in progress here.
  bool complete_job(std::int64_t job_id, const Completion& completion, Time now);
  void fail_job(std::int64_t job_id, const std::string& reason, Time now);
  // False when there is no such run, or it is over.
  bool cancel_run(std::int64_t run_id, const std::string& reason, Time now);
  // Answers all jobs that wait for a review of that environment (empty: of any) which `reviewer`, known by any of
  // `names`, may give. Errors: `NotFound` (nothing waits), `Conflict` (not among the reviewers).
  Result<std::size_t> review(std::int64_t run_id, const std::string& environment, const std::string& reviewer,
                             const std::vector<std::string>& names, bool approved, const std::string& comment,
                             Time now);
  // Starts a run that is over again: all its jobs, or those that did not succeed and what needs them. `run` is added.
  Active& rerun(Run run, std::shared_ptr<const RunFiles> files, bool failed_only, const std::string& actor,
                const std::string& actor_arn, Time now);

  // Everything that is due: wait timers, timeouts, lost runners. next_due(): when that is to be called again.
  void tick(Time now);
  std::optional<Time> next_due() const;

  Active* find(std::int64_t run_id);
  Place find_job(std::int64_t job_id);
  const std::map<std::int64_t, Active>& active() const { return active_; }
  void forget(std::int64_t run_id) { active_.erase(run_id); }

 private:
  Active& put(Active one, Time now);
  std::int64_t new_job_id() override { return next_job_id_++; }
  bool enter(Run& run, Job* job, GroupPlace& place) override;

  // The oldest queued job that a runner with these labels may have.
  Place next_for(const std::vector<std::string>& labels);
  void settle(Time now);
  void lose(Run& run, Job& job, const std::string& reason, Time now);
  // At most max_returns times.
  void give_back(Run& run, Job& job, Time now);
  Duration silence(const Job& job) const;  // of its runner, after which it is lost
  bool due(Run& run, Job& job, Time now);
  void run_again(Run& run, const std::string& scope, const std::string& key, bool whole,
                 std::vector<std::string>& scopes, Time now);
  void start_again(Run& run, Job& job, Time now);

  const Facts& facts_;
  BoardSettings settings_;
  std::map<std::int64_t, Active> active_;
  std::set<std::int64_t> open_;  // to be advanced
  std::int64_t next_job_id_ = 1;
  Time now_{};  // of the event at hand
};

}  // namespace kaapi::actions::runs
