#pragma once
// What a container of a job may be: the body of the call that makes it. Jobs have what an unprivileged user has, and
// Docker's defaults for containers; whatever would reach further on the machine is refused by its name, or passed on as
// something that does not. Pure; no I/O.

#include <string>
#include <string_view>
#include <vector>

#include "actions/docker/body_rules.h"
#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions::docker {

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
  std::vector<std::string> containers;  // whose network, processes or volumes it shares: names or ids
  bool publishes_all = false;           // the image's ports too, see publish()

  // Where each of them stands in the body; called in the order of the lists, with the path to bind and the container's
  // id.
  void set_bind(std::size_t number, std::string_view source);
  void set_container(std::size_t number, std::string_view id);
  // "80/tcp" at a port of the engine's choice on this machine alone, unless it is published already.
  void publish(std::string_view port);

  // A member of HostConfig that is a text ("container:ID"), or a list with the position in it.
  struct Place {
    std::string member;
    std::size_t at = 0;
    std::string rest;  // what follows the source: ":/data:ro"
  };
  std::vector<Place> bind_places, container_places;
};

// Errors: those of body_rules.h.
Result<ContainerWish> check_container(std::string_view body, const Owner& owner);

}  // namespace kaapi::actions::docker
