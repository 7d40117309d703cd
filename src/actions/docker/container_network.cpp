// What a job's container is to others: networks, links, published ports.

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "actions/docker/container_check.h"
#include "actions/docker/query.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

// Below are the machine's services.
constexpr std::int64_t first_job_port = 1024;
// Where a job names no address: others of the network do not reach it.
constexpr std::string_view this_machine = "127.0.0.1";

bool is_network_of_docker(std::string_view name) {
  return name.empty() || name == "default" || name == "bridge" || name == "none";
}

// "", "8080" or "8000-8010".
Result<void> check_host_port(const std::string& port) {
  for (const std::string& end : port.empty() ? std::vector<std::string>() : split(port, '-')) {
    const auto number = parse_number(end);
    if (!number) return make_error(errc::invalid, fmt::format("HostConfig.PortBindings: {} is no port", port));
    if (*number != 0 && *number < first_job_port) {
      return refused(
          fmt::format("jobs may not publish port {} of the machine: {} and up are theirs", end, first_job_port));
    }
  }
  return ok();
}

Result<void> check_binding(json::value& binding) {
  if (!binding.is_object()) return wrong_type("HostConfig.PortBindings", "made of lists of objects");
  json::object& members = binding.get_object();
  const Result<void> known = keep_members(members, {"HostIp", "HostPort"}, "HostConfig.PortBindings");
  if (!known) return known;
  const std::string address = text_of(members, "HostIp");
  if (address.find_first_not_of("0123456789abcdefABCDEF.:") != std::string::npos) {
    return make_error(errc::invalid, fmt::format("HostConfig.PortBindings: {} is no address", address));
  }
  members["HostIp"] = address.empty() ? this_machine : std::string_view(address);
  members["HostPort"] = text_of(members, "HostPort");
  return check_host_port(text_of(members, "HostPort"));
}

}  // namespace

Result<void> check_network_mode(HostConfig& host) {
  const std::string mode = text_of(host.given, "NetworkMode");
  if (mode == "host") {
    return refused(
        "a job's container may not be on the machine's network: it would hear what others send there. "
        "Publish ports (-p) instead");
  }
  if (mode.starts_with("container:")) {
    host.wish.containers.push_back(mode.substr(10));
    host.wish.container_places.push_back({"NetworkMode", 0, {}});
  } else if (!is_network_of_docker(mode)) {
    host.wish.networks.push_back(mode);
  }
  host.accept("NetworkMode");
  return ok();
}

Result<void> check_links(HostConfig& host) {
  const Result<std::vector<std::string>> links = texts_in(host.given, "Links");
  if (!links) return links.error();
  if (links->size() > max_listed) return too_many("HostConfig.Links");
  for (std::size_t at = 0; at < links->size(); ++at) {
    const std::string& link = (*links)[at];
    const std::size_t colon = std::min(link.find(':'), link.size());
    const std::string name = link.substr(0, colon);
    host.wish.containers.push_back(name);
    // Without a name of its own it is known inside by that of the container.
    host.wish.container_places.push_back({"Links", at, colon == link.size() ? ":" + name : link.substr(colon)});
  }
  host.accept("Links");
  return ok();
}

Result<void> check_ports(HostConfig& host) {
  json::object* ports = member_object(host.given, "PortBindings");
  if (ports == nullptr) return wrong_type("HostConfig.PortBindings", "an object");
  for (auto& [port, bindings] : *ports) {
    if (bindings.is_null()) continue;
    if (!bindings.is_array()) return wrong_type("HostConfig.PortBindings", "made of lists of objects");
    if (bindings.get_array().size() > max_listed) return too_many("HostConfig.PortBindings");
    for (json::value& binding : bindings.get_array()) {
      if (const Result<void> good = check_binding(binding); !good) return good;
    }
  }
  host.accept("PortBindings");
  // The engine would take all addresses of the machine.
  const json::value* all = host.given.if_contains("PublishAllPorts");
  host.wish.publishes_all = all != nullptr && !is_empty(*all);
  host.given.erase("PublishAllPorts");
  return ok();
}

Result<void> check_networking(json::object& networking, ContainerWish& wish) {
  if (const Result<void> known = keep_members(networking, {"EndpointsConfig"}, "NetworkingConfig"); !known) {
    return known;
  }
  json::object* endpoints = member_object(networking, "EndpointsConfig");
  if (endpoints == nullptr) return wrong_type("NetworkingConfig.EndpointsConfig", "an object");
  if (endpoints->size() > max_listed) return too_many("NetworkingConfig.EndpointsConfig");
  for (auto& [name, endpoint] : *endpoints) {
    const std::string network(std::string_view{name});
    if (!is_network_of_docker(network)) wish.networks.push_back(network);
    if (endpoint.is_null()) continue;
    if (!endpoint.is_object()) return wrong_type("NetworkingConfig.EndpointsConfig", "made of objects");
    const Result<void> good = check_endpoint(endpoint.get_object(), "NetworkingConfig.EndpointsConfig");
    if (!good) return good;
  }
  return ok();
}

void ContainerWish::publish(std::string_view port) {
  json::value& bindings = body.at("HostConfig").as_object()["PortBindings"];
  if (!bindings.is_object()) bindings = json::object();
  json::value& list = bindings.as_object()[port];
  if (list.is_array() && !list.as_array().empty()) return;
  list = json::array{json::object{{"HostIp", this_machine}, {"HostPort", ""}}};
}

}  // namespace kaapi::actions::docker
