// The matrix of tests/policies: every row of every table.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/text.h"
#include "identity/policy/policy_table.h"

namespace kaapi::identity::policy {
namespace {

constexpr std::size_t max_table_bytes = 1'000'000;

std::vector<std::string> table_files() {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(KAAPI_POLICY_TABLES)) {
    if (entry.path().extension() == ".policies") files.push_back(entry.path().filename().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<PolicyTable> read_table(const std::string& file) {
  const Result<std::string> text = read_file(fmt::format("{}/{}", KAAPI_POLICY_TABLES, file), max_table_bytes);
  if (!text) return text.error();
  return PolicyTable::read(*text);
}

class Table : public testing::TestWithParam<std::string> {};

TEST_P(Table, EveryRowComesOutAsItSays) {
  const Result<PolicyTable> table = read_table(GetParam());
  ASSERT_TRUE(table) << "tests/policies/" << GetParam() << ": " << table.error().message;
  for (const TableRow& row : table->rows()) {
    const std::string difference = table->check(row);
    EXPECT_TRUE(difference.empty()) << "tests/policies/" << GetParam() << ":" << row.line << ": " << difference;
  }
}

INSTANTIATE_TEST_SUITE_P(Policies, Table, testing::ValuesIn(table_files()), [](const auto& table) {
  std::string name = table.param.substr(0, table.param.find('.'));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Tables, HoldAtLeastFiveHundredRows) {
  constexpr std::size_t asked = 500;
  std::size_t rows = 0;
  for (const std::string& file : table_files()) {
    const Result<PolicyTable> table = read_table(file);
    ASSERT_TRUE(table) << file << ": " << table.error().message;
    rows += table->rows().size();
  }
  EXPECT_GE(rows, asked);
}

// A table that could not fail would prove nothing.
TEST(Tables, AWrongRowIsReported) {
  const Result<PolicyTable> table = PolicyTable::read(
      "principal dev = arn:aws:iam::111122223333:user/dev\n"
      "dev with AdministratorAccess | ecs:ListClusters | * | - | implicit | identity\n"
      "dev with AdministratorAccess | ecs:ListClusters | * | - | allow | PowerUserAccess\n");
  ASSERT_TRUE(table) << table.error().message;
  ASSERT_EQ(table->rows().size(), 2U);
  EXPECT_NE(table->check(table->rows()[0]).find("but it is allow by AdministratorAccess"), std::string::npos);
  EXPECT_NE(table->check(table->rows()[1]).find("expected allow by PowerUserAccess"), std::string::npos);
  EXPECT_FALSE(PolicyTable::read("dev | ecs:ListClusters | * | - | allow | x\n"));
}

}  // namespace
}  // namespace kaapi::identity::policy
