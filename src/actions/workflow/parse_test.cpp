#include <gmock/gmock.h>

#include "actions/workflow/test_support.h"

namespace kaapi::actions::workflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Parse, ReadsEveryKeyOfAJob) {
  const Workflow workflow = must_parse(R"(name: All
run-name: By ${{ github.actor }}
on: {push: {branches: [main]}, workflow_dispatch: , schedule: [{cron: '0 0 * * *'}], pull_request: }
env: {A: 1.20, B: True, C: "x"}
defaults: {run: {shell: bash, working-directory: src}}
concurrency: {group: "g-${{ github.ref }}", cancel-in-progress: true}
permissions: {contents: read, id-token: write}
jobs:
  one:
    name: One
    if: github.ref == 'refs/heads/main'
    runs-on: [self-hosted, linux]
    environment: {name: prod, url: "${{ steps.a.outputs.url }}"}
    outputs: {image: "${{ steps.a.outputs.image }}"}
    timeout-minutes: 10
    continue-on-error: ${{ github.event_name == 'push' }}
    container:
      image: node:20
      ports: [80, "8080:80"]
      credentials: {username: u, password: "${{ secrets.P }}"}
    services:
      db: {image: "postgres:16", env: {P: "${{ secrets.P }}"}, ports: ["5432:5432"], options: --health-cmd x}
    steps:
      - uses: actions/checkout@v6
        with: {fetch-depth: 0}
      - id: a
        name: Run ${{ matrix.x }}
        if: failure() || always()
        run: echo
        shell: bash
        env: {K: "${{ secrets.P }}"}
        working-directory: x
        continue-on-error: true
        timeout-minutes: ${{ fromJSON('5') }}
      - uses: ./ci/action
      - uses: docker://alpine:3
      - uses: aws-actions/configure/sub/dir@0123abc
  two:
    needs: one
    strategy: {fail-fast: false, max-parallel: 2, matrix: {os: [a, b], include: [{os: c, x: 1}]}}
    runs-on: {group: big, labels: ["${{ matrix.os }}"]}
    steps: [{run: "true"}]
  three:
    needs: [one, two]
    uses: ./.github/workflows/deploy.yml
    with: {tag: "${{ needs.one.outputs.image }}", dry: true}
    secrets: inherit
)");
  EXPECT_EQ(workflow.name, "All");
  EXPECT_EQ(workflow.env.find("a")->value.source(), "1.2");
  EXPECT_EQ(workflow.env.find("B")->value.source(), "true");
  EXPECT_THAT(workflow.silent_events(), ElementsAre("pull_request"));
  EXPECT_EQ(workflow.permissions->of("id-token"), Access::write);
  EXPECT_EQ(workflow.permissions->of("packages"), Access::none);
  const Job& one = *workflow.job("one");
  ASSERT_EQ(one.steps.size(), 5U);
  EXPECT_EQ(one.steps[0].with.find("fetch-depth")->value.source(), "0");
  EXPECT_TRUE(one.steps[1].condition.condition.uses_status_function());
  EXPECT_EQ(one.steps[2].uses->kind, ActionReference::Kind::local);
  EXPECT_EQ(one.steps[3].uses->image, "alpine:3");
  EXPECT_EQ(one.steps[4].uses->path, "sub/dir");
  EXPECT_EQ(one.steps[4].uses->ref, "0123abc");
  EXPECT_EQ(one.services[0].id, "db");
  EXPECT_EQ(one.container->ports.size(), 2U);
  EXPECT_TRUE(workflow.job("three")->call->inherit_secrets);
  EXPECT_EQ(workflow.job("THREE")->call->workflow.path, ".github/workflows/deploy.yml");
}

TEST(Parse, OnIsNoBooleanAndHasThreeForms) {
  EXPECT_EQ(must_parse("on: push\njobs: {a: {runs-on: x, steps: [{run: y}]}}").on.size(), 1U);
  EXPECT_EQ(must_parse("on: [push, fork]\njobs: {a: {runs-on: x, steps: [{run: y}]}}").on.size(), 2U);
  EXPECT_EQ(must_parse("'on': {push: }\njobs: {a: {runs-on: x, steps: [{run: y}]}}").on.size(), 1U);
}

struct Row {
  std::string text;
  std::string_view fault;
};

TEST(Faults, SayWhereWhatAndWhatWasExpected) {
  const Row rows[] = {
      {"", "a.yml:1:1: the workflow: found nothing, expected a mapping"},
      {"jobs: {a: {runs-on: x, steps: [{run: y}]}}", "on is missing"},
      {"on: push\n", "jobs is missing"},
      {"on: pusch\njobs: {a: {runs-on: x, steps: [{run: y}]}}",
       "a.yml:1:5: on: unknown event \"pusch\" (did you mean \"push\"?)"},
      {with_job("    timeout-minuts: 5\n"),
       "a.yml:7:5: jobs.build: unknown key \"timeout-minuts\" (did you mean \"timeout-minutes\"?)"},
      {with_job("    timeout-minutes: soon\n"),
       "a.yml:7:22: jobs.build.timeout-minutes: found \"soon\", expected a number above 0"},
      {with_job("    timeout-minutes: -1\n"), "expected a number above 0"},
      {with_job("    continue-on-error: maybe\n"), "expected true, false or an expression"},
      {with_job("    needs: biuld\n"), "there is no job \"biuld\" (did you mean \"build\"?)"},
      {with_job("    needs: build\n"), "in a circle: build -> build"},
      {with_job("    env: [a]\n"), "found a list, expected a mapping"},
      {with_job("    env: {A: \"${{ secret.X }}\"}\n"),
       "unrecognized name secret at position 2 (did you mean \"secrets\"?)"},
      {with_job("    env: {A: \"x${{ env.X }}\"}\n"),
       "a.yml:7:20: jobs.build.env.A: the context env is not available here"},
      {with_job("    if: github.ref = 'x'\n"),
       "a.yml:7:20: jobs.build.if: unexpected symbol = at position 12: expected \"==\""},
      {with_job("    if: secrets.X\n"), "a.yml:7:9: jobs.build.if: the context secrets is not available"},
      {with_job("    env: {A: \"${{ github.ref\"}\n"), "is not closed"},
      {with_job("    runs-on: x\n"), "a.yml:7:5: the key \"runs-on\" stands twice"},
      {with_job("    permissions: {id-token: read}\n"), "expected write or none"},
      {with_job("    permissions: {content: read}\n"), "did you mean \"contents\"?"},
      {with_job("    strategy: {matrix: {os: linux}}\n"), "expected a list, or an expression that yields a list"},
      {with_job("    strategy: {matrix: {os: []}}\n"), "a list that is not empty"},
      {with_job("    concurrency: {cancel-in-progress: true}\n"), "group is missing"},
      {with_job("    environment: {url: x}\n"), "name is missing"},
      {with_job("    container: {env: {}}\n"), "image is missing"},
      {with_job("    with: {a: b}\n"), "belongs to a job with uses"},
      {with_job("    snapshot: x\n"), "snapshot is not supported"},
      {with_job("      - {}\n"), "neither run nor uses"},
      {with_job("      - {run: a, uses: b/c@d}\n"), "both run and uses"},
      {with_job("      - {uses: checkout}\n"), "expected ./PATH, OWNER/NAME@REF"},
      {with_job("      - {uses: \"a/b@${{ github.sha }}\"}\n"), "no expression may stand here"},
      {with_job("      - {run: a, shell: \"${{ matrix.s }}\"}\n"), "no expression may stand here"},
      {with_job("      - {run: a, with: {b: c}}\n"), "with stands beside run"},
      {with_job("      - {uses: a/b@c, shell: bash}\n"), "shell stands beside uses"},
      {with_job("      - {run: a, id: 1x}\n"), "no valid id"},
      {with_job("      - {run: a, id: x}\n      - {run: a, id: X}\n"), "is the id of an earlier step"},
      {with_job("      - run: |\n          ok\n          echo ${{ nope.x }}\n"),
       "a.yml:9:20: jobs.build.steps[2].run: unrecognized name nope"},
      {"on: push\njobs:\n  a: {runs-on: x}\n", "steps is missing"},
      {"on: push\njobs:\n  a: {steps: [{run: x}]}\n", "runs-on is missing"},
      {"on: push\njobs: {}\n", "found 0 jobs"},
      {"on: push\njobs:\n  a b: {runs-on: x, steps: [{run: y}]}\n", "no valid id"},
      {"on: push\njobs: {a: {uses: ./x.yml}}\n", "expected a workflow of this repository"},
      {"on: push\njobs: {a: {uses: o/r/.github/workflows/x.yml@v1}}\n", "those of others are not supported"},
      {"on: push\njobs: {a: {uses: ./.github/workflows/x.yml, steps: []}}\n", "steps stands beside uses"},
      {"on: {push: {branches: [a], branches-ignore: [b]}}\njobs: {}", "found both branches and branches-ignore"},
      {"on: {push: {branches: ['!a']}}\njobs: {}", "only patterns with !"},
      {"on: {push: {branches: ['[a']}}\njobs: {}", "pattern \"[a\" is invalid"},
      {"on: {push: {branch: [a]}}\njobs: {}", "did you mean \"branches\"?"},
      {"on: {schedule: [{cron: '* * *'}]}\njobs: {}", "has 3 fields: expected five"},
      {"on: {workflow_run: }\njobs: {}", "workflows is missing"},
      {"on: {workflow_dispatch: {inputs: {a: {type: choice}}}}\njobs: {}", "options are missing"},
      {"on: {workflow_dispatch: {inputs: {a: {type: boolean, default: 5}}}}\njobs: {}",
       "because the input is a boolean"},
      {"on: {workflow_dispatch: {inputs: {a: {type: boolean, default: 'no'}}}}\njobs: {}",
       "because the input is a boolean"},
      {"on: {workflow_dispatch: {inputs: {a: {type: number, default: 'many'}}}}\njobs: {}", "because the input is one"},
      {"on: {workflow_run: {workflows: [a], types: [complete]}}\njobs: {}",
       "a.yml:1:45: on.workflow_run.types: unknown type \"complete\" (did you mean \"completed\"?): expected "
       "requested, "
       "in_progress, completed"},
      {"on: {workflow_call: {inputs: {a: {required: true}}}}\njobs: {}", "type is missing"},
      {"on: {workflow_call: {outputs: {a: {description: x}}}}\njobs: {}", "value is missing"},
  };
  for (const Row& row : rows) EXPECT_THAT(faults_of(row.text), HasSubstr(row.fault)) << row.text;
}

TEST(Parse, WhatOnlyPeopleReadIsTaken) {
  must_parse("name: A\ndescription: Builds ${{ everything }}\n" + with_job(""));
  must_parse(
      "on: {repository_dispatch: {types: [anything]}, issues: {types: [whatever]}}\n"
      "jobs: {a: {runs-on: x, steps: [{run: y}]}}");
}

TEST(Faults, PatternsOfAListAreBoundedTogether) {
  std::string patterns;
  for (int i = 0; i < 17; ++i) patterns += fmt::format("'{}', ", std::string(1'000, 'a'));
  EXPECT_THAT(faults_of(fmt::format("on: {{push: {{paths: [{}]}}}}\njobs: {{}}", patterns)),
              HasSubstr("on.push.paths: found patterns of 17000 bytes together, expected at most 16384"));
}

TEST(Faults, CirclesAreToldWhole) {
  EXPECT_THAT(faults_of("on: push\njobs:\n  a: {needs: c, runs-on: x, steps: [{run: y}]}\n  b: {needs: a, runs-on: x, "
                        "steps: [{run: y}]}\n"
                        "  c: {needs: b, runs-on: x, steps: [{run: y}]}\n"),
              HasSubstr("a -> c -> b -> a"));
}

TEST(Faults, SeveralAreToldAtOnceInOrderAndBounded) {
  const std::string two = faults_of(with_job("    nme: x\n    timeout-minutes: x\n"));
  EXPECT_LT(two.find("a.yml:7:"), two.find("a.yml:8:"));
  std::string many;
  for (int i = 0; i < 100; ++i) many += fmt::format("    k{}: x\n", i);
  EXPECT_EQ(parse_workflow("a.yml", with_job(many)).faults.size(), max_faults);
}

TEST(Faults, ControlCharactersOfAFileAreNotPrinted) {
  EXPECT_EQ(faults_of(with_job("    \"a\\e[31m\": x\n")).find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace kaapi::actions::workflow
