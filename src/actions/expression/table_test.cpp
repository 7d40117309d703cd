// Every row of tests/expressions: an expression and what it yields.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "actions/expression/contexts.h"
#include "actions/expression/expression.h"
#include "base/text.h"

namespace kaapi::actions::expression {
namespace {

constexpr std::size_t max_table_bytes = 1'000'000;

// A number's JSON has no word for these.
std::string show(const Value& value) {
  return value.is(Kind::number) ? number_text(value.number()) : to_json(value).value();
}

std::string on_one_line(std::string_view json_text) {
  const Result<Value> value = from_json(json_text);
  return value ? show(*value) : std::string(json_text);
}

// What the expression yields, as the table writes it.
std::string outcome(std::string_view text, const Environment& environment) {
  const Checked<Expression> expression = Expression::parse(text);
  if (!expression) return fmt::format("error {}: {}", expression.error().position + 1, expression.error().message);
  const Checked<Value> value = expression->evaluate(environment);
  if (!value) return fmt::format("error {}: {}", value.error().position + 1, value.error().message);
  return show(*value);
}

// Reads "let NAME = JSON" and "EXPRESSION => JSON" lines, and tells what came out differently.
class TableReader {
 public:
  std::string read(std::string_view line) {
    line = trim(line);
    if (line.empty() || line.starts_with('#')) return {};
    if (line.starts_with("let ")) return declare(line.substr(4));
    const std::size_t arrow = line.rfind(" => ");
    if (arrow == std::string_view::npos) return "no ' => ' in the line";
    ++rows_;
    const std::string_view expected = trim(line.substr(arrow + 4));
    const std::string found = outcome(trim(line.substr(0, arrow)), contexts_);
    // "error 3: ==" expects a position and a part of the message.
    if (expected.starts_with("error ")) {
      const std::size_t colon = expected.find(": ");
      const bool position = found.starts_with(expected.substr(0, colon + 1));
      if (position && found.find(expected.substr(colon + 2)) != std::string::npos) return {};
    } else if (found == on_one_line(expected)) {
      return {};
    }
    return fmt::format("yields {}, expected {}", found, expected);
  }

  std::size_t rows() const { return rows_; }

 private:
  std::string declare(std::string_view text) {
    const std::size_t equals = text.find(" = ");
    if (equals == std::string_view::npos) return "no ' = ' in the line";
    Result<Value> value = from_json(text.substr(equals + 3));
    if (!value) return value.error().message;
    contexts_.set(text.substr(0, equals), std::move(*value));
    return {};
  }

  Contexts contexts_;
  std::size_t rows_ = 0;
};

TEST(ExpressionTables, EveryRowYieldsWhatItSays) {
  std::size_t rows = 0;
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(KAAPI_EXPRESSION_TABLES)) {
    if (entry.path().extension() == ".expressions") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  for (const std::filesystem::path& file : files) {
    const Result<std::string> text = read_file(file.string(), max_table_bytes);
    ASSERT_TRUE(text) << text.error().message;
    TableReader table;
    std::size_t number = 0;
    for (const std::string& line : split(*text, '\n')) {
      ++number;
      const std::string difference = table.read(line);
      EXPECT_TRUE(difference.empty()) << file.filename().string() << ":" << number << ": " << line << " " << difference;
    }
    rows += table.rows();
  }
  EXPECT_GE(rows, 300U);
}

// A table that could not fail would prove nothing.
TEST(ExpressionTables, AWrongRowIsReported) {
  TableReader table;
  EXPECT_EQ(table.read("let foo = {\"a\": 1}"), "");
  EXPECT_EQ(table.read("foo.a => 1"), "");
  EXPECT_NE(table.read("foo.a => 2"), "");
  EXPECT_NE(table.read("foo.a => error 1: unexpected"), "");
  EXPECT_NE(table.read("1 = 2 => error 1: =="), "");
  EXPECT_EQ(table.read("1 = 2 => error 3: =="), "");
}

}  // namespace
}  // namespace kaapi::actions::expression
