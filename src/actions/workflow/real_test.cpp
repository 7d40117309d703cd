// The two workflows that must run unmodified: tests/workflows.

#include <gmock/gmock.h>

#include "actions/workflow/graph.h"
#include "actions/workflow/matrix.h"
#include "actions/workflow/test_support.h"
#include "actions/workflow/trigger.h"
#include "base/text.h"

namespace kaapi::actions::workflow {
namespace {

Workflow real(const std::string& file) {
  const Result<std::string> text = read_file(std::string(KAAPI_WORKFLOWS) + "/" + file, 100'000);
  EXPECT_TRUE(text) << file;
  return must_parse(*text, ".github/workflows/" + file);
}

TEST(RealWorkflows, StartOnTheRefsTheyAreMeantFor) {
  const Workflow staging = real("cd-staging.yml"), production = real("cd-production.yml");
  const auto starts = [](const Workflow& workflow, const char* ref) {
    return match_push(workflow, {ref, false, std::nullopt}).starts;
  };
  EXPECT_TRUE(starts(staging, "refs/heads/main"));
  EXPECT_FALSE(starts(staging, "refs/heads/dev"));
  EXPECT_FALSE(starts(staging, "refs/tags/v1.0.0"));
  EXPECT_TRUE(starts(production, "refs/tags/v1.0.0"));
  EXPECT_FALSE(starts(production, "refs/tags/1.0.0"));
  EXPECT_FALSE(starts(production, "refs/heads/main"));
}

TEST(RealWorkflows, ArePlannedAndTheirStepsEvaluated) {
  for (const auto& [file, infix] : {std::pair("cd-staging.yml", "-staging"), std::pair("cd-production.yml", "")}) {
    const Workflow workflow = real(file);
    expression::Contexts contexts = run_contexts();
    const std::vector<JobDecision> decisions = plan_jobs(workflow, {}, contexts);
    ASSERT_EQ(decisions.size(), 1U);
    EXPECT_EQ(decisions[0].action, JobDecision::Action::start);
    const Job& job = workflow.jobs[0];
    EXPECT_EQ(expand_job(job, contexts)->instances[0].name, "build");
    EXPECT_EQ(evaluate_runs_on(*job.runs_on, contexts)->labels, std::vector<std::string>{"ubuntu-latest"});
    EXPECT_EQ(job.environment->name.value.source(), "AWS_ENV_VARS");
    EXPECT_EQ(job.permissions->of("id-token"), Access::write);
    EXPECT_EQ(job.permissions->of("contents"), Access::read);
    ASSERT_EQ(job.steps.size(), 5U);
    EXPECT_EQ(job.steps[0].uses->text, "actions/checkout@v6");
    EXPECT_EQ(job.steps[2].id, "login-ecr");
    contexts.set("vars", json_value(R"({"AWS_RESOURCE_PREFIX": "shop"})"));
    contexts.set("steps", json_value(R"({"login-ecr": {"outputs": {"registry": "r:5000"}}})"));
    EXPECT_EQ(job.steps[3].env.find("REGISTRY")->value.evaluate_text(contexts).value(), "r:5000");
    EXPECT_EQ(job.steps[3].env.find("REPOSITORY")->value.evaluate_text(contexts).value(),
              fmt::format("shop{}-repo", infix));
    EXPECT_EQ(
        job.steps[4].run->value.evaluate_text(contexts).value(),
        fmt::format("aws ecs update-service --cluster shop{0}-cluster --service shop{0}-service --force-new-deployment",
                    infix));
  }
}

}  // namespace
}  // namespace kaapi::actions::workflow
