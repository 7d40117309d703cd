#pragma once
// The signed API of models/settings.json: PutVariable, PutSecret, PutEnvironment and so on.

#include <functional>
#include <string>
#include <string_view>

#include "actions/settings/settings.h"
#include "aws/dispatch.h"

namespace kaapi::actions::settings {

struct OperationsConfig {
  // Where the platform's repositories are: who signs for another region is told so, because policies name repositories
  // by ARNs with the region in them, and there is one of each. Empty: every region.
  std::string region;
  // Whether there is such a repository; empty: all are. Called from many threads.
  std::function<bool(std::string_view repository)> exists;
};

// `settings` must outlive the dispatcher.
void add_settings_operations(aws::Dispatcher& dispatcher, Settings& settings, OperationsConfig config);

}  // namespace kaapi::actions::settings
