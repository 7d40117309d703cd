#pragma once
// What happens next in a run: which jobs come to be, are skipped, wait, are queued or cancelled, and how it ended.
// Pure: everything it needs of the world it asks of Facts and Desk, which answer from memory.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "actions/expression/value.h"
#include "actions/protocol/settings.h"
#include "actions/runs/model.h"
#include "base/clock.h"

namespace kaapi::actions::runs {

inline constexpr std::size_t max_run_jobs = 2'000;  // of one run, with all matrices and called workflows
// Jobs without timeout-minutes, and the most that it may be: GitHub's.
inline constexpr std::int64_t default_timeout_s = 360L * 60;
inline constexpr std::int64_t max_timeout_s = 35L * 24 * 60 * 60;

// What a repository's settings say.
class Facts {
 public:
  virtual ~Facts() = default;
  // The repository's variables, an object.
  virtual Result<expression::Value> variables(std::string_view repository) const = 0;
  virtual Result<Protection> protection(std::string_view repository, std::string_view environment) const = 0;
  // deployment_refusal of protocol/settings.h.
  virtual std::optional<std::string> refusal(const Protection& protection, std::string_view environment,
                                             std::string_view ref, bool ref_protected) const = 0;
};

// What runs share: ids and concurrency groups.
class Desk {
 public:
  virtual ~Desk() = default;
  virtual std::int64_t new_job_id() = 0;
  // Enters the group of a run (`job` null) or of one of its jobs, or asks again whether it may go on. Sets the place's
  // state, and may cancel what waits or runs there. True when it holds the group now.
  virtual bool enter(Run& run, Job* job, GroupPlace& place) = 0;
};

// Goes on until nothing changes any more; what it changed is marked. A run that is over stays as it is.
void advance(Run& run, const RunFiles& files, const Facts& facts, Desk& desk, Time now);

// Asks for the end of a job: at once when no runner has it, else the runner is told. A call is left to its jobs.
void request_cancel(Job& job, const std::string& reason, Time now);

}  // namespace kaapi::actions::runs
