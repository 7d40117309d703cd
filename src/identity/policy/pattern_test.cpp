#include "identity/policy/pattern.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace kaapi::identity::policy {
namespace {

bool matches(std::string_view pattern, std::string_view text, Wildcards wildcards = Wildcards::anywhere,
             const Context& context = MapContext()) {
  const Result<Pattern> prepared = Pattern::prepare(pattern, wildcards, true);
  if (!prepared) return false;
  std::string storage;
  const auto resolved = prepared->resolve(context, storage, nullptr);
  return resolved && wildcard_match(*resolved, text);
}

TEST(Pattern, WildcardsMatchWholeTexts) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("a*", "a"));
  EXPECT_TRUE(matches("*a*", "banana"));
  EXPECT_TRUE(matches("b?nana", "banana"));
  EXPECT_FALSE(matches("b?", "b"));
  EXPECT_FALSE(matches("a", "ab"));
  EXPECT_FALSE(matches("*b", "ba"));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
}

TEST(Pattern, OneQuestionMarkIsOneCharacterOfUtf8) {
  EXPECT_TRUE(matches("caf?", "caf\xC3\xA9"));
  EXPECT_FALSE(matches("caf??", "caf\xC3\xA9"));
  EXPECT_FALSE(matches("*??", "\xE2\x82\xAC")) << "a star does not split a character";
}

// What a request brings need not be UTF-8: each stray byte is a character, and both ways to match agree on it.
TEST(Pattern, StrayBytesAreCharacters) {
  for (const Wildcards wildcards : {Wildcards::anywhere, Wildcards::resource, Wildcards::arn}) {
    EXPECT_TRUE(matches("arn:aws:i*\x91*\x91#:r:a:x", "arn:aws:i*\x91*\x91#:r:a:x", wildcards));
    EXPECT_TRUE(matches("arn:aws:i??:r:a:x", "arn:aws:i\xC3\x91\x91:r:a:x", wildcards));
  }
}

TEST(Pattern, WithoutWildcardsTheyAreThemselves) {
  EXPECT_TRUE(matches("a*", "a*", Wildcards::none));
  EXPECT_FALSE(matches("a*", "ab", Wildcards::none));
}

TEST(Pattern, EscapedWildcardsAreThemselvesBesideRealOnes) {
  EXPECT_TRUE(matches("a${*}b*", "a*bcd"));
  EXPECT_FALSE(matches("a${*}b*", "axbcd"));
  EXPECT_TRUE(matches("${?}${$}${*}", "?$*"));
}

TEST(Pattern, ThePartsOfAnArnKeepTheirStars) {
  // A star inside a part does not cross a colon, one that ends it does; the last part is free.
  EXPECT_TRUE(matches("arn:aws:ecs:us-*-1:1:x", "arn:aws:ecs:us-east-1:1:x", Wildcards::resource));
  EXPECT_FALSE(matches("arn:aws:ecs:u*1:1:x", "arn:aws:ecs:us:1:1:x", Wildcards::resource));
  EXPECT_TRUE(matches("arn:aws:ecs:*", "arn:aws:ecs:us-east-1:1:x", Wildcards::resource));
  EXPECT_TRUE(matches("arn:aws:logs:*:*:log-group:/a*:b", "arn:aws:logs:r:1:log-group:/a:c:b", Wildcards::resource));
  // In ArnLike no star of the first five parts crosses a colon.
  EXPECT_FALSE(matches("arn:aws:iam:*:role/x", "arn:aws:iam::1:role/x", Wildcards::arn));
  EXPECT_TRUE(matches("arn:aws:iam::*:role/x", "arn:aws:iam::1:role/x", Wildcards::arn));
}

TEST(Pattern, VariablesTakeTheirValueOrTheirDefault) {
  MapContext context;
  context.set("aws:username", {"ann"});
  context.set("aws:PrincipalTag/two", {"a", "b"});
  context.set("aws:PrincipalTag/odd", {"*"});
  EXPECT_TRUE(matches("home/${aws:username}/*", "home/ann/x", Wildcards::anywhere, context));
  EXPECT_TRUE(matches("home/${AWS:UserName}", "home/ann", Wildcards::anywhere, context));
  EXPECT_TRUE(matches("t/${aws:PrincipalTag/team, 'none'}", "t/none", Wildcards::anywhere, context));
  EXPECT_TRUE(matches("t/${aws:PrincipalTag/team,'a}b'}", "t/a}b", Wildcards::anywhere, context));
  EXPECT_FALSE(matches("t/${aws:PrincipalTag/team}", "t/", Wildcards::anywhere, context)) << "no value";
  EXPECT_FALSE(matches("t/${aws:PrincipalTag/two}", "t/a", Wildcards::anywhere, context)) << "two values";
  EXPECT_FALSE(matches("t/${aws:PrincipalTag/odd}", "t/x", Wildcards::anywhere, context)) << "a value is no wildcard";
  EXPECT_TRUE(matches("t/${aws:PrincipalTag/odd}", "t/*", Wildcards::anywhere, context));
}

TEST(Pattern, ValuesCannotSmuggleWildcardsIn) {
  MapContext context;
  context.set("aws:username", {std::string(1, any_run)});
  EXPECT_FALSE(matches("home/${aws:username}", "home/everything", Wildcards::anywhere, context));
  EXPECT_FALSE(Pattern::prepare(std::string(1, any_run), Wildcards::anywhere, true));
}

TEST(Pattern, BrokenVariablesAreRefused) {
  for (const char* text : {"${aws:username", "${}", "${a\"b}", "${aws:username, none}", "${aws:username, 'a'b'}"}) {
    EXPECT_FALSE(Pattern::prepare(text, Wildcards::anywhere, true)) << text;
    EXPECT_TRUE(Pattern::prepare(text, Wildcards::anywhere, false)) << text;
  }
}

TEST(Pattern, ManyStarsCostNoExponentialTime) {
  std::string pattern;
  std::string in_parts = "arn:";
  for (int i = 0; i < 200; ++i) {
    pattern += "*a";
    in_parts += "*a";
  }
  const std::string text = "arn:" + std::string(20'000, 'a');
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(matches(pattern + "*b", text));
  EXPECT_FALSE(matches(in_parts + "*b:x:y:z", text + ":x:y:q", Wildcards::resource));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

}  // namespace
}  // namespace kaapi::identity::policy
