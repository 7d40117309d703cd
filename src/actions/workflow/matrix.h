#pragma once
// strategy.matrix: which jobs one job of the file becomes. GitHub's "Running variations of jobs in a workflow". Pure.

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "actions/workflow/model.h"
#include "base/error.h"

namespace kaapi::actions::workflow {

inline constexpr std::size_t max_matrix_jobs = 256;  // of one job, GitHub's limit

// One job to run: a job of the file with one combination of its matrix.
struct JobInstance {
  std::string name;          // as it is shown: "test (linux, 20)"
  expression::Value matrix;  // the contexts `matrix` (null without one) and `strategy`
  expression::Value strategy;
};

struct ExpandedJob {
  std::vector<JobInstance> instances;  // one without a matrix; none when everything was excluded
  bool fail_fast = true;
  std::optional<std::size_t> max_parallel;
};

// The combinations in GitHub's order: the first list varies slowest; exclude comes before include. Errors: `Invalid`
// with what the matrix yields and what was expected.
Result<std::vector<expression::Value>> expand_matrix(const Matrix& matrix, const expression::Environment& environment);

// `environment` has github, needs, vars and inputs. Errors as expand_matrix, and those of expressions.
Result<ExpandedJob> expand_job(const Job& job, const expression::Environment& environment);

// Evaluates a boolean or a number. Errors: `Invalid` when it yields something else.
Result<bool> evaluate_flag(const Text& text, const expression::Environment& environment);
Result<double> evaluate_number(const Text& text, const expression::Environment& environment);

// What runs-on yields: labels, all of which the runner must have, and its group.
struct RunnerLabels {
  std::vector<std::string> labels;
  std::string group;
};
Result<RunnerLabels> evaluate_runs_on(const Data& runs_on, const expression::Environment& environment);

// Equal in depth; scalars by their text.
bool same_value(const expression::Value& a, const expression::Value& b);

}  // namespace kaapi::actions::workflow
