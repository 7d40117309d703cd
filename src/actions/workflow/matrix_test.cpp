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

// "os=linux v=1" for each job, "none" for one without a matrix.
std::vector<std::string> jobs_of(std::string_view matrix, const expression::Environment& contexts = run_contexts()) {
  std::vector<std::string> result;
  const Result<ExpandedJob> job = expand(fmt::format("{{matrix: {}}}", matrix), contexts);
  if (!job) return {job.error().message};
  for (const JobInstance& instance : job->instances) {
    if (instance.matrix.is(expression::Kind::null)) {
      result.emplace_back("none");
      continue;
    }
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
  EXPECT_EQ(jobs_of("{os: [a], exclude: [], include: []}"), Jobs{"os=a"});
}

// GitHub's MatrixBuilder compares scalar by scalar, by the `==` of expressions.
TEST(MatrixExpansion, EntriesMatchAsExpressionsCompare) {
  EXPECT_EQ(jobs_of("{python: ['3.10', '3.9'], exclude: [{python: 3.10}]}"), Jobs{"python=3.9"});
  EXPECT_EQ(jobs_of("{os: [Linux, mac], exclude: [{OS: linux}]}"), Jobs{"os=mac"});
  EXPECT_EQ(jobs_of("{flag: [true, 1, '', null, 2], exclude: [{flag: null}, {flag: true}]}"), Jobs{"flag=2"});
  EXPECT_EQ(jobs_of("{v: ['3.10'], include: [{v: 3.1, x: y}]}"), Jobs{"v=3.10 x=y"}) << "values of lists stay";
}

TEST(MatrixExpansion, EntriesMatchByTheMembersThatTheyName) {
  const auto contexts = run_contexts();
  const auto extras = [&](std::string_view matrix) {
    std::string text;
    const Result<ExpandedJob> expanded = expand(fmt::format("{{matrix: {}}}", matrix), contexts);
    for (const JobInstance& job : expanded->instances) {
      text += fmt::format("[{} {}]", to_text(job.matrix["node"]["env"]), to_text(job.matrix["extra"]));
    }
    return text;
  };
  EXPECT_EQ(extras("{node: [{version: 20, env: x}, {version: 22}], include: [{node: {version: 20}, extra: 1}]}"),
            "[x 1][ ]");
  EXPECT_EQ(extras("{node: [{version: 20, env: x}, {version: 22}], exclude: [{node: {version: '22'}}]}"), "[x ]");
  EXPECT_EQ(extras("{node: [{env: z}], include: [{node: {env: x}, extra: 1}]}"), "[z ][x 1]");
  EXPECT_EQ(jobs_of("{l: [[1, 2], [3]], exclude: [{l: [1]}]}").size(), 1U) << "items that are not named may differ";
  EXPECT_EQ(jobs_of("{l: [1, 2], exclude: [{l: {}}]}"), Jobs{"none"}) << "nothing differs";
}

TEST(MatrixExpansion, LaterEntriesOverwriteWhatEarlierOnesAdded) {
  EXPECT_EQ(jobs_of("{os: [a], include: [{x: 1}, {os: a, x: 2, y: 3}, {os: b, z: 1}]}"),
            (Jobs{"os=a x=2 y=3", "os=b z=1"}));
  EXPECT_EQ(jobs_of("{os: [a], include: [{z: 1, os: b}]}"), (Jobs{"os=a", "os=b z=1"})) << "lists come first";
}

// As GitHub's EvaluateStrategy.
TEST(MatrixExpansion, WithoutACombinationOneJobIsLeft) {
  const Result<ExpandedJob> job =
      expand("{matrix: {os: [a], exclude: [{os: a}]}, max-parallel: 3, fail-fast: false}", run_contexts());
  ASSERT_TRUE(job);
  ASSERT_EQ(job->instances.size(), 1U);
  EXPECT_EQ(job->instances[0].name, "build");
  EXPECT_TRUE(job->instances[0].matrix.is(expression::Kind::null));
  EXPECT_EQ(to_text(job->instances[0].strategy["max-parallel"]), "1");
  EXPECT_EQ(to_text(job->instances[0].strategy["fail-fast"]), "false");
  const auto contexts = run_contexts("{}", R"js({"a": {"outputs": {"m": "{\"include\":[]}"}}})js");
  EXPECT_THAT(jobs_of("\"${{ fromJSON(needs.a.outputs.m) }}\"", contexts)[0], HasSubstr("at least one list"));
}

TEST(MatrixExpansion, ExcludeNamesListsOfTheMatrix) {
  const auto faults = [](std::string_view matrix) {
    return faults_of(with_job(fmt::format("    strategy: {{matrix: {}}}\n", matrix)));
  };
  EXPECT_THAT(faults("{os: [a], version: [1], exclude: [{os: a, versoin: 1}]}"),
              HasSubstr("a.yml:7:66: jobs.build.strategy.matrix.exclude: \"versoin\" is no list of the matrix (did you "
                        "mean \"version\"?): expected os, version"));
  EXPECT_THAT(faults("{include: [{os: a}], exclude: [{os: a}]}"), HasSubstr("it has none"));
  EXPECT_EQ(faults("{OS: [a, b], exclude: [{os: '${{ github.ref }}'}]}"), "");
  const auto contexts = run_contexts("{}", R"js({"a": {"outputs": {"m": "[{\"so\":1}]", "n": "[{}]"}}})js");
  EXPECT_THAT(jobs_of("{os: [a], exclude: \"${{ fromJSON(needs.a.outputs.m) }}\"}", contexts)[0],
              HasSubstr("matrix.exclude: \"so\" is no list of the matrix (did you mean \"os\"?)"));
  EXPECT_THAT(jobs_of("{os: [a], exclude: \"${{ fromJSON(needs.a.outputs.n) }}\"}", contexts)[0],
              HasSubstr("matrix.exclude: an entry is empty"));
  EXPECT_THAT(jobs_of("{os: [a], include: \"${{ fromJSON(needs.a.outputs.n) }}\"}", contexts)[0],
              HasSubstr("matrix.include: an entry is empty"));
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

TEST(MatrixExpansion, MaxParallelOfZeroIsNoLimit) {
  for (const char* none : {"0", "\"${{ fromJSON('0') }}\"", "\"${{ fromJSON('-1') }}\""}) {
    const Result<ExpandedJob> job =
        expand(fmt::format("{{matrix: {{os: [a, b]}}, max-parallel: {}}}", none), run_contexts());
    ASSERT_TRUE(job) << none;
    EXPECT_FALSE(job->max_parallel) << none;
    EXPECT_EQ(to_text(job->instances[0].strategy["max-parallel"]), "2") << none;
  }
  EXPECT_THAT(faults_of(with_job("    strategy: {matrix: {os: [a]}, max-parallel: -1}\n")),
              HasSubstr("expected a number, 0 for no limit"));
}

std::vector<std::string> names_of(std::string_view more) {
  std::vector<std::string> names;
  const Workflow workflow = must_parse(with_job(more));
  const Result<ExpandedJob> job = expand_job(workflow.jobs.at(0), run_contexts());
  if (!job) return {job.error().message};
  for (const JobInstance& instance : job->instances) names.push_back(instance.name);
  return names;
}

// GitHub's JobNameBuilder, and what its MatrixBuilder gives it.
TEST(JobNames, AreOfTheValuesOfTheLists) {
  EXPECT_EQ(names_of("    strategy: {matrix: {os: [a, b], v: [1], include: [{os: a, x: more}, {os: c, y: d}]}}\n"),
            (Jobs{"build (a, 1)", "build (b, 1)", "build (c, d)"}));
  EXPECT_EQ(names_of("    strategy: {matrix: {os: ['', a], v: [null, [x, {n: true}]]}}\n"),
            (Jobs{"build", "build (x, true)", "build (a)", "build (a, x, true)"}));
}

TEST(JobNames, AreCutAtOneHundredCharacters) {
  const auto job = [](std::size_t length, const char* letter) {
    std::string text = "    name: ";
    for (std::size_t i = 0; i < length; ++i) text += letter;
    return names_of(text + "\n    strategy: {matrix: {os: [a]}}\n").at(0);
  };
  EXPECT_EQ(job(96, "x"), std::string(96, 'x') + " (a)");
  EXPECT_EQ(job(97, "x"), std::string(97, 'x') + "...");
  EXPECT_EQ(job(200, "\xC3\xA9").size(), 2 * 97 + 3U) << "characters, not bytes";
  EXPECT_EQ(names_of(fmt::format("    strategy: {{matrix: {{os: [{}], v: [1]}}}}\n", std::string(5'000, 'x'))),
            Jobs{"build (" + std::string(90, 'x') + "..."});
  EXPECT_EQ(job(200, "\xF0\x9F\x98\x80").size(), 4 * 48 + 3U) << "two UTF-16 units each, and none is halved";
}

TEST(JobNames, ThatYieldNothingAreTheJobs) {
  EXPECT_EQ(names_of("    name: ${{ matrix.name }}\n    strategy: {matrix: {os: [a], include: [{name: n, os: b}]}}\n"),
            (Jobs{"build (a)", "n"}));
}

}  // namespace
}  // namespace kaapi::actions::workflow
