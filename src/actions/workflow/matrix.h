#pragma once
// strategy.matrix: which jobs one job of the file becomes. GitHub's "Running variations of jobs in a workflow". Pure.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actions/workflow/model.h"
#include "base/error.h"

namespace kaapi::actions::workflow {

inline constexpr std::size_t max_matrix_jobs = 256;       // of one job, GitHub's limit
inline constexpr std::size_t max_built_name_units = 100;  // of a name made of a job's and its matrix, in UTF-16

// One job to run: a job of the file with one combination of its matrix.
struct JobInstance {
  std::string name;          // as it is shown: "test (linux, 20)"; GitHub's, cut with "..." where it is too long
  expression::Value matrix;  // the contexts `matrix` (null without one) and `strategy`
  expression::Value strategy;
};

struct ExpandedJob {
  std::vector<JobInstance> instances;  // one without a matrix, also when everything was excluded: as on GitHub
  bool fail_fast = true;
  std::optional<std::size_t> max_parallel;
};

struct Combination {
  expression::Value matrix;
  // "linux, 20": the scalars of its lists that are not empty. What include added to it is not named, but all of a
  // combination that include made.
  std::string label;
};

// The combinations in GitHub's order: the first list varies slowest; exclude comes before include. Entries of both
// match by the scalars that they name, compared by the `==` of expressions. Errors: `Invalid` with what the matrix
// yields and what was expected.
Result<std::vector<Combination>> expand_matrix(const Matrix& matrix, const expression::Environment& environment);

// What is wrong with an entry of exclude that names `key`, which is none of the matrix's lists.
std::string no_such_list(std::string_view key, std::span<const std::string_view> lists);

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

}  // namespace kaapi::actions::workflow
