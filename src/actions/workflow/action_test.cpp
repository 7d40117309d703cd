#include "actions/workflow/action.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kaapi::actions::workflow {
namespace {

using testing::HasSubstr;

Action must_parse_action(std::string_view text) {
  ParsedAction parsed = parse_action(text);
  for (const Fault& fault : parsed.faults) ADD_FAILURE() << format_fault("action.yml", fault);
  return parsed.action.value_or(Action{});
}

// All of them, one a line.
std::string faults_of(std::string_view text) {
  std::string out;
  for (const Fault& fault : parse_action(text).faults) out += format_fault("action.yml", fault) + "\n";
  return out;
}

TEST(Actions, OfEveryKindAreRead) {
  const Action composite = must_parse_action(R"(name: a
inputs: {who: {default: "${{ github.actor }}", required: 'true'}}
outputs: {x: {value: "${{ steps.s.outputs.x }}"}}
runs: {using: composite, steps: [{id: s, run: "echo ${{ inputs.who }}", shell: "${{ inputs.shell }}"}, {uses: ./b}]}
)");
  EXPECT_EQ(composite.steps.size(), 2U);
  EXPECT_TRUE(composite.inputs[0].required);
  const Action node = must_parse_action("name: a\nruns: {using: node20, main: m.js, post: p.js, post-if: success()}\n");
  EXPECT_EQ(node.kind, ActionKind::javascript);
  EXPECT_EQ(node.post, "p.js");
  EXPECT_TRUE(node.has_post_if);
  const Action docker =
      must_parse_action("runs: {using: docker, image: Dockerfile, args: ['${{ inputs.a }}'], env: {A: b}}\n");
  EXPECT_EQ(docker.kind, ActionKind::docker);
  EXPECT_EQ(docker.args.size(), 1U);
}

// GitHub's schema (action_yaml.json) is loose at the root and in inputs.
TEST(Actions, WhatGitHubDoesNotReadMayBeAnything) {
  const Action action = must_parse_action(R"(name: a
version: 1
keywords: [x, y]
inputs:
  who: {description: [a], type: choice, options: [a, b], required: yes, default: a, deprecationMessage: old}
  what: {required: False, description: "such as ${{ github.ref }}"}
runs: {using: node20, main: m.js}
)");
  ASSERT_EQ(action.inputs.size(), 2U);
  EXPECT_EQ(action.inputs[0].default_value->value.source(), "a");
  EXPECT_EQ(action.inputs[0].deprecation, "old");
  EXPECT_THAT(faults_of("outputs: {x: {valeu: a}}\nruns: {using: node20, main: a}\n"), HasSubstr("unknown key"));
}

TEST(Actions, FaultsSayWhatWasExpected) {
  const std::pair<const char*, const char*> rows[] = {
      {"name: a\n", "runs is missing"},
      {"runs: {using: ruby}\n", "action.yml:1:15: runs.using: found \"ruby\", expected composite, docker, node20"},
      {"runs: {using: node20}\n", "main is missing"},
      {"runs: {using: docker}\n", "image is missing"},
      {"runs: {using: composite}\n", "steps is missing"},
      {"runs: {using: composite, steps: [{run: a}]}\n", "every run needs one"},
      {"runs: {using: composite, steps: [{run: a, shell: b, if: secrets.x}]}\n", "secrets is not available"},
      {"runs: {using: node20, mian: a}\n", "did you mean \"main\"?"},
      {"outputs: {x: {}}\nruns: {using: composite, steps: [{uses: a/b@c}]}\n", "value is missing"},
  };
  for (const auto& [text, fault] : rows) EXPECT_THAT(faults_of(text), HasSubstr(fault)) << text;
}

}  // namespace
}  // namespace kaapi::actions::workflow
