#pragma once
// Names and digests as the registry accepts them. Pure functions.

#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::registry {

// ECR's rule for repository names (CreateRepository in the ECR API reference): 2 to 256 characters, lower-case path
// components of letters and digits, inside a component joined by single '.', '_' or '-'.
bool valid_repository_name(std::string_view name);

// The OCI distribution specification's rule: [a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}.
bool valid_tag(std::string_view tag);

// "sha256:" and 64 lower-case hex digits: the one algorithm that is served.
bool valid_digest(std::string_view digest);

// "arn:aws:ecr:REGION:ACCOUNT:repository/NAME".
std::string repository_arn(std::string_view region, std::string_view account_id, std::string_view name);

// "sha256:..." of bytes in memory.
std::string digest_of(std::string_view bytes);

}  // namespace kaapi::registry
