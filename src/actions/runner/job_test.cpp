// Whole jobs with real processes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/runner/test_support.h"

namespace kaapi::actions::runner {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(Job, RunsItsStepsInOrder) {
  JobRig rig(job_of("- run: echo one $GITHUB_JOB\n- name: Two\n  run: |\n    echo two\n    pwd"));
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "success") << log;
  EXPECT_THAT(rig.steps(), ElementsAre("Set up job: success", "Run echo one $GITHUB_JOB: success", "Two: success",
                                       "Complete job: success"));
  EXPECT_THAT(log, HasSubstr("\none build\n"));
  EXPECT_THAT(log, HasSubstr("\ntwo\n" + rig.workspace() + "\n"));
  EXPECT_THAT(log, HasSubstr("##[group]Run echo two\necho two\npwd\n"));
  const StepUpdate& step = rig.reports.steps.at(2);
  const auto from = static_cast<std::size_t>(step.log_from);
  const auto length = static_cast<std::size_t>(step.log_to - step.log_from);
  EXPECT_THAT(rig.reports.text.substr(from, length), HasSubstr("one build"));
}

TEST(Job, AFailedStepSkipsTheRestButAlwaysRuns) {
  JobRig rig(
      job_of("- name: Build\n  run: exit 3\n- name: Deploy\n  run: echo no\n- name: Tidy\n  if: always()\n  run: "
             "echo tidy\n- name: Tell\n  if: failure()\n  run: echo ${{ job.status }}"));
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "failure");
  EXPECT_EQ(rig.completion.reason, "the step \"Build\" failed with exit code 3");
  EXPECT_THAT(rig.steps(), ElementsAre("Set up job: success", "Build: failure", "Deploy: skipped", "Tidy: success",
                                       "Tell: success", "Complete job: success"));
  EXPECT_THAT(log, HasSubstr("##[error]Process completed with exit code 3."));
  EXPECT_THAT(log, HasSubstr("\nfailure\n"));
}

TEST(Job, ContinueOnErrorKeepsOutcomeAndConclusionApart) {
  JobRig rig(
      job_of("- id: try\n  continue-on-error: true\n  run: exit 1\n- run: echo ${{ steps.try.outcome }}-${{ "
             "steps.try.conclusion }}"));
  EXPECT_THAT(rig.run(), HasSubstr("\nfailure-success\n"));
  EXPECT_EQ(rig.completion.conclusion, "success");
}

TEST(Job, ShellsAreThoseThatGitHubDocuments) {
  JobRig rig(
      job_of("- run: false | true; echo default\n- shell: bash\n  continue-on-error: true\n  run: false | true; "
             "echo never\n- shell: sh\n  run: echo $0\n- shell: python\n  run: |\n    import os\n    "
             "print('py', os.environ['CI'])\n- shell: perl {0}\n  run: print \"perl\\n\";"));
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "success") << log;
  EXPECT_THAT(log, HasSubstr("\ndefault\n"));
  EXPECT_THAT(log, Not(HasSubstr("\nnever\n")));
  EXPECT_THAT(log, HasSubstr("\npy true\n"));
  EXPECT_THAT(log, HasSubstr("\nperl\n"));
}

TEST(Job, VariablesComeInLayers) {
  JobRig rig(
      "on: push\nenv: {A: workflow, B: workflow, C: workflow}\njobs:\n  build:\n    runs-on: x\n    env: {B: "
      "job, C: job}\n    defaults: {run: {working-directory: sub}}\n    steps:\n      - env: {C: step}\n        "
      "run: echo $A $B $C ${{ env.C }}; basename $PWD\n      - run: echo B=later >> $GITHUB_ENV\n      - run: "
      "echo $B ${{ env.B }} $C\n      - env: {B: mine}\n        run: echo $B\n");
  std::filesystem::create_directories(rig.workspace() + "/sub");
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "success") << log;
  EXPECT_THAT(log, HasSubstr("\nworkflow job step step\nsub\n"));
  EXPECT_THAT(log, HasSubstr("\nlater later job\n"));
  EXPECT_THAT(log, HasSubstr("\nmine\n"));
}

TEST(Job, FilesCarryOutputsPathsAndSummaries) {
  JobRig rig(
      "on: push\njobs:\n  build:\n    runs-on: x\n    outputs: {version: '${{ steps.v.outputs.version }}', "
      "leak: '${{ secrets.KEY }}'}\n    environment: {name: prod, url: 'http://${{ steps.v.outputs.version }}'}\n"
      "    steps:\n      - id: v\n        run: |\n          echo version=1.2 >> $GITHUB_OUTPUT\n          printf "
      "'text<<X\\na\\nb\\nX\\n' >> $GITHUB_OUTPUT\n          echo '# Done' >> $GITHUB_STEP_SUMMARY\n          "
      "mkdir tools; printf '#!/bin/sh\\necho tool' > tools/mytool; chmod +x tools/mytool\n          echo "
      "$PWD/tools >> $GITHUB_PATH\n      - run: mytool; echo \"${{ toJSON(steps.v.outputs.text) }}\"\n");
  rig.message.contexts["secrets"] = json::object{{"KEY", "hunter2-long"}};
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "success") << log;
  EXPECT_THAT(log, HasSubstr("\ntool\n"));
  EXPECT_THAT(log, HasSubstr("a\\nb"));
  EXPECT_EQ(rig.completion.summary, "# Done\n");
  EXPECT_EQ(json::serialize(rig.completion.outputs), R"({"version":"1.2"})");
  EXPECT_EQ(rig.completion.environment_url, "http://1.2");
  EXPECT_THAT(log, HasSubstr("##[warning]Skip output 'leak' since it may contain secret."));
}

TEST(Job, AFaultInAFileFailsTheStepByName) {
  JobRig rig(job_of("- run: echo nonsense >> $GITHUB_OUTPUT"));
  EXPECT_THAT(rig.run(), HasSubstr("##[error]GITHUB_OUTPUT: line 1: expected NAME=VALUE or NAME<<MARK"));
  EXPECT_EQ(rig.completion.conclusion, "failure");
  JobRig node(job_of("- run: echo NODE_OPTIONS=--x >> $GITHUB_ENV"));
  EXPECT_THAT(node.run(), HasSubstr("Can't store NODE_OPTIONS"));
  EXPECT_EQ(node.completion.conclusion, "success") << "as on GitHub, it only is not set";
  JobRig own(job_of("- run: echo GITHUB_SHA=x >> $GITHUB_ENV\n- run: echo sha=$GITHUB_SHA"));
  EXPECT_THAT(own.run(), HasSubstr("\nsha=abc\n"));
  EXPECT_EQ(own.completion.conclusion, "success");
}

TEST(Job, CommandsInTheOutputAreObeyed) {
  JobRig rig(
      job_of("- id: c\n  run: |\n    echo '::error file=a.c,line=3,title=T::broken'\n    echo '::warning::w'\n    echo "
             "'::group::G'\n    echo '::endgroup::'\n    echo '::debug::hidden'\n    echo '::set-output "
             "name=old::value'\n    echo '::stop-commands::tok'\n    echo '::error::not one'\n    echo "
             "'::tok::'\n    echo '::notice::n'\n    echo '::unknown::x'\n- run: echo ${{ steps.c.outputs.old }}"));
  const std::string log = rig.run();
  ASSERT_EQ(rig.completion.annotations.size(), 3U) << log;
  EXPECT_EQ(rig.completion.annotations[0].file, "a.c");
  EXPECT_EQ(rig.completion.annotations[0].line, 3);
  EXPECT_EQ(rig.completion.annotations[0].title, "T");
  EXPECT_THAT(
      log,
      HasSubstr(
          "\n##[error]broken\n##[warning]w\n##[group]G\n##[endgroup]\n::error::not one\n##[notice]n\n::unknown::x\n"));
  EXPECT_THAT(log, HasSubstr("\nvalue\n"));
  EXPECT_THAT(log, Not(HasSubstr("\n##[debug]hidden")));
}

TEST(Job, SecretsAndMasksNeverReachTheLog) {
  JobRig rig(
      job_of("- name: Say ${{ secrets.KEY }}\n  env: {KEY: '${{ secrets.KEY }}'}\n  run: |\n    echo $KEY; echo "
             "-n ${KEY:0:5}; sync; echo ${KEY:5}; echo $KEY | base64; echo x$KEY | base64\n    echo "
             "'::add-mask::later'-one; echo later'-'one\n    echo '::error::'$KEY\n    head -c 200000 /dev/zero | tr "
             "'\\0' k; echo $KEY\n    exit 1"));
  rig.message.contexts["secrets"] = json::object{{"KEY", "hunter2-long-enough"}};
  rig.message.masks = {"other-secret"};
  const std::string log = rig.run();
  for (const char* part : {"hunter2-long", "2-long-enough", "later-one\n"}) {
    EXPECT_THAT(rig.reports.text, Not(HasSubstr(part)));
  }
  EXPECT_THAT(log, Not(HasSubstr(base64_encode("hunter2-long-enough").substr(0, 20))));
  for (const auto& [number, step] : rig.reports.steps) EXPECT_THAT(step.name, Not(HasSubstr("hunter2")));
  EXPECT_THAT(json::serialize(to_json(rig.completion)), Not(HasSubstr("hunter2")));
}

TEST(Job, StepsThatTakeTooLongAreEnded) {
  JobRig rig(job_of("- name: Slow\n  timeout-minutes: 0.002\n  run: exec tail -f /dev/null\n- run: echo after"));
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "failure");
  EXPECT_THAT(log, HasSubstr("##[error]The step 'Slow' has timed out."));
  EXPECT_THAT(rig.completion.reason, HasSubstr("timed out"));
}

TEST(Job, CancellingEndsTheStepAndLetsAlwaysStepsRun) {
  JobRig rig(
      job_of("- name: Slow\n  run: |\n    trap 'echo interrupted; exit 1' INT\n    echo ready\n    tail -f "
             "/dev/null & wait\n- name: Next\n  run: echo no\n- name: Tidy\n  if: always()\n  run: echo tidy ${{ "
             "job.status }}\n- if: cancelled()\n  run: echo was cancelled"));
  rig.reports.on_lines = [&](std::string_view lines) {
    if (lines.ends_with(" ready\n")) rig.stop.raise(StopLevel::cancel, "cancelled by ada");
  };
  const std::string log = rig.run();
  EXPECT_EQ(rig.completion.conclusion, "cancelled");
  EXPECT_EQ(rig.completion.reason, "cancelled by ada");
  EXPECT_THAT(rig.steps(), Contains("Slow: cancelled"));
  EXPECT_THAT(rig.steps(), Contains("Next: skipped"));
  EXPECT_THAT(log, HasSubstr("\ninterrupted\n"));
  EXPECT_THAT(log, HasSubstr("\ntidy cancelled\n"));
  EXPECT_THAT(log, HasSubstr("\nwas cancelled\n"));
}

TEST(Job, TheWholeJobHasATimeout) {
  JobRig rig(job_of("- run: tail -f /dev/null"));
  rig.message.timeout_s = 0;
  rig.run();
  EXPECT_EQ(rig.completion.conclusion, "cancelled");
  EXPECT_THAT(rig.completion.reason, HasSubstr("maximum execution time"));
}

TEST(Job, StepsHaveNoTokenOfTheRunner) {
  JobRig rig(
      job_of("- env: {GIVEN: '${{ github.token }} ${{ toJSON(github) }} ${{ toJSON(job) }} ${{ toJSON(runner) }}'}\n"
             "  run: |\n    env > seen; cat $GITHUB_EVENT_PATH >> seen; echo ${{ github.token }}\n"
             "    echo $ACTIONS_ID_TOKEN_REQUEST_TOKEN; echo job-token-'0123456789'"));
  rig.message.may_ask_token = true;
  rig.run();
  const std::string seen = read_file(rig.workspace() + "/seen", 1024UL * 1024).value();
  EXPECT_THAT(seen, HasSubstr("GIVEN=git-token-0123456789 "));
  EXPECT_THAT(seen, HasSubstr("ACTIONS_ID_TOKEN_REQUEST_TOKEN=id-request-0123456789\n"));
  EXPECT_THAT(seen, Not(HasSubstr("job-token-0123456789")));
  for (const std::string& token : {rig.message.token, rig.message.git_token, rig.message.id_request_token}) {
    EXPECT_THAT(rig.reports.text, Not(HasSubstr(token)));
    EXPECT_THAT(rig.reports.text, Not(HasSubstr(base64_encode("x-access-token:" + token))));
  }
}

TEST(Job, WhereItRunsIsForThePlatformToSay) {
  const std::string workflow = job_of("- run: echo at=${{ runner.environment }}=$RUNNER_ENVIRONMENT");
  JobRig elsewhere(workflow);
  EXPECT_THAT(elsewhere.run(), HasSubstr("\nat=self-hosted=self-hosted\n"));
  JobRig here(workflow);
  here.message.runner_environment = "github-hosted";
  EXPECT_THAT(here.run(), HasSubstr("\nat=github-hosted=github-hosted\n"));
}

TEST(Job, TokensAreThereOnlyWithThePermission) {
  const std::string workflow = job_of("- run: echo url=$ACTIONS_ID_TOKEN_REQUEST_URL");
  JobRig without(workflow);
  EXPECT_THAT(without.run(), HasSubstr("\nurl=\n"));
  JobRig with(workflow);
  with.message.may_ask_token = true;
  EXPECT_THAT(with.run(), HasSubstr("\nurl=http://127.0.0.1:9/runner/v1/jobs/11/id-token?api-version=2.0\n"));
}

TEST(Job, AWorkflowThatCannotBeReadIsAFailedJob) {
  JobRig rig("on: push\njobs: []\n");
  rig.run();
  EXPECT_EQ(rig.completion.conclusion, "failure");
  EXPECT_THAT(rig.completion.reason, HasSubstr(".github/workflows/ci.yml:2"));
}

TEST(Job, AnOldAwsClientGetsTheEndpoint) {
  JobRig rig(job_of("- run: aws s3 ls; aws --endpoint-url http://other x"));
  rig.put("old/aws",
          "#!/bin/sh\nif [ \"$1\" = --version ]; then echo aws-cli/2.9.19 Python/3; exit; fi\necho old \"$@\"\n");
  std::filesystem::permissions(rig.workspace() + "/old/aws", std::filesystem::perms::owner_all);
  const std::string path = std::string(std::getenv("PATH"));
  ::setenv("PATH", (rig.workspace() + "/old:" + path).c_str(), 1);
  const std::string log = rig.run();
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(log, HasSubstr("\nold --endpoint-url http://127.0.0.1:9 s3 ls\nold --endpoint-url http://other x\n"));
}

}  // namespace
}  // namespace kaapi::actions::runner
