#pragma once
// Whose a container, network or volume is, as the engine tells.

#include <string>
#include <string_view>

#include "actions/docker/container_rules.h"
#include "http/client.h"

namespace kaapi::actions::docker {

// Thread-safe. Errors of all: `NotFound` (404, in Docker's own words, also where it is somebody else's: a job does not
// learn what others have), `Invalid` (a name that is none), `Unavailable`.
class Owned {
 public:
  Owned(std::string engine_socket, Owner owner);

  // The full id.
  Result<std::string> container(std::string_view reference);
  Result<std::string> network(std::string_view reference);
  // The container of an exec, by its full id.
  Result<std::string> exec(std::string_view id);
  Result<std::string> volume(std::string_view name);
  // Makes the volume, or takes the one that is there when it is the job's own.
  Result<void> ensure_volume(std::string_view name);

 private:
  Result<json::value> ask(const std::string& method, const std::string& path, std::string body,
                          std::string_view missing);
  bool is_own(const json::value* labels) const;

  const Owner owner_;
  http::Client client_;
};

}  // namespace kaapi::actions::docker
