#include "ecs/model_json.h"

#include <fmt/format.h>

#include <stdexcept>
#include <type_traits>

#include "base/json.h"

namespace kaapi::ecs {
namespace {

// Each struct lists its members once; writer and reader walk that list.

template <class V>
void members(V& v, HealthCheck& x) {
  v("command", x.command), v("interval", x.interval), v("timeout", x.timeout), v("retries", x.retries);
  v("start_period", x.start_period);
}
template <class V>
void members(V& v, PortMapping& x) {
  v("container_port", x.container_port), v("host_port", x.host_port), v("protocol", x.protocol);
}
template <class V>
void members(V& v, Dependency& x) {
  v("container", x.container), v("condition", x.condition);
}
template <class V>
void members(V& v, LogTarget& x) {
  v("region", x.region), v("group", x.group), v("stream", x.stream), v("create_group", x.create_group);
}
template <class V>
void members(V& v, std::pair<std::string, std::string>& x) {
  v("name", x.first), v("value", x.second);
}
template <class V>
void members(V& v, ContainerPlan& x) {
  v("name", x.name), v("image", x.image), v("essential", x.essential), v("entry_point", x.entry_point);
  v("command", x.command), v("environment", x.environment), v("docker_labels", x.docker_labels);
  v("working_directory", x.working_directory), v("user", x.user), v("hostname", x.hostname), v("cpu", x.cpu);
  v("memory_mib", x.memory_mib), v("memory_reservation_mib", x.memory_reservation_mib), v("ports", x.ports);
  v("health_check", x.health_check), v("stop_timeout", x.stop_timeout), v("log", x.log), v("depends_on", x.depends_on);
  v("read_only_root", x.read_only_root), v("privileged", x.privileged), v("init", x.init), v("tty", x.tty);
}
template <class V>
void members(V& v, ContainerState& x) {
  v("phase", x.phase), v("image_reference", x.image_reference), v("image_digest", x.image_digest);
  v("runtime_id", x.runtime_id), v("exit_code", x.exit_code), v("reason", x.reason), v("bindings", x.bindings);
  v("started_at", x.started_at), v("finished_at", x.finished_at), v("term_sent_at", x.term_sent_at);
  v("kill_sent_at", x.kill_sent_at), v("drained", x.drained), v("removed", x.removed);
  v("remnants", x.remnants), v("output_lost", x.output_lost), v("followed_at", x.followed_at), v("health", x.health);
  v("health_changed_at", x.health_changed_at), v("last_probe_at", x.last_probe_at);
  v("last_counted_failure_at", x.last_counted_failure_at), v("failures", x.failures), v("probes", x.probes);
  v("last_probe_output", x.last_probe_output);
}
template <class V>
void members(V& v, Container& x) {
  v("plan", x.plan), v("state", x.state);
}
template <class V>
void members(V& v, Task& x) {
  v("id", x.id), v("region", x.region), v("cluster", x.cluster), v("service_id", x.service_id);
  v("deployment_id", x.deployment_id), v("family", x.family), v("revision", x.revision), v("group", x.group);
  v("started_by", x.started_by), v("launch_type", x.launch_type), v("network_mode", x.network_mode), v("cpu", x.cpu);
  v("memory", x.memory), v("overrides", x.overrides), v("tags", x.tags), v("attachment_id", x.attachment_id);
  v("address", x.address), v("mac_address", x.mac_address), v("network_id", x.network_id);
  v("subnet_id", x.subnet_id), v("role", x.role), v("credentials_id", x.credentials_id);
  v("desired_running", x.desired_running), v("status", x.status), v("stop_code", x.stop_code);
  v("stopped_reason", x.stopped_reason), v("failed", x.failed), v("ever_healthy", x.ever_healthy);
  v("accounted", x.accounted), v("resolved", x.resolved), v("created_at", x.created_at);
  v("pull_started_at", x.pull_started_at), v("pull_stopped_at", x.pull_stopped_at), v("started_at", x.started_at);
  v("stopping_at", x.stopping_at), v("execution_stopped_at", x.execution_stopped_at), v("stopped_at", x.stopped_at);
  v("retry_at", x.retry_at), v("containers", x.containers);
}
template <class V>
void members(V& v, ImagePin& x) {
  v("container", x.container), v("reference", x.reference), v("digest", x.digest);
}
template <class V>
void members(V& v, Deployment& x) {
  v("id", x.id), v("service_id", x.service_id), v("status", x.status), v("rollout_state", x.rollout_state);
  v("rollout_reason", x.rollout_reason), v("family", x.family), v("revision", x.revision);
  v("network_configuration", x.network_configuration), v("launch_type", x.launch_type), v("images", x.images);
  v("desired_count", x.desired_count), v("failed_tasks", x.failed_tasks), v("last_failure_at", x.last_failure_at);
  v("is_rollback", x.is_rollback), v("throttled", x.throttled), v("started_by", x.started_by);
  v("created_at", x.created_at), v("updated_at", x.updated_at);
}
template <class V>
void members(V& v, Service& x) {
  v("id", x.id), v("region", x.region), v("cluster", x.cluster), v("name", x.name), v("status", x.status);
  v("desired_count", x.desired_count), v("family", x.family), v("revision", x.revision);
  v("minimum_healthy_percent", x.minimum_healthy_percent), v("maximum_percent", x.maximum_percent);
  v("breaker_enabled", x.breaker_enabled), v("breaker_rollback", x.breaker_rollback);
  v("health_check_grace_s", x.health_check_grace_s), v("last_completed_deployment", x.last_completed_deployment);
  v("steady", x.steady), v("wire", x.wire), v("created_at", x.created_at);
}

// Which values may be left out when they are empty.
template <class T>
bool empty(const T&) {
  return false;
}
bool empty(const std::string& text) {
  return text.empty();
}
template <class T>
bool empty(const std::vector<T>& list) {
  return list.empty();
}
template <class K, class T>
bool empty(const std::map<K, T>& map) {
  return map.empty();
}
template <class T>
bool empty(const std::optional<T>& value) {
  return !value;
}

class Writer {
 public:
  explicit Writer(std::string& out) : json_(out) {}

  template <class T>
  void operator()(std::string_view name, T& member) {
    if (empty(member)) return;
    json_.key(name);
    write(member);
  }

  void write(std::string& text) { json_.value(text); }
  void write(bool& flag) { json_.value(flag); }
  void write(Time& time) { json_.value(to_millis(time)); }
  void write(Duration& duration) { json_.value(std::int64_t{duration.count()}); }
  template <class T>
  void write(std::optional<T>& value) {
    write(*value);
  }
  template <class T>
  void write(std::vector<T>& list) {
    json_.begin_array();
    for (T& each : list) write(each);
    json_.end_array();
  }
  void write(std::map<std::string, std::string>& map) {
    json_.begin_object();
    for (const auto& [key, value] : map) {
      json_.key(key);
      json_.value(value);
    }
    json_.end_object();
  }
  template <class T>
  void write(T& value) {
    if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      json_.value(static_cast<std::int64_t>(value));
    } else {
      json_.begin_object();
      members(*this, value);
      json_.end_object();
    }
  }

 private:
  JsonWriter json_;
};

// Throws std::exception (Boost.JSON's own on a wrong kind of value); caught in parse().
class Reader {
 public:
  explicit Reader(const json::object& object) : object_(object) {}

  template <class T>
  void operator()(std::string_view name, T& member) {
    if (const json::value* value = object_.if_contains(name)) read(*value, member);
  }

  static void read(const json::value& value, std::string& text) { text = value.as_string(); }
  static void read(const json::value& value, bool& flag) { flag = value.as_bool(); }
  static void read(const json::value& value, Time& time) { time = from_millis(value.as_int64()); }
  static void read(const json::value& value, Duration& duration) { duration = Duration(value.as_int64()); }
  template <class T>
  static void read(const json::value& value, std::optional<T>& optional) {
    read(value, optional.emplace());
  }
  template <class T>
  static void read(const json::value& value, std::vector<T>& list) {
    for (const json::value& each : value.as_array()) read(each, list.emplace_back());
  }
  static void read(const json::value& value, std::map<std::string, std::string>& map) {
    for (const auto& [key, each] : value.as_object()) map.emplace(key, each.as_string());
  }
  template <class T>
  static void read(const json::value& value, T& out) {
    if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
      out = static_cast<T>(value.as_int64());
    } else {
      Reader nested(value.as_object());
      members(nested, out);
    }
  }

 private:
  const json::object& object_;
};

template <class T>
std::string stored(const T& value) {
  std::string out;
  out.reserve(1024);
  T copy = value;  // the list of members serves reading too, so it takes them as changeable
  Writer(out).write(copy);
  return out;
}

template <class T>
Result<T> parse(std::string_view text, std::string_view what) {
  const Result<json::value> value = parse_json(text);
  if (!value) return make_error(errc::damaged, fmt::format("a stored {} is {}", what, value.error().message), 500);
  try {
    T out;
    Reader::read(*value, out);
    return out;
  } catch (const std::exception& error) {
    return make_error(errc::damaged, fmt::format("a stored {} cannot be read: {}", what, error.what()), 500);
  }
}

}  // namespace

std::string to_stored(const Task& task) {
  return stored(task);
}
std::string to_stored(const Deployment& deployment) {
  return stored(deployment);
}
std::string to_stored(const Service& service) {
  return stored(service);
}
Result<Task> task_from_stored(std::string_view text) {
  return parse<Task>(text, "task");
}
Result<Deployment> deployment_from_stored(std::string_view text) {
  return parse<Deployment>(text, "deployment");
}
Result<Service> service_from_stored(std::string_view text) {
  return parse<Service>(text, "service");
}

}  // namespace kaapi::ecs
