#pragma once
// Names and limits of variables, secrets and environments, as GitHub documents them ("Store information in variables",
// "Secrets reference", "Managing environments for deployment"). Pure.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::actions::settings {

inline constexpr std::size_t max_name_bytes = 255;  // of variables, secrets and environments
inline constexpr std::size_t max_value_bytes = 48UL * 1024;
inline constexpr std::size_t max_repository_variables = 500;
inline constexpr std::size_t max_environment_variables = 100;
inline constexpr std::size_t max_secrets = 100;       // of a repository itself, and of each environment
inline constexpr std::size_t max_environments = 100;  // of a repository
// What one level's values may hold together. GitHub's for variables; ours for secrets, so that a job's message fits.
inline constexpr std::size_t max_variables_bytes = 256UL * 1024;
inline constexpr std::size_t max_secrets_bytes = 1024UL * 1024;

// The name as it is kept and compared, in upper case. `kind` is "variable" or "secret". Error: `Invalid`: letters,
// digits and underscores, no digit first, not GITHUB_ first.
Result<std::string> checked_name(std::string_view kind, std::string_view name);

// Error: `Invalid`: empty, too long, or with a character that cannot stand in an environment's name.
Result<void> check_environment_name(std::string_view name);

// Error: `Invalid` (a byte 0), `TooLarge`. Neither shows the value.
Result<void> check_value(std::string_view kind, std::string_view name, std::string_view value);

}  // namespace kaapi::actions::settings
