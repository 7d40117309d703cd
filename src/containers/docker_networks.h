#pragma once
// Bridge networks of one Docker Engine. Private to DockerEngine.

#include <string>

#include "containers/docker_api.h"
#include "containers/engine.h"

namespace kaapi::containers {

// See Engine::ensure_network(). The engine itself would make a second network of the same name when two ask at once:
// one thread of this process at a time, and processes that meet agree on one.
Result<void> ensure_docker_network(DockerApi& api, const NetworkSpec& spec);
// See Engine::connect().
Result<void> connect_docker_network(DockerApi& api, const std::string& network, const std::string& container);

}  // namespace kaapi::containers
