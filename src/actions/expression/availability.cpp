#include "actions/expression/availability.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "actions/expression/node.h"
#include "actions/expression/suggest.h"
#include "actions/expression/value.h"

namespace kaapi::actions::expression {
namespace {

struct NamedContext {
  std::string_view name;
  Names bit;
};
constexpr std::array contexts = {
    NamedContext{"github", names::github}, NamedContext{"env", names::env},
    NamedContext{"vars", names::vars},     NamedContext{"secrets", names::secrets},
    NamedContext{"job", names::job},       NamedContext{"jobs", names::jobs},
    NamedContext{"steps", names::steps},   NamedContext{"runner", names::runner},
    NamedContext{"needs", names::needs},   NamedContext{"strategy", names::strategy},
    NamedContext{"matrix", names::matrix}, NamedContext{"inputs", names::inputs},
};

std::vector<std::string_view> names_of(Names available) {
  std::vector<std::string_view> found;
  for (const NamedContext& context : contexts) {
    if ((context.bit & available) != 0) found.push_back(context.name);
  }
  return found;
}

std::string expected(Names available) {
  const std::vector<std::string_view> found = names_of(available);
  return found.empty() ? "no context is available here" : fmt::format("expected one of {}", fmt::join(found, ", "));
}

}  // namespace

Names available(Place place) {
  using namespace names;
  constexpr Names run = github | inputs | vars;
  constexpr Names job_start = run | needs | strategy | matrix;
  constexpr Names runner_side = job_start | job | runner | env;
  constexpr Names in_step = runner_side | secrets | steps | hash_files;
  constexpr Names in_action = github | inputs | strategy | matrix | steps | job | runner | env | hash_files;
  switch (place) {
    case Place::none:
      return 0;
    case Place::run_name:
    case Place::workflow_concurrency:
    case Place::call_input_default:
      return run;
    case Place::workflow_env:
      return run | secrets;
    case Place::job_concurrency:
    case Place::job_container:
    case Place::job_continue_on_error:
    case Place::job_environment:
    case Place::job_name:
    case Place::job_runs_on:
    case Place::job_timeout_minutes:
    case Place::job_with:
      return job_start;
    case Place::job_container_credentials:
      return job_start | env | secrets;
    case Place::job_container_env:
      return runner_side | secrets;
    case Place::job_defaults_run:
      return job_start | env;
    case Place::job_env:
    case Place::job_secrets:
      return job_start | secrets;
    case Place::job_environment_url:
      return runner_side | steps;
    case Place::job_if:
      return run | needs | status_functions;
    case Place::job_outputs:
      return runner_side | secrets | steps;
    case Place::job_strategy:
      return run | needs;
    case Place::step_if:
      return (in_step & ~secrets) | status_functions;
    case Place::step:
      return in_step;
    case Place::call_output_value:
      return run | jobs;
    case Place::action_input_default:
      return github | strategy | matrix | job | runner | hash_files;
    case Place::action_output_value:
    case Place::action_step:
      return in_action;
    case Place::action_step_if:
      return in_action | status_functions;
  }
  return 0;
}

std::vector<ExpressionError> check_available(const Expression& expression, Names available) {
  std::vector<ExpressionError> errors;
  for (const Reference& reference : expression.references()) {
    const std::size_t at = reference.position;
    if (reference.is_function) {
      const bool status = is_status_function(reference.function);
      const Names needed = status ? names::status_functions
                                  : (reference.function == Function::hash_files ? names::hash_files : Names{0});
      if ((needed & available) == needed) continue;
      errors.emplace_back(at, fmt::format("{}() is not available here, at position {}: expected it {}", reference.name,
                                          at + 1, status ? "in an if" : "in a step"));
      continue;
    }
    const auto* known = std::find_if(contexts.begin(), contexts.end(), [&](const NamedContext& context) {
      return equal_ignoring_case(context.name, reference.name);
    });
    if (known == contexts.end()) {
      errors.emplace_back(at, fmt::format("unrecognized name {} at position {}{}: {}", reference.name, at + 1,
                                          did_you_mean(reference.name, names_of(available)), expected(available)));
    } else if ((known->bit & available) == 0) {
      errors.emplace_back(at, fmt::format("the context {} is not available here, at position {}: {}", reference.name,
                                          at + 1, expected(available)));
    }
  }
  return errors;
}

}  // namespace kaapi::actions::expression
