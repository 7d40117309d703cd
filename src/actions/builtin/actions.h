#pragma once
// Each built-in action, as find_builtin() hands them out. One source for each, or each family.

#include "actions/builtin/action_host.h"

namespace kaapi::actions {

BuiltIn cache_action();
BuiltIn cache_restore_action();
BuiltIn cache_save_action();
BuiltIn checkout_action();
BuiltIn configure_credentials_action();
BuiltIn deploy_task_definition_action();
BuiltIn download_artifact_action();
BuiltIn ecr_login_action();
BuiltIn merge_artifacts_action();
BuiltIn render_task_definition_action();
BuiltIn upload_artifact_action();

}  // namespace kaapi::actions
