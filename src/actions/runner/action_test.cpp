// Actions: composite, JavaScript, built in, fetched.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/runner/process.h"
#include "actions/runner/test_support.h"

namespace kaapi::actions::runner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* greet = R"yaml(name: Greet
inputs:
  who: {default: nobody}
  loud: {required: true}
outputs:
  said: {value: "${{ steps.say.outputs.text }}"}
runs:
  using: composite
  steps:
    - id: say
      shell: bash
      run: |
        echo "hello ${{ inputs.who }} $OUTER $(basename $GITHUB_ACTION_PATH)"
        echo "text=hi ${{ inputs.who }}" >> $GITHUB_OUTPUT
        echo FROM=inside >> $GITHUB_ENV
    - if: inputs.who == 'fail'
      shell: sh
      run: exit 4
    - shell: sh
      run: echo inner ${{ steps.say.outcome }} $FROM
)yaml";

TEST(Action, CompositeHasItsOwnStepsAndInputs) {
  JobRig rig(
      job_of("- id: g\n  uses: ./greet\n  env: {OUTER: outer}\n  with: {who: ada, loud: x, odd: y}\n- run: echo \"${{ "
             "steps.g.outputs.said }}|${{ steps.say.outcome }}|$FROM\""));
  rig.put("greet/action.yml", greet);
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "success") << log;
  EXPECT_THAT(log, HasSubstr("\nhello ada outer greet\n"));
  EXPECT_THAT(log, HasSubstr("\ninner success inside\n"));
  EXPECT_THAT(log, HasSubstr("\nhi ada||inside\n"));
  EXPECT_THAT(log, HasSubstr("##[warning]Unexpected input(s) 'odd', valid inputs are ['loud', 'who']"));
  EXPECT_EQ(rig.reports.steps.size(), 4U);
}

TEST(Action, CompositeFailsAsItsStepsDo) {
  JobRig rig(job_of("- name: Greet\n  uses: ./greet\n  with: {who: fail}"));
  rig.put("greet/action.yml", greet);
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "failure");
  EXPECT_THAT(rig.completion.reason, HasSubstr("exit code 4"));
  EXPECT_THAT(log, Not(HasSubstr("\ninner ")));
}

TEST(Action, ThatUsesItselfEnds) {
  JobRig rig(job_of("- uses: ./loop"));
  rig.put("loop/action.yml", "name: L\nruns: {using: composite, steps: [{uses: ./loop}]}\n");
  EXPECT_THAT(rig.run(), HasSubstr("nested more than"));
  EXPECT_EQ(rig.completion.conclusion, "failure");
}

TEST(Action, AMissingOrBrokenOneIsNamed) {
  JobRig missing(job_of("- uses: ./nowhere"));
  EXPECT_THAT(missing.run(), HasSubstr("./nowhere: there is no action.yml"));
  JobRig broken(job_of("- uses: ./bad"));
  broken.put("bad/action.yml", "name: B\nruns: {using: cobol}\n");
  EXPECT_THAT(broken.run(), HasSubstr("./bad/action.yml:2"));
}

constexpr const char* javascript = R"(name: JS
inputs: {greeting: {default: hi}}
runs: {using: node20, main: main.js, post: post.js}
)";

TEST(Action, JavaScriptRunsMainAndPost) {
  JobRig rig(job_of(
      "- name: JS\n  id: js\n  uses: ./js\n  with: {greeting: hello}\n- run: echo out ${{ steps.js.outputs.o }}"));
  rig.put("js/action.yml", javascript);
  rig.put("js/main.js",
          "const fs = require('fs');\nconsole.log('main ' + process.env.INPUT_GREETING);\n"
          "fs.appendFileSync(process.env.GITHUB_STATE, 'kept=42\\n');\n"
          "fs.appendFileSync(process.env.GITHUB_OUTPUT, 'o=yes\\n');\n");
  rig.put("js/post.js", "console.log('post ' + process.env.STATE_kept + ' ' + process.env.INPUT_GREETING);\n");
  const std::string log = rig.run();
  EXPECT_THAT(log, HasSubstr("\nmain hello\n"));
  EXPECT_THAT(log, HasSubstr("\nout yes\n"));
  EXPECT_THAT(log, HasSubstr("\npost 42 hello\n"));
  EXPECT_THAT(rig.steps(), ElementsAre("Set up job: success", "JS: success", "Run echo out yes: success",
                                       "Post JS: success", "Complete job: success"));
}

const BuiltIn* demo_builtin(std::string_view name) {
  static const BuiltIn demo = [] {
    BuiltIn built;
    built.name = "actions/demo";
    built.inputs = {{"path", "default", false}, {"key", "", false}};
    built.main = [](ActionHost& host) -> ActionResult {
      if (host.input("path") == "bad") return make_error(errc::invalid, "path is bad\nsecond line");
      host.add_mask("masked-value");
      host.log("path " + host.input("PATH") + " masked-value");
      host.log("::warning::from inside");
      host.set_output("where", host.workspace());
      host.set_env("SET_BY", "demo");
      host.save_state("s", "state-1");
      ProcessSpec spec;
      spec.argv = {"sh", "-c", "read line; echo got $line $EXTRA; echo err >&2"};
      spec.env = {{"EXTRA", "extra"}};
      spec.input = "words\n";
      spec.capture = true;
      const auto result = host.run(spec);
      if (!result) return result.error();
      host.log("captured " + result->output);
      return ok();
    };
    built.post = [](ActionHost& host) -> ActionResult {
      host.log("post with " + host.state("s") + (host.job_succeeded() ? " after success" : " after failure"));
      return ok();
    };
    return built;
  }();
  return name == "actions/demo" ? &demo : nullptr;
}

TEST(Action, BuiltInOnesRunHere) {
  JobRig rig(job_of("- id: d\n  uses: actions/demo@v4\n- run: echo $SET_BY ${{ steps.d.outputs.where }}; exit 1"));
  rig.find_builtin = &demo_builtin;
  const std::string log = rig.run();
  EXPECT_THAT(log, HasSubstr("\npath default ***\n"));
  EXPECT_THAT(log, HasSubstr("\n##[warning]from inside\nerr\ncaptured got words extra\n"));
  EXPECT_THAT(log, HasSubstr("\ndemo " + rig.workspace() + "\n"));
  EXPECT_THAT(log, HasSubstr("\npost with state-1 after failure\n"));
  JobRig bad(job_of("- uses: actions/demo@v4\n  with: {path: bad}"));
  bad.find_builtin = &demo_builtin;
  EXPECT_THAT(bad.run(), HasSubstr("##[error]path is bad\n"));
  EXPECT_THAT(bad.completion.reason, HasSubstr("path is bad"));
}

// An action owner/tool/sub, at the tag v1 of a git host that is a folder.
std::string publish_tool(const TestDirectory& host) {
  const std::string repository = host.file("owner/tool");
  write_text(repository + "/sub/action.yml",
             "name: T\nruns: {using: composite, steps: [{run: 'echo v1 from tool', shell: sh}]}\n");
  StopSource never;
  ProcessRun git;
  git.argv = {
      "/bin/sh", "-c",
      "git init -q -b main . && git add . && git -c user.name=a -c user.email=a@b commit -q -m x && git tag v1 && "
      "git config uploadpack.allowAnySHA1InWant true"};
  git.directory = repository;
  git.env = {fmt::format("PATH={}", std::getenv("PATH")), "HOME=" + host.path()};
  EXPECT_EQ(run_process(git, never, StopLevel::none).value().exit_code, 0);
  return repository;
}

TEST(Action, OthersAreFetchedByGitAndKept) {
  const TestDirectory host;
  StopSource never;
  const std::string repository = publish_tool(host);
  const TestDirectory kept;
  ActionCache cache("file://" + host.path(), kept.path());
  DirectActions actions(cache, never);
  JobRig rig(job_of("- uses: owner/tool/sub@v1"));
  rig.actions = &actions;
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "success") << log;
  EXPECT_THAT(log, HasSubstr("\nv1 from tool\n"));
  const auto again = cache.fetch("owner", "tool", "v1", never);
  ASSERT_TRUE(again);
  std::filesystem::remove_all(repository);
  EXPECT_TRUE(cache.fetch("owner", "tool", again->commit, never)) << "kept by commit";
  EXPECT_THAT(cache.fetch("owner", "gone", "v1", never).error().message, HasSubstr("--actions-url"));
  EXPECT_FALSE(cache.fetch("owner", "tool", "--upload-pack=x", never));
  EXPECT_FALSE(cache.fetch("..", "tool", "v1", never));
}

TEST(Action, ThoseThatNobodyUsesGoWhenAnotherComes) {
  namespace fs = std::filesystem;
  const TestDirectory host, kept;
  publish_tool(host);
  StopSource never;
  ActionCache cache("file://" + host.path(), kept.path());
  const auto age = [](const std::string& folder, std::chrono::hours by) {
    fs::last_write_time(folder, fs::file_time_type::clock::now() - by);
  };
  const std::string unused = kept.file("some/body/" + std::string(40, 'a'));
  const std::string recent = kept.file("some/body/" + std::string(40, 'b'));
  for (const std::string& folder : {unused, recent}) write_text(folder + "/action.yml", "x");
  age(unused, action_kept_unused + std::chrono::hours(1));
  age(recent, action_kept_unused - std::chrono::hours(1));
  const auto tool = cache.fetch("owner", "tool", "v1", never);
  ASSERT_TRUE(tool);
  EXPECT_FALSE(fs::exists(unused));
  EXPECT_TRUE(fs::exists(recent));
  age(tool->folder, action_kept_unused + std::chrono::hours(1));
  ASSERT_TRUE(cache.fetch("owner", "tool", "v1", never));
  EXPECT_GT(fs::last_write_time(tool->folder), fs::file_time_type::clock::now() - std::chrono::hours(1)) << "used";
}

// A tag that moves: each time it is asked, it is another version.
class MovingTag final : public ActionSource {
 public:
  Result<FetchedAction> fetch(std::string_view, std::string_view, std::string_view) override {
    const std::string folder = folder_.file(fmt::format("v{}", ++asked));
    write_text(folder + "/action.yml", "name: M\nruns: {using: node20, pre: pre.js, main: main.js}\n");
    for (const char* part : {"pre", "main"}) {
      write_text(fmt::format("{}/{}.js", folder, part), fmt::format("console.log('{} of {}');\n", part, asked));
    }
    return FetchedAction{folder, fmt::format("{:040}", asked)};
  }
  int asked = 0;

 private:
  TestDirectory folder_;
};

// owner/outer uses owner/inner twice, which saves a state before all others.
class NestedActions final : public ActionSource {
 public:
  NestedActions() {
    write_text(folder_.file("outer/action.yml"),
               "name: O\ninputs: {as: {}}\nruns:\n  using: composite\n  steps:\n"
               "    - {id: one, uses: owner/inner@v1, with: {as: '${{ inputs.as }} one'}}\n"
               "    - {uses: owner/inner@v1, with: {as: '${{ inputs.as }} two'}}\n");
    write_text(folder_.file("inner/action.yml"),
               "name: I\ninputs: {as: {}}\nruns: {using: node20, pre: pre.js, main: main.js, post: post.js}\n");
    write_text(folder_.file("inner/pre.js"),
               "console.log('pre of ' + process.env.INPUT_AS);\n"
               "require('fs').appendFileSync(process.env.GITHUB_STATE, 'seen=' + process.env.INPUT_AS + '\\n');\n");
    write_text(folder_.file("inner/main.js"), "console.log('main after pre of ' + process.env.STATE_seen);\n");
    write_text(folder_.file("inner/post.js"), "console.log('post after pre of ' + process.env.STATE_seen);\n");
  }
  Result<FetchedAction> fetch(std::string_view, std::string_view name, std::string_view) override {
    return FetchedAction{folder_.file(std::string(name)), std::string(40, 'a')};
  }

 private:
  TestDirectory folder_;
};

TEST(Action, WhatACompositeOneUsesHasItsPreBeforeAllSteps) {
  NestedActions actions;
  JobRig rig(
      job_of("- run: echo first\n- {uses: owner/outer@v1, with: {as: a}}\n- {uses: owner/outer@v1, with: {as: b}}"));
  rig.actions = &actions;
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "success") << log;
  for (const char* use : {"a one", "a two", "b one", "b two"}) {
    const std::size_t pre = log.find(fmt::format("\npre of {}\n", use));
    EXPECT_LT(pre, log.find("\nfirst\n")) << log;
    EXPECT_THAT(log, HasSubstr(fmt::format("\nmain after pre of {}\n", use)));
    EXPECT_THAT(log, HasSubstr(fmt::format("\npost after pre of {}\n", use)));
  }
}

TEST(Action, OneJobUsesOneCommitOfAReference) {
  MovingTag actions;
  JobRig rig(job_of("- uses: owner/tool@v1\n- uses: Owner/Tool@v1"));
  rig.actions = &actions;
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "success") << log;
  EXPECT_THAT(log, HasSubstr("\npre of 1\n"));
  EXPECT_THAT(log, HasSubstr("\nmain of 1\n"));
  EXPECT_EQ(actions.asked, 1) << log;
}

}  // namespace
}  // namespace kaapi::actions::runner
