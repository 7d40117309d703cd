#include "daemon/deployment_watch.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "ecs/state.h"

namespace kaapi::daemon {

DeploymentStanding standing_of(const ecs::Deployment& deployment, const ecs::Service& service, int running, Time now) {
  DeploymentStanding standing;
  const std::string& name = service.name;
  if (deployment.rollout_state == ecs::RolloutState::failed) {
    standing.over = true;
    standing.failure = fmt::format("the deployment of {} failed: {}", name, deployment.rollout_reason);
    standing.line = standing.failure;
  } else if (deployment.rollout_state == ecs::RolloutState::completed) {
    standing.over = true;
    standing.line =
        fmt::format("{}: the deployment is complete, {} of {} tasks run", name, running, deployment.desired_count);
  } else if (deployment.status != ecs::DeploymentStatus::primary) {
    standing.over = true;
    standing.line = fmt::format("{}: a later deployment took over", name);
  } else if (now - deployment.created_at > max_deployment_wait) {
    standing.over = true;
    standing.failure = fmt::format(
        "the deployment of {} is not complete after {} minutes; its events say why "
        "(kaapi status)",
        name, max_deployment_wait.count() / 60'000);
    standing.line = standing.failure;
  } else {
    standing.line = fmt::format("{}: {} of {} new tasks run", name, running, deployment.desired_count);
  }
  return standing;
}

Deployments::Seen Deployments::see(std::int64_t job_id) const {
  Seen seen;
  const Time now = clock_.now();
  const Result<void> done = control_.read([&](store::Session& session) -> Result<void> {
    for (const ecs::Deployment& deployment :
         ecs::deployments_started_by(session, actions::execution_environment_of(job_id))) {
      const std::optional<ecs::Service> service = ecs::find_service(session, deployment.service_id);
      if (!service) continue;
      const auto counts = ecs::count_tasks_by_deployment(session, service->id);
      const auto found = counts.find(deployment.id);
      const int running = found == counts.end() ? 0 : found->second.running;
      DeploymentStanding standing = standing_of(deployment, *service, running, now);
      if (!standing.failure.empty() && !seen.failure) seen.failure = standing.failure;
      seen.over = seen.over && standing.over;
      seen.lines.push_back(std::move(standing.line));
    }
    return ok();
  });
  if (!done) {
    seen.over = true;
    seen.failure = "how the deployments went on cannot be read: " + done.error().message;
  }
  return seen;
}

void Deployments::look_at(std::int64_t job_id) {
  const Seen seen = see(job_id);
  const std::lock_guard calling(calling_);
  std::vector<std::string> news;
  Callbacks callbacks;
  {
    const std::lock_guard lock(mutex_);
    const auto found = waiting_.find(job_id);
    if (found == waiting_.end()) return;
    for (const std::string& line : seen.lines) {
      if (found->second.told.insert(line).second) news.push_back(line);
    }
    callbacks = found->second.callbacks;
    if (seen.over) {
      waiting_.erase(found);
      waiting_count_ -= 1;
    }
  }
  for (std::string& line : news) callbacks.tell(std::move(line));
  if (seen.over) callbacks.done(seen.failure);
}

void Deployments::follow(std::int64_t job_id, Callbacks callbacks) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_new = waiting_.insert_or_assign(job_id, Waiting{std::move(callbacks), {}}).second;
    if (is_new) waiting_count_ += 1;
  }
  look_at(job_id);
}

void Deployments::forget(std::int64_t job_id) {
  const std::lock_guard calling(calling_);
  const std::lock_guard lock(mutex_);
  if (waiting_.erase(job_id) > 0) waiting_count_ -= 1;
}

void Deployments::look() {
  if (waiting_count_ == 0) return;
  const std::uint64_t version = control_.version();
  if (seen_version_.exchange(version) == version) return;
  std::vector<std::int64_t> jobs;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [job_id, waiting] : waiting_) jobs.push_back(job_id);
  }
  for (const std::int64_t job_id : jobs) look_at(job_id);
}

}  // namespace kaapi::daemon
