#pragma once
// The ECR operations: Amazon ECR API reference, version 2015-09-21.

#include <functional>
#include <string_view>

#include "aws/dispatch.h"
#include "registry/registry.h"
#include "registry/token.h"

namespace kaapi::registry {

// Whether a text is a policy that a repository may have; the error's message says why not.
using PolicyValidator = std::function<Result<void>(std::string_view json)>;

// All that docs/operations.md lists. All must outlive the dispatcher's last call. Without `validate` every JSON object
// passes for a repository policy.
void add_operations(aws::Dispatcher& dispatcher, Registry& registry, const TokenIssuer& tokens,
                    PolicyValidator validate = {});

}  // namespace kaapi::registry
