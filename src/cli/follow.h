#pragma once
// Following a run live: what `kaapi run watch` and `git push -o wait` show.

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "actions/protocol/runner_api.h"
#include "base/error.h"
#include "http/client.h"

namespace kaapi::cli {

// Renders the events of runs/ID/follow as lines of text: of the log what a person wants to see while it runs, that is
// without the times of its lines and without what the runner says of a step's inputs (`kaapi run log` has all of it).
// Lines of the log carry the job's name as soon as the run has more than one job. Texts come from other machines:
// control characters become '?', and colors of the log itself pass only when `colors`. Not thread-safe; `out` must
// outlive it and is flushed after each event.
class FollowPrinter {
 public:
  explicit FollowPrinter(std::ostream& out, bool colors = false) : out_(out), colors_(colors) {}

  void print(const actions::FollowEvent& event);
  // What comes next is told from the run's beginning again: what was printed of it is not printed twice.
  void begin_again();

  // How many were told.
  std::size_t events() const { return events_; }
  // Of "end": how the run ended; empty as long as it has not.
  const std::string& conclusion() const { return conclusion_; }
  // What the command that follows ends with: exit_success when the run succeeded (or had nothing to do),
  // exit_failure when it did not or its end was not seen.
  int exit_code() const;

 private:
  struct Job {
    std::string name;
    std::string status;
    std::string step;             // the one that runs
    bool step_begins = false;     // nothing of its log was seen yet
    bool in_header = false;       // between "##[group]Run ..." at its beginning and "##[endgroup]"
    std::size_t log_bytes = 0;    // of its log, as told
    std::size_t known_bytes = 0;  // of those, to come again
  };

  bool is_known(const actions::FollowEvent& event);
  void print_run(const actions::FollowEvent& event);
  void print_job(const actions::FollowEvent& event);
  void print_step(const actions::FollowEvent& event);
  void print_log(const actions::FollowEvent& event);
  void print_end(const actions::FollowEvent& event);
  std::optional<std::string> log_line(Job& job, std::string_view text) const;
  std::string prefix(const Job& job) const;
  void line(std::string_view text);

  std::ostream& out_;
  bool colors_;
  std::string run_name_, run_status_, conclusion_;
  std::map<std::int64_t, Job> jobs_;
  std::size_t events_ = 0;
  std::multiset<std::string> told_;   // all but the logs
  std::multiset<std::string> known_;  // of those, to come again
};

// The peer of "http://HOST:PORT". Error: `Invalid`.
Result<http::Endpoint> peer_of(const std::string& endpoint);

// A job may wait for a reviewer for 30 days, then for a runner, and then run.
inline constexpr std::chrono::hours max_follow{33 * 24};
// Of a push, whose connection also holds git on the platform.
inline constexpr std::chrono::hours max_push_wait{24};
// One event: a piece of log whose every byte is escaped, and some air.
inline constexpr std::size_t max_follow_line_bytes = 6 * actions::max_log_chunk_bytes + 64UL * 1024;

// Asks `endpoint` ("http://127.0.0.1:4566") for `path` ("/runner/v1/runs/12/follow") with `token` as Bearer and prints
// until the run's end. Success: its end was seen, look at the printer. Errors, each saying what to do: `Invalid` (the
// endpoint; an answer that is no event; a refusal), `NotFound`, `Unavailable` (nobody there or not able to answer, or
// the connection broke while the run goes on), `TimedOut` (`limit`).
Result<void> follow_run(const std::string& endpoint, const std::string& path, const std::string& token,
                        FollowPrinter& printer, std::chrono::milliseconds limit = max_follow);

// How often a platform that is away is looked for, and how long.
struct Patience {
  std::chrono::milliseconds pause{2'000};
  std::chrono::milliseconds at_most{60'000};
};

// follow_run() for somebody whom a restart of the platform does not concern: connects again when the connection breaks,
// and says so on `err`.
Result<void> follow_through_restarts(const std::string& endpoint, const std::string& path, const std::string& token,
                                     FollowPrinter& printer, std::ostream& err, Patience patience = {});

}  // namespace kaapi::cli
