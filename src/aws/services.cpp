// The list of services whose models are built in. A new model is one line here and one in CMakeLists.txt.
#include "aws/gen/cloudtrail.h"
#include "aws/gen/ecr.h"
#include "aws/gen/ecs.h"
#include "aws/gen/git.h"
#include "aws/gen/iam.h"
#include "aws/gen/logs.h"
#include "aws/gen/platform.h"
#include "aws/gen/runs.h"
#include "aws/gen/settings.h"
#include "aws/gen/sts.h"

namespace kaapi::aws {

const ServiceInfo* find_service(std::string_view name) {
  for (const ServiceInfo* service :
       {&cloudtrail::info(), &ecr::info(), &ecs::info(), &git::info(), &iam::info(), &platform::info(), &logs::info(),
        &runs::info(), &settings::info(), &sts::info()}) {
    if (service->name == name) return service;
  }
  return nullptr;
}

}  // namespace kaapi::aws
