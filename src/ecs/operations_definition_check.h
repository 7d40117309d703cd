#pragma once
// Whether a task definition may be registered. Rules: AWS's API reference, "RegisterTaskDefinition" and
// "ContainerDefinition"; developer guide, "Task definition parameters". Not for other folders.

#include "aws/gen/ecs.h"
#include "base/error.h"

namespace kaapi::ecs {

// Errors: ClientException and InvalidParameterException in AWS's words where those are known. A member that this
// version would ignore although it changes what runs is refused by name.
Result<void> check_definition(const aws::ecs::RegisterTaskDefinitionRequest& request);

bool asks_for_fargate(const aws::ecs::RegisterTaskDefinitionRequest& request);

}  // namespace kaapi::ecs
