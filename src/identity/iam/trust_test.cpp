#include "identity/iam/trust.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace kaapi::identity {
namespace {

struct Row {
  std::string_view issuer;
  std::string_view condition;  // the inside of Condition
  std::size_t warnings;
};

std::string trust_with(const Row& row) {
  return fmt::format(
      R"({{"Version":"2012-10-17","Statement":[{{"Sid":"Pipeline","Effect":"Allow","Principal":{{"Federated":"arn:aws:iam::123456789012:oidc-provider/{}"}},
"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{{}}}}}]}})",
      row.issuer, row.condition);
}

constexpr std::string_view github = "token.actions.githubusercontent.com";

TEST(Trust, WarnsOfPublicIssuersWithoutASubject) {
  const Row rows[] = {
      {github, "", 1},
      {github, R"("StringEquals":{"token.actions.githubusercontent.com:aud":"sts.amazonaws.com"})", 1},
      {github, R"("StringEquals":{"token.actions.githubusercontent.com:sub":"repo:o/n:ref:refs/heads/main"})", 0},
      {github, R"("StringLike":{"token.actions.githubusercontent.com:sub":"repo:o/n:*"})", 0},
      {github, R"("StringLike":{"TOKEN.actions.githubusercontent.com:SUB":"repo:o/n:*"})", 0},
      {github, R"("ForAnyValue:StringLike":{"token.actions.githubusercontent.com:sub":"repo:o/n:*"})", 0},
      {github, R"("ForAllValues:StringLike":{"token.actions.githubusercontent.com:sub":"repo:o/n:*"})", 1},
      {github, R"("StringLikeIfExists":{"token.actions.githubusercontent.com:sub":"repo:o/n:*"})", 1},
      {github, R"("StringNotEquals":{"token.actions.githubusercontent.com:sub":"repo:o/n:*"})", 1},
      {github, R"("StringLike":{"token.actions.githubusercontent.com:sub":"*"})", 1},
      {github, R"("StringLike":{"token.actions.githubusercontent.com:sub":["repo:o/n:*","repo:*"]})", 1},
      {github, R"("StringEquals":{"other.example:sub":"repo:o/n:ref:refs/heads/main"})", 1},
      {"gitlab.com", "", 1},
      {"oidc.circleci.com/org/1234", "", 1},
      {"issuer.internal.example", "", 0},
      {"localhost:8443/github", "", 0},
  };
  for (const Row& row : rows) {
    const auto document = policy::parse(trust_with(row), policy::Kind::trust);
    ASSERT_TRUE(document) << document.error().message << trust_with(row);
    EXPECT_EQ(trust_warnings(**document).size(), row.warnings) << trust_with(row);
  }
}

TEST(Trust, TheWarningSaysWhatToAdd) {
  const auto document = policy::parse(trust_with({github, "", 1}), policy::Kind::trust).value();
  EXPECT_THAT(trust_warnings(*document).at(0),
              testing::AllOf(testing::HasSubstr("Sid Pipeline"),
                             testing::HasSubstr("add a condition on \"token.actions.githubusercontent.com:sub\"")));
}

TEST(Trust, OtherPrincipalsAndDeniesAreNoMatter) {
  for (
      const std::string_view text :
      {R"({"Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]})",
       R"({"Statement":[{"Effect":"Deny","Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/gitlab.com"},"Action":"sts:AssumeRoleWithWebIdentity"}]})"}) {
    EXPECT_TRUE(trust_warnings(*policy::parse(text, policy::Kind::trust).value()).empty()) << text;
  }
}

}  // namespace
}  // namespace kaapi::identity
