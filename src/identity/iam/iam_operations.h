#pragma once
// The IAM operations.

#include "aws/dispatch.h"
#include "identity/iam/directory.h"

namespace kaapi::identity {

// Adds every operation of models/iam.json. `directory` must outlive the dispatcher.
void add_iam_operations(aws::Dispatcher& dispatcher, Directory& directory);

}  // namespace kaapi::identity
