#pragma once
// Each built-in action, as find_builtin() hands them out. One source for each.

#include "actions/builtin/action_host.h"

namespace kaapi::actions {

BuiltIn checkout_action();
BuiltIn configure_credentials_action();
BuiltIn deploy_task_definition_action();
BuiltIn ecr_login_action();
BuiltIn render_task_definition_action();

}  // namespace kaapi::actions
