#pragma once
// Which contexts and functions an expression may name where: GitHub's table "Context availability".

#include <cstdint>
#include <string_view>
#include <vector>

#include "actions/expression/expression.h"

namespace kaapi::actions::expression {

// One bit for each context, and for each group of functions that is not available everywhere.
using Names = std::uint32_t;
namespace names {
inline constexpr Names github = 1U << 0U;
inline constexpr Names env = 1U << 1U;
inline constexpr Names vars = 1U << 2U;
inline constexpr Names secrets = 1U << 3U;
inline constexpr Names job = 1U << 4U;
inline constexpr Names jobs = 1U << 5U;
inline constexpr Names steps = 1U << 6U;
inline constexpr Names runner = 1U << 7U;
inline constexpr Names needs = 1U << 8U;
inline constexpr Names strategy = 1U << 9U;
inline constexpr Names matrix = 1U << 10U;
inline constexpr Names inputs = 1U << 11U;
inline constexpr Names status_functions = 1U << 12U;
inline constexpr Names hash_files = 1U << 13U;
}  // namespace names

// A place of a workflow file or an action's metadata. Named like the rows of GitHub's table.
enum class Place {
  none,  // no expression may stand here
  run_name,
  workflow_concurrency,
  workflow_env,
  job_concurrency,
  job_container,
  job_container_credentials,
  job_container_env,
  job_continue_on_error,
  job_defaults_run,
  job_env,
  job_environment,
  job_environment_url,
  job_if,
  job_name,
  job_outputs,
  job_runs_on,
  job_secrets,
  job_strategy,
  job_timeout_minutes,
  job_with,
  step_if,
  step,  // name, run, env, with, continue-on-error, timeout-minutes, working-directory
  call_input_default,
  call_output_value,
  action_input_default,
  action_output_value,
  action_step,
  action_step_if,
};

Names available(Place place);

// What of the expression is not available there: one error for each name, in the order of the text.
std::vector<ExpressionError> check_available(const Expression& expression, Names available);

}  // namespace kaapi::actions::expression
