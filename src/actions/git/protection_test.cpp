#include "actions/git/protection.h"

#include <gtest/gtest.h>

#include "actions/git/git.h"

namespace kaapi::actions::git {
namespace {

const std::string a(40, 'a');
const std::string b(40, 'b');
const std::string none(no_commit);
constexpr std::string_view ann = "arn:aws:iam::123456789012:user/ann";

std::string why(const RefUpdate& update, const std::vector<Rule>& rules = default_rules(), std::string_view who = ann) {
  return refusal(rules, update, {who, false}).value_or("");
}

TEST(Protection, DefaultKeepsMainAndVersions) {
  EXPECT_EQ(why({"refs/heads/main", none, a, false}), "");
  EXPECT_EQ(why({"refs/heads/main", a, b, false}), "");
  EXPECT_NE(why({"refs/heads/main", a, b, true}), "");
  EXPECT_NE(why({"refs/heads/main", a, none, false}), "");
  EXPECT_EQ(why({"refs/heads/other", a, b, true}), "");
  EXPECT_EQ(why({"refs/heads/v1", a, none, false}), "") << "a branch is no tag";
  EXPECT_EQ(why({"refs/tags/v1.0.0", none, a, false}), "");
  EXPECT_NE(why({"refs/tags/v1.0.0", a, b, false}), "") << "a tag that moves, forwards too";
  EXPECT_NE(why({"refs/tags/v1.0.0", a, none, false}), "");
  EXPECT_EQ(why({"refs/tags/nightly", a, b, true}), "");
}

TEST(Protection, OnlyPushersPush) {
  const std::vector<Rule> rules = {
      {Rule::Kind::branch, "release/**", {std::string(ann), "arn:*:assumed-role/deploy/*"}}};
  ASSERT_TRUE(check_rules(rules));
  const RefUpdate update{"refs/heads/release/1/x", a, b, false};
  EXPECT_EQ(why(update, rules), "");
  EXPECT_EQ(why(update, rules, "arn:aws:sts::123456789012:assumed-role/deploy/me"), "");
  EXPECT_NE(why(update, rules, "arn:aws:iam::123456789012:user/anna"), "");
  EXPECT_EQ(why({"refs/heads/main", a, b, true}, rules, "arn:aws:iam::123456789012:user/bob"), "");
}

TEST(Protection, JobsPushToProtectedOnesOnlyByName) {
  constexpr std::string_view arn = "arn:aws:kaapi:us-east-1:123456789012:repository/team/shop/run/7";
  const Pusher job{arn, true};
  const RefUpdate main{"refs/heads/main", a, b, false};
  EXPECT_TRUE(refusal(default_rules(), main, job));
  EXPECT_TRUE(refusal(default_rules(), {"refs/tags/v1", none, a, false}, job));
  EXPECT_FALSE(refusal(default_rules(), {"refs/heads/x", a, b, true}, job));
  const std::vector<Rule> named = {{Rule::Kind::branch, "main", {"arn:*:repository/team/shop/run/*"}}};
  EXPECT_FALSE(refusal(named, main, job));
  EXPECT_TRUE(refusal(named, {"refs/heads/x", a, b, false, true}, job)) << "workflow files";
  EXPECT_FALSE(refusal(named, {"refs/heads/x", a, b, false, true}, {ann, false}));
}

TEST(Protection, EveryMatchingRuleCounts) {
  const std::vector<Rule> rules = {{Rule::Kind::branch, "**", {}}, {Rule::Kind::branch, "main", {"arn:nobody"}}};
  EXPECT_NE(why({"refs/heads/main", a, b, false}, rules), "");
  EXPECT_EQ(why({"refs/heads/x", a, b, false}, rules), "");
}

TEST(Protection, RefusesWhatCannotBeMeant) {
  EXPECT_FALSE(check_rules({{Rule::Kind::branch, "[", {}}}));
  EXPECT_FALSE(check_rules({{Rule::Kind::branch, "!main", {}}}));
  EXPECT_FALSE(check_rules({{Rule::Kind::branch, "main", {"ann"}}}));
  EXPECT_FALSE(check_rules(std::vector<Rule>(max_rules + 1, {Rule::Kind::branch, "main", {}})));
}

TEST(Protection, ComesBackFromText) {
  const std::vector<Rule> rules = {{Rule::Kind::branch, "main", {std::string(ann)}}, {Rule::Kind::tag, "v*", {}}};
  const Result<std::vector<Rule>> back = rules_from_text(rules_text(rules));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, rules);
  EXPECT_FALSE(rules_from_text("{}"));
}

TEST(Names, OfRepositoriesAndRefs) {
  EXPECT_EQ(full_name("shop").value(), "kaapi/shop");
  EXPECT_EQ(full_name("team/shop.git").value(), "team/shop");
  for (const char* bad :
       {"", "/", "a/", "/a", "a/b/c", "../x", "a/..", "a/.b", "-a/b", "a/b c", "a/b.lock", "a.git/b"}) {
    EXPECT_FALSE(full_name(bad)) << bad;
  }
  EXPECT_TRUE(is_ref("refs/heads/a/b-1.0"));
  for (const char* bad : {"main", "refs/", "refs/heads/", "refs/heads/a..b", "refs/heads/.a", "refs/heads/a.lock",
                          "refs/heads/a b", "refs/heads/a:b", "refs/heads//a", "refs/heads/a@{1}", "refs/heads/a\n"}) {
    EXPECT_FALSE(is_ref(bad)) << bad;
  }
  EXPECT_EQ(branch_of("refs/heads/a/b"), "a/b");
  EXPECT_EQ(tag_of("refs/heads/a"), "");
}

}  // namespace
}  // namespace kaapi::actions::git
