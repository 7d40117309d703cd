#include "actions/workflow/parse.h"

#include <fmt/format.h>

#include <array>

#include "actions/workflow/parts.h"

namespace kaapi::actions::workflow {
namespace {

// `description` is for people who read the file.
constexpr std::array<std::string_view, 9> workflow_keys = {
    "name", "run-name", "on", "env", "defaults", "concurrency", "permissions", "jobs", "description"};

Workflow read_workflow(Reader& reader, std::string_view path, const YamlNode& root) {
  Workflow workflow;
  workflow.path = path;
  workflow.name = path;
  if (!reader.mapping(root, "the workflow", workflow_keys)) return workflow;
  if (const YamlMember* m = root.find("name"); m != nullptr && m->value.kind != YamlKind::null) {
    workflow.name = reader.plain(m->value, "name");
    if (workflow.name.empty()) workflow.name = path;
  }
  if (const YamlMember* m = root.find("run-name"))
    workflow.run_name = reader.text(m->value, "run-name", Place::run_name);
  if (const YamlMember* m = root.find("on")) {
    workflow.on = read_triggers(reader, m->value);
  } else {
    reader.fault(root.position, "the workflow: on is missing, expected the events that start it, such as on: push");
  }
  if (const YamlMember* m = root.find("env")) workflow.env = reader.variables(m->value, "env", Place::workflow_env);
  if (const YamlMember* m = root.find("defaults")) {
    workflow.defaults = read_defaults(reader, m->value, "defaults", Place::none);
  }
  if (const YamlMember* m = root.find("concurrency")) {
    workflow.concurrency = read_concurrency(reader, m->value, "concurrency", Place::workflow_concurrency);
  }
  if (const YamlMember* m = root.find("permissions")) {
    workflow.permissions = read_permissions(reader, m->value, "permissions");
  }
  if (const YamlMember* m = root.find("jobs")) {
    workflow.jobs = read_jobs(reader, m->value);
  } else {
    reader.fault(root.position, "the workflow: jobs is missing, expected a mapping of jobs");
  }
  return workflow;
}

}  // namespace

ParsedWorkflow parse_workflow(std::string_view path, std::string_view text) {
  ParsedWorkflow result;
  Faults faults;
  const YamlNode root = read_yaml(text, faults);
  // A tree that could not be read tells nothing more.
  const bool readable = faults.empty() || root.kind != YamlKind::null;
  if (readable) {
    Reader reader(faults);
    Workflow workflow = read_workflow(reader, path, root);
    if (faults.empty()) result.workflow = std::move(workflow);
  }
  result.faults = faults.take();
  return result;
}

}  // namespace kaapi::actions::workflow
