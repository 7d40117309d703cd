#pragma once
// The platform's address as a runner is told it.

#include <string>
#include <string_view>

#include "base/error.h"
#include "http/client.h"

namespace kaapi::actions::runner {

struct ServerAddress {
  std::string url;  // "http://127.0.0.1:4566", without a final slash
  http::Endpoint endpoint;
  bool loopback = false;
};

// "http://HOST[:PORT]". Errors: `Invalid` (https is not spoken here: put a tunnel in between; a path; no host).
Result<ServerAddress> parse_server_address(std::string_view url);

// The message of an error's body, `{"message": ...}`, or the status alone.
std::string answer_text(const http::ClientResponse& answer);

}  // namespace kaapi::actions::runner
