#pragma once
// Tells the pipeline how the deployments of a job go on. It looks when the scheduler has done a round, and costs
// nothing while no job waits.

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>

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
  std::string line;     // "shop-service: 1 of 2 new tasks run"
};
DeploymentStanding standing_of(const ecs::Deployment& deployment, const ecs::Service& service, int running, Time now);

// Thread-safe. `control` and `clock` must outlive it.
class Deployments final : public actions::DeploymentWatch {
 public:
  Deployments(store::Database& control, const Clock& clock) : control_(control), clock_(clock) {}

  actions::DeploymentNews news(std::int64_t job_id, std::string_view known, std::chrono::milliseconds wait) override;
  // Something may have changed: who waits looks again.
  void look();
  // Nobody waits any longer.
  void stop();

 private:
  actions::DeploymentNews see(std::int64_t job_id) const;

  store::Database& control_;
  const Clock& clock_;
  std::atomic<int> waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t version_ = 0;  // of the database, when it was looked at last
  bool stopping_ = false;
};

}  // namespace kaapi::daemon
