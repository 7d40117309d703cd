#pragma once
// Workflow files: text in, typed values or faults out. Pure.

#include <string_view>
#include <variant>
#include <vector>

#include "actions/workflow/fault.h"
#include "actions/workflow/model.h"

namespace kaapi::actions::workflow {

// What parsing a file yields: the workflow, or at least one fault, with the first max_faults in the file's order.
struct ParsedWorkflow {
  std::optional<Workflow> workflow;
  std::vector<Fault> faults;
};

// `path` within the repository; it is the workflow's name when the file gives none. Thread-safe.
ParsedWorkflow parse_workflow(std::string_view path, std::string_view text);

}  // namespace kaapi::actions::workflow
