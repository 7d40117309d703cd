#include <vector>

#include "actions/builtin/actions.h"
#include "base/text.h"

namespace kaapi::actions {

const BuiltIn* find_builtin(std::string_view name_with_path) {
  static const std::vector<BuiltIn> all = {
      checkout_action(),
      configure_credentials_action(),
      ecr_login_action(),
  };
  const std::string wanted = lower(name_with_path);
  for (const BuiltIn& action : all) {
    if (action.name == wanted) return &action;
  }
  return nullptr;
}

}  // namespace kaapi::actions
