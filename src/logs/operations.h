#pragma once
// CloudWatch Logs' operations over the store.

#include "aws/dispatch.h"
#include "base/clock.h"
#include "logs/store.h"

namespace kaapi::logs {

// `store` and `clock` outlive the dispatcher.
void add_operations(aws::Dispatcher& dispatcher, LogStore& store, const Clock& clock);

}  // namespace kaapi::logs
