#pragma once
// Task definitions as files: what amazon-ecs-render-task-definition changes in one, and what
// amazon-ecs-deploy-task-definition takes out before it registers one. Pure.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions {

inline constexpr std::size_t max_task_definition_bytes = 1024UL * 1024;

// The inputs as written; empty: no change.
struct RenderInputs {
  std::string container_name, image;
  std::string environment_variables;    // lines NAME=value
  std::string env_files;                // lines, ARNs of objects in S3
  std::string secrets;                  // lines NAME=valueFrom
  std::string log_driver, log_options;  // lines KEY=value
  std::string docker_labels;            // lines KEY=value
  std::string command;                  // words between spaces
};

// Errors: `Invalid`: no such container, a line that is no pair, an unknown log driver.
Result<json::value> render_task_definition(json::value definition, const RenderInputs& inputs);

// Without what only answers hold (revision, status, …), whose names it adds to `ignored`.
json::value without_answer_members(json::value definition, std::vector<std::string>& ignored);
// Without null, "", [] and {} at any depth. `kept`: names of members that stay although they are null or empty.
json::value without_empty(const json::value& value, const std::vector<std::string>& kept);

}  // namespace kaapi::actions
