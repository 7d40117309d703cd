#pragma once
// Questions of our own to the Docker Engine.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "http/client.h"

namespace kaapi::actions::docker {

// One answer may take that long.
inline constexpr std::chrono::seconds engine_answer_limit{30};

// What DOCKER_HOST says: a Unix socket, or TCP without TLS; empty is Docker's usual socket. nullopt: something that we
// do not speak (ssh://, npipe://, TLS).
std::optional<http::Endpoint> engine_at(std::string_view docker_host);
http::Endpoint engine_at_socket(std::string path);

// Thread-safe.
class EngineApi {
 public:
  explicit EngineApi(http::Endpoint endpoint) : client_(std::move(endpoint)) {}

  // The answer; null where it has no body. Errors: `NotFound` (404), `Unavailable` (with the engine's status, or 502
  // when it does not answer), each with the engine's own words.
  Result<json::value> ask(std::string_view method, std::string target, std::string body = {});

 private:
  http::Client client_;
};

// A condition on lists: this label has this value. As it stands in a query.
std::string label_filter(std::string_view label, std::string_view value);

// What is known to be wrong with this version of the engine, for the runner's log; empty: nothing.
std::string engine_warning(std::string_view version);

}  // namespace kaapi::actions::docker
