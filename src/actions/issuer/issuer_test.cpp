// The issuer, and identity as the one who must believe its tokens and no others.
#include "actions/issuer/issuer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "actions/issuer/claims.h"
#include "base/test_directory.h"
#include "identity/sts/sts_test_support.h"

namespace kaapi::actions {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::string_view deployer = "arn:aws:iam::123456789012:role/deployer";

class IssuerTest : public identity::StsTest {
 protected:
  IssuerTest() {
    must("CreateOpenIDConnectProvider", {{"Url", github_issuer}, {"ClientIDList.member.1", "sts.amazonaws.com"}});
    role_with("deployer",
              identity::document(R"({"Effect":"Allow","Principal":{"Federated":)"
                                 R"("arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},)"
                                 R"("Action":"sts:AssumeRoleWithWebIdentity","Condition":{"StringEquals":)"
                                 R"({"token.actions.githubusercontent.com:aud":"sts.amazonaws.com",)"
                                 R"("token.actions.githubusercontent.com:sub":"repo:octo/app:environment:prod"}}})"));
    // Nobody: the request is not signed.
    context.access_key_id = context.principal_arn = context.user_id = "";
    context.is_root = false;
    job.repository = "octo/app";
    job.ref = "refs/heads/main";
    job.environment = "prod";
    issuers.add_local(std::string(github_issuer), [this] { return issuer->jwks(); });
  }

  IssuerConfig config() const {
    return {directory_.file("keys"), "http://127.0.0.1:4566", true, std::chrono::hours(48)};
  }
  // As after a restart of the platform.
  void reopen() { issuer = std::make_unique<Issuer>(config(), *sealer, clock, ids); }
  std::string token() { return issuer->issue(job, "sts.amazonaws.com").value().text; }
  // "200 : ", or why the token is refused.
  std::string outcome(const std::string& with) {
    const identity::Answer answer = sts(
        "AssumeRoleWithWebIdentity", {{"RoleArn", deployer}, {"RoleSessionName", "run"}, {"WebIdentityToken", with}});
    return fmt::format("{} {}: {}", answer.status, answer.code, answer.text("Message"));
  }
  std::size_t published() {
    const Result<json::value> set = parse_json(issuer->jwks());
    return set->at("keys").as_array().size();
  }

  TestDirectory directory_;
  JobFacts job;
  std::unique_ptr<Issuer> issuer = std::make_unique<Issuer>(config(), *sealer, clock, ids);
};

TEST_F(IssuerTest, SignsNothingWhereGitHubItselfIsTrusted) {
  IssuerConfig off = config();
  off.issues = false;
  Issuer none(off, *sealer, clock, ids);
  const Result<IssuedToken> token = none.issue(job, "sts.amazonaws.com");
  ASSERT_FALSE(token);
  EXPECT_THAT(token.error().message, testing::HasSubstr("--trust-github"));
  http::Request request;
  request.head.method = "GET";
  EXPECT_EQ(none.serve_discovery(request).status, 404) << "in GitHub's name";
  EXPECT_EQ(none.serve_jwks(request).status, 404);
}

TEST_F(IssuerTest, TellsWhatItSigned) {
  const IssuedToken token = issuer->issue(job, "sts.amazonaws.com").value();
  EXPECT_EQ(token.subject, "repo:octo/app:environment:prod");
  EXPECT_EQ(token.audience, "sts.amazonaws.com");
  EXPECT_EQ(issuer->issue(job, "")->audience, "https://github.com/octo");
}

TEST_F(IssuerTest, IdentityBelievesItsTokensAndTheTrustPolicyDecides) {
  EXPECT_EQ(outcome(token()), "200 : ");
  job.environment.clear();
  EXPECT_THAT(outcome(token()), StartsWith("403 AccessDenied"));
  job.environment = "prod";
  EXPECT_THAT(outcome(issuer->issue(job, "").value().text), Not(StartsWith("200")));
  std::string changed = token();
  changed.back() = changed.back() == 'A' ? 'Q' : 'A';
  EXPECT_THAT(outcome(changed), StartsWith("400 InvalidIdentityToken"));
}

TEST_F(IssuerTest, NothingIsMadeBeforeTheFirstToken) {
  EXPECT_EQ(issuer->jwks(), R"({"keys":[]})");
  EXPECT_FALSE(std::filesystem::exists(config().key_file));
  token();
  EXPECT_EQ(published(), 1U);
  struct stat info {};
  ASSERT_EQ(::stat(config().key_file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

TEST_F(IssuerTest, KeysSurviveARestart) {
  const std::string before = token();
  const std::string key_set = issuer->jwks();
  reopen();
  EXPECT_EQ(issuer->jwks(), key_set);
  EXPECT_EQ(outcome(before), "200 : ");
  EXPECT_EQ(outcome(token()), "200 : ");
  EXPECT_EQ(published(), 1U);
}

TEST_F(IssuerTest, AReplacedKeyIsPublishedUntilItsLastTokenIsOver) {
  token();
  clock.advance(std::chrono::hours(48) - std::chrono::minutes(1));
  const std::string last_of_old = token();
  EXPECT_EQ(published(), 1U);
  clock.advance(std::chrono::minutes(1));
  const std::string first_of_new = token();
  EXPECT_EQ(published(), 2U);
  EXPECT_EQ(outcome(last_of_old), "200 : ");
  EXPECT_EQ(outcome(first_of_new), "200 : ");
  reopen();
  EXPECT_EQ(published(), 2U);
  clock.advance(token_lifetime + verifier_leeway);
  EXPECT_EQ(published(), 1U);
  EXPECT_THAT(outcome(last_of_old), Not(StartsWith("200")));
  EXPECT_THAT(outcome(first_of_new), StartsWith("400 ExpiredTokenException"));
  EXPECT_EQ(outcome(token()), "200 : ");
}

TEST_F(IssuerTest, ADamagedKeyFileSaysWhatToDo) {
  token();
  std::ofstream(config().key_file, std::ios::app) << "x";
  reopen();
  const Error error = issuer->issue(job, "a").error();
  EXPECT_EQ(error.code, errc::damaged);
  EXPECT_THAT(error.message, HasSubstr("move it away"));
  EXPECT_EQ(issuer->jwks(), R"({"keys":[]})");
}

TEST_F(IssuerTest, TheKeyFileHoldsNoKeyInTheClear) {
  token();
  std::ifstream in(config().key_file, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  EXPECT_THAT(content, Not(HasSubstr("keys")));
  EXPECT_THAT(content, Not(HasSubstr("MII")));
}

TEST_F(IssuerTest, PublishesDiscoveryAndKeys) {
  token();
  http::Request request;
  request.head.method = "GET";
  const auto body = [](const http::Response& response) { return std::get<std::string>(response.body); };
  const Result<json::value> discovery = parse_json(body(issuer->serve_discovery(request)));
  EXPECT_EQ(string_member(*discovery, "issuer"), github_issuer);
  EXPECT_EQ(string_member(*discovery, "jwks_uri"), "http://127.0.0.1:4566/.well-known/jwks");
  EXPECT_EQ(body(issuer->serve_jwks(request)), issuer->jwks());
  request.head.method = "POST";
  EXPECT_EQ(issuer->serve_jwks(request).status, 405);
  request.head.method = "HEAD";
  EXPECT_EQ(issuer->serve_jwks(request).announced_length, issuer->jwks().size());
}

TEST_F(IssuerTest, AudiencesAreBounded) {
  EXPECT_EQ(issuer->issue(job, std::string(max_audience_bytes + 1, 'a')).error().code, errc::invalid);
}

}  // namespace
}  // namespace kaapi::actions
