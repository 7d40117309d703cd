#pragma once
// Conducts the runs: events become runs, runs become jobs, runners take them. Everything that happens to a run goes
// through here, one thing at a time: the board decides, the store keeps, who waits is told.

#include <sys/eventfd.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "actions/protocol/job_facts.h"
#include "actions/protocol/job_message.h"
#include "actions/protocol/push.h"
#include "actions/protocol/settings.h"
#include "actions/protocol/source.h"
#include "actions/protocol/storage.h"
#include "actions/runs/board.h"
#include "actions/runs/commit_workflows.h"
#include "actions/runs/job_logs.h"
#include "actions/runs/store.h"
#include "base/clock.h"
#include "base/file_descriptor.h"
#include "base/ids.h"

namespace kaapi::actions::runs {

// After a repository could not be read when a schedule or a workflow_run was due, or there was no room for its run.
inline constexpr std::chrono::minutes event_retry{1};
inline constexpr int max_event_tries = 60;                  // of one workflow_run
inline constexpr std::size_t max_postponed_events = 1'000;  // workflow_run events that wait to be tried again

inline constexpr std::size_t max_push_refs = 20;  // of one push that are looked at
inline constexpr std::int64_t max_run_chain = 3;  // workflow_run after workflow_run, GitHub's limit
inline constexpr std::chrono::hours watch_token_life{24};
inline constexpr std::size_t max_steps = 2'000;    // of one job
inline constexpr std::size_t max_runners = 1'000;  // that are remembered
inline constexpr std::chrono::hours runner_forgotten_after{24};
inline constexpr std::size_t max_runner_tokens = 1'000;
// A use of a runner token is noted at most so often.
inline constexpr std::chrono::seconds token_used_precision{60};

struct ConductorSettings {
  std::string data_directory;               // pipeline.db and runs/ in it
  std::function<std::string()> server_url;  // "http://127.0.0.1:4566"; asked when it is needed
  BoardSettings board;
  std::chrono::days keep_runs{90};  // after their end; 0: for ever
};

// Who asks, for the record and for reviews.
struct Actor {
  std::string name;  // for people
  std::string arn;
  std::vector<std::string> names{};  // all ARNs by which a reviewer may be meant (of a session: its role's, too)
  std::string id{};                  // actor_id() of who it is; empty: not known
};

struct StartRequest {
  std::string repository;
  std::string workflow;  // "cd.yml", its path or its name
  std::string ref;       // empty: the default branch
  std::map<std::string, std::string> inputs;
  Actor actor;
};

struct RunView {
  Run run;
  std::map<std::int64_t, std::vector<StepUpdate>> steps;  // by job
};

using RunnerKey = std::pair<std::string, std::string>;  // Acquire::name and id: two runners may have one name

struct RunnerView {
  std::string name;
  std::vector<std::string> labels;
  Time heard{};
  std::vector<std::int64_t> jobs;  // that it runs
};

// Who a runner is by its token, whatever it calls itself.
struct RunnerToken {
  std::string name;
  bool own = false;  // of the runner that the platform brings along
  std::string hash;
};

// Each of a job's tokens is for one thing (protocol/job_message.h): what its runner reports, git, asking for id tokens.
enum class TokenKind { runner, git, id_request };

// What the token of a job that runs is good for.
struct JobAccess {
  std::int64_t run_id = 0, job_id = 0;
  std::string repository, ref, default_branch;
  bool may_read_code = false, may_write_code = false;
  bool may_ask_token = false;
  bool may_read_actions = false;  // other runs of the repository
  JobFacts facts;
  TokenKind kind = TokenKind::runner;
};

// Thread-safe. Everything handed to open() must outlive it.
class Conductor final : public PushListener {
 public:
  // Goes on with what was not over. Errors: those of the store.
  static Result<std::unique_ptr<Conductor>> open(ConductorSettings settings, const Source& source,
                                                 const JobSettings& job_settings, JobStorage& storage,
                                                 const Clock& clock, IdSource& ids);
  ~Conductor() override;  // stops
  Conductor(const Conductor&) = delete;
  Conductor& operator=(const Conductor&) = delete;

  // The thread that carries out what is due: deadlines, schedules, workflow_run, expiry.
  void start();
  // Ends that thread and every wait. Harmless when it is not running.
  void stop();
  // What is due now, on the caller's thread; tests call it instead of start().
  void run_due();

  // Events.
  PushReport pushed(const PushEvent& event) override;
  void default_branch_changed(const std::string& repository) override;
  // Errors of these: `NotFound`, `Invalid` (inputs, a workflow with faults), `Conflict`, `Unavailable`.
  Result<WatchedRun> start_run(const StartRequest& request);
  Result<PushReport> dispatch_event(const std::string& repository, const std::string& type, json::value payload,
                                    const Actor& actor);

  // What people do with runs; `repository` must be the run's.
  Result<std::vector<Run>> list(const RunFilter& filter);
  Result<RunView> describe(const std::string& repository, std::int64_t run_id);
  Result<void> cancel(const std::string& repository, std::int64_t run_id, const Actor& actor);
  Result<WatchedRun> rerun(const std::string& repository, std::int64_t run_id, bool failed_only, const Actor& actor);
  Result<std::size_t> review(const std::string& repository, std::int64_t run_id, const std::string& environment,
                             bool approved, const std::string& comment, const Actor& actor);
  Result<WatchedRun> watch(const std::string& repository, std::int64_t run_id);
  Result<void> remove(const std::string& repository, std::int64_t run_id);
  // Everything of a repository that is about to be deleted. Error besides a database's: `Conflict`, a run is not over.
  Result<void> forget_repository(const std::string& repository);

  // Runners. A token of the same name is replaced when `replace` is set, else it is one more.
  Result<std::string> create_runner_token(const std::string& name, const std::string& created_by, bool replace);
  // For the runner that the platform brings along: jobs that are acquired with it are hosted by the platform. It is
  // none of those below, and replaces the one before.
  Result<std::string> create_own_runner_token();
  Result<std::vector<Token>> runner_tokens();
  // What its runner has begun goes on; it gets nothing more, also by a request that is held. `NotFound`.
  Result<void> delete_runner_token(const std::string& name);
  // Notes that it was used.
  std::optional<RunnerToken> runner_token(std::string_view token);
  std::vector<RunnerView> runners();
  // nullopt: nothing came within `wait`, the token was taken back, or stop() was called.
  Result<std::optional<JobMessage>> acquire(const RunnerToken& token, const Acquire& runner,
                                            std::chrono::milliseconds wait);

  // Whose job token that is, and which, while the job runs. Also for git: the password of "x-access-token".
  std::optional<JobAccess> job_access(std::string_view token);
  // Which of the job's a token is or was that job_access does not know: the job is over.
  std::optional<TokenKind> was_token_of(std::int64_t job_id, std::string_view token);
  // Whether a job of a run that is not over was started again, or is followed by one of a later attempt.
  bool is_superseded(std::int64_t job_id);
  // Error besides the store's: `NotFound`, also of a run that another repository has.
  Result<void> check_run(const std::string& repository, std::int64_t run_id);
  // Whether a job that is over ended like that, as its runner told it. Errors: those of the store.
  Result<bool> ended_so(std::int64_t job_id, std::string_view conclusion);
  Result<void> steps(const JobAccess& job, const std::vector<StepUpdate>& steps);
  // As JobLogs::append.
  Result<std::int64_t> log(const JobAccess& job, std::int64_t offset, std::string_view text);
  // Why the job shall end; nullopt: nothing within `wait`, or it is over.
  std::optional<std::string> cancellation(const JobAccess& job, std::chrono::milliseconds wait);
  Result<void> complete(const JobAccess& job, const Completion& completion);

  // Following. The run that a watch token is for.
  std::optional<std::int64_t> watched_run(std::string_view token);
  // Written to whenever something of the run changes; one of them per follower.
  void add_follower(std::int64_t run_id, int event_fd);
  void remove_follower(std::int64_t run_id, int event_fd);
  Result<RunView> view(std::int64_t run_id);
  const JobLogs& logs() const { return logs_; }

 private:
  class SettingsFacts;
  struct Trigger;

  Conductor(ConductorSettings settings, const Source& source, const JobSettings& job_settings, JobStorage& storage,
            const Clock& clock, IdSource& ids, std::unique_ptr<Store> store);
  Result<void> load();

  // All below with mutex_ held, unless said otherwise.
  Result<void> flush();
  void tell(std::int64_t run_id);
  Result<Run> find_run(const std::string& repository, std::int64_t run_id);
  Result<JobMessage> hand_out(const Board::Place& place, const RunnerToken& token);
  void remember_tokens(const Job& job);
  void forget_tokens(const Job& job);
  Result<WatchedRun> watched(const Run& run);

  // Without the lock.
  Result<WatchedRun> launch(Trigger trigger, const CommitWorkflows& commit, const workflow::Workflow& workflow);
  void push_ref(const PushEvent& event, const RefUpdate& update, PushReport& report);
  void warn_of_environments(const std::string& repository, const workflow::Workflow& workflow,
                            PushReport& report) const;
  // A workflow_run event that is to be made.
  struct Announcement {
    std::int64_t run_id = 0;
    std::string action;  // "requested", "in_progress" or "completed"
    int tries = 0;
    Time next{};
    std::set<std::string> started{};  // paths of the workflows that it has started
  };
  void note(const Acquire& runner);  // with mutex_ held
  void announce(Announcement event);
  // Error: one that may pass.
  Result<void> start_after(const Run& run, Announcement& event);
  // False: too often, or too many.
  bool try_later(Announcement& event, const Error& why);
  void fire(const ScheduledWorkflow& schedule);
  // For a while, because its repository cannot be read now.
  void postpone(const ScheduledWorkflow& schedule);
  void reschedule(const std::string& repository, const CommitWorkflows& commit);
  void expire(Time now);
  void loop();
  struct Head;  // of the default branch
  Result<Head> head(const std::string& repository);

  ConductorSettings settings_;
  const Source& source_;
  const JobSettings& job_settings_;
  JobStorage& storage_;
  const Clock& clock_;
  IdSource& ids_;
  std::unique_ptr<Store> store_;
  JobLogs logs_;
  WorkflowCache workflows_;
  std::unique_ptr<SettingsFacts> facts_;

  std::mutex mutex_;
  std::condition_variable changed_;  // something that a held request may wait for
  std::condition_variable due_;      // for the thread
  Board board_;
  std::int64_t next_run_id_ = 1;
  std::unordered_map<std::string, std::int64_t> job_tokens_;  // by hash
  std::map<RunnerKey, RunnerView> runners_;
  std::vector<Announcement> to_announce_, postponed_;
  std::vector<ScheduledWorkflow> schedules_;
  Time next_expiry_{};
  bool stopping_ = false;
  bool poked_ = false;

  std::mutex followers_mutex_;
  std::map<std::int64_t, std::vector<int>> followers_;
  std::thread thread_;
};

}  // namespace kaapi::actions::runs
