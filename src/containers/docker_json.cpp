#include "containers/docker_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "base/text.h"
#include "containers/docker_output.h"

namespace kaapi::containers {
namespace {

// Output is read by the platform while it is written; these bound what the engine keeps on disk meanwhile. Few and
// large files: a followed answer that is behind by more than a whole file leaves that file out and repeats a later one
// (Docker 20.10).
constexpr std::string_view log_max_size = "256m";
constexpr std::string_view log_max_files = "2";

void write_strings(JsonWriter& writer, std::string_view name, const std::vector<std::string>& values) {
  writer.key(name);
  writer.begin_array();
  for (const std::string& value : values) {
    writer.value(value);
  }
  writer.end_array();
}

void write_text(JsonWriter& writer, std::string_view name, const std::string& value) {
  if (!value.empty()) {
    writer.key(name);
    writer.value(value);
  }
}

void write_number(JsonWriter& writer, std::string_view name, std::int64_t value) {
  if (value != 0) {
    writer.key(name);
    writer.value(value);
  }
}

void write_flag(JsonWriter& writer, std::string_view name, bool value) {
  writer.key(name);
  writer.value(value);
}

using PortMap = std::map<std::string, std::vector<const PortBinding*>>;  // "80/tcp" -> its bindings

PortMap group_ports(const std::vector<PortBinding>& ports) {
  PortMap grouped;
  for (const PortBinding& port : ports) {
    grouped[std::to_string(port.container_port) + "/" + port.protocol].push_back(&port);
  }
  return grouped;
}

void write_port_bindings(JsonWriter& writer, const PortMap& ports) {
  writer.key("PortBindings");
  writer.begin_object();
  for (const auto& [name, bindings] : ports) {
    writer.key(name);
    writer.begin_array();
    for (const PortBinding* binding : bindings) {
      writer.begin_object();
      writer.key("HostIp");
      writer.value(binding->host_ip.empty() ? std::string("0.0.0.0") : binding->host_ip);
      writer.key("HostPort");
      writer.value(binding->host_port == 0 ? std::string() : std::to_string(binding->host_port));
      writer.end_object();
    }
    writer.end_array();
  }
  writer.end_object();
}

void write_host_config(JsonWriter& writer, const ContainerSpec& spec, const PortMap& ports) {
  writer.key("HostConfig");
  writer.begin_object();
  write_text(writer, "NetworkMode", spec.network);
  write_port_bindings(writer, ports);
  write_number(writer, "Memory", spec.memory_bytes);
  write_number(writer, "MemoryReservation", spec.memory_reservation_bytes);
  write_number(writer, "CpuShares", spec.cpu_shares);
  write_number(writer, "NanoCpus", spec.nano_cpus);
  if (spec.init) {
    write_flag(writer, "Init", *spec.init);
  }
  write_flag(writer, "ReadonlyRootfs", spec.read_only_root);
  write_flag(writer, "Privileged", spec.privileged);
  // Whether a container runs again is the platform's decision alone.
  writer.key("RestartPolicy");
  writer.begin_object();
  writer.key("Name");
  writer.value("no");
  writer.end_object();
  writer.key("LogConfig");
  writer.begin_object();
  writer.key("Type");
  writer.value("json-file");
  writer.key("Config");
  writer.begin_object();
  writer.key("max-size");
  writer.value(log_max_size);
  writer.key("max-file");
  writer.value(log_max_files);
  writer.end_object();
  writer.end_object();
  writer.end_object();
}

ContainerStatus parse_status(std::string_view text) {
  static const std::map<std::string_view, ContainerStatus> names = {
      {"created", ContainerStatus::created},    {"running", ContainerStatus::running},
      {"restarting", ContainerStatus::running}, {"paused", ContainerStatus::paused},
      {"exited", ContainerStatus::exited},      {"removing", ContainerStatus::removing},
      {"dead", ContainerStatus::dead}};
  const auto found = names.find(text);
  return found == names.end() ? ContainerStatus::dead : found->second;
}

// Docker writes the year 1 for "never".
std::optional<Time> parse_time(const std::string& text) {
  const auto nanos = parse_rfc3339_nanos(text);
  return nanos ? std::optional(from_millis(*nanos / 1'000'000)) : std::nullopt;
}

void parse_networks(const json::value& container, Container& result) {
  const json::value* settings = find_member(container, "NetworkSettings");
  const json::value* networks = settings == nullptr ? nullptr : find_member(*settings, "Networks");
  if (networks == nullptr || !networks->is_object()) {
    return;
  }
  for (const auto& entry : networks->get_object()) {
    const std::string name(entry.key());
    if (const std::string address = string_member(entry.value(), "IPAddress"); !address.empty()) {
      result.addresses[name] = address;
    }
    if (const std::string mac = string_member(entry.value(), "MacAddress"); !mac.empty()) {
      result.mac_addresses[name] = mac;
    }
  }
}

// Docker reports one published port once for IPv4 and once for IPv6; the first one stays.
void add_port(PortBinding port, std::vector<PortBinding>& ports) {
  const auto every = [](const std::string& ip) { return ip == "0.0.0.0" || ip == "::" || ip.empty(); };
  for (PortBinding& known : ports) {
    if (known.container_port == port.container_port && known.host_port == port.host_port &&
        known.protocol == port.protocol &&
        (known.host_ip == port.host_ip || (every(known.host_ip) && every(port.host_ip)))) {
      if (port.host_ip == "0.0.0.0") {
        known.host_ip = port.host_ip;
      }
      return;
    }
  }
  ports.push_back(std::move(port));
}

std::uint16_t to_port(std::int64_t number) {
  return number > 0 && number <= 65535 ? static_cast<std::uint16_t>(number) : std::uint16_t{0};
}

void parse_bound_ports(const json::value& container, Container& result) {
  const json::value* settings = find_member(container, "NetworkSettings");
  const json::value* ports = settings == nullptr ? nullptr : find_member(*settings, "Ports");
  if (ports == nullptr || !ports->is_object()) {
    return;
  }
  for (const auto& entry : ports->get_object()) {
    const std::vector<std::string> parts = split(std::string_view(entry.key().data(), entry.key().size()), '/');
    if (!entry.value().is_array() || parts.size() != 2) {
      continue;  // exposed, not published
    }
    for (const json::value& binding : entry.value().get_array()) {
      PortBinding port;
      port.container_port = to_port(parse_number(parts[0]).value_or(0));
      port.protocol = parts[1];
      port.host_port = to_port(parse_number(string_member(binding, "HostPort")).value_or(0));
      port.host_ip = string_member(binding, "HostIp");
      add_port(std::move(port), result.ports);
    }
  }
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

}  // namespace

std::string create_body(const ContainerSpec& spec) {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.key("Image");
  writer.value(spec.image);
  if (!spec.entry_point.empty()) {
    write_strings(writer, "Entrypoint", spec.entry_point);
  }
  if (!spec.command.empty()) {
    write_strings(writer, "Cmd", spec.command);
  }
  std::vector<std::string> environment;
  for (const auto& [name, value] : spec.environment) {
    environment.push_back(name + "=" + value);
  }
  write_strings(writer, "Env", environment);
  writer.key("Labels");
  writer.begin_object();
  for (const auto& [name, value] : spec.labels) {
    writer.key(name);
    writer.value(value);
  }
  writer.end_object();
  write_text(writer, "WorkingDir", spec.working_directory);
  write_text(writer, "User", spec.user);
  write_text(writer, "Hostname", spec.hostname);
  write_flag(writer, "Tty", spec.tty);
  // Health is probed by the platform; the image's own check would only cost.
  writer.key("Healthcheck");
  writer.begin_object();
  write_strings(writer, "Test", {"NONE"});
  writer.end_object();
  const PortMap ports = group_ports(spec.ports);
  writer.key("ExposedPorts");
  writer.begin_object();
  for (const auto& [name, bindings] : ports) {
    writer.key(name);
    writer.begin_object();
    writer.end_object();
  }
  writer.end_object();
  write_host_config(writer, spec, ports);
  writer.end_object();
  return body;
}

std::string encode_filters(const std::map<std::string, std::string>& labels,
                           const std::map<std::string, std::vector<std::string>>& more) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  for (const auto& [name, values] : more) {
    write_strings(writer, name, values);
  }
  std::vector<std::string> pairs;
  for (const auto& [name, value] : labels) {
    pairs.push_back(name + "=" + value);
  }
  if (!pairs.empty()) {
    write_strings(writer, "label", pairs);
  }
  writer.end_object();
  return percent_encode(text);
}

std::map<std::string, std::string> parse_labels(const json::value* object) {
  std::map<std::string, std::string> labels;
  if (object != nullptr && object->is_object()) {
    for (const auto& entry : object->get_object()) {
      if (entry.value().is_string()) {
        labels.emplace(std::string(entry.key()), std::string(entry.value().get_string()));
      }
    }
  }
  return labels;
}

bool carries_labels(const std::map<std::string, std::string>& present,
                    const std::map<std::string, std::string>& wanted) {
  if (wanted.empty()) {
    return present.empty();
  }
  return std::includes(present.begin(), present.end(), wanted.begin(), wanted.end());
}

Container parse_container(const json::value& inspected) {
  static const json::value nothing;
  const auto member = [&](std::string_view key) -> const json::value& {
    const json::value* found = find_member(inspected, key);
    return found == nullptr ? nothing : *found;
  };
  const json::value& state = member("State");
  const json::value& config = member("Config");
  Container result;
  result.id = string_member(inspected, "Id");
  result.name = string_member(inspected, "Name");
  if (result.name.starts_with('/')) {
    result.name.erase(0, 1);
  }
  result.image = string_member(config, "Image");
  result.image_id = string_member(inspected, "Image");
  result.labels = parse_labels(find_member(config, "Labels"));
  result.status = parse_status(string_member(state, "Status"));
  result.exit_code = static_cast<int>(int_member(state, "ExitCode"));
  result.oom_killed = bool_member(state, "OOMKilled");
  result.error = string_member(state, "Error");
  result.started_at = parse_time(string_member(state, "StartedAt"));
  result.finished_at = parse_time(string_member(state, "FinishedAt"));
  parse_networks(inspected, result);
  parse_bound_ports(inspected, result);
  return result;
}

Container parse_list_entry(const json::value& entry) {
  Container result;
  result.id = string_member(entry, "Id");
  if (const json::value* names = find_member(entry, "Names"); names != nullptr && names->is_array()) {
    for (const json::value& name : names->get_array()) {
      // A link of another container shows as "/other/alias".
      if (name.is_string() && std::count(name.get_string().begin(), name.get_string().end(), '/') == 1) {
        result.name = std::string(name.get_string()).substr(1);
      }
    }
  }
  result.image = string_member(entry, "Image");
  result.image_id = string_member(entry, "ImageID");
  result.labels = parse_labels(find_member(entry, "Labels"));
  result.status = parse_status(string_member(entry, "State"));
  parse_networks(entry, result);
  if (const json::value* ports = find_member(entry, "Ports"); ports != nullptr && ports->is_array()) {
    for (const json::value& item : ports->get_array()) {
      PortBinding port;
      port.container_port = to_port(int_member(item, "PrivatePort"));
      port.host_port = to_port(int_member(item, "PublicPort"));
      port.protocol = string_member(item, "Type");
      port.host_ip = string_member(item, "IP");
      if (port.host_port != 0) {
        add_port(std::move(port), result.ports);
      }
    }
  }
  return result;
}

Image parse_image(const json::value& inspected) {
  Image image;
  image.id = string_member(inspected, "Id");
  if (const json::value* digests = find_member(inspected, "RepoDigests"); digests != nullptr && digests->is_array()) {
    for (const json::value& digest : digests->get_array()) {
      if (digest.is_string()) {
        image.repo_digests.emplace_back(digest.get_string());
      }
    }
  }
  if (const json::value* config = find_member(inspected, "Config")) {
    image.stop_signal = string_member(*config, "StopSignal");
  }
  return image;
}

PullTarget split_reference(std::string_view reference) {
  PullTarget target{std::string(reference), {}};
  if (const auto at = target.name.find('@'); at != std::string::npos) {
    target.tag_or_digest = target.name.substr(at + 1);
    target.name.erase(at);
  }
  // A colon before the last slash belongs to the registry's port.
  const auto slash = target.name.rfind('/');
  const auto colon = target.name.rfind(':');
  if (colon != std::string::npos && (slash == std::string::npos || colon > slash)) {
    if (target.tag_or_digest.empty()) {
      target.tag_or_digest = target.name.substr(colon + 1);
    }
    target.name.erase(colon);
  }
  if (target.tag_or_digest.empty()) {
    target.tag_or_digest = "latest";  // without a tag the engine would pull them all
  }
  return target;
}

std::string encode_login(const RegistryLogin& login, std::string_view reference) {
  std::string text;
  JsonWriter writer(text);
  writer.begin_object();
  writer.key("username");
  writer.value(login.user);
  writer.key("password");
  writer.value(login.password);
  writer.key("serveraddress");
  writer.value(reference.substr(0, reference.find('/')));
  writer.end_object();
  std::string encoded = base64_encode(text);
  std::replace(encoded.begin(), encoded.end(), '+', '-');
  std::replace(encoded.begin(), encoded.end(), '/', '_');
  return encoded;
}

Error engine_error(int status, std::string_view body) {
  std::string message(trim(body));
  if (const auto parsed = parse_json(body)) {
    message = string_member(*parsed, "message", message);
  }
  if (message.empty()) {
    message = fmt::format("the Docker Engine answered with status {} and no message", status);
  }
  const bool port_taken =
      contains_any(message, {"port is already allocated", "address already in use", "Ports are not available"});
  if (port_taken || status == 409 || status == 403) {  // 403: a network with containers, or one of the engine's own
    return make_error(errc::conflict, std::move(message), 409);
  }
  if (status == 404) {
    return make_error(errc::not_found, std::move(message), 404);
  }
  if (status == 400) {
    return make_error(errc::invalid, std::move(message), 400);
  }
  if (status == 503) {
    return make_error(errc::unavailable, std::move(message), 503);
  }
  return internal_error(std::move(message));
}

Error pull_error(std::string message, int status) {
  const std::string text = lower(message);
  if (contains_any(text,
                   {"unauthorized", "denied", "authentication required", "no basic auth credentials", "forbidden"})) {
    return make_error(access_denied, std::move(message), 403);
  }
  if (status == 404 || contains_any(text, {"manifest unknown", "not found", "name unknown", "not known to registry",
                                           "does not exist", "no such image", "no matching manifest"})) {
    return make_error(errc::not_found, std::move(message), 404);
  }
  if (contains_any(text, {"connection refused", "no such host", "i/o timeout", "client.timeout", "handshake timeout",
                          "connection reset", "unexpected eof", "network is unreachable", "no route to host",
                          "toomanyrequests", "too many requests", "service unavailable", "context deadline exceeded",
                          "request canceled", "server misbehaving", "temporary failure in name resolution"})) {
    return make_error(errc::unavailable, std::move(message), 503);
  }
  if (status == 400) {
    return make_error(errc::invalid, std::move(message), 400);
  }
  return internal_error(std::move(message));
}

}  // namespace kaapi::containers
