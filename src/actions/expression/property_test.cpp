// Properties that hold for any expression; the generator is seeded, so a failure repeats.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "actions/expression/contexts.h"
#include "actions/expression/expression.h"

namespace kaapi::actions::expression {
namespace {

constexpr unsigned seed = 20'260'701;
constexpr int rounds = 3'000;

class Generator {
 public:
  std::string expression(int depth) {
    if (depth <= 0) return pick(leaves_);
    switch (number(9)) {
      case 0:
        return "!" + expression(depth - 1);
      case 1:
        return "(" + expression(depth - 1) + ")";
      case 2:
        return expression(depth - 1) + pick(operators_) + expression(depth - 1);
      case 3:
        return "(" + expression(depth - 1) + ")" + pick(accesses_);
      case 4:
        return "github" + pick(accesses_) + pick(accesses_);
      case 5:
        return "format('{0}', " + expression(depth - 1) + ")";
      case 6:
        return "contains(" + expression(depth - 1) + ", " + expression(depth - 1) + ")";
      case 7:
        return "join(" + expression(depth - 1) + ")";
      default:
        return "toJSON(" + expression(depth - 1) + ")";
    }
  }

  // Any bytes, most of them from the language.
  std::string noise() {
    static constexpr std::string_view bytes = "()[].,!<>=&|*'\"{}$ 0x1eE-+_aZ\n\\\xc3\xa9";
    std::string text;
    for (std::size_t i = number(30); i > 0; --i) text += bytes[number(bytes.size())];
    return text;
  }

  Value value(int depth) {
    switch (number(depth > 0 ? 7 : 5)) {
      case 0:
        return {};
      case 1:
        return number(2) == 0;
      case 2:
        return static_cast<double>(number(5)) - 2;
      case 3:
      case 4:
        return pick(texts_);
      case 5: {
        Array array;
        for (std::size_t i = number(3); i > 0; --i) array.items.push_back(value(depth - 1));
        return array;
      }
      default: {
        Object object;
        for (std::size_t i = number(3); i > 0; --i) object.set(pick(texts_), value(depth - 1));
        return object;
      }
    }
  }

 private:
  std::size_t number(std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(engine_); }
  std::string pick(const std::vector<std::string>& from) { return from[number(from.size())]; }

  std::mt19937 engine_{seed};
  const std::vector<std::string> leaves_ = {"1",    "-2.5", "0xff", "'a'",    "'It''s'", "''",
                                            "true", "null", "NaN",  "github", "Infinity"};
  const std::vector<std::string> operators_ = {" == ", " != ", " < ", " <= ", " > ", " >= ", " && ", " || "};
  const std::vector<std::string> accesses_ = {".a", ".*", "[0]", "['b c']", "[*]", ".true", "[github]", "[1 == 1]"};
  const std::vector<std::string> texts_ = {"", "a", "A", "1", " 1 ", "0x1", "true", "NaN", "b c"};
};

Contexts contexts_of(Generator& generator) {
  Contexts contexts;
  contexts.set("github", generator.value(3));
  return contexts;
}

std::string shown(const Checked<Value>& value) {
  if (!value) return "error " + std::string(value.error().code);
  return value->is(Kind::number) ? number_text(value->number()) : to_json(*value).value();
}

TEST(Properties, PrintedExpressionsParseToTheSame) {
  Generator generator;
  for (int i = 0; i < rounds; ++i) {
    const std::string text = generator.expression(4);
    const Checked<Expression> parsed = Expression::parse(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    const std::string printed = parsed->print();
    const Checked<Expression> again = Expression::parse(printed);
    ASSERT_TRUE(again) << text << " printed as " << printed << ": " << again.error().message;
    EXPECT_EQ(again->print(), printed);
    const Contexts contexts = contexts_of(generator);
    EXPECT_EQ(shown(parsed->evaluate(contexts)), shown(again->evaluate(contexts))) << text << " as " << printed;
  }
}

TEST(Properties, AnyTextIsParsedOrRefusedWithAPlaceInIt) {
  Generator generator;
  for (int i = 0; i < 10 * rounds; ++i) {
    const std::string text = generator.noise();
    const Checked<Expression> parsed = Expression::parse(text);
    if (parsed) {
      (void)parsed->evaluate(contexts_of(generator));
    } else {
      EXPECT_LE(parsed.error().position, text.size()) << text;
      EXPECT_FALSE(parsed.error().message.empty());
    }
  }
}

TEST(Properties, EqualityIsSymmetricAndOrderIsStrict) {
  Generator generator;
  for (int i = 0; i < 10 * rounds; ++i) {
    const Value a = generator.value(2), b = generator.value(2);
    EXPECT_EQ(loose_equal(a, b), loose_equal(b, a));
    EXPECT_FALSE(less(a, b) && less(b, a));
    EXPECT_FALSE(less(a, b) && loose_equal(a, b));
    EXPECT_EQ(less(a, b), greater(b, a));
  }
}

TEST(Properties, JsonComesBack) {
  Generator generator;
  for (int i = 0; i < rounds; ++i) {
    const std::string text = to_json(generator.value(4)).value();
    EXPECT_EQ(to_json(from_json(text).value()).value(), text);
  }
}

}  // namespace
}  // namespace kaapi::actions::expression
