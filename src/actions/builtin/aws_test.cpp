// The actions of aws-actions/ against a front door of our own, over a real socket.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/builtin/credentials_plan.h"
#include "actions/builtin/docker_auth.h"
#include "actions/builtin/test_aws.h"

namespace kaapi::actions {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view role = "arn:aws:iam::123456789012:role/github-action-role";

CredentialInputs usual() {
  CredentialInputs inputs;
  inputs.region = "ap-south-1";
  inputs.role = role;
  inputs.may_ask_token = true;
  return inputs;
}

TEST(CredentialsPlan, ChoosesAsTheOriginal) {
  CredentialInputs inputs = usual();
  EXPECT_EQ(choose_means(inputs).value(), Means::with_token);
  inputs.may_ask_token = false;
  EXPECT_THAT(choose_means(inputs).error().message, HasSubstr("id-token: write"));
  inputs.role_chaining = true;
  EXPECT_EQ(choose_means(inputs).value(), Means::with_job);
  inputs.token_file = "t";
  EXPECT_EQ(choose_means(inputs).value(), Means::with_file);
  inputs.access_key_id = "A";
  EXPECT_THAT(choose_means(inputs).error().message, HasSubstr("go together"));
  inputs.secret_access_key = "S";
  EXPECT_EQ(choose_means(inputs).value(), Means::with_keys);
  inputs.role.clear();
  EXPECT_EQ(choose_means(inputs).value(), Means::own_keys);
  EXPECT_THAT(check_region("Mars 1").error().message, HasSubstr("'aws-region'"));
  inputs = usual();
  inputs.force_skip_oidc = true;
  EXPECT_THAT(choose_means(inputs).error().message, HasSubstr("force-skip-oidc"));
}

TEST(CredentialsPlan, TagsAndPoliciesOfTheSession) {
  CredentialInputs inputs = usual();
  inputs.session_policy = "{}";
  inputs.session_policy_arns = {"arn:p"};
  inputs.external_id = "x";
  const std::map<std::string, std::string> github = {{"GITHUB_WORKFLOW", "CD & more"}};
  EXPECT_EQ(json::serialize(assume_request(inputs, Means::with_token, "arn:r", github)),
            R"({"RoleArn":"arn:r","RoleSessionName":"GitHubActions","DurationSeconds":3600,"Policy":"{}",)"
            R"("PolicyArns":[{"arn":"arn:p"}]})");
  const json::object request = assume_request(inputs, Means::with_keys, "arn:r", github);
  EXPECT_EQ(json::serialize(request.at("Tags")),
            R"([{"Key":"GitHub","Value":"Actions"},{"Key":"Workflow","Value":"CD _ more"}])");
  EXPECT_EQ(request.at("ExternalId"), "x");
  inputs.skip_session_tagging = true;
  EXPECT_FALSE(assume_request(inputs, Means::with_keys, "arn:r", github).contains("Tags"));
}

TEST(CredentialsPlan, RolesByNameAreInTheSameAccount) {
  EXPECT_EQ(role_arn("arn:aws:iam::1:role/r", "").value(), "arn:aws:iam::1:role/r");
  EXPECT_EQ(role_arn("r", "123456789012").value(), "arn:aws:iam::123456789012:role/r");
  EXPECT_THAT(role_arn("r", "").error().message, HasSubstr("arn:aws:iam::ACCOUNT:role/r"));
}

TEST(DockerAuth, KeepsWhatElseIsThere) {
  const std::string first = with_docker_login("", "h:1", "AWS", "pw").value();
  EXPECT_EQ(first, R"({"auths":{"h:1":{"auth":"QVdTOnB3"}}})");
  const std::string both = with_docker_login(first, "other", "u", "p").value();
  EXPECT_EQ(without_docker_login(both, "other").value(), first);
  EXPECT_EQ(with_docker_login(R"({"credsStore":"desktop"})", "h", "u", "p").value(),
            R"({"credsStore":"desktop","auths":{"h":{"auth":"dTpw"}},"credHelpers":{"h":""}})");
  EXPECT_FALSE(with_docker_login("[]", "h", "u", "p"));
  EXPECT_EQ(registry_of("https://1.dkr.ecr.eu.amazonaws.com/x"), "1.dkr.ecr.eu.amazonaws.com");
}

class CredentialsTest : public AwsActionTest {
 protected:
  CredentialsTest() {
    host.variables.erase("AWS_ACCESS_KEY_ID");
    host.variables.erase("AWS_SECRET_ACCESS_KEY");
    host.message().may_ask_token = true;
    host.on_get = [](const std::string&) { return ActionHost::Answer{200, {}, R"({"value":"the.job.token"})"}; };
    dispatcher.handle<aws::sts::AssumeRoleWithWebIdentity>(
        [this](const aws::CallContext& context, const aws::sts::AssumeRoleWithWebIdentityRequest& request)
            -> Result<aws::sts::AssumeRoleWithWebIdentityResponse> {
          EXPECT_EQ(context.access_key_id, "");
          if (request.WebIdentityToken != "the.job.token") return make_error("InvalidIdentityToken", "not this one");
          if (refusals > 0) {
            --refusals;
            return make_error("IDPCommunicationError", "the issuer is not there");
          }
          if (!refusal.empty()) return make_error("AccessDenied", refusal, 403);
          session_name = request.RoleSessionName;
          aws::sts::AssumeRoleWithWebIdentityResponse response;
          response.Credentials.emplace() = {"AKID", "secret", "token", from_millis(1'800'000'000'000)};
          return response;
        });
    dispatcher.handle<aws::sts::AssumeRole>(
        [](const aws::CallContext& context,
           const aws::sts::AssumeRoleRequest& request) -> Result<aws::sts::AssumeRoleResponse> {
          EXPECT_EQ(context.access_key_id, "LONG");
          EXPECT_EQ(request.RoleArn, "arn:aws:iam::123456789012:role/other");
          EXPECT_TRUE(request.Tags);
          aws::sts::AssumeRoleResponse response;
          response.Credentials.emplace() = {"AKID", "secret", "token", from_millis(1'800'000'000'000)};
          return response;
        });
    start();
  }
  std::string run(std::map<std::string, std::string> inputs) {
    inputs.emplace("aws-region", "ap-south-1");
    return step("aws-actions/configure-aws-credentials", std::move(inputs));
  }

  std::string session_name, refusal;
  int refusals = 0;
};

TEST_F(CredentialsTest, AssumesTheRoleWithTheJobsToken) {
  ASSERT_EQ(run({{"role-to-assume", std::string(role)}}), "") << host.text;
  EXPECT_EQ(host.requests, std::vector<std::string>{"GET id-token?audience=sts.amazonaws.com"});
  EXPECT_EQ(host.variables["AWS_ACCESS_KEY_ID"], "AKID");
  EXPECT_EQ(host.variables["AWS_SECRET_ACCESS_KEY"], "secret");
  EXPECT_EQ(host.variables["AWS_SESSION_TOKEN"], "token");
  EXPECT_EQ(host.variables["AWS_REGION"], "ap-south-1");
  EXPECT_EQ(host.variables["AWS_DEFAULT_REGION"], "ap-south-1");
  EXPECT_EQ(host.outputs["aws-account-id"], "123456789012");
  EXPECT_FALSE(host.outputs.contains("aws-secret-access-key"));
  EXPECT_EQ(session_name, "GitHubActions");
  for (const std::string secret : {"AKID", "secret", "token", "the.job.token"}) {
    EXPECT_TRUE(host.masks.contains(secret)) << secret;
    EXPECT_THAT(host.text, Not(HasSubstr(" " + secret)));
  }
  ASSERT_TRUE(find_builtin("aws-actions/configure-aws-credentials")->post(host));
  EXPECT_EQ(host.variables["AWS_SECRET_ACCESS_KEY"], "");
  EXPECT_EQ(host.variables["AWS_REGION"], "");
}

TEST_F(CredentialsTest, SaysWhyARoleIsRefused) {
  refusal = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
  EXPECT_EQ(run({{"role-to-assume", std::string(role)}}),
            fmt::format("could not assume role {} with OIDC: AccessDenied: {}", role, refusal));
  EXPECT_FALSE(host.variables.contains("AWS_ACCESS_KEY_ID"));
  host.on_get = [](const std::string&) { return ActionHost::Answer{403, {}, R"({"message":"no permission"})"}; };
  EXPECT_THAT(run({{"role-to-assume", std::string(role)}}), HasSubstr("no permission"));
  host.message().may_ask_token = false;
  EXPECT_THAT(run({{"role-to-assume", std::string(role)}}), HasSubstr("id-token: write"));
}

TEST_F(CredentialsTest, TriesAgainWhileTheIssuerIsNotThere) {
  refusals = 2;
  EXPECT_EQ(run({{"role-to-assume", std::string(role)}}), "");
  refusals = 2;
  EXPECT_THAT(run({{"role-to-assume", std::string(role)}, {"disable-retry", "true"}}), HasSubstr("IDPCommunication"));
}

TEST_F(CredentialsTest, KeysOfTheInputsAreCheckedAndMayAssumeARole) {
  const std::map<std::string, std::string> given = {
      {"aws-access-key-id", "LONG"}, {"aws-secret-access-key", "long-secret"}, {"output-credentials", "true"}};
  host.variables["AWS_SESSION_TOKEN"] = "of another";
  ASSERT_EQ(run(given), "") << host.text;
  EXPECT_EQ(host.variables["AWS_ACCESS_KEY_ID"], "LONG");
  EXPECT_EQ(host.variables["AWS_SESSION_TOKEN"], "");
  EXPECT_EQ(host.outputs["aws-access-key-id"], "LONG");
  // The next step goes on from there.
  ASSERT_EQ(run({{"role-to-assume", "other"}, {"role-chaining", "true"}}), "") << host.text;
  EXPECT_EQ(host.variables["AWS_ACCESS_KEY_ID"], "AKID");
  EXPECT_THAT(run({{"aws-access-key-id", "LONG"}, {"aws-secret-access-key", "wrong"}}),
              HasSubstr("the credentials are not valid"));
}

TEST_F(CredentialsTest, AccountsCanBeNarrowed) {
  EXPECT_EQ(run({{"role-to-assume", std::string(role)}, {"allowed-account-ids", "111111111111,123456789012"}}), "");
  EXPECT_THAT(run({{"role-to-assume", std::string(role)}, {"allowed-account-ids", "111111111111"}}),
              HasSubstr("'allowed-account-ids' names 111111111111"));
  ASSERT_EQ(run({{"role-to-assume", std::string(role)}, {"mask-aws-account-id", "true"}}), "");
  EXPECT_TRUE(host.masks.contains("123456789012"));
}

TEST_F(CredentialsTest, NothingGivenIsNamed) {
  EXPECT_THAT(run({}), HasSubstr("could not load credentials"));
  host.variables.erase("AWS_REGION");
  EXPECT_EQ(step("aws-actions/configure-aws-credentials", {}),
            "the input 'aws-region' is required, or the variable AWS_REGION");
}

TEST_F(CredentialsTest, InputsMayComeFromVariables) {
  host.variables["AWS_REGION"] = "eu-north-1";
  host.variables["ROLE_TO_ASSUME"] = role;
  host.variables["ROLE_SESSION_NAME"] = "from-env";
  host.variables["OUTPUT_CREDENTIALS"] = "true";
  host.variables["NO_PROXY"] = "localhost";
  ASSERT_EQ(step("aws-actions/configure-aws-credentials", {}), "") << host.text;
  EXPECT_EQ(host.variables["AWS_DEFAULT_REGION"], "eu-north-1");
  EXPECT_EQ(host.variables["AWS_ACCESS_KEY_ID"], "AKID");
  EXPECT_EQ(host.outputs["aws-access-key-id"], "AKID");
  EXPECT_EQ(session_name, "from-env");
  EXPECT_THAT(host.text, Not(HasSubstr("::warning::")));
  ASSERT_EQ(run({{"role-session-name", "given"}}), "") << host.text;
  EXPECT_EQ(session_name, "given");
  EXPECT_EQ(host.variables["AWS_REGION"], "ap-south-1");
  host.variables["ROLE_CHAINING"] = "maybe";
  EXPECT_THAT(run({}), HasSubstr("'role-chaining'"));
}

TEST_F(CredentialsTest, TheRegionIsSetAlsoForCredentialsThatAreThere) {
  host.variables["AWS_ACCESS_KEY_ID"] = "LONG";
  host.variables["AWS_SECRET_ACCESS_KEY"] = "long-secret";
  host.variables.erase("AWS_SESSION_TOKEN");
  // No way to get others is needed.
  host.message().may_ask_token = false;
  ASSERT_EQ(run({{"use-existing-credentials", "true"}, {"role-to-assume", std::string(role)}}), "") << host.text;
  EXPECT_THAT(host.text, HasSubstr("Pre-existing credentials are valid"));
  EXPECT_EQ(host.variables["AWS_ACCESS_KEY_ID"], "LONG");
  EXPECT_EQ(host.variables["AWS_REGION"], "ap-south-1");
  EXPECT_EQ(host.variables["AWS_DEFAULT_REGION"], "ap-south-1");
  host.message().may_ask_token = true;
  ASSERT_EQ(run({{"use-existing-credentials", "true"},
                 {"unset-current-credentials", "true"},
                 {"role-to-assume", std::string(role)}}),
            "")
      << host.text;
  EXPECT_EQ(host.variables["AWS_ACCESS_KEY_ID"], "AKID");
}

class EcrLoginTest : public AwsActionTest {
 protected:
  EcrLoginTest() {
    dispatcher.handle<aws::ecr::GetAuthorizationToken>(
        [this](const aws::CallContext&,
               const aws::ecr::GetAuthorizationTokenRequest&) -> Result<aws::ecr::GetAuthorizationTokenResponse> {
          if (refused) return make_error("AccessDeniedException", "ecr:GetAuthorizationToken is not allowed");
          aws::ecr::GetAuthorizationTokenResponse response;
          aws::ecr::AuthorizationData& data = response.authorizationData.emplace().emplace_back();
          data.authorizationToken = base64_encode("AWS:registry-password");
          data.proxyEndpoint = "http://localhost:4566";
          return response;
        });
    start();
  }
  std::string docker_config() const { return TestHost::content(host.docker_config() + "/config.json"); }

  bool refused = false;
};

TEST_F(EcrLoginTest, WritesTheJobsDockerConfigAndTakesItBack) {
  ASSERT_EQ(step("aws-actions/amazon-ecr-login", {}), "");
  EXPECT_EQ(host.outputs["registry"], "localhost:4566");
  EXPECT_EQ(host.outputs["docker_username_localhost_4566"], "AWS");
  EXPECT_EQ(host.outputs["docker_password_localhost_4566"], "registry-password");
  EXPECT_TRUE(host.masks.contains("registry-password"));
  EXPECT_THAT(docker_config(), HasSubstr(base64_encode("AWS:registry-password")));
  EXPECT_TRUE(host.arguments.empty());
  ASSERT_TRUE(find_builtin("aws-actions/amazon-ecr-login")->post(host));
  EXPECT_EQ(docker_config(), R"({"auths":{}})");
}

TEST_F(EcrLoginTest, SaysWhatIsMissing) {
  refused = true;
  EXPECT_EQ(step("aws-actions/amazon-ecr-login", {}),
            "could not log in to Amazon ECR: AccessDeniedException: ecr:GetAuthorizationToken is not allowed");
  EXPECT_THAT(step("aws-actions/amazon-ecr-login", {{"registry-type", "public"}}), HasSubstr("not offered"));
  host.variables.erase("AWS_ACCESS_KEY_ID");
  EXPECT_THAT(step("aws-actions/amazon-ecr-login", {}), HasSubstr("aws-actions/configure-aws-credentials"));
}

}  // namespace
}  // namespace kaapi::actions
