#pragma once
// Whose a container, network or volume is, as the engine tells.

#include <string>
#include <string_view>

#include "actions/docker/body_rules.h"
#include "actions/docker/engine_api.h"

namespace kaapi::actions::docker {

inline constexpr std::size_t max_networks = 8;  // of one job: the engine has addresses for about thirty in all

// Thread-safe. Errors of all: `NotFound` (404, in Docker's own words, also where it is somebody else's: a job does not
// learn what others have), `Invalid` (a name that is none), `Unavailable`.
class Owned {
 public:
  // `engine` must outlive it.
  Owned(EngineApi& engine, Owner owner) : engine_(engine), owner_(std::move(owner)) {}

  // The full id.
  Result<std::string> container(std::string_view reference);
  Result<std::string> network(std::string_view reference);
  // The container of an exec, by its full id.
  Result<std::string> exec(std::string_view id);
  Result<std::string> volume(std::string_view name);
  // Makes the volume, or takes the one that is there when it is the job's own.
  Result<void> ensure_volume(std::string_view name);
  // Whether the job may have one more. Errors: `TooLarge` (max_networks).
  Result<void> room_for_network();

 private:
  Result<json::value> look(std::string_view kind, std::string_view reference);
  bool is_own(const json::value* labels) const;

  EngineApi& engine_;
  const Owner owner_;
};

}  // namespace kaapi::actions::docker
