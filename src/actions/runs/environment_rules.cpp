#include "actions/runs/environment_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "actions/runs/scope.h"

namespace kaapi::actions::runs {
namespace {

// What was granted before stays granted: a review, a wait that is over.
void follow(const Protection& rules, Job& job, Time now) {
  if (job.reviewers != rules.reviewers || job.prevent_self_review != rules.prevent_self_review) job.changed = true;
  job.reviewers = rules.reviewers;
  job.prevent_self_review = rules.prevent_self_review;
  const bool waits = rules.wait.count() > 0;
  if (waits == job.wait_until.has_value()) return;
  job.wait_until = waits ? std::optional(now + rules.wait) : std::nullopt;
  job.changed = true;
}

void wait(Job& job, std::string why) {
  if (job.status == Status::waiting && job.reason == why) return;
  job.status = Status::waiting;
  job.reason = std::move(why);
  job.changed = true;
}

}  // namespace

bool may_enter_environment(const Run& run, Job& job, const Facts& facts, Time now) {
  if (job.environment.empty()) return true;
  const auto fail = [&](std::string why) {
    job.changed = true;
    complete(job, Outcome::failure, std::move(why), now);
    return false;
  };
  const Result<Protection> rules = facts.protection(run.repository, job.environment);
  if (!rules) {
    return fail(
        fmt::format("the rules of the environment {} cannot be read: {}", job.environment, rules.error().message));
  }
  if (auto refused = facts.refusal(*rules, job.environment, run.ref, run.ref_protected)) return fail(*refused);
  if (!rules->exists && job.status == Status::waiting) {
    return fail(fmt::format("the environment {}, for whose rules it waited, was deleted", job.environment));
  }
  follow(*rules, job, now);
  if (!job.reviewers.empty() && !job.approved) {
    wait(job, fmt::format("waits for a review of the environment {} by {}: kaapi run approve {}", job.environment,
                          fmt::join(job.reviewers, " or "), run.id));
    return false;
  }
  if (!job.wait_until || *job.wait_until <= now) return true;
  wait(job, fmt::format("waits until {}: the wait timer of the environment {}", format_time(*job.wait_until),
                        job.environment));
  return false;
}

}  // namespace kaapi::actions::runs
