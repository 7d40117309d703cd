#include "actions/settings/protection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kaapi::actions::settings {
namespace {

using testing::HasSubstr;

Protection policy(std::vector<std::string> branches, std::vector<std::string> tags) {
  Protection protection;
  protection.branches = std::move(branches);
  protection.tags = std::move(tags);
  return protection;
}

bool may(const Protection& protection, std::string_view ref, bool ref_protected = false) {
  return !deployment_refusal(protection, "production", ref, ref_protected);
}

TEST(DeploymentRefusal, WithoutAPolicyEveryRefMay) {
  EXPECT_TRUE(may({}, "refs/heads/x"));
  EXPECT_TRUE(may({}, "refs/pull/1/merge"));
}

TEST(DeploymentRefusal, PatternsOfBranchesAndTagsAreKeptApart) {
  const Protection protection = policy({"main", "release/*"}, {"v*"});
  EXPECT_TRUE(may(protection, "refs/heads/main"));
  EXPECT_TRUE(may(protection, "refs/heads/release/1"));
  EXPECT_FALSE(may(protection, "refs/heads/release/1/2"));
  EXPECT_FALSE(may(protection, "refs/heads/mainly"));
  EXPECT_FALSE(may(protection, "refs/heads/v1"));
  EXPECT_TRUE(may(protection, "refs/tags/v1.0.0"));
  EXPECT_FALSE(may(protection, "refs/tags/main"));
  EXPECT_FALSE(may(protection, "refs/pull/1/merge"));
  EXPECT_FALSE(may(protection, ""));
  EXPECT_FALSE(may(policy({"main"}, {}), "refs/tags/main"));
  EXPECT_FALSE(may(policy({}, {"v*"}), "refs/heads/main"));
  EXPECT_TRUE(may(policy({"hotfix/?", "a+b"}, {}), "refs/heads/hotfix/1")) << "as fnmatch, not as filters of triggers";
  EXPECT_TRUE(may(policy({"hotfix/?", "a+b"}, {}), "refs/heads/a+b"));
}

TEST(DeploymentRefusal, ANegationOfOldLetsNothingIn) {
  EXPECT_FALSE(may(policy({"*", "!main"}, {}), "refs/heads/main"));
  EXPECT_FALSE(may(policy({"*", "!main"}, {}), "refs/heads/other"));
}

TEST(DeploymentRefusal, SaysWhatIsAllowed) {
  const auto refusal = deployment_refusal(policy({"main", "release/*"}, {"v*"}), "production", "refs/heads/x", true);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(*refusal,
            "refs/heads/x may not deploy to the environment production: its deployment policy allows branches main, "
            "release/* and tags v*");
}

TEST(DeploymentRefusal, ProtectedOnly) {
  Protection protection;
  protection.protected_only = true;
  EXPECT_TRUE(may(protection, "refs/heads/main", true));
  EXPECT_FALSE(may(protection, "refs/heads/main", false));
}

TEST(DeploymentRefusal, APatternThatCannotBeReadAllowsNothing) {
  EXPECT_FALSE(may(policy({"[x"}, {}), "refs/heads/[x"));
}

TEST(Protection, IsTheSameAfterStorage) {
  Protection protection = policy({"main"}, {"v*"});
  protection.reviewers = {"arn:aws:iam::123456789012:user/ann"};
  protection.prevent_self_review = true;
  protection.wait = std::chrono::minutes(10);
  const Result<Protection> again = protection_from(to_text(protection));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->reviewers, protection.reviewers);
  EXPECT_TRUE(again->prevent_self_review);
  EXPECT_EQ(again->wait, protection.wait);
  EXPECT_EQ(again->branches, protection.branches);
  EXPECT_EQ(again->tags, protection.tags);
  EXPECT_FALSE(again->protected_only);
  EXPECT_EQ(protection_from("{\"reviewers\":1}").error().code, errc::damaged);
}

TEST(Protection, RefusesWhatCannotBeOne) {
  const auto refusal = [](const std::function<void(Protection&)>& change) {
    Protection protection;
    change(protection);
    const Result<void> checked = check_protection(protection);
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_EQ(refusal([](Protection& p) {
              p.reviewers = {"arn:aws:iam::123456789012:root", "arn:aws:iam::123456789012:role/a/b"};
              p.wait = max_wait;
            }),
            "");
  for (const std::string wrong :
       {"ann", "arn:aws:iam::12:user/a", "arn:aws:iam::123456789012:user/", "arn:aws:iam::123456789012:user/*",
        "arn:aws:sts::123456789012:assumed-role/r/s", "arn:aws:iam::123456789012:group/g"}) {
    EXPECT_THAT(refusal([&](Protection& p) { p.reviewers = {wrong}; }), HasSubstr(wrong));
  }
  EXPECT_THAT(refusal([](Protection& p) { p.reviewers.assign(max_reviewers + 1, "arn:aws:iam::123456789012:user/a"); }),
              HasSubstr("at most 6"));
  EXPECT_THAT(refusal([](Protection& p) { p.wait = max_wait + std::chrono::minutes(1); }), HasSubstr("43200"));
  EXPECT_THAT(refusal([](Protection& p) { p.branches = {"[x"}; }), HasSubstr("[x"));
  EXPECT_THAT(refusal([](Protection& p) { p.branches = {"*", "!main"}; }), HasSubstr("nothing is taken back"));
  EXPECT_THAT(refusal([](Protection& p) { p.tags.assign(max_deployment_patterns + 1, "v*"); }), HasSubstr("100"));
  EXPECT_THAT(refusal([](Protection& p) {
                p.tags = {"v*"};
                p.protected_only = true;
              }),
              HasSubstr("give one"));
}

}  // namespace
}  // namespace kaapi::actions::settings
