// Lifecycle policies: what is a policy, and which images it expires. The examples are those of the Amazon ECR User
// Guide.
#include "registry/lifecycle_policy.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace kaapi::registry {
namespace {

const Time now = from_millis(1'750'000'000'000);
constexpr Duration day = std::chrono::hours(24);

Image image(std::string digest, std::vector<std::string> tags, int days_ago) {
  Image made;
  made.digest = std::move(digest);
  made.tags = std::move(tags);
  made.pushed_at = now - days_ago * day;
  return made;
}

std::string rule(int priority, const std::string& selection) {
  return fmt::format(R"({{"rulePriority":{},"selection":{{{}}},"action":{{"type":"expire"}}}})", priority, selection);
}
std::string policy(const std::vector<std::string>& rules) {
  return fmt::format(R"({{"rules":[{}]}})", fmt::join(rules, ","));
}
std::string prefixed(const std::string& prefix, int keep) {
  return fmt::format(R"("tagStatus":"tagged","tagPrefixList":["{}"],"countType":"imageCountMoreThan","countNumber":{})",
                     prefix, keep);
}
std::string newest(const std::string& status, int keep) {
  return fmt::format(R"("tagStatus":"{}","countType":"imageCountMoreThan","countNumber":{})", status, keep);
}
std::string younger(const std::string& status, int days) {
  return fmt::format(R"("tagStatus":"{}","countType":"sinceImagePushed","countUnit":"days","countNumber":{})", status,
                     days);
}
std::string patterned(const std::string& patterns, int keep) {
  return fmt::format(R"("tagStatus":"tagged","tagPatternList":[{}],"countType":"imageCountMoreThan","countNumber":{})",
                     patterns, keep);
}

// "A B": what goes, in that order.
std::string expired(const std::vector<std::string>& rules, const std::vector<Image>& images) {
  const auto parsed = parse_lifecycle_policy(policy(rules));
  if (!parsed) return parsed.error().message;
  std::vector<std::string> digests;
  for (const Image& each : expired_images(*parsed, images, now)) digests.push_back(each.digest);
  return fmt::format("{}", fmt::join(digests, " "));
}
std::string error(const std::string& text) {
  const auto parsed = parse_lifecycle_policy(text);
  if (parsed) return "";
  EXPECT_EQ(parsed.error().code, "InvalidParameterException");
  return parsed.error().message;
}

TEST(LifecyclePolicyTest, KeepsTheNewest) {
  const std::vector<Image> images = {image("C", {"v3"}, 1), image("A", {"v1"}, 3), image("B", {}, 2)};
  EXPECT_EQ(expired({rule(1, newest("any", 3))}, images), "");
  EXPECT_EQ(expired({rule(1, newest("any", 1))}, images), "A B");
  EXPECT_EQ(expired({rule(1, prefixed("v", 1))}, images), "A");
  EXPECT_EQ(expired({rule(1, newest("untagged", 1))}, images), "");
}

TEST(LifecyclePolicyTest, KeepsTheYoung) {
  const std::vector<Image> images = {image("A", {"v1"}, 15), image("B", {}, 14), image("C", {}, 13),
                                     image("D", {}, 15)};
  EXPECT_EQ(expired({rule(1, younger("untagged", 14))}, images), "D");  // B is not older than 14 days
  EXPECT_EQ(expired({rule(1, younger("any", 13))}, images), "A D B");
  EXPECT_EQ(expired({rule(1, younger("any", 2'000'000'000))}, images), "");
}

// "Filtering on multiple rules" A and B.
TEST(LifecyclePolicyTest, AnImageBelongsToTheFirstRuleThatItsTagsMatch) {
  const std::vector<Image> images = {image("A", {"beta-1", "prod-1"}, 10), image("B", {"beta-2", "prod-2"}, 9),
                                     image("C", {"beta-3"}, 8)};
  EXPECT_EQ(expired({rule(1, prefixed("prod", 1)), rule(2, prefixed("beta", 1))}, images), "A");
  EXPECT_EQ(expired({rule(1, prefixed("beta", 1)), rule(2, prefixed("prod", 1))}, images), "A B");
  EXPECT_EQ(expired({rule(2, prefixed("prod", 1)), rule(1, prefixed("beta", 1))}, images), "A B");  // by priority
}

// "Filtering on all images": what an earlier rule protects is still counted.
TEST(LifecyclePolicyTest, TheRuleForAllImagesCountsThoseOfOtherRules) {
  const std::vector<Image> images = {image("A", {"alpha-1"}, 12), image("B", {"beta-1"}, 11),
                                     image("C", {"alpha-2"}, 10), image("D", {"git-1"}, 9), image("E", {}, 8)};
  EXPECT_EQ(expired({rule(1, prefixed("alpha", 1)), rule(2, newest("untagged", 1)), rule(3, newest("any", 1))}, images),
            "A B D");
}

TEST(LifecyclePolicyTest, EveryEntryOfAListMustFit) {
  const std::vector<Image> images = {image("A", {"prod-1", "web"}, 3), image("B", {"prod-2"}, 2),
                                     image("C", {"web"}, 1)};
  EXPECT_EQ(expired({rule(1, patterned(R"("prod*","web")", 1))}, images), "");
  EXPECT_EQ(expired({rule(1, patterned(R"("prod*")", 1))}, images), "A");
  EXPECT_EQ(expired({rule(1, patterned(R"("web")", 1))}, images), "A");
  EXPECT_EQ(expired({rule(1, prefixed("prod\",\"w", 1))}, images), "");
}

TEST(LifecyclePolicyTest, WildcardsStandForAnyText) {
  const auto goes = [](const std::string& pattern, const std::string& tag) {
    return expired({rule(1, patterned("\"" + pattern + "\"", 1))}, {image("old", {tag}, 2), image("new", {tag}, 1)}) ==
           "old";
  };
  EXPECT_TRUE(goes("*", "x"));
  EXPECT_TRUE(goes("v*", "v"));
  EXPECT_TRUE(goes("*-rc*", "v1-rc2"));
  EXPECT_TRUE(goes("*a*b", "aab"));
  EXPECT_TRUE(goes("*.*.*-x", "1.2.3-x"));
  EXPECT_FALSE(goes("v*", "w1"));
  EXPECT_FALSE(goes("v1", "v10"));
  EXPECT_FALSE(goes("*-rc", "v1-rc2"));
  EXPECT_FALSE(goes("a*b*c", "acb"));
}

TEST(LifecyclePolicyTest, SaysWhatIsWrong) {
  const auto says = [](const std::string& text, const std::string& part) {
    EXPECT_NE(error(text).find(part), std::string::npos) << error(text) << " for " << text;
  };
  EXPECT_TRUE(
      error("{").starts_with("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle "
                             "policy validation failure: "));
  says("{}", "rules must be a list");
  says(R"({"rules":[]})", "rules must be a list");
  says(R"({"rules":[1]})", "rules[0] must be an object");
  says(R"({"rules":[],"more":1})", "no member 'more'");
  says(policy({rule(0, newest("any", 1))}), "rulePriority of rules[0]");
  says(policy({rule(1, newest("any", 0))}), "countNumber of the rule with rulePriority 1");
  says(policy({rule(1, newest("some", 1))}), "tagStatus");
  says(policy({rule(1, newest("tagged", 1))}), "one of tagPrefixList and tagPatternList");
  says(policy({rule(1, prefixed("a", 1) + R"(,"tagPatternList":["b"])")}), "one of tagPrefixList and tagPatternList");
  says(policy({rule(1, newest("untagged", 1) + R"(,"tagPrefixList":["b"])")}), "only tagStatus tagged");
  says(policy({rule(1, newest("any", 1) + R"(,"countUnit":"days")")}), "countUnit");
  says(policy({rule(1, R"("tagStatus":"any","countType":"sinceImagePushed","countNumber":1)")}), "countUnit");
  says(policy({rule(1, R"("tagStatus":"any","countType":"sinceImagePulled","countUnit":"days","countNumber":1)")}),
       "sinceImagePulled");
  says(policy({rule(1, patterned(R"("*a*b*c*d*")", 1))}), "4 wildcards");
  says(policy({rule(1, prefixed("", 1))}), "list of texts");
  says(policy({rule(1, prefixed("a", 1)), rule(1, prefixed("b", 1))}), "given twice");
  says(policy({rule(1, prefixed("a", 1)), rule(2, prefixed("a", 2))}), "tagPrefixList of another rule");
  says(policy({rule(1, newest("any", 1)), rule(2, prefixed("b", 1))}), "highest");
  says(policy({rule(1, newest("untagged", 1)), rule(2, younger("untagged", 1))}), "only one rule");
  says(
      R"({"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},)"
      R"("action":{"type":"transition"}}]})",
      "must be expire");
  std::vector<std::string> many;
  for (int i = 1; i <= 51; ++i) many.push_back(rule(i, prefixed(fmt::format("p{}", i), 1)));
  says(policy(many), "1 to 50");
  many.pop_back();
  EXPECT_EQ(error(policy(many)), "");
}

}  // namespace
}  // namespace kaapi::registry
