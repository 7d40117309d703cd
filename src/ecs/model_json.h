#pragma once
// How model values are stored: one JSON text per row. Enumerations are numbers, times are milliseconds, empty members
// are left out; a member that is absent keeps its default, so new members need no migration.

#include <string>
#include <string_view>

#include "base/error.h"
#include "ecs/model.h"

namespace kaapi::ecs {

std::string to_stored(const Task& task);
std::string to_stored(const Deployment& deployment);
std::string to_stored(const Service& service);

// Error: `Damaged` when the text is not what to_stored wrote.
Result<Task> task_from_stored(std::string_view text);
Result<Deployment> deployment_from_stored(std::string_view text);
Result<Service> service_from_stored(std::string_view text);

}  // namespace kaapi::ecs
