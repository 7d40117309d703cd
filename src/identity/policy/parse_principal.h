#pragma once
// Principal and NotPrincipal of a statement.

#include <vector>

#include "base/json.h"
#include "identity/policy/document.h"

namespace kaapi::identity::policy {

// Errors: `Invalid` in IAM's words, with what was expected.
Result<std::vector<PrincipalPattern>> parse_principals(const json::value& element);

// The strings of an element that is one string or a list of strings. Errors: `Invalid`.
Result<std::vector<std::string>> read_strings(const json::value& value);

}  // namespace kaapi::identity::policy
