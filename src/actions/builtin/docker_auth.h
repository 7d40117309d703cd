#pragma once
// Docker's config.json, as much of it as a login changes. Pure.

#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::actions {

inline constexpr std::size_t max_docker_config_bytes = 1024UL * 1024;

// `config` (empty: no file yet) with or without the credentials of a registry ("host:1"). Nothing else changes.
// Error: `Invalid` (not Docker's configuration).
Result<std::string> with_docker_login(std::string_view config, std::string_view registry, std::string_view user,
                                      std::string_view password);
Result<std::string> without_docker_login(std::string_view config, std::string_view registry);

// The host of an endpoint: "123456789012.dkr.ecr.eu-west-1.amazonaws.com" of its URL.
std::string registry_of(std::string_view proxy_endpoint);

}  // namespace kaapi::actions
