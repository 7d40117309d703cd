#include "actions/docker/container_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "actions/docker/container_check.h"
#include "actions/docker/query.h"

namespace kaapi::actions::docker {
namespace {

// Of ContainerConfig, beside HostConfig and NetworkingConfig: what a container does inside itself.
const Names config_members = {
    "Hostname",        "Domainname",  "User",      "AttachStdin", "AttachStdout", "AttachStderr",
    "ExposedPorts",    "Tty",         "OpenStdin", "StdinOnce",   "Env",          "Cmd",
    "Healthcheck",     "ArgsEscaped", "Image",     "Volumes",     "WorkingDir",   "Entrypoint",
    "NetworkDisabled", "OnBuild",     "Labels",    "StopSignal",  "StopTimeout",  "Shell"};
// Of HostConfig: resources and names. Everything that is not here and not checked below must be empty.
const Names host_members = {"AutoRemove", "BlkioWeight",      "ConsoleSize",     "CpuCount",   "CpuPercent",
                            "CpuPeriod",  "CpuQuota",         "CpuShares",       "CpusetCpus", "CpusetMems",
                            "Dns",        "DnsOptions",       "DnsSearch",       "ExtraHosts", "GroupAdd",
                            "Init",       "KernelMemory",     "KernelMemoryTCP", "Memory",     "MemoryReservation",
                            "MemorySwap", "MemorySwappiness", "NanoCpus",        "PidsLimit",  "ReadonlyRootfs",
                            "Sysctls"};
// What Docker gives a container that asks for nothing, but MKNOD (a device that a container makes in a folder that it
// shares with the job would be a real one there) and NET_RAW (with it a container answers for others of its network,
// and Docker's own is shared with tasks).
const Names default_capabilities = {"AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER",  "FSETID", "KILL",
                                    "NET_BIND_SERVICE", "SETFCAP", "SETGID",       "SETPCAP", "SETUID", "SYS_CHROOT"};
constexpr std::array never_capabilities = {"MKNOD", "NET_RAW"};
// By these the platform knows the containers of its tasks; an image of the job could bring them along.
constexpr std::array reserved_labels = {"kaapi.instance", "kaapi.task", "kaapi.container"};
// A container that fails is started again so often: what is to run for ever is no job.
constexpr std::int64_t max_restarts = 10;

// "container:NAME": of the job's own containers.
void accept_container_mode(HostConfig& host, std::string_view member) {
  const std::string mode = text_of(host.given, member);
  if (!mode.starts_with("container:")) return;
  host.wish.containers.push_back(mode.substr(10));
  host.wish.container_places.push_back({std::string(member), 0, {}});
  host.accept(member);
}

Result<void> check_namespaces(HostConfig& host) {
  accept_container_mode(host, "PidMode");
  accept_container_mode(host, "IpcMode");
  const std::string ipc = text_of(host.given, "IpcMode");
  if (ipc == "private" || ipc == "shareable" || ipc == "none") host.accept("IpcMode");
  if (text_of(host.given, "CgroupnsMode") == "private") host.accept("CgroupnsMode");
  if (text_of(host.given, "Isolation") == "default") host.accept("Isolation");
  if (text_of(host.given, "VolumeDriver") == "local") host.accept("VolumeDriver");
  const json::value* adjustment = host.given.if_contains("OomScoreAdj");
  if (adjustment != nullptr && adjustment->is_int64() && adjustment->get_int64() >= 0) host.accept("OomScoreAdj");
  // Where the client writes the id; the engine does nothing with it.
  host.given.erase("ContainerIDFile");
  return ok();
}

Result<void> check_capabilities(HostConfig& host) {
  const Result<std::vector<std::string>> added = texts_in(host.given, "CapAdd");
  if (!added) return added.error();
  for (const std::string& name : *added) {
    const std::string_view plain = std::string_view(name).substr(name.starts_with("CAP_") ? 4 : 0);
    if (!default_capabilities.contains(plain)) {
      return refused(fmt::format("jobs may not set HostConfig.CapAdd {}: it reaches beyond the container", name));
    }
  }
  Result<std::vector<std::string>> dropped = texts_in(host.given, "CapDrop");
  if (!dropped) return dropped.error();
  dropped->insert(dropped->end(), never_capabilities.begin(), never_capabilities.end());
  host.accept("CapAdd");
  host.given.erase("CapDrop");
  host.checked["CapDrop"] = json::value_from(*dropped);
  return ok();
}

Result<void> check_security(HostConfig& host) {
  const Result<std::vector<std::string>> options = texts_in(host.given, "SecurityOpt");
  if (!options) return options.error();
  for (const std::string& option : *options) {
    if (option == "no-new-privileges" || option == "no-new-privileges:true" || option == "no-new-privileges=true") {
      continue;
    }
    return refused(fmt::format("jobs may not set HostConfig.SecurityOpt {}", option));
  }
  host.accept("SecurityOpt");
  // An empty list would uncover /proc and /sys, so only its absence is taken.
  for (const char* name : {"MaskedPaths", "ReadonlyPaths"}) {
    const json::value* given = host.given.if_contains(name);
    if (given != nullptr && !given->is_null()) return refused(fmt::format("jobs may not set HostConfig.{}", name));
  }
  return ok();
}

Result<void> check_log(HostConfig& host) {
  json::object* config = member_object(host.given, "LogConfig");
  if (config == nullptr) return wrong_type("HostConfig.LogConfig", "an object");
  if (const Result<void> known = keep_members(*config, {"Type", "Config"}, "HostConfig.LogConfig"); !known) {
    return known;
  }
  const std::string type = text_of(*config, "Type");
  if (type != "" && type != "json-file" && type != "local" && type != "none") {
    return refused(
        fmt::format("jobs may not set HostConfig.LogConfig.Type {}: json-file, local and none are allowed", type));
  }
  // The machine's own driver may be one that sends what it gets to where the job says.
  if (const json::value* options = config->if_contains("Config"); type.empty() && options && !is_empty(*options)) {
    return refused("jobs may not set HostConfig.LogConfig.Config without its Type");
  }
  host.accept("LogConfig");
  return ok();
}

// Compose files ask for "always": the container works for them without it, and would come back after its job with it.
Result<void> check_restarts(HostConfig& host) {
  json::object* policy = member_object(host.given, "RestartPolicy");
  if (policy == nullptr) return wrong_type("HostConfig.RestartPolicy", "an object");
  const Names known = {"Name", "MaximumRetryCount"};
  if (const Result<void> good = keep_members(*policy, known, "HostConfig.RestartPolicy"); !good) return good;
  const bool on_failure = text_of(*policy, "Name") == "on-failure";
  const json::value* count = policy->if_contains("MaximumRetryCount");
  std::int64_t retries = count != nullptr && count->is_int64() ? count->get_int64() : 0;
  if (retries <= 0 || retries > max_restarts) retries = max_restarts;
  host.given.erase("RestartPolicy");
  host.checked["RestartPolicy"] =
      on_failure ? json::object{{"Name", "on-failure"}, {"MaximumRetryCount", retries}} : json::object{{"Name", "no"}};
  return ok();
}

Result<void> check_limits(HostConfig& host) {
  const json::value* limits = host.given.if_contains("Ulimits");
  if (limits == nullptr) return ok();
  if (const Result<void> good = check_ulimits(*limits); !good) return good;
  host.accept("Ulimits");
  return ok();
}

Result<void> check_host(HostConfig& host) {
  for (const auto step : {check_namespaces, check_capabilities, check_security, check_log, check_restarts, check_limits,
                          check_network_mode, check_links, check_ports, check_binds, check_mounts, check_volumes_from,
                          check_memory_files}) {
    if (const Result<void> good = step(host); !good) return good;
  }
  if (const Result<void> known = keep_members(host.given, host_members, "HostConfig"); !known) return known;
  for (auto& [name, value] : host.checked) host.given[name] = std::move(value);
  const ContainerWish& wish = host.wish;
  if (wish.volumes.size() > max_listed) return too_many("HostConfig: volumes");
  return ok();
}

}  // namespace

void ContainerWish::set_bind(std::size_t number, std::string_view source) {
  const Place& place = bind_places.at(number);
  json::value& item = body.at("HostConfig").at(place.member).as_array().at(place.at);
  if (place.member == "Mounts") {
    item.as_object()["Source"] = source;
  } else {
    item = fmt::format("{}{}", source, place.rest);
  }
}

void ContainerWish::set_container(std::size_t number, std::string_view id) {
  const Place& place = container_places.at(number);
  json::value& member = body.at("HostConfig").at(place.member);
  if (member.is_array()) {
    member.as_array().at(place.at) = fmt::format("{}{}", id, place.rest);
  } else {
    member = fmt::format("container:{}", id);
  }
}

Result<ContainerWish> check_container(std::string_view body, const Owner& owner) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  ContainerWish wish;
  // Each moved out before the next is looked for, which may move all; what is left of the body is looked at as a whole.
  json::object* given = member_object(*parsed, "HostConfig");
  if (given == nullptr) return wrong_type("HostConfig", "an object");
  HostConfig host{wish, owner, std::move(*given), {}};
  json::object* networking = member_object(*parsed, "NetworkingConfig");
  if (networking == nullptr) return wrong_type("NetworkingConfig", "an object");
  json::object networks = std::move(*networking);
  parsed->erase("HostConfig");
  parsed->erase("NetworkingConfig");
  if (const Result<void> known = keep_members(*parsed, config_members, ""); !known) return known.error();
  if (const Result<void> good = check_host(host); !good) return good.error();
  if (const Result<void> good = check_networking(networks, wish); !good) return good.error();
  if (const Result<void> labelled = own(*parsed, owner); !labelled) return labelled.error();
  for (const char* label : reserved_labels) parsed->at("Labels").as_object()[label] = "";
  (*parsed)["HostConfig"] = std::move(host.given);
  (*parsed)["NetworkingConfig"] = std::move(networks);
  wish.body = std::move(*parsed);
  return wish;
}

}  // namespace kaapi::actions::docker
