#include <gtest/gtest.h>

#include "logs/filter_pattern.h"
#include "logs/utf8.h"

namespace kaapi::logs {
namespace {

struct PatternCase {
  std::string_view pattern;
  std::string_view message;
  bool matches;
};

// The examples of the user guide ("Match terms in unstructured log events"), and what they leave open.
constexpr PatternCase pattern_cases[] = {
    {"", "anything", true},
    {"   ", "anything", true},
    {"\"\"", "anything", true},
    {"ERROR", "[ERROR 400] BAD REQUEST", true},
    {"ERROR", "[error 400] bad request", false},
    {"ERROR ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true},
    {"ERROR ARGUMENTS", "ARGUMENTS before ERROR", true},
    {"ERROR ARGUMENTS", "[ERROR 400] BAD REQUEST", false},
    {"ERROR\tARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", true},
    {"\"INTERNAL SERVER ERROR\"", "[ERROR 500] INTERNAL SERVER ERROR", true},
    {"\"INTERNAL SERVER ERROR\"", "INTERNAL ERROR OF THE SERVER", false},
    {"?ERROR ?ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
    {"?ERROR ?ARGUMENTS", "MISSING ARGUMENTS", true},
    {"?ERROR ?ARGUMENTS", "all is well", false},
    {"?\"not found\" ?timeout", "page not found", true},
    {"ERROR -ARGUMENTS", "[ERROR 400] BAD REQUEST", true},
    {"ERROR -ARGUMENTS", "[ERROR 419] MISSING ARGUMENTS", false},
    {"-\"health check\"", "GET / health check", false},
    {"-\"health check\"", "GET /health-check", true},
    {"ERROR -\"BAD REQUEST\" \"400\"", "[ERROR 400] NOT SO BAD REQUESTS", false},
    // '?' beside other terms is ignored: the term is required.
    {"?ERROR ARGUMENTS", "MISSING ARGUMENTS", false},
    {"?ERROR ARGUMENTS", "ERROR: MISSING ARGUMENTS", true},
    {"?ERROR -WARN", "all is well", false},
    {"\"say \\\"hi\\\"\"", "they say \"hi\"", true},
    {"\"back\\\\slash\"", "back\\slash", true},
    {"a\"b c\"d", "a d b c", true},
    {"/api/v1", "GET /api/v1/users", true},
    {"a-b", "a-b", true},
};

TEST(FilterPattern, MatchesAsTheGuideSays) {
  for (const PatternCase& example : pattern_cases) {
    const Result<FilterPattern> pattern = FilterPattern::parse(example.pattern);
    ASSERT_TRUE(pattern) << example.pattern << ": " << pattern.error().message;
    EXPECT_EQ(pattern->matches(example.message), example.matches) << example.pattern << " on " << example.message;
  }
}

TEST(FilterPattern, RefusesWhatItCannotServe) {
  const std::string too_long(max_filter_pattern_bytes + 1, 'x');
  for (const std::string_view text :
       {std::string_view("\"open"), std::string_view("-"), std::string_view("a ? b"),
        std::string_view("{ $.level = \"ERROR\" }"), std::string_view("[ip, user]"), std::string_view("%ERROR%"),
        std::string_view("\"a\\\""), std::string_view(too_long)}) {
    const Result<FilterPattern> pattern = FilterPattern::parse(text);
    ASSERT_FALSE(pattern) << text;
    EXPECT_EQ(pattern.error().code, "InvalidParameterException");
    EXPECT_TRUE(pattern.error().message.starts_with("Invalid filter pattern: ")) << pattern.error().message;
  }
}

TEST(Utf8, ReplacesWhatIsNoCharacter) {
  const std::string_view sign = "\xEF\xBF\xBD";
  const auto with_signs = [&](std::string_view before, int signs, std::string_view after) {
    std::string text(before);
    for (int i = 0; i < signs; ++i) text += sign;
    return text + std::string(after);
  };
  EXPECT_EQ(to_valid_utf8("gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "gr\xC3\xBC\xC3\x9F \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(to_valid_utf8("a\xFF"), with_signs("a", 1, ""));
  EXPECT_EQ(to_valid_utf8("a\xC3"), with_signs("a", 1, ""));
  EXPECT_EQ(to_valid_utf8("\xE2\x82z"), with_signs("", 1, "z"));          // one for the whole begun character
  EXPECT_EQ(to_valid_utf8("\xC0\xAF"), with_signs("", 2, ""));            // overlong
  EXPECT_EQ(to_valid_utf8("\xED\xA0\x80"), with_signs("", 3, ""));        // a surrogate
  EXPECT_EQ(to_valid_utf8("\xF4\x90\x80\x80."), with_signs("", 4, "."));  // beyond U+10FFFF
  EXPECT_EQ(to_valid_utf8(std::string("a\0b", 3)), std::string("a\0b", 3));
}

TEST(Utf8, KnowsAnUnfinishedTail) {
  EXPECT_EQ(unfinished_utf8_tail(""), 0U);
  EXPECT_EQ(unfinished_utf8_tail("abc"), 0U);
  EXPECT_EQ(unfinished_utf8_tail("\xE2\x82\xAC"), 0U);
  EXPECT_EQ(unfinished_utf8_tail("a\xE2"), 1U);
  EXPECT_EQ(unfinished_utf8_tail("a\xE2\x82"), 2U);
  EXPECT_EQ(unfinished_utf8_tail("\xF0\x9F\x98"), 3U);
  EXPECT_EQ(unfinished_utf8_tail("\x80\x80\x80"), 0U);
  EXPECT_EQ(unfinished_utf8_tail("a\xFF"), 0U);
}

}  // namespace
}  // namespace kaapi::logs
