#pragma once
// Tells the pipeline how the deployments of a job go on. It looks when the scheduler has done a round, and costs
// nothing while no job waits.

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "actions/protocol/deployments.h"
#include "base/clock.h"
#include "ecs/model.h"
#include "store/database.h"

namespace kaapi::daemon {

// A deployment that neither completes nor fails (a circuit breaker that is off) is given up on after this.
inline constexpr Duration max_deployment_wait{15 * 60'000LL};

// Where one deployment stands, for people. Pure.
struct DeploymentStanding {
  bool over = false;
  std::string failure;  // empty: it is well, or not over
  std::string line;     // "shop-service: 1 of 2 tasks are running"
};
DeploymentStanding standing_of(const ecs::Deployment& deployment, const ecs::Service& service, int running, Time now);

// `control` and `clock` must outlive it.
class Deployments final : public actions::DeploymentWatch {
 public:
  Deployments(store::Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  void follow(std::int64_t job_id, Callbacks callbacks) override;
  void forget(std::int64_t job_id) override;
  // Something may have changed. One thread at a time.
  void look();

 private:
  struct Waiting {
    Callbacks callbacks;
    std::set<std::string> told;  // lines, by deployment: each is told once
  };
  // What follows from one look at a job's deployments.
  struct Seen {
    std::vector<std::string> lines;
    bool over = true;
    std::optional<std::string> failure;
  };
  Seen see(std::int64_t job_id) const;
  void look_at(std::int64_t job_id);

  store::Database& control_;
  const Clock& clock_;
  std::atomic<std::uint64_t> seen_version_{0};
  std::atomic<int> waiting_count_{0};
  std::mutex mutex_;
  std::recursive_mutex calling_;  // held during callbacks, so that forget() can wait for them
  std::map<std::int64_t, Waiting> waiting_;
};

}  // namespace kaapi::daemon
