#pragma once
// The STS operations: who am I.

#include "aws/dispatch.h"

namespace kaapi::identity {

// Adds GetCallerIdentity.
void add_sts_operations(aws::Dispatcher& dispatcher);

}  // namespace kaapi::identity
