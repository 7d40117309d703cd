#include <vector>

#include "actions/builtin/actions.h"
#include "base/text.h"

namespace kaapi::actions {

const BuiltIn* find_builtin(std::string_view name_with_path) {
  static const std::vector<BuiltIn> all = {
      cache_action(),
      cache_restore_action(),
      cache_save_action(),
      checkout_action(),
      configure_credentials_action(),
      deploy_task_definition_action(),
      download_artifact_action(),
      ecr_login_action(),
      merge_artifacts_action(),
      render_task_definition_action(),
      upload_artifact_action(),
  };
  const std::string wanted = lower(name_with_path);
  for (const BuiltIn& action : all) {
    if (action.name == wanted) return &action;
  }
  return nullptr;
}

}  // namespace kaapi::actions
