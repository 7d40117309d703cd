#include "actions/issuer/claims.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kaapi::actions {
namespace {

JobFacts usual() {
  JobFacts job;
  job.repository = "octo/app";
  job.repository_id = "74";
  job.repository_owner_id = "65";
  job.ref = "refs/heads/main";
  job.ref_protected = true;
  job.sha = "0123456789012345678901234567890123456789";
  job.event_name = "push";
  job.workflow = "CD staging";
  job.workflow_path = ".github/workflows/cd.yml";
  job.job_workflow_path = ".github/workflows/deploy.yml";
  job.actor = "ada";
  job.actor_id = "12";
  job.run_id = 1001;
  job.run_number = 10;
  job.run_attempt = 2;
  job.job_id = 4711;
  return job;
}

TEST(Claims, SubjectsAreGitHubs) {
  struct Case {
    const char* environment;
    const char* event;
    const char* ref;
    const char* subject;
  };
  for (const Case& each : {
           Case{"", "push", "refs/heads/main", "repo:octo/app:ref:refs/heads/main"},
           Case{"", "push", "refs/tags/v1.0.0", "repo:octo/app:ref:refs/tags/v1.0.0"},
           Case{"", "schedule", "refs/heads/main", "repo:octo/app:ref:refs/heads/main"},
           Case{"", "pull_request", "refs/pull/3/merge", "repo:octo/app:pull_request"},
           Case{"AWS_ENV_VARS", "push", "refs/heads/main", "repo:octo/app:environment:AWS_ENV_VARS"},
           Case{"prod", "pull_request", "refs/pull/3/merge", "repo:octo/app:environment:prod"},
           Case{"eu:prod", "push", "refs/heads/main", "repo:octo/app:environment:eu%3Aprod"},
       }) {
    JobFacts job = usual();
    job.environment = each.environment;
    job.event_name = each.event;
    job.ref = each.ref;
    EXPECT_EQ(subject_of(job), each.subject);
  }
}

TEST(Claims, AllThatGitHubDocuments) {
  EXPECT_EQ(
      json::serialize(claims_of(usual(), "sts.amazonaws.com", "id-1", from_millis(1'750'000'000'999))),
      R"({"jti":"id-1","sub":"repo:octo/app:ref:refs/heads/main","aud":"sts.amazonaws.com","ref":"refs/heads/main",)"
      R"("sha":"0123456789012345678901234567890123456789","repository":"octo/app","repository_owner":"octo",)"
      R"("repository_owner_id":"65","run_id":"1001","run_number":"10","run_attempt":"2","check_run_id":"4711",)"
      R"("repository_visibility":"private","repository_id":"74","actor_id":"12","actor":"ada",)"
      R"("workflow":"CD staging","head_ref":"","base_ref":"","event_name":"push","ref_protected":"true",)"
      R"("ref_type":"branch","workflow_ref":"octo/app/.github/workflows/cd.yml@refs/heads/main",)"
      R"("workflow_sha":"0123456789012345678901234567890123456789",)"
      R"("job_workflow_ref":"octo/app/.github/workflows/deploy.yml@refs/heads/main",)"
      R"("job_workflow_sha":"0123456789012345678901234567890123456789","runner_environment":"self-hosted",)"
      R"("iss":"https://token.actions.githubusercontent.com","nbf":1749999400,"exp":1750000600,"iat":1750000000})");
}

TEST(Claims, WhatDependsOnTheJob) {
  JobFacts job = usual();
  job.ref = "refs/tags/v1";
  job.ref_protected = false;
  job.environment = "prod";
  job.job_workflow_path.clear();
  job.runner_environment = platform_hosted;
  const json::object claims = claims_of(job, "", "id", Time{});
  EXPECT_EQ(claims.at("aud"), "https://github.com/octo");
  EXPECT_EQ(claims.at("ref_type"), "tag");
  EXPECT_EQ(claims.at("ref_protected"), "false");
  EXPECT_EQ(claims.at("environment"), "prod");
  EXPECT_EQ(claims.at("runner_environment"), "github-hosted");
  EXPECT_EQ(claims.at("job_workflow_ref"), claims.at("workflow_ref"));
  EXPECT_EQ(claim_names().size(), claims.size());
}

}  // namespace
}  // namespace kaapi::actions
