// Workflow files: parsed or refused with faults, never both, and what is parsed can be planned.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "actions/expression/contexts.h"
#include "actions/workflow/call.h"
#include "actions/workflow/graph.h"
#include "actions/workflow/matrix.h"
#include "actions/workflow/parse.h"
#include "actions/workflow/trigger.h"

using namespace kaapi::actions;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const workflow::ParsedWorkflow parsed =
      workflow::parse_workflow("a.yml", {reinterpret_cast<const char*>(data), size});
  if (parsed.workflow.has_value() == !parsed.faults.empty()) std::abort();
  if (!parsed.workflow) return 0;
  const workflow::Workflow& file = *parsed.workflow;
  expression::Contexts contexts;
  for (const char* name : {"github", "vars", "inputs", "needs"}) contexts.set(name, expression::Object());
  (void)workflow::match_push(file, {"refs/heads/main", false, {{"a/b.md"}}});
  (void)workflow::plan_jobs(file, {}, contexts);
  (void)workflow::expand_calls(file, [](std::string_view) { return nullptr; });
  (void)workflow::dispatch_inputs(file, {{"a", "b"}});
  for (const workflow::Job& job : file.jobs) {
    (void)workflow::expand_job(job, contexts);
    if (job.concurrency) (void)workflow::evaluate_concurrency(*job.concurrency, contexts);
  }
  return 0;
}
