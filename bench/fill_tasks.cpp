// Writes stopped tasks into a control.db, as the platform would have left them: what `bench/run start` starts with.
// fill_tasks CONTROL_DB REGION CLUSTER COUNT: spreads COUNT tasks over the services of that cluster, which must exist,
// all stopped within the last hours. No kaapi may be running on the database.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "ecs/state.h"

namespace kaapi {
namespace {

constexpr int max_tasks = ecs::max_stopped_tasks;
constexpr int tasks_per_commit = 500;
constexpr Duration task_distance{3'000};  // 10,000 tasks lie within the retention of stopped tasks
constexpr Duration task_lifetime{90'000};
constexpr std::size_t task_id_digits = 32;
constexpr std::size_t digest_digits = 64;

// One container with what a web backend has: environment, port, health check, log.
ecs::Container container_of(const ecs::Task& task, const std::string& digest, IdSource& ids) {
  ecs::Container container;
  ecs::ContainerPlan& plan = container.plan;
  plan.name = "backend";
  plan.image = "localhost:4566/project-staging-repo:latest";
  for (int i = 0; i < 12; ++i) {
    plan.environment.emplace_back(fmt::format("SETTING_{}", i), fmt::format("postgres://db.internal:5432/app?{}", i));
  }
  plan.ports.push_back({8080, 0, "tcp"});
  plan.health_check.emplace();
  plan.health_check->command = {"/backend", "--health"};
  plan.log.emplace();
  plan.log->region = task.region;
  plan.log->group = "/ecs/" + task.cluster + "/" + task.family;
  plan.log->stream = "ecs/backend/" + task.id;
  ecs::ContainerState& state = container.state;
  state.phase = ecs::Phase::exited;
  state.image_digest = "sha256:" + digest;
  state.image_reference = "localhost:4566/project-staging-repo@" + state.image_digest;
  state.runtime_id = ids.hex(digest_digits);
  state.exit_code = 0;
  state.started_at = task.started_at;
  state.term_sent_at = task.stopping_at;
  state.finished_at = task.stopped_at;
  state.health = ecs::Health::healthy;
  state.health_changed_at = task.started_at;
  state.probes = 3;
  state.drained = true;
  state.removed = true;
  return container;
}

ecs::Task stopped_task(const ecs::Service& service, Time stopped_at, const std::string& digest, IdSource& ids) {
  ecs::Task task;
  task.id = ids.hex(task_id_digits);
  task.region = service.region;
  task.cluster = service.cluster;
  task.service_id = service.id;
  task.deployment_id = service.last_completed_deployment;
  task.family = service.family;
  task.revision = service.revision;
  task.group = "service:" + service.name;
  task.started_by = task.deployment_id;
  task.network_mode = ecs::NetworkMode::awsvpc;
  task.cpu = "256";
  task.memory = "512";
  task.attachment_id = ids.uuid();
  task.address = "172.18.0.2";
  task.desired_running = false;
  task.status = ecs::TaskStatus::stopped;
  task.stop_code = ecs::StopCode::service_scheduler_initiated;
  task.stopped_reason = fmt::format("Scaling activity initiated by (deployment {})", task.deployment_id);
  task.ever_healthy = true;
  task.accounted = true;
  task.resolved = true;
  task.created_at = stopped_at - task_lifetime;
  task.pull_started_at = task.created_at;
  task.pull_stopped_at = task.created_at;
  task.started_at = task.created_at;
  task.stopping_at = stopped_at;
  task.execution_stopped_at = stopped_at;
  task.stopped_at = stopped_at;
  task.containers.push_back(container_of(task, digest, ids));
  return task;
}

Result<void> fill(const std::string& path, const std::string& region, const std::string& cluster, int count) {
  Result<std::unique_ptr<store::Database>> database = store::Database::open(path, ecs::migrations());
  if (!database) return database.error();
  SecureIds ids;
  const Time now = SystemClock().now();
  const std::string digest = ids.hex(digest_digits);
  int written = 0;
  while (written < count) {
    const int end = std::min(count, written + tasks_per_commit);
    const Result<void> committed = (*database)->write([&](store::Session& session) -> Result<void> {
      const std::vector<ecs::Service> services = ecs::list_services(session, region, cluster, "", 100);
      if (services.empty()) return make_error(errc::not_found, fmt::format("cluster {} has no services", cluster));
      for (; written < end; ++written) {
        const ecs::Service& service = services[static_cast<std::size_t>(written) % services.size()];
        ecs::save_task(session, stopped_task(service, now - written * task_distance, digest, ids));
      }
      return ok();
    });
    if (!committed) return committed.error();
  }
  return ok();
}

Result<int> task_count(std::string_view text) {
  int count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (failure == std::errc() && end == text.data() + text.size() && count > 0 && count <= max_tasks) return count;
  return make_error(errc::invalid, fmt::format("COUNT must be a number from 1 to {}, not '{}'", max_tasks, text));
}

Result<void> run(int argc, char** argv) {
  if (argc != 5) return make_error(errc::invalid, "usage: fill_tasks CONTROL_DB REGION CLUSTER COUNT");
  const Result<int> count = task_count(argv[4]);
  if (!count) return count.error();
  return fill(argv[1], argv[2], argv[3], *count);
}

}  // namespace
}  // namespace kaapi

int main(int argc, char** argv) {
  const kaapi::Result<void> done = kaapi::run(argc, argv);
  if (done) return 0;
  fmt::print(stderr, "fill_tasks: {}\n", done.error().message);
  return 1;
}
