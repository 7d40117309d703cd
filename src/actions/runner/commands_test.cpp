// What steps say in their output and in the files, as GitHub documents both.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "actions/runner/endpoint.h"
#include "actions/runner/file_commands.h"
#include "actions/runner/hash_files.h"
#include "actions/runner/log_commands.h"
#include "actions/runner/test_support.h"

namespace kaapi::actions::runner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST(LogCommand, ReadsNamePropertiesAndData) {
  const auto command = parse_log_command("::error file=app.js,line=1,col=5,title=a%2Cb::Missing %25 semi%0Acolon");
  ASSERT_TRUE(command);
  EXPECT_EQ(command->name, "error");
  EXPECT_THAT(command->properties,
              ElementsAre(Pair("col", "5"), Pair("file", "app.js"), Pair("line", "1"), Pair("title", "a,b")));
  EXPECT_EQ(command->data, "Missing % semi\ncolon");
}

TEST(LogCommand, UnescapesOnlyOnce) {
  EXPECT_EQ(parse_log_command("::debug::%250A")->data, "%0A");
}

TEST(LogCommand, IsOnlyAtTheBeginningOfALine) {
  EXPECT_TRUE(parse_log_command("  ::endgroup::"));
  EXPECT_FALSE(parse_log_command("x ::endgroup::"));
  EXPECT_FALSE(parse_log_command("::endgroup"));
  EXPECT_FALSE(parse_log_command("::::"));
}

TEST(NamedValues, ReadsLinesAndBlocks) {
  const auto values = parse_named_values("a=1\nurl=http://x?y=z\n\nb<<END\nline 1\n\nline=3\nEND\nc<<E\nE\nd=a<<b\n");
  ASSERT_TRUE(values) << values.error().message;
  EXPECT_THAT(*values, ElementsAre(Pair("a", "1"), Pair("url", "http://x?y=z"), Pair("b", "line 1\n\nline=3"),
                                   Pair("c", ""), Pair("d", "a<<b")));
}

TEST(NamedValues, NamesFaultsByLineAndKeepsValuesToItself) {
  EXPECT_EQ(parse_named_values("a=1\nsecret words\n").error().message, "line 2: expected NAME=VALUE or NAME<<MARK");
  EXPECT_THAT(parse_named_values("a=1\nb<<END\nx\n").error().message, HasSubstr("line 2: the value does not end"));
  EXPECT_THAT(parse_named_values("=x\n").error().message, HasSubstr("line 1"));
  EXPECT_THAT(parse_named_values("b<<\nx\n").error().message, HasSubstr("line 1"));
}

TEST(NamedValues, SomeVariablesAreTheRunners) {
  EXPECT_FALSE(may_set_env("NODE_OPTIONS"));
  EXPECT_FALSE(may_set_env("node_options"));
  EXPECT_TRUE(may_set_env("GITHUB_TOKEN"));
}

TEST(HashFiles, IsWhatGitHubComputes) {
  const TestDirectory folder;
  write_text(folder.file("a.lock"), "a");
  write_text(folder.file("sub/b.lock"), "b");
  write_text(folder.file("sub/other.txt"), "x");
  const std::vector<std::string> pattern = {"**/*.lock"};
  EXPECT_EQ(hash_files(folder.path(), pattern).value(), to_hex(sha256(sha256("a") + sha256("b"))));
  const std::vector<std::string> one = {"**/*.lock", "!sub/**"};
  EXPECT_EQ(hash_files(folder.path(), one).value(), to_hex(sha256(sha256("a"))));
  const std::vector<std::string> none = {"*.none"};
  EXPECT_EQ(hash_files(folder.path(), none).value(), "");
  const std::vector<std::string> outside = {"../x"};
  EXPECT_FALSE(hash_files(folder.path(), outside));
  const std::vector<std::string> nothing = {"!"};
  EXPECT_FALSE(hash_files(folder.path(), nothing));
}

// What is hashed, by the texts of the files in their order.
std::string hashed(const std::vector<std::string>& texts) {
  std::string hashes;
  for (const std::string& text : texts) hashes += sha256(text);
  return texts.empty() ? "" : to_hex(sha256(hashes));
}

TEST(HashFiles, OutsideOfTheWorkspaceThereIsNothing) {
  const TestDirectory root;
  const std::string folder = root.file("work");
  write_text(root.file("outside.lock"), "o");
  write_text(folder + "/a.lock", "a");
  const auto hash = [&](std::vector<std::string> patterns) { return hash_files(folder, patterns).value(); };
  EXPECT_EQ(hash({root.path() + "/outside.lock", "/etc/passwd", "~/.bashrc"}), "");
  EXPECT_EQ(hash({root.path() + "/**/*.lock"}), hashed({"a"})) << "a pattern that reaches into it";
  EXPECT_EQ(hash({"**", "!/etc/**"}), hashed({"a"}));
  EXPECT_EQ(hash({"**", "!" + root.path() + "/*/a.lock"}), "");
  EXPECT_EQ(hash({folder + "/*.lock", "!!a.lock"}), hashed({"a"}));
}

TEST(HashFiles, LinksAreFollowedWhereTheFirstArgumentAsks) {
  const TestDirectory root;
  const std::string folder = root.file("work");
  write_text(folder + "/a.lock", "a");
  write_text(root.file("lib/b.lock"), "b");
  std::filesystem::create_directory_symlink(root.file("lib"), folder + "/lib");
  std::filesystem::create_directory_symlink(folder, folder + "/round");
  std::filesystem::create_symlink("nowhere", folder + "/broken");
  std::filesystem::create_symlink("self", folder + "/self");
  const auto hash = [&](std::vector<std::string> patterns) { return hash_files(folder, patterns); };
  EXPECT_EQ(hash({"**/*.lock"}).value(), hashed({"a"}));
  EXPECT_EQ(hash({"--follow-symbolic-links", "**/*.lock"}).value(), hashed({"a", "b"}));
  EXPECT_EQ(hash({"--Follow-Symbolic-Links"}).value(), "");
  EXPECT_EQ(hash({"**/*.lock", "--follow-symbolic-links"}).value(), hashed({"a"})) << "only the first is an option";
  EXPECT_THAT(hash({"--follow", "*"}).error().message, HasSubstr("'--follow' is no option"));
}

TEST(HashFiles, ManyWildcardsTakeNoLonger) {
  const TestDirectory folder;
  std::string deep, pattern;
  for (int i = 0; i < 30; ++i) {
    deep += "a/";
    pattern += "**/a/";
  }
  write_text(folder.file(deep + "file"), "x");
  EXPECT_EQ(hash_files(folder.path(), std::vector{pattern + "**/none"}).value(), "");
  EXPECT_EQ(hash_files(folder.path(), std::vector{pattern + "**/file"}).value(), hashed({"x"}));
}

TEST(ServerAddress, IsReadOrRefusedWithAReason) {
  const auto address = parse_server_address("http://[::1]:4566/");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->endpoint.host, "::1");
  EXPECT_EQ(address->endpoint.port, 4566);
  EXPECT_TRUE(address->loopback);
  EXPECT_EQ(parse_server_address("http://localhost")->endpoint.port, 80);
  EXPECT_THAT(parse_server_address("https://x").error().message, HasSubstr("tunnel"));
  EXPECT_FALSE(parse_server_address("http://:80"));
  EXPECT_FALSE(parse_server_address("http://h:99999"));
  EXPECT_FALSE(parse_server_address("http://h/path"));
}

}  // namespace
}  // namespace kaapi::actions::runner
