#pragma once
// Where a job stands in the tree of workflows that call each other, and which contexts are known there. Pure.

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "actions/expression/contexts.h"
#include "actions/runs/model.h"
#include "actions/workflow/model.h"

namespace kaapi::actions::runs {

// The scope of what a calling job calls.
std::string scope_of_call(const Job& call);
// The calling job of a scope; nullptr for the run's own file.
const Job* caller_of(const Run& run, std::string_view scope);
// The workflow of a scope; null when the call is gone (never while the run is consistent).
std::shared_ptr<const workflow::Workflow> workflow_of(const Run& run, const RunFiles& files, std::string_view scope);
// Whether the run or one of the calls that lead to the scope was cancelled.
bool scope_cancelled(const Run& run, std::string_view scope);

// The jobs of a scope that count: those that no later attempt has replaced.
std::vector<const Job*> jobs_in(const Run& run, std::string_view scope, std::string_view key);

// What workflow::plan_jobs decides from. `but`: a job of the file that counts as not started.
workflow::RunState run_state(const Run& run, const workflow::Workflow& workflow, std::string_view scope,
                             std::string_view but = {});

// github, vars and inputs of a scope. `vars`: the variables, an object.
expression::Contexts scope_contexts(const Run& run, std::string_view scope, const expression::Value& vars);

// What the jobs of a scope may do at most: their own permissions, narrowed by those of all calls that lead there.
workflow::Access access_of(const Run& run, const RunFiles& files, const Job& job, std::string_view permission);

// Values to JSON and back. Errors of to_json_value: those of expression::to_json.
Result<json::value> to_json_value(const expression::Value& value);

}  // namespace kaapi::actions::runs
