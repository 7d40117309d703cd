#include "daemon/deployment_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>
#include <utility>

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

actions::DeploymentNews Deployments::see(std::int64_t job_id) const {
  actions::DeploymentNews news;
  news.over = true;
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
      if (news.failure.empty()) news.failure = standing.failure;
      news.over = news.over && standing.over;
      news.lines.push_back(std::move(standing.line));
    }
    return ok();
  });
  if (!done) news.failure = "how the deployments go on cannot be read: " + done.error().message;
  news.known = fmt::format("{:x}", std::hash<std::string>()(fmt::format("{}", fmt::join(news.lines, "\n"))));
  return news;
}

actions::DeploymentNews Deployments::news(std::int64_t job_id, std::string_view known, std::chrono::milliseconds wait) {
  const auto until = std::chrono::steady_clock::now() + wait;
  waiting_ += 1;
  actions::DeploymentNews news;
  while (true) {
    std::uint64_t before = 0;
    {
      const std::lock_guard lock(mutex_);
      before = version_;
    }
    news = see(job_id);
    if (news.over || !news.failure.empty() || news.known != known) break;
    std::unique_lock lock(mutex_);
    const auto something = [&] { return stopping_ || version_ != before; };
    if (!changed_.wait_until(lock, until, something) || stopping_) break;
  }
  waiting_ -= 1;
  return news;
}

void Deployments::look() {
  if (waiting_ == 0) return;
  const std::lock_guard lock(mutex_);
  const std::uint64_t version = control_.version();
  if (version == version_) return;
  version_ = version;
  changed_.notify_all();
}

void Deployments::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

}  // namespace kaapi::daemon
