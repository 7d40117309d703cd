#pragma once
// What jobs leave: containers, networks, volumes and images with a job's label. As root, by the Engine's API alone: no
// program that reads a job's files is run for it.

#include <chrono>
#include <string>
#include <vector>

#include "actions/docker/container_rules.h"
#include "http/client.h"

namespace kaapi::actions::docker {

inline constexpr int cleanup_rounds = 5;
inline constexpr std::chrono::milliseconds cleanup_pause{500};  // between two

// Removes them one by one, and tries again what could not be removed. Blocks. What is left, each with what the engine
// says; empty: nothing is.
std::vector<std::string> remove_owned(const http::Endpoint& engine, const Owner& owner,
                                      std::chrono::milliseconds pause = cleanup_pause);

}  // namespace kaapi::actions::docker
