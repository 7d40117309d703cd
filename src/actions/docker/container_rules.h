#pragma once
// What a container, network or volume of a job may be: the bodies of the Engine API's calls that make them. Jobs have
// what an unprivileged user has, and Docker's defaults for containers; whatever would reach further on the machine is
// refused by its name. Only members that are known here are passed on, in exactly this spelling: Docker's own parser
// does not tell upper from lower case. Pure; no I/O.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions::docker {

// By which everything that a job has made is known: a label and its value.
struct Owner {
  std::string label;
  std::string value;
};

// A folder or file of the machine that a container of the job shall see.
struct BindWish {
  std::string source;  // absolute
  bool read_only = false;
  bool make_missing = false;  // Docker makes a missing folder, as `-v` has always done
};

// A container as it may be made, once what it names is known to be the job's own and has been put into its place.
struct ContainerWish {
  json::object body;
  std::vector<BindWish> binds;
  std::vector<std::string> volumes;     // names
  std::vector<std::string> networks;    // names or ids
  std::vector<std::string> containers;  // whose network or volumes it shares: names or ids

  // Where each of them stands in the body; called in the order of the lists, with the path to bind and the container's
  // id.
  void set_bind(std::size_t number, std::string_view source);
  void set_container(std::size_t number, std::string_view id);

  // HostConfig.Binds or Mounts, HostConfig.VolumesFrom or NetworkMode: list and position in it.
  struct Place {
    enum class List { binds, mounts, volumes_from, network_mode } list = List::binds;
    std::size_t at = 0;
    std::string rest;  // what follows the source: ":/data:ro"
  };
  std::vector<Place> bind_places, container_places;
};

// Errors of all: `Invalid` (400: no JSON, not an object), `AccessDenied` (403) with the member and the reason.
Result<ContainerWish> check_container(std::string_view body, const Owner& owner);
Result<std::string> check_exec(std::string_view body);
Result<std::string> check_network(std::string_view body, const Owner& owner);
Result<std::string> check_volume(std::string_view body, const Owner& owner);
// Of connect and disconnect: `container` is who.
struct MemberWish {
  json::object body;
  std::string container;
};
Result<MemberWish> check_member(std::string_view body);

// A container's, network's or volume's name or id as it may stand in a path: letters, digits, "_", ".", "-".
bool is_reference(std::string_view text);
// Names of this kind are the platform's.
bool is_reserved_name(std::string_view name);

}  // namespace kaapi::actions::docker
