#pragma once
// The platform's own operations on identity: what AWS has no call for.

#include "aws/dispatch.h"
#include "base/ids.h"
#include "identity/access.h"
#include "identity/sts/keys.h"

namespace kaapi::identity {

// Adds ExplainDecision and RotateRootKey. `data_directory` holds the account file; `access`, `keys` and `ids` must
// outlive the dispatcher.
void add_platform_operations(aws::Dispatcher& dispatcher, const AccessControl& access, Keys& keys,
                             std::string data_directory, IdSource& ids);

}  // namespace kaapi::identity
