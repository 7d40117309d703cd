#include "daemon/task_credentials.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "ecs/driver.h"
#include "ecs/state.h"

namespace kaapi::daemon {
namespace {

// A task asks a few times in its life; its own calls of AWS come here as well.
constexpr unsigned door_worker_threads = 4;
constexpr std::size_t door_max_connections = 512;
constexpr std::string_view initialization_error = "ResourceInitializationError";

std::string host_of(const std::string& remote_address) {
  return remote_address.substr(0, remote_address.rfind(':'));
}

// As the ECS agent words its refusals.
http::Response refusal(int status, std::string_view code, std::string_view message) {
  std::string body;
  JsonWriter out(body);
  out.begin_object();
  out.key("code");
  out.value(code);
  out.key("message");
  out.value(fmt::format("CredentialsV2Request: {}", message));
  out.key("HTTPErrorCode");
  out.value(std::int64_t{status});
  out.end_object();
  return http::Response::json(status, std::move(body));
}

// The same whether there is no such id or it is somebody else's: nobody learns which ids exist.
http::Response not_found() {
  return refusal(404, "InvalidIdInRequest", "Credentials not found");
}

std::string credentials_body(const identity::TaskRoleCredentials& found) {
  std::string body;
  JsonWriter out(body);
  const auto member = [&](std::string_view name, const std::string& value) {
    out.key(name);
    out.value(value);
  };
  // To the second, as ECS: not every SDK reads fractions.
  const Time expiration = std::chrono::floor<std::chrono::seconds>(found.session->expires_at);
  const std::string text = format_time(expiration);  // "2026-07-01T09:30:00.000Z"
  out.begin_object();
  member("RoleArn", found.role_arn);
  member("AccessKeyId", found.session->access_key_id);
  member("SecretAccessKey", found.session->secret_access_key);
  member("Token", found.session->token);
  member("Expiration", text.substr(0, text.find('.')) + "Z");
  out.end_object();
  return body;
}

Error no_door(const Error& why, const std::string& address) {
  return make_error(
      initialization_error,
      fmt::format("{}: unable to give the task the credentials of its role: {}. Containers ask for them at "
                  "http://{}, so kaapi must be able to listen there: run it as root (or with "
                  "CAP_NET_BIND_SERVICE), and let one platform on this machine run tasks with a task role; "
                  "tasks without one are not affected",
                  initialization_error, why.message, address));
}

bool nobody_answered(const Error& error) {
  return error.code == errc::unavailable || error.code == errc::timed_out;
}

}  // namespace

TaskCredentialsDoor::TaskCredentialsDoor(containers::Engine& engine, identity::TaskCredentials& credentials,
                                         http::Handler front_door, TaskCredentialsConfig config)
    : engine_(engine), credentials_(credentials), front_door_(std::move(front_door)), config_(std::move(config)) {}

TaskCredentialsDoor::~TaskCredentialsDoor() {
  stop(std::chrono::milliseconds(0));
}

Result<void> TaskCredentialsDoor::resume(store::Database& control) {
  std::set<std::string> live;
  const Result<void> read = control.read([&](store::Session& session) -> Result<void> {
    for (const ecs::Task& task : ecs::unfinished_tasks(session)) {
      if (task.role.empty() || task.status == ecs::TaskStatus::stopped) continue;
      remember(task);
      live.insert(task.id);
    }
    return ok();
  });
  if (!read) return read.error();
  if (const Result<void> revoked = credentials_.revoke_all_but(live); !revoked) return revoked.error();
  if (live.empty()) return ok();
  if (const Result<void> open = open_door(false); !open) {
    log::error("daemon", "{} running tasks cannot renew the credentials of their role: {}", live.size(),
               open.error().message);
  }
  return ok();
}

void TaskCredentialsDoor::stop(std::chrono::milliseconds grace) {
  std::unique_ptr<http::Server> server;
  {
    const std::lock_guard lock(door_mutex_);
    stopped_ = true;
    server = std::move(server_);
  }
  if (server) server->stop(grace);
}

std::uint16_t TaskCredentialsDoor::port() const {
  const std::lock_guard lock(door_mutex_);
  return server_ ? server_->port() : std::uint16_t{0};
}

void TaskCredentialsDoor::remember(const ecs::Task& task) {
  Known known;
  known.role.role = task.role;
  known.role.task_id = task.id;
  known.role.task_arn =
      fmt::format("arn:aws:ecs:{}:{}:task/{}/{}", task.region, config_.account_id, task.cluster, task.id);
  known.network_mode = task.network_mode;
  known.credentials_id = task.credentials_id;
  const std::lock_guard lock(mutex_);
  tasks_.insert_or_assign(task.credentials_id, std::move(known));
}

std::optional<TaskCredentialsDoor::Known> TaskCredentialsDoor::find(const std::string& credentials_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = tasks_.find(credentials_id);
  return found == tasks_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> TaskCredentialsDoor::admit(const ecs::Task& task) {
  remember(task);
  const std::optional<Known> known = find(task.credentials_id);
  if (!known) return ok();  // it was released meanwhile
  const Result<identity::TaskRoleCredentials> granted = credentials_.credentials(known->role);
  if (!granted) return granted.error();
  return open_door(true);
}

void TaskCredentialsDoor::release(const std::string& task_id) {
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(tasks_, [&](const auto& entry) { return entry.second.role.task_id == task_id; });
  }
  if (const Result<void> revoked = credentials_.revoke(task_id); !revoked) {
    log::warn("daemon", "the credentials of task {} are revoked, but that could not be stored: {}", task_id,
              revoked.error().message);
  }
}

// The bridge of an engine that has ended, or was given another data directory, may still have the address. Answers to
// the containers would then go to the wrong bridge, and every request of theirs would hang without a word.
Result<void> TaskCredentialsDoor::one_interface() const {
  const std::vector<std::string> names = config_.interfaces(config_.address);
  if (names.size() <= 1) return ok();
  return make_error(
      initialization_error,
      fmt::format(
          "{0}: containers cannot reach {1} for the credentials of the task's role: the network interfaces {2} all "
          "have that address. Keep the one of the network {3} (br- and the first 12 characters of `docker network "
          "inspect --format '{{{{.Id}}}}' {3}`), and remove what an engine left behind: ip link delete NAME",
          initialization_error, config_.address, fmt::join(names, ", "), ecs::credentials_network));
}

// The machine has the address as long as the network exists.
Result<void> TaskCredentialsDoor::open_door(bool make_network) {
  const std::lock_guard lock(door_mutex_);
  if (make_network) {
    const Result<void> network = engine_.ensure_network(ecs::credentials_network_spec());
    if (!network) return nobody_answered(network.error()) ? network.error() : no_door(network.error(), config_.address);
  }
  if (const Result<void> one = one_interface(); !one) return one;
  if (server_ || stopped_) return ok();
  http::ServerConfig config;
  config.address = config_.address;
  config.port = config_.port;
  config.worker_threads = door_worker_threads;
  config.max_connections = door_max_connections;
  auto server = std::make_unique<http::Server>(config);
  server->route("/", config_.max_body_bytes, [this](const http::Request& request) { return answer(request); });
  if (const Result<void> listening = server->start(); !listening) return no_door(listening.error(), config_.address);
  log::info("daemon", "listening on {}:{} for tasks with a task role", config_.address, server->port());
  server_ = std::move(server);
  return ok();
}

// An address belongs to one container at a time, and the engine knows to which. What runs on the machine's own network
// comes from the machine's address.
bool TaskCredentialsDoor::belongs(const Known& task, const std::string& source) {
  if (task.network_mode == ecs::NetworkMode::host) return source == config_.address;
  const Result<std::vector<containers::Container>> own = engine_.list(
      {{std::string(ecs::instance_label), config_.instance}, {std::string(ecs::task_label), task.role.task_id}});
  if (!own) {
    log::warn("daemon", "task {} asked for its credentials, but it is not known who it is: {}", task.role.task_id,
              own.error().message);
    return false;
  }
  return std::any_of(own->begin(), own->end(), [&](const containers::Container& container) {
    const auto address = container.addresses.find(std::string(ecs::credentials_network));
    return address != container.addresses.end() && address->second == source;
  });
}

http::Response TaskCredentialsDoor::credentials_for(const std::string& credentials_id, const std::string& source) {
  const std::optional<Known> task = find(credentials_id);
  if (!task || !belongs(*task, source)) return not_found();
  const Result<identity::TaskRoleCredentials> found = credentials_.credentials(task->role);
  if (!found) {
    log::warn("daemon", "task {} gets no credentials: {}", task->role.task_id, found.error().message);
    return refusal(503, "CredentialsUninitialized", found.error().message);
  }
  // Released meanwhile: then these came too late to be revoked with the others.
  if (!find(credentials_id)) {
    release(task->role.task_id);
    return not_found();
  }
  return http::Response::json(200, credentials_body(*found));
}

http::Response TaskCredentialsDoor::answer(const http::Request& request) {
  const std::string source = host_of(request.head.remote_address);
  if (!ecs::on_credentials_network(source)) {
    return http::Response::text(403, "only the containers of tasks with a task role are served here\n");
  }
  if (!request.head.path.starts_with(ecs::credentials_path)) return front_door_(request);
  if (request.head.method != "GET") return refusal(405, "InvalidRequest", "only GET is allowed");
  return credentials_for(request.head.path.substr(ecs::credentials_path.size()), source);
}

}  // namespace kaapi::daemon
