#pragma once
// How a service gets a new deployment. Used by CreateService and UpdateService, and by the simulation in their place.

#include "base/clock.h"
#include "ecs/model.h"
#include "store/database.h"

namespace kaapi::ecs {

// Makes `next` (id, family, revision, launch type and network are given) the PRIMARY deployment of the service,
// IN_PROGRESS. The one that was PRIMARY becomes ACTIVE and may keep the tasks that it has. Stores all of it, the
// service too.
void begin_deployment(store::Session& session, Service& service, Deployment next, Time now);

}  // namespace kaapi::ecs
