#pragma once
// From the model to the wire: services and tasks as ECS answers them. Pure.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "aws/dispatch.h"
#include "aws/gen/ecs.h"
#include "ecs/model.h"
#include "ecs/state.h"

namespace kaapi::ecs {

// Everything that one service's answer shows, read in one transaction.
struct ServiceView {
  Service service;
  std::vector<Deployment> deployments;  // PRIMARY first
  std::map<std::string, TaskCounts> counts;
  std::vector<ServiceEvent> events;  // newest first
};

aws::ecs::Service to_wire(const aws::CallContext& context, ServiceView view, bool with_tags);
aws::ecs::Task to_wire(const aws::CallContext& context, const Task& task, bool with_tags);

}  // namespace kaapi::ecs
