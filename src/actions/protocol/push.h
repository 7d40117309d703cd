#pragma once
// What git tells the runs of a push, and what the pushing terminal is told in return.

#include <string>
#include <vector>

namespace kaapi::actions {

// One ref that a push has changed. Commits are 40 hexadecimal digits, all zeros where there is none.
struct RefUpdate {
  std::string ref;  // "refs/heads/main"
  std::string before, after;
  bool forced = false;  // `before` is no ancestor of `after`
  // Commits that the push brings into the repository change files below .github/workflows. Of pushes of jobs only.
  bool changes_workflows = false;
  // Told again: paths of workflow files that the event has started already, which are left out.
  std::vector<std::string> started{};
  bool all_paths = false;  // told again because somebody asks for it: filters of paths are not looked at
};

struct PushEvent {
  std::string repository;  // "OWNER/NAME"
  std::string actor;       // a short name for people: a user, a role session, "root"
  std::string actor_arn;
  std::vector<RefUpdate> updates;
  bool by_job = false;     // with a job's token: starts no runs, or a workflow could start itself for ever
  std::string actor_id{};  // actor_id() of who it is; empty: not known
};

// A run that can be followed: GET `path` of the platform with `token` as Bearer yields follow.h's events.
struct WatchedRun {
  std::int64_t run_id = 0;
  std::string name;  // "CD staging #12"
  std::string path;  // "/runner/v1/runs/12/follow"
  std::string token;
  std::string ref{};  // that was pushed; empty: it was no push
};

struct PushReport {
  // For people, one line each: what was started and where to watch it, what was not and why, faults of workflow files
  // (".github/workflows/cd.yml:3:5: ...").
  std::vector<std::string> lines;
  std::vector<WatchedRun> runs;
  // What cannot be dealt with now, such as with a full disk: to be told again later, by whoever told of it.
  std::vector<RefUpdate> again{};
};

// Implemented by runs/, called by git/ after the refs are updated. Never waits for a job. Thread-safe.
class PushListener {
 public:
  virtual ~PushListener() = default;
  virtual PushReport pushed(const PushEvent& event) = 0;
  // Another branch is the default one, or its first fetch is there: schedules are those of its workflow files.
  virtual void default_branch_changed(const std::string& /*repository*/) {}
};

}  // namespace kaapi::actions
