#pragma once
// What the tests of this folder share.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "actions/expression/contexts.h"
#include "actions/workflow/parse.h"

namespace kaapi::actions::workflow {

// A workflow that must be valid.
inline Workflow must_parse(std::string_view text, std::string_view path = ".github/workflows/a.yml") {
  ParsedWorkflow parsed = parse_workflow(path, text);
  for (const Fault& fault : parsed.faults) ADD_FAILURE() << format_fault(path, fault);
  return parsed.workflow.value_or(Workflow{});
}

// All faults, one a line.
inline std::string faults_of(std::string_view text) {
  std::string out;
  for (const Fault& fault : parse_workflow("a.yml", text).faults) out += format_fault("a.yml", fault) + "\n";
  return out;
}

// A job that is complete; `more` is put below it, indented by four.
inline std::string with_job(std::string_view more) {
  return fmt::format("on: push\njobs:\n  build:\n    runs-on: ubuntu-latest\n    steps:\n      - run: make\n{}", more);
}

inline expression::Value json_value(std::string_view text) {
  return expression::from_json(text).value();
}

// github, vars, inputs and needs, each a mapping.
inline expression::Contexts run_contexts(std::string_view github = "{}", std::string_view needs = "{}") {
  expression::Contexts contexts;
  contexts.set("github", json_value(github));
  contexts.set("needs", json_value(needs));
  contexts.set("vars", json_value("{}"));
  contexts.set("inputs", json_value("{}"));
  return contexts;
}

}  // namespace kaapi::actions::workflow
