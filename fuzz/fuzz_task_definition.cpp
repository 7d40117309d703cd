// Task definitions and what RunTask adds to them. The first line is a RegisterTaskDefinition request, the second a
// TaskOverride. Properties: no crash; whatever may be registered becomes a task with all its containers, as long as
// nobody overrides; what a task needs is never negative.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "aws/gen/ecs.h"
#include "ecs/definition.h"
#include "ecs/operations_definition_check.h"

namespace {

using namespace kaapi;

Result<ecs::Task> make(const aws::ecs::RegisterTaskDefinitionRequest& request, std::string_view overrides) {
  SeededIds ids(1);
  // A stored definition has the request's members.
  const ecs::DefinitionRow row{"eu-central-1", request.family, 1, "ACTIVE", aws::to_json(request), ""};
  const bool awsvpc = request.networkMode == "awsvpc";
  const ecs::TaskRequest asked{
      .region = row.region,
      .cluster = "c",
      .service_id = 0,
      .service_name = "",
      .deployment_id = "",
      .group = "",
      .started_by = "",
      .launch_type = "EC2",
      .network_configuration = awsvpc ? R"({"awsvpcConfiguration":{"subnets":["subnet-1"]}})" : "",
      .overrides = std::string(overrides),
      .tags = "",
      .ids = ids,
      .now = Time{}};
  return ecs::make_task(row, asked);
}

void check_needs(const ecs::Task& task) {
  const ecs::Needs needs = ecs::needs_of(task);
  if (needs.cpu_units < 0 || needs.memory_mib < 0) std::abort();
  for (const ecs::PortMapping& port : ecs::fixed_host_ports(task)) {
    if (port.host_port < 1 || port.host_port > 65535) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::string_view line = input.substr(0, input.find('\n'));
  const std::string_view overrides = input.substr(std::min(input.size(), line.size() + 1));
  static_cast<void>(ecs::parse_cpu(line));
  static_cast<void>(ecs::parse_memory(line));
  const Result<json::value> tree = parse_json(line);
  if (!tree) return 0;
  const auto request = aws::decode<aws::ecs::RegisterTaskDefinitionRequest>(*tree);
  if (!request || !ecs::check_definition(*request)) return 0;
  const Result<ecs::Task> plain = make(*request, "");
  if (!plain || plain->containers.size() != request->containerDefinitions.size()) std::abort();
  check_needs(*plain);
  if (const Result<ecs::Task> changed = make(*request, overrides)) check_needs(*changed);
  return 0;
}
