#include "actions/workflow/matrix.h"

#include <gmock/gmock.h>

#include "actions/workflow/test_support.h"
#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

using testing::HasSubstr;

Result<ExpandedJob> expand(std::string_view strategy, const expression::Environment& contexts) {
  const Workflow workflow = must_parse(with_job(fmt::format("    strategy: {}\n", strategy)));
  return expand_job(workflow.jobs.at(0), contexts);
}

// "os=linux v=1" for each job.
std::vector<std::string> jobs_of(std::string_view matrix, const expression::Environment& contexts = run_contexts()) {
  std::vector<std::string> result;
  const Result<ExpandedJob> job = expand(fmt::format("{{matrix: {}}}", matrix), contexts);
  if (!job) return {job.error().message};
  for (const JobInstance& instance : job->instances) {
    std::string text;
    for (const auto& [key, value] : instance.matrix.object().members()) {
      text += fmt::format("{}{}={}", text.empty() ? "" : " ", key, to_text(value));
    }
    result.push_back(text);
  }
  return result;
}

using Jobs = std::vector<std::string>;

TEST(MatrixExpansion, TheFirstListVariesSlowest) {
  EXPECT_EQ(jobs_of("{v: [10, 12], os: [a, b]}"), (Jobs{"v=10 os=a", "v=10 os=b", "v=12 os=a", "v=12 os=b"}));
}

// The example of GitHub's documentation, "Expanding or adding matrix configurations".
TEST(MatrixExpansion, IncludeAddsWithoutOverwriting) {
  EXPECT_EQ(jobs_of("{fruit: [apple, pear], animal: [cat, dog], include: [{color: green}, {color: pink, animal: cat}, "
                    "{fruit: apple, shape: circle}, {fruit: banana}, {fruit: banana, animal: cat}]}"),
            (Jobs{"fruit=apple animal=cat color=pink shape=circle", "fruit=apple animal=dog color=green shape=circle",
                  "fruit=pear animal=cat color=pink", "fruit=pear animal=dog color=green", "fruit=banana",
                  "fruit=banana animal=cat"}));
  EXPECT_EQ(jobs_of("{include: [{site: a, dc: x}, {site: b}]}"), (Jobs{"site=a dc=x", "site=b"}));
}

TEST(MatrixExpansion, ExcludeComesFirstAndMayBePartial) {
  EXPECT_EQ(jobs_of("{os: [a, b], v: [1, 2, 3], exclude: [{os: a, v: 1}, {v: 2}], include: [{os: a, v: 1, x: y}]}"),
            (Jobs{"os=a v=3", "os=b v=1", "os=b v=3", "os=a v=1 x=y"}));
  EXPECT_EQ(jobs_of("{os: [a], exclude: [{os: a}]}"), Jobs{});
}

TEST(MatrixExpansion, ExpressionsYieldListsAndWholeMatrices) {
  const expression::Contexts contexts = run_contexts(
      "{}", R"js({"a": {"outputs": {"m": "{\"v\":[1,2],\"include\":[{\"v\":3}]}", "l": "[\"x\",\"y\"]"}}})js");
  EXPECT_EQ(jobs_of("\"${{ fromJSON(needs.a.outputs.m) }}\"", contexts), (Jobs{"v=1", "v=2", "v=3"}));
  EXPECT_EQ(jobs_of("{l: \"${{ fromJSON(needs.a.outputs.l) }}\"}", contexts), (Jobs{"l=x", "l=y"}));
  EXPECT_THAT(jobs_of("\"${{ needs.a.outputs.l }}\"", contexts)[0], HasSubstr("expected a mapping"));
  EXPECT_THAT(jobs_of("{l: \"${{ needs.a }}\"}", contexts)[0], HasSubstr("expected a list"));
}

TEST(MatrixExpansion, IsBounded) {
  std::string list = "[0";
  for (int i = 1; i < 16; ++i) list += fmt::format(", {}", i);
  EXPECT_EQ(jobs_of(fmt::format("{{a: {0}], b: {0}]}}", list)).size(), max_matrix_jobs);
  EXPECT_THAT(jobs_of(fmt::format("{{a: {0}], b: {0}, 16]}}", list))[0], HasSubstr("at most 256"));
  EXPECT_THAT(jobs_of(fmt::format("{{a: {0}], b: {0}], c: {0}]}}", list))[0], HasSubstr("more than"));
}

TEST(MatrixExpansion, NamesAndStrategy) {
  const Result<ExpandedJob> job =
      expand("{matrix: {os: [a], v: [{n: 1}]}, fail-fast: false, max-parallel: 2}", run_contexts());
  ASSERT_TRUE(job);
  EXPECT_EQ(job->instances[0].name, "build (a, 1)");
  EXPECT_FALSE(job->fail_fast);
  EXPECT_EQ(job->max_parallel, 2U);
  EXPECT_EQ(to_text(job->instances[0].strategy["job-total"]), "1");
}

}  // namespace
}  // namespace kaapi::actions::workflow
