#include "identity/iam/iam_operations.h"

#include "identity/iam/operations_internal.h"

namespace kaapi::identity {

void add_iam_operations(aws::Dispatcher& dispatcher, Directory& directory) {
  for (const auto add : {&add_user_operations, &add_access_key_operations, &add_group_operations, &add_role_operations,
                         &add_service_linked_role_operations, &add_policy_operations, &add_policy_version_operations,
                         &add_attached_policy_operations, &add_inline_policy_operations, &add_tag_operations,
                         &add_instance_profile_operations, &add_oidc_operations, &add_account_operations,
                         &add_authorization_details, &add_simulation}) {
    add(dispatcher, directory);
  }
}

}  // namespace kaapi::identity
