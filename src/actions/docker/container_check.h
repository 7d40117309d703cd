#pragma once
// The pieces of check_container(). Private to it.

#include <string_view>

#include "actions/docker/container_rules.h"

namespace kaapi::actions::docker {

// HostConfig on its way: what has been looked at goes from `given` to `checked`; what is left must be among the members
// that may be anything.
struct HostConfig {
  ContainerWish& wish;
  const Owner& owner;
  json::object given;
  json::object checked;

  void accept(std::string_view name) {
    json::value* found = given.if_contains(name);
    if (found == nullptr) return;
    checked[name] = std::move(*found);
    given.erase(name);
  }
};

// What it sees of files and memory.
Result<void> check_binds(HostConfig& host);
Result<void> check_mounts(HostConfig& host);
Result<void> check_volumes_from(HostConfig& host);
Result<void> check_memory_files(HostConfig& host);
// What it is to others on the network.
Result<void> check_network_mode(HostConfig& host);
Result<void> check_links(HostConfig& host);
Result<void> check_ports(HostConfig& host);
Result<void> check_networking(json::object& networking, ContainerWish& wish);

}  // namespace kaapi::actions::docker
