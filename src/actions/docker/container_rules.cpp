#include "actions/docker/container_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "actions/docker/request.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

using Names = std::set<std::string_view>;

// Of ContainerConfig, beside HostConfig and NetworkingConfig: what a container does inside itself.
const Names config_members = {"Hostname",     "Domainname",   "User",        "AttachStdin",     "AttachStdout",
                              "AttachStderr", "ExposedPorts", "Tty",         "OpenStdin",       "StdinOnce",
                              "Env",          "Cmd",          "Healthcheck", "ArgsEscaped",     "Image",
                              "Volumes",      "WorkingDir",   "Entrypoint",  "NetworkDisabled", "MacAddress",
                              "OnBuild",      "Labels",       "StopSignal",  "StopTimeout",     "Shell"};
// Of HostConfig: resources, names and ports. Everything that is not here and not checked below must be empty.
const Names host_members = {"AutoRemove",
                            "BlkioWeight",
                            "ConsoleSize",
                            "CpuCount",
                            "CpuPercent",
                            "CpuPeriod",
                            "CpuQuota",
                            "CpuRealtimePeriod",
                            "CpuRealtimeRuntime",
                            "CpuShares",
                            "CpusetCpus",
                            "CpusetMems",
                            "Dns",
                            "DnsOptions",
                            "DnsSearch",
                            "ExtraHosts",
                            "GroupAdd",
                            "Init",
                            "KernelMemory",
                            "KernelMemoryTCP",
                            "Memory",
                            "MemoryReservation",
                            "MemorySwap",
                            "MemorySwappiness",
                            "NanoCpus",
                            "PidsLimit",
                            "PortBindings",
                            "PublishAllPorts",
                            "ReadonlyRootfs",
                            "RestartPolicy",
                            "ShmSize",
                            "Sysctls",
                            "Tmpfs",
                            "Ulimits"};
// What Docker gives a container that asks for nothing, without MKNOD: a device that a container makes in a folder that
// it shares with the job would be a real one there.
const Names default_capabilities = {"AUDIT_WRITE",      "CHOWN",   "DAC_OVERRIDE", "FOWNER", "FSETID",  "KILL",
                                    "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",      "SETGID", "SETPCAP", "SETUID",
                                    "SYS_CHROOT"};
// Of a bind: how it is mounted. Not shared or slave: what is mounted on one side would appear on the other.
const Names bind_options = {"ro", "rw", "z", "Z", "cached", "consistent", "delegated", "nocopy", "private", "rprivate"};
// By these the platform knows the containers of its tasks; an image of the job could bring them along.
constexpr std::array reserved_labels = {"kaapi.instance", "kaapi.task", "kaapi.container"};

bool is_empty(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return true;
    case json::kind::bool_:
      return !value.get_bool();
    case json::kind::int64:
      return value.get_int64() == 0;
    case json::kind::uint64:
      return value.get_uint64() == 0;
    case json::kind::double_:
      return value.get_double() == 0;
    case json::kind::string:
      return value.get_string().empty();
    case json::kind::array:
      return value.get_array().empty();
    case json::kind::object:
      return value.get_object().empty();
  }
  return false;
}

Result<json::object> object_in(std::string_view body) {
  Result<json::value> parsed = parse_json(body);
  if (!parsed) return parsed.error();
  if (!parsed->is_object()) return make_error(errc::invalid, "the body must be a JSON object");
  return std::move(parsed->as_object());
}

// Drops members that say nothing, and refuses those that nobody here has checked.
Result<void> keep_known(json::object& object, const Names& known, std::string_view where) {
  json::object kept;
  for (auto& [name, value] : object) {
    if (known.contains(std::string_view(name))) {
      kept[name] = std::move(value);
    } else if (!is_empty(value)) {
      return refused(fmt::format("jobs may not set {}{}{}", where, where.empty() ? "" : ".", std::string_view(name)));
    }
  }
  object = std::move(kept);
  return ok();
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(std::string_view(found->get_string())) : std::string();
}

// The member as an object, made where it is missing or null; nullptr: it is something else.
json::object* member_object(json::object& object, std::string_view name) {
  json::value& member = object[name];
  if (member.is_null()) member = json::object();
  return member.if_object();
}

Error wrong_type(std::string_view member, std::string_view type) {
  return make_error(errc::invalid, fmt::format("{}: must be {}", member, type));
}

Result<void> own(json::object& object, const Owner& owner) {
  json::object* labels = member_object(object, "Labels");
  if (labels == nullptr) return wrong_type("Labels", "an object");
  for (const auto& [name, value] : *labels) {
    const std::string_view label = name;
    if (label.starts_with("kaapi.") && label != owner.label) {
      return refused(fmt::format("the label {} is the platform's", label));
    }
  }
  (*labels)[owner.label] = owner.value;
  return ok();
}

Result<void> check_name(std::string_view name) {
  if (is_reserved_name(name)) return refused(fmt::format("the name {}: names with kaapi- are the platform's", name));
  return ok();
}

// Items of a list of texts; nullptr and nothing when it is missing.
Result<std::vector<std::string>> texts_in(const json::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const json::value* list = object.if_contains(name);
  if (list == nullptr || list->is_null()) return texts;
  if (!list->is_array()) return wrong_type(name, "a list of texts");
  for (const json::value& item : list->get_array()) {
    if (!item.is_string()) return wrong_type(name, "a list of texts");
    texts.emplace_back(std::string_view(item.get_string()));
  }
  return texts;
}

class ContainerCheck {
 public:
  ContainerCheck(ContainerWish& wish, json::object& host) : wish_(wish), host_(host) {}

  Result<void> run() {
    for (const auto step :
         {&ContainerCheck::namespaces, &ContainerCheck::capabilities, &ContainerCheck::security, &ContainerCheck::log,
          &ContainerCheck::network, &ContainerCheck::binds, &ContainerCheck::mounts, &ContainerCheck::volumes_from}) {
      if (const Result<void> good = (this->*step)(); !good) return good;
    }
    json::object checked = std::move(checked_);
    if (const Result<void> known = keep_known(host_, host_members, "HostConfig"); !known) return known;
    for (auto& [name, value] : checked) host_[name] = std::move(value);
    return ok();
  }

 private:
  using Place = ContainerWish::Place;

  // Takes the member out of what must be empty; it has been checked.
  void accept(std::string_view name) {
    json::value* found = host_.if_contains(name);
    if (found == nullptr) return;
    checked_[name] = std::move(*found);
    host_.erase(name);
  }

  Result<void> namespaces() {
    if (const std::string ipc = text_of(host_, "IpcMode"); ipc == "private" || ipc == "shareable" || ipc == "none") {
      accept("IpcMode");
    }
    if (text_of(host_, "CgroupnsMode") == "private") accept("CgroupnsMode");
    if (text_of(host_, "Isolation") == "default") accept("Isolation");
    if (text_of(host_, "VolumeDriver") == "local") accept("VolumeDriver");
    const json::value* adjustment = host_.if_contains("OomScoreAdj");
    if (adjustment != nullptr && adjustment->is_int64() && adjustment->get_int64() >= 0) accept("OomScoreAdj");
    return ok();
  }

  Result<void> capabilities() {
    const Result<std::vector<std::string>> added = texts_in(host_, "CapAdd");
    if (!added) return added.error();
    for (const std::string& name : *added) {
      const std::string_view plain = std::string_view(name).substr(name.starts_with("CAP_") ? 4 : 0);
      if (!default_capabilities.contains(plain)) {
        return refused(fmt::format("jobs may not set HostConfig.CapAdd {}: it reaches beyond the container", name));
      }
    }
    Result<std::vector<std::string>> dropped = texts_in(host_, "CapDrop");
    if (!dropped) return dropped.error();
    dropped->emplace_back("MKNOD");
    accept("CapAdd");
    host_.erase("CapDrop");
    checked_["CapDrop"] = json::value_from(*dropped);
    return ok();
  }

  Result<void> security() {
    const Result<std::vector<std::string>> options = texts_in(host_, "SecurityOpt");
    if (!options) return options.error();
    for (const std::string& option : *options) {
      if (option == "no-new-privileges" || option == "no-new-privileges:true" || option == "no-new-privileges=true") {
        continue;
      }
      return refused(fmt::format("jobs may not set HostConfig.SecurityOpt {}", option));
    }
    accept("SecurityOpt");
    // An empty list would uncover /proc and /sys, so only its absence is taken.
    for (const char* name : {"MaskedPaths", "ReadonlyPaths"}) {
      const json::value* given = host_.if_contains(name);
      if (given != nullptr && !given->is_null()) return refused(fmt::format("jobs may not set HostConfig.{}", name));
    }
    return ok();
  }

  Result<void> log() {
    json::object* config = member_object(host_, "LogConfig");
    if (config == nullptr) return wrong_type("HostConfig.LogConfig", "an object");
    if (const Result<void> known = keep_known(*config, {"Type", "Config"}, "HostConfig.LogConfig"); !known) {
      return known;
    }
    const std::string type = text_of(*config, "Type");
    if (type != "" && type != "json-file" && type != "local" && type != "none") {
      return refused(
          fmt::format("jobs may not set HostConfig.LogConfig.Type {}: json-file, local and none are allowed", type));
    }
    accept("LogConfig");
    return ok();
  }

  Result<void> network() {
    const std::string mode = text_of(host_, "NetworkMode");
    if (mode == "host") {
      return refused(
          "a job's container may not be on the machine's network: it would hear what others send there. "
          "Publish ports (-p) instead");
    }
    if (mode.starts_with("container:")) {
      wish_.containers.push_back(mode.substr(10));
      wish_.container_places.push_back({Place::List::network_mode, 0, {}});
    } else if (mode != "" && mode != "default" && mode != "bridge" && mode != "none") {
      wish_.networks.push_back(mode);
    }
    accept("NetworkMode");
    return ok();
  }

  Result<void> binds() {
    const Result<std::vector<std::string>> binds = texts_in(host_, "Binds");
    if (!binds) return binds.error();
    for (std::size_t at = 0; at < binds->size(); ++at) {
      const std::string& bind = (*binds)[at];
      const std::vector<std::string> parts = split(bind, ':');
      if (parts.size() < 2 || parts.size() > 3) {
        return refused(fmt::format("HostConfig.Binds {}: must be SOURCE:TARGET or SOURCE:TARGET:OPTIONS", bind));
      }
      bool read_only = false;
      for (const std::string& option : parts.size() == 3 ? split(parts[2], ',') : std::vector<std::string>()) {
        if (!bind_options.contains(option)) {
          return refused(fmt::format("HostConfig.Binds {}: jobs may not use the option {}", bind, option));
        }
        read_only = read_only || option == "ro";
      }
      if (!parts[0].starts_with('/')) {
        wish_.volumes.push_back(parts[0]);
        continue;
      }
      wish_.binds.push_back({parts[0], read_only, true});
      wish_.bind_places.push_back({Place::List::binds, at, bind.substr(parts[0].size())});
    }
    accept("Binds");
    return ok();
  }

  Result<void> mounts() {
    json::value* list = host_.if_contains("Mounts");
    if (list == nullptr || list->is_null()) return ok();
    if (!list->is_array()) return wrong_type("HostConfig.Mounts", "a list");
    std::size_t at = 0;
    for (json::value& item : list->get_array()) {
      if (!item.is_object()) return wrong_type("HostConfig.Mounts", "a list of objects");
      if (const Result<void> good = mount(item.get_object(), at++); !good) return good;
    }
    accept("Mounts");
    return ok();
  }

  Result<void> mount(json::object& mount, std::size_t at) {
    const std::string where = "HostConfig.Mounts";
    const Names known = {"Type",        "Source",        "Target",       "ReadOnly",
                         "BindOptions", "VolumeOptions", "TmpfsOptions", "Consistency"};
    if (const Result<void> good = keep_known(mount, known, where); !good) return good;
    json::object* bind = member_object(mount, "BindOptions");
    json::object* volume = member_object(mount, "VolumeOptions");
    json::object* tmpfs = member_object(mount, "TmpfsOptions");
    if (bind == nullptr || volume == nullptr || tmpfs == nullptr) return wrong_type(where, "made of objects");
    const std::string propagation = text_of(*bind, "Propagation");
    if (propagation == "private" || propagation == "rprivate") bind->erase("Propagation");
    const bool make_missing = bind->contains("CreateMountpoint") && !is_empty(bind->at("CreateMountpoint"));
    bind->erase("CreateMountpoint");
    const json::object none;
    for (const auto& [options, names, what] : {std::tuple{bind, Names{"NonRecursive"}, "BindOptions"},
                                               {volume, {"NoCopy", "Labels", "Subpath"}, "VolumeOptions"},
                                               {tmpfs, {"SizeBytes", "Mode"}, "TmpfsOptions"}}) {
      if (const Result<void> good = keep_known(*options, names, where + "." + what); !good) return good;
      if (options->empty()) mount.erase(what);
    }
    const std::string type = text_of(mount, "Type");
    const std::string source = text_of(mount, "Source");
    if (type == "tmpfs") return ok();
    if (type == "volume") {
      if (!source.empty()) wish_.volumes.push_back(source);
      return ok();
    }
    if (type != "bind") return refused(fmt::format("{}: jobs may not mount the type {}", where, type));
    if (!source.starts_with('/')) return make_error(errc::invalid, "HostConfig.Mounts: Source must be absolute");
    const json::value* read_only = mount.if_contains("ReadOnly");
    wish_.binds.push_back({source, read_only != nullptr && !is_empty(*read_only), make_missing});
    wish_.bind_places.push_back({Place::List::mounts, at, {}});
    return ok();
  }

  Result<void> volumes_from() {
    const Result<std::vector<std::string>> from = texts_in(host_, "VolumesFrom");
    if (!from) return from.error();
    for (std::size_t at = 0; at < from->size(); ++at) {
      const std::string& one = (*from)[at];
      const std::size_t colon = std::min(one.find(':'), one.size());
      wish_.containers.push_back(one.substr(0, colon));
      wish_.container_places.push_back({Place::List::volumes_from, at, one.substr(colon)});
    }
    accept("VolumesFrom");
    return ok();
  }

  ContainerWish& wish_;
  json::object& host_;
  json::object checked_;
};

// The networks that it joins from the start.
Result<void> check_networking(json::object& networking, ContainerWish& wish) {
  if (const Result<void> known = keep_known(networking, {"EndpointsConfig"}, "NetworkingConfig"); !known) return known;
  json::object* endpoints = member_object(networking, "EndpointsConfig");
  if (endpoints == nullptr) return wrong_type("NetworkingConfig.EndpointsConfig", "an object");
  for (auto& [name, endpoint] : *endpoints) {
    const std::string network(std::string_view{name});
    if (network != "default" && network != "bridge" && network != "none") wish.networks.push_back(network);
    if (endpoint.is_null()) continue;
    if (!endpoint.is_object()) return wrong_type("NetworkingConfig.EndpointsConfig", "made of objects");
    const Names known = {"Aliases", "IPAMConfig", "MacAddress"};
    const Result<void> good = keep_known(endpoint.get_object(), known, "NetworkingConfig.EndpointsConfig");
    if (!good) return good;
  }
  return ok();
}

}  // namespace

void ContainerWish::set_bind(std::size_t number, std::string_view source) {
  const Place& place = bind_places.at(number);
  json::object& host = body.at("HostConfig").as_object();
  if (place.list == Place::List::binds) {
    host.at("Binds").as_array().at(place.at) = fmt::format("{}{}", source, place.rest);
  } else {
    host.at("Mounts").as_array().at(place.at).as_object()["Source"] = source;
  }
}

void ContainerWish::set_container(std::size_t number, std::string_view id) {
  const Place& place = container_places.at(number);
  json::object& host = body.at("HostConfig").as_object();
  if (place.list == Place::List::network_mode) {
    host["NetworkMode"] = fmt::format("container:{}", id);
  } else {
    host.at("VolumesFrom").as_array().at(place.at) = fmt::format("{}{}", id, place.rest);
  }
}

Result<ContainerWish> check_container(std::string_view body, const Owner& owner) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  ContainerWish wish;
  json::object* host = member_object(*parsed, "HostConfig");
  json::object* networking = member_object(*parsed, "NetworkingConfig");
  if (host == nullptr || networking == nullptr) return wrong_type("HostConfig and NetworkingConfig", "objects");
  // Moved out, because what is left of the body is looked at as a whole.
  json::object host_config = std::move(*host);
  json::object networks = std::move(*networking);
  parsed->erase("HostConfig");
  parsed->erase("NetworkingConfig");
  if (const Result<void> known = keep_known(*parsed, config_members, ""); !known) return known.error();
  if (const Result<void> good = ContainerCheck(wish, host_config).run(); !good) return good.error();
  if (const Result<void> good = check_networking(networks, wish); !good) return good.error();
  if (const Result<void> labelled = own(*parsed, owner); !labelled) return labelled.error();
  for (const char* label : reserved_labels) parsed->at("Labels").as_object()[label] = "";
  (*parsed)["HostConfig"] = std::move(host_config);
  (*parsed)["NetworkingConfig"] = std::move(networks);
  wish.body = std::move(*parsed);
  return wish;
}

Result<std::string> check_exec(std::string_view body) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  const Names known = {"AttachStdin", "AttachStdout", "AttachStderr", "DetachKeys", "Detach",     "Tty",
                       "Env",         "Cmd",          "User",         "WorkingDir", "ConsoleSize"};
  if (const Result<void> good = keep_known(*parsed, known, ""); !good) return good.error();
  return json::serialize(*parsed);
}

Result<std::string> check_network(std::string_view body, const Owner& owner) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  // The engine picks the addresses: a subnet of the job's choice could take the place of somebody else's.
  if (json::object* ipam = member_object(*parsed, "IPAM"); ipam != nullptr && text_of(*ipam, "Driver") == "default") {
    ipam->erase("Driver");
    if (const Result<void> known = keep_known(*ipam, {}, "IPAM"); !known) return known.error();
  }
  if (text_of(*parsed, "Scope") == "local") parsed->erase("Scope");
  const std::string driver = text_of(*parsed, "Driver");
  if (!driver.empty() && driver != "bridge") {
    return refused(fmt::format("a job's network may not have the driver {}: only bridge", driver));
  }
  const Names known = {"Name", "CheckDuplicate", "Driver", "Internal", "Attachable", "EnableIPv4", "Labels"};
  if (const Result<void> good = keep_known(*parsed, known, ""); !good) return good.error();
  if (const Result<void> labelled = own(*parsed, owner); !labelled) return labelled.error();
  const std::string name = text_of(*parsed, "Name");
  // What the runner itself makes for services of the job.
  if (!name.starts_with("kaapi-job-")) {
    if (const Result<void> free = check_name(name); !free) return free.error();
  }
  return json::serialize(*parsed);
}

Result<std::string> check_volume(std::string_view body, const Owner& owner) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  const std::string driver = text_of(*parsed, "Driver");
  if (!driver.empty() && driver != "local") {
    return refused(fmt::format("a job's volume may not have the driver {}: only local", driver));
  }
  if (const Result<void> known = keep_known(*parsed, {"Name", "Driver", "Labels"}, ""); !known) return known.error();
  if (const Result<void> labelled = own(*parsed, owner); !labelled) return labelled.error();
  if (const Result<void> free = check_name(text_of(*parsed, "Name")); !free) return free.error();
  return json::serialize(*parsed);
}

Result<MemberWish> check_member(std::string_view body) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  MemberWish wish;
  wish.container = text_of(*parsed, "Container");
  json::object* endpoint = member_object(*parsed, "EndpointConfig");
  if (endpoint == nullptr) return wrong_type("EndpointConfig", "an object");
  const Result<void> plain = keep_known(*endpoint, {"Aliases", "IPAMConfig", "MacAddress"}, "EndpointConfig");
  if (!plain) return plain.error();
  const Result<void> known = keep_known(*parsed, {"Container", "EndpointConfig", "Force"}, "");
  if (!known) return known.error();
  wish.body = std::move(*parsed);
  return wish;
}

bool is_reference(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  };
  return !text.empty() && text.size() <= 255 && text.front() != '.' && std::all_of(text.begin(), text.end(), good);
}

bool is_reserved_name(std::string_view name) {
  return (name.starts_with('/') ? name.substr(1) : name).starts_with("kaapi-");
}

}  // namespace kaapi::actions::docker
