#pragma once
// A run told live: every event from its beginning until its end, one JSON document a line.

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "actions/runs/conductor.h"
#include "http/message.h"

namespace kaapi::actions::runs {

inline constexpr std::size_t max_follow_text_bytes = 64UL * 1024;  // of one log event

// What of a run was told already, and what comes next. Reads logs by `log(job, offset, max_bytes)`.
class Teller {
 public:
  using ReadLog = std::function<std::string(const Job& job, std::int64_t offset, std::int64_t max_bytes)>;
  // False when nobody listens any more.
  using Tell = std::function<bool(const FollowEvent&)>;

  Teller(ReadLog log, Tell tell) : log_(std::move(log)), tell_(std::move(tell)) {}

  // Tells what is new in the view. False when nobody listens any more.
  bool tell(const RunView& view);
  // The end was told.
  bool ended() const { return ended_; }

 private:
  struct Told {
    std::string state;                        // the status and the reason that were told
    std::set<std::int64_t> begun, completed;  // steps
    std::int64_t log = 0;
  };

  bool tell_job(const Job& job, const std::vector<StepUpdate>& steps);
  bool tell_steps(const Job& job, const std::vector<StepUpdate>& steps, Told& told);
  bool tell_log(const Job& job, Told& told, std::int64_t to, bool all);

  ReadLog log_;
  Tell tell_;
  std::string run_state_;
  std::map<std::int64_t, Told> jobs_;
  bool ended_ = false;
};

// Follows the run until its end, or until the peer is gone or the server ends. True when all was told.
bool follow_run(Conductor& conductor, std::int64_t run_id, http::BodyWriter& out);

}  // namespace kaapi::actions::runs
