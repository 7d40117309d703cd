// bench/run workflow: parses and plans one workflow file again and again; prints the milliseconds of both for each
// round.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "actions/expression/contexts.h"
#include "actions/workflow/graph.h"
#include "actions/workflow/matrix.h"
#include "actions/workflow/parse.h"
#include "actions/workflow/trigger.h"
#include "base/text.h"

using namespace kaapi::actions;

namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

// How many jobs there are to run, after everything that a push asks for.
std::size_t plan(const workflow::Workflow& workflow) {
  expression::Contexts contexts;
  for (const char* name : {"github", "vars", "inputs", "needs"}) contexts.set(name, expression::Object());
  if (!workflow::match_push(workflow, {"refs/heads/main", false, std::nullopt}).starts) return 0;
  std::size_t jobs = workflow::plan_jobs(workflow, {}, contexts).size();
  for (const workflow::Job& job : workflow.jobs) {
    const auto expanded = workflow::expand_job(job, contexts);
    if (expanded) jobs += expanded->instances.size();
  }
  return jobs;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int rounds = 200;
  constexpr std::size_t max_bytes = 1'000'000;
  if (argc != 2) return std::fputs("usage: plan_workflow FILE\n", stderr), 2;
  const auto text = kaapi::read_file(argv[1], max_bytes);
  if (!text) return std::fputs(text.error().message.c_str(), stderr), 1;
  for (int i = 0; i < rounds; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    const workflow::ParsedWorkflow parsed = workflow::parse_workflow(".github/workflows/bench.yml", *text);
    if (!parsed.workflow) {
      fmt::print(stderr, "{}\n", workflow::format_fault("bench.yml", parsed.faults[0]));
      return 1;
    }
    const auto between = std::chrono::steady_clock::now();
    if (plan(*parsed.workflow) == 0) return 1;
    const auto end = std::chrono::steady_clock::now();
    fmt::print("{:.4f} {:.4f}\n", Milliseconds(between - begin).count(), Milliseconds(end - between).count());
  }
  return 0;
}
