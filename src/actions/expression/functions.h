#pragma once
// The functions that need nothing but their arguments; internal to this folder.

#include <span>

#include "actions/expression/expression.h"
#include "actions/expression/value.h"

namespace kaapi::actions::expression {

// contains, startsWith, endsWith, format, join, toJSON, fromJSON. `arguments` are as many as the function takes.
// Errors: `Invalid` for a malformed format or JSON text, `TooLarge`.
Result<Value> call_function(Function function, std::span<const Value> arguments);

}  // namespace kaapi::actions::expression
