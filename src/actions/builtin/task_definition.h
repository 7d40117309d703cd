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

// A file in JSON or YAML, as the original reads it; `name`: the file's, for messages. Error: `Invalid`, with the place.
Result<json::value> parse_task_definition(std::string_view text, std::string_view name);

// Errors: `Invalid`: no such container, a line that is no pair, an unknown log driver.
Result<json::value> render_task_definition(json::value definition, const RenderInputs& inputs);

// Without what only answers hold (revision, status, …), whose names it adds to `ignored`.
json::value without_answer_members(json::value definition, std::vector<std::string>& ignored);
// Without null, "", [] and {} at any depth. `kept`: names of members that stay although they are null or empty.
json::value without_empty(const json::value& value, const std::vector<std::string>& kept);
// With the empty texts that without_empty() has taken out of pairs of a name and a value: ECS wants both.
json::value with_required_values(json::value definition);

}  // namespace kaapi::actions
