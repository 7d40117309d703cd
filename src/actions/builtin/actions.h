#pragma once
// Each built-in action, as find_builtin() hands them out. One source for each.

#include "actions/builtin/action_host.h"

namespace kaapi::actions {

BuiltIn checkout_action();

}  // namespace kaapi::actions
