#include "actions/workflow/trigger.h"

#include <gmock/gmock.h>

#include "actions/workflow/test_support.h"

namespace kaapi::actions::workflow {
namespace {

using testing::HasSubstr;

Workflow on(std::string_view text) {
  return must_parse(fmt::format("on: {}\njobs: {{a: {{runs-on: x, steps: [{{run: y}}]}}}}\n", text));
}

bool starts(std::string_view text, std::string_view ref,
            std::optional<std::vector<std::string>> changed = std::nullopt) {
  return match_push(on(text), {std::string(ref), false, std::move(changed)}).starts;
}

TEST(PushTrigger, BranchesAndTags) {
  EXPECT_TRUE(starts("push", "refs/heads/a/b"));
  EXPECT_TRUE(starts("push", "refs/tags/v1"));
  EXPECT_FALSE(starts("push", "refs/notes/x"));
  EXPECT_FALSE(starts("workflow_dispatch", "refs/heads/main"));
  EXPECT_FALSE(starts("{push: {branches: [main]}}", "refs/tags/main"));
  EXPECT_FALSE(starts("{push: {tags: ['v*']}}", "refs/heads/v1"));
  EXPECT_TRUE(starts("{push: {tags: ['v*'], branches: [main]}}", "refs/heads/main"));
  EXPECT_FALSE(starts("{push: {branches-ignore: ['dev/**']}}", "refs/heads/dev/a"));
  EXPECT_TRUE(starts("{push: {branches-ignore: ['dev/**']}}", "refs/heads/main"));
  EXPECT_FALSE(match_push(on("push"), {"refs/heads/a", true, std::nullopt}).starts);
}

TEST(PushTrigger, Paths) {
  constexpr std::string_view docs = "{push: {paths: ['docs/**', '!docs/internal/**']}}";
  EXPECT_TRUE(starts(docs, "refs/heads/a", {{"docs/a.md", "src/b"}}));
  EXPECT_FALSE(starts(docs, "refs/heads/a", {{"docs/internal/a.md"}}));
  EXPECT_FALSE(starts(docs, "refs/heads/a", {{}}));
  EXPECT_TRUE(starts(docs, "refs/heads/a"));
  EXPECT_TRUE(starts(docs, "refs/tags/v1", {{"src/b"}}));
  EXPECT_TRUE(starts(docs, "refs/heads/a", std::vector<std::string>(max_changed_files + 1, "src/b")));
  EXPECT_FALSE(starts("{push: {paths-ignore: ['docs/**']}}", "refs/heads/a", {{"docs/a"}}));
  EXPECT_TRUE(starts("{push: {paths-ignore: ['docs/**']}}", "refs/heads/a", {{"docs/a", "x"}}));
}

TEST(PushTrigger, WhatWouldTakeMinutesToCompareCountsAsMet) {
  std::string patterns;
  for (int i = 0; i < 16; ++i) patterns += fmt::format("'**{}', ", std::string(1'000, 'b'));
  const std::string list = fmt::format("{{push: {{paths: [{}]}}}}", patterns);
  EXPECT_FALSE(starts(list, "refs/heads/a", {{"a"}}));
  const std::string path(4'096, 'a');
  EXPECT_TRUE(starts(list, "refs/heads/a", std::vector<std::string>(max_changed_files, path)));
}

TEST(OtherTriggers, WorkflowRunAndRepositoryDispatch) {
  const Workflow after = on("{workflow_run: {workflows: [Build], types: [completed], branches: [main]}}");
  EXPECT_TRUE(match_workflow_run(after, "Build", "completed", "main").starts);
  EXPECT_FALSE(match_workflow_run(after, "Test", "completed", "main").starts);
  EXPECT_FALSE(match_workflow_run(after, "Build", "requested", "main").starts);
  EXPECT_FALSE(match_workflow_run(after, "Build", "completed", "dev").starts);
  const Workflow beside = on("{workflow_run: {workflows: [Build], types: in_progress}}");
  EXPECT_EQ(match_workflow_run(beside, "Build", "in_progress", "main").why, "a run of \"Build\" began");
  EXPECT_TRUE(match_repository_dispatch(on("{repository_dispatch: {types: [a]}}"), "a").starts);
  EXPECT_FALSE(match_repository_dispatch(on("{repository_dispatch: {types: [a]}}"), "b").starts);
  EXPECT_TRUE(match_repository_dispatch(on("repository_dispatch"), "b").starts);
}

TEST(Inputs, AreTypedAndChecked) {
  const Workflow workflow =
      on("{workflow_dispatch: {inputs: {env: {type: choice, options: [a, b], default: b}, dry: {type: boolean}, "
         "n: {type: number, default: 3}, tag: {required: true, description: the tag}}}}");
  const auto inputs = dispatch_inputs(workflow, {{"tag", "v1"}, {"DRY", "true"}});
  ASSERT_TRUE(inputs) << inputs.error().message;
  EXPECT_EQ(expression::to_json(*inputs).value(),
            "{\n  \"env\": \"b\",\n  \"dry\": true,\n  \"n\": 3,\n  \"tag\": \"v1\"\n}");
  const auto why = [&](std::map<std::string, std::string> given) {
    return dispatch_inputs(workflow, given).error().message;
  };
  EXPECT_THAT(why({}), HasSubstr("the input tag is missing"));
  EXPECT_THAT(why({{"tag", "x"}, {"dy", "true"}}), HasSubstr("did you mean \"dry\"?"));
  EXPECT_THAT(why({{"tag", "x"}, {"dry", "yes"}}), HasSubstr("expected true or false"));
  EXPECT_THAT(why({{"tag", "x"}, {"env", "c"}}), HasSubstr("expected one of a, b"));
  EXPECT_THAT(why({{"tag", "x"}, {"n", "x"}}), HasSubstr("expected a number"));
  EXPECT_THAT(why({{"tag", std::string(max_input_bytes, 'x')}}), HasSubstr("at most"));
  EXPECT_THAT(dispatch_inputs(on("push"), {}).error().message, HasSubstr("add workflow_dispatch"));
}

TEST(Inputs, DefaultsInQuotesAreReadAsTheirType) {
  const Workflow workflow =
      on("{workflow_dispatch: {inputs: {dry: {type: boolean, default: 'false'}, n: {type: number, default: '3'}}}}");
  EXPECT_EQ(expression::to_json(dispatch_inputs(workflow, {}).value()).value(), "{\n  \"dry\": false,\n  \"n\": 3\n}");
}

TEST(Schedules, TheEarliestIsNext) {
  const Workflow workflow = on("{schedule: [{cron: '0 12 * * *'}, {cron: '30 6 * * *'}]}");
  const auto next = next_start(workflow, from_millis(0));
  ASSERT_TRUE(next);
  EXPECT_EQ(format_time(*next), "1970-01-01T06:30:00.000Z");
  EXPECT_EQ(schedules_at(workflow, *next), std::vector<std::string>{"30 6 * * *"});
  EXPECT_FALSE(next_start(on("push"), from_millis(0)));
}

TEST(Schedules, OfThoseAtTheSameMinuteEachIsNamed) {
  const Workflow workflow =
      on("{schedule: [{cron: '0 * * * *'}, {cron: '0 6 * * *'}, {cron: '0 * * * *'}, {cron: '5 * * * *'}]}");
  const std::vector<std::string> both = {"0 * * * *", "0 6 * * *"};
  EXPECT_EQ(schedules_at(workflow, from_millis(6 * 3'600'000)), both);
  EXPECT_EQ(schedules_at(workflow, from_millis(5 * 3'600'000)), std::vector<std::string>{"0 * * * *"});
  EXPECT_TRUE(schedules_at(workflow, from_millis(60'000)).empty());
}

}  // namespace
}  // namespace kaapi::actions::workflow
