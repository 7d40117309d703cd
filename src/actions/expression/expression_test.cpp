// Templates, conditions, availability, limits.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/expression/availability.h"
#include "actions/expression/contexts.h"
#include "actions/expression/template.h"

namespace kaapi::actions::expression {
namespace {

using testing::HasSubstr;

class StepContexts final : public Contexts {
 public:
  bool failed = false;
  Result<bool> status(Function function, std::span<const std::string>) const override {
    if (function == Function::success) return !failed;
    if (function == Function::failure) return failed;
    return function == Function::always;
  }
  Result<std::string> hash_files(std::span<const std::string> patterns) const override {
    return fmt::format("{}", fmt::join(patterns, "+"));
  }
};

Contexts github() {
  Contexts contexts;
  contexts.set("github", from_json(R"({"sha": "abc", "run": 5, "ref": "refs/heads/main"})").value());
  return contexts;
}

TEST(Template, MixesTextAndExpressions) {
  const Contexts contexts = github();
  EXPECT_EQ(Template::parse("a ${{ github.sha }}-${{github.run}} b")->evaluate_text(contexts).value(), "a abc-5 b");
  EXPECT_EQ(Template::parse("no expression }} {{ $")->evaluate_text(contexts).value(), "no expression }} {{ $");
  EXPECT_EQ(Template::parse("${{ 'a }} b' }}")->evaluate_text(contexts).value(), "a }} b");
  EXPECT_EQ(Template::parse("${{ 'it''s }}' }}")->evaluate_text(contexts).value(), "it's }}");
}

TEST(Template, OneExpressionKeepsItsType) {
  const Contexts contexts = github();
  EXPECT_TRUE(Template::parse("${{ github.run }}")->evaluate(contexts)->is(Kind::number));
  EXPECT_TRUE(Template::parse("${{ github }}")->evaluate(contexts)->is(Kind::object));
  EXPECT_TRUE(Template::parse(" ${{ github.run }}")->evaluate(contexts)->is(Kind::string));
  EXPECT_TRUE(Template::parse("${{ github.run }}${{ github.run }}")->evaluate(contexts)->is(Kind::string));
}

TEST(Template, ErrorsTellTheirPlaceInTheText) {
  EXPECT_EQ(Template::parse("ab ${{ github.sha").error().position, 3U);
  EXPECT_THAT(Template::parse("${{ }}").error().message, HasSubstr("expected"));
  EXPECT_EQ(Template::parse("ab ${{ 1 = 2 }}").error().position, 9U);
  EXPECT_EQ(Template::parse("ab ${{ nope }}")->evaluate(github()).error().position, 7U);
}

TEST(Condition, MeansSuccessUnlessItAsksForTheStatus) {
  StepContexts fine, failed;
  failed.failed = true;
  const auto met = [](std::string_view text, const Environment& contexts) {
    return Condition::parse(text)->evaluate(contexts).value();
  };
  EXPECT_TRUE(met("", fine));
  EXPECT_FALSE(met("", failed));
  EXPECT_TRUE(met("1 == 1", fine));
  EXPECT_TRUE(met("${{ 1 == 1 }}", fine));
  EXPECT_FALSE(met("1 == 1", failed));
  EXPECT_TRUE(met("failure()", failed));
  EXPECT_TRUE(met("${{ always() && 1 == 1 }}", failed));
  EXPECT_FALSE(met("always() && 1 == 2", failed));
  EXPECT_TRUE(met("!cancelled()", failed));
  EXPECT_FALSE(met("false", fine));
  // Text around an expression makes it a text, which is true unless it is empty: GitHub's trap.
  EXPECT_TRUE(met("${{ 1 == 2 }} == true", fine));
  EXPECT_EQ(Condition::parse("  1 = 2").error().position, 4U);
}

TEST(Functions, HashFilesIsAskedOfTheEnvironment) {
  EXPECT_EQ(to_text(Expression::parse("hashFiles('a', 'b')")->evaluate(StepContexts()).value()), "a+b");
}

TEST(Availability, FollowsGitHubsTable) {
  const auto errors = [](std::string_view text, Place place) {
    return check_available(*Expression::parse(text), available(place));
  };
  EXPECT_TRUE(errors("github.ref", Place::job_if).empty());
  EXPECT_TRUE(errors("always() && needs.a.result", Place::job_if).empty());
  EXPECT_EQ(errors("secrets.x", Place::job_if).size(), 1U);
  EXPECT_EQ(errors("matrix.x || secrets.y", Place::job_if).size(), 2U);
  EXPECT_TRUE(errors("secrets.x || steps.a || hashFiles('a')", Place::step).empty());
  EXPECT_EQ(errors("secrets.x", Place::step_if).size(), 1U);
  EXPECT_EQ(errors("env.x", Place::job_env).size(), 1U);
  EXPECT_TRUE(errors("env.x", Place::job_defaults_run).empty());
  EXPECT_TRUE(errors("steps.a.outputs.b", Place::job_environment_url).empty());
  EXPECT_EQ(errors("success()", Place::step).size(), 1U);
  EXPECT_EQ(errors("hashFiles('a')", Place::job_env).size(), 1U);
  EXPECT_TRUE(errors("jobs.a.outputs.b", Place::call_output_value).empty());
  EXPECT_EQ(errors("jobs.a", Place::step).size(), 1U);
  EXPECT_THAT(errors("githb.ref", Place::step)[0].message, HasSubstr("did you mean \"github\"?"));
  EXPECT_EQ(errors("1 == githb.ref", Place::step)[0].position, 5U);
}

TEST(Limits, LongExpressionsAreRefused) {
  const std::string fits = "'" + std::string(max_expression_chars - 2, 'a') + "'";
  EXPECT_TRUE(Expression::parse(fits));
  EXPECT_EQ(Expression::parse(fits + " ").error().code, errc::too_large);
}

TEST(Limits, ResultsAreBounded) {
  Contexts contexts;
  contexts.set("github", Value(std::string(1'000'000, 'x')));
  const auto grown = Expression::parse("format('{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}', github)")->evaluate(contexts);
  EXPECT_EQ(grown.error().code, errc::too_large);
  const auto summed = Expression::parse("format('{0}{0}{0}{0}{0}{0}', github) == format('{0}{0}{0}{0}{0}{0}', github)");
  EXPECT_EQ(summed->evaluate(contexts).error().code, errc::too_large);
}

TEST(Objects, AreFoundWhateverTheCaseAlsoWhenLarge) {
  Object object, exact(Object::Case::sensitive);
  for (int i = 0; i < 100; ++i) {
    object.set(fmt::format("Key{}", i), i);
    exact.set(fmt::format("Key{}", i), i);
  }
  object.set("KEY7", "new");
  EXPECT_EQ(object.members().size(), 100U);
  EXPECT_EQ(to_text(*object.find("key7")), "new");
  EXPECT_EQ(exact.find("key7"), nullptr);
  EXPECT_NE(exact.find("Key7"), nullptr);
}

}  // namespace
}  // namespace kaapi::actions::expression
