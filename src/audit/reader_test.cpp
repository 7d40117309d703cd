#include "audit/reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "audit/event.h"
#include "audit/log.h"
#include "audit/test_call.h"
#include "audit/watch.h"
#include "base/test_directory.h"

namespace kaapi::audit {
namespace {

using testing::ElementsAre;

class AuditReaderTest : public testing::Test {
 protected:
  void write(std::uint64_t file, std::string_view text) const {
    std::ofstream(file_path(folder_, file), std::ios::app) << text;
  }
  std::vector<std::string> backward(std::optional<Position> before = std::nullopt) const {
    BackwardReader reader(folder_, before);
    std::vector<std::string> lines;
    while (true) {
      const auto line = reader.next();
      EXPECT_TRUE(line) << line.error().message;
      if (!line || !*line) return lines;
      lines.emplace_back((*line)->text);
    }
  }
  static std::vector<std::string> rest(ForwardReader& reader) {
    std::vector<std::string> lines;
    while (true) {
      const auto line = reader.next();
      EXPECT_TRUE(line) << line.error().message;
      if (!line || !*line) return lines;
      lines.emplace_back(**line);
    }
  }

  const TestDirectory directory_;
  const std::string& folder_ = directory_.path();
};

TEST_F(AuditReaderTest, ReadsNewestFirstOverFiles) {
  write(2, "a\nb\n");
  write(10, "c\nd\n");
  EXPECT_THAT(backward(), ElementsAre("d", "c", "b", "a"));
  EXPECT_THAT(backward(Position{10, 2}), ElementsAre("c", "b", "a"));
  EXPECT_THAT(backward(Position{10, 0}), ElementsAre("b", "a"));
  EXPECT_THAT(backward(Position{2, 2}), ElementsAre("a"));
  EXPECT_THAT(backward(Position{5, 77}), ElementsAre("b", "a"));  // that file is gone
  EXPECT_THAT(backward(Position{1, 77}), ElementsAre());
  EXPECT_FALSE(BackwardReader(folder_, Position{10, 5}).next());
}

TEST_F(AuditReaderTest, EmptyFilesAndFoldersHaveNoLines) {
  EXPECT_THAT(backward(), ElementsAre());
  write(1, "");
  EXPECT_THAT(backward(), ElementsAre());
  write(2, "\n\n");
  EXPECT_THAT(backward(), ElementsAre());
  EXPECT_FALSE(BackwardReader(folder_ + "/missing").next());
}

TEST_F(AuditReaderTest, WhatIsNotEndedIsNoLineYet) {
  write(1, "a\nb");
  write(2, "c\nd");
  EXPECT_THAT(backward(), ElementsAre("c", "a"));
  EXPECT_EQ(newest_position(folder_).value(), (Position{2, 2}));
}

TEST_F(AuditReaderTest, ReadsLinesOfAllLengthsOverBlocks) {
  std::vector<std::string> lines;
  for (std::size_t i = 1; i < 3000; ++i) lines.emplace_back(i * 37 % 4000 + 1, static_cast<char>('a' + i % 26));
  lines.emplace_back(max_line_bytes - 1, 'x');
  for (const std::string& line : lines) write(1, line + "\n");
  std::vector<std::string> expected(lines.rbegin(), lines.rend());
  EXPECT_EQ(backward(), expected);
  ForwardReader forward(folder_, {1, 0});
  EXPECT_EQ(rest(forward), lines);
}

TEST_F(AuditReaderTest, PassesOverALineThatIsTooLong) {
  write(1, "a\n" + std::string(max_line_bytes * 5, 'x') + "\nb\n" + std::string(max_line_bytes, 'y') + "\nc\n");
  EXPECT_THAT(backward(), ElementsAre("c", "b", "a"));
  ForwardReader forward(folder_, {1, 0});
  EXPECT_THAT(rest(forward), ElementsAre("a", "b", "c"));
}

TEST_F(AuditReaderTest, FollowsWhatIsWrittenAndRotated) {
  write(3, "a\nb");
  ForwardReader reader(folder_, {3, 0});
  EXPECT_THAT(rest(reader), ElementsAre("a"));
  write(3, "c\n");
  EXPECT_THAT(rest(reader), ElementsAre("bc"));
  EXPECT_THAT(rest(reader), ElementsAre());
  write(3, "d\n");
  write(4, "e\n");
  EXPECT_THAT(rest(reader), ElementsAre("d", "e"));
  write(7, "f\n");
  std::filesystem::remove(file_path(folder_, 3));
  EXPECT_THAT(rest(reader), ElementsAre("f"));
  ForwardReader later(folder_, {3, 99});  // its file is gone: with the next one from its beginning
  EXPECT_THAT(rest(later), ElementsAre("e", "f"));
}

TEST_F(AuditReaderTest, FollowsFromAFolderThatIsStillEmpty) {
  ForwardReader reader(folder_, newest_position(folder_).value());
  EXPECT_THAT(rest(reader), ElementsAre());
  write(1, "a\n");
  EXPECT_THAT(rest(reader), ElementsAre("a"));
}

// A log under load, a follower that waits for it, and rotation between.
TEST_F(AuditReaderTest, AFollowerSeesEveryCallOfARunningLog) {
  constexpr int calls = 1000;
  const ManualClock clock;
  SeededIds ids(1);
  const std::string folder = directory_.file("audit");
  const auto log = Log::open({folder, "123456789012", max_line_bytes, 100}, clock, ids).value();
  Result<FolderWatch> watch = FolderWatch::open(folder);
  ASSERT_TRUE(watch);
  ForwardReader reader(folder, newest_position(folder).value());
  std::thread writer([&] {
    for (int i = 0; i < calls; ++i) log->record(TestCall().named(fmt::format("Call{}", i)).record());
  });
  std::vector<std::string> seen;
  while (seen.size() < calls) {
    const Result<bool> changed = watch->wait(std::chrono::seconds(20));
    if (!changed || !*changed) break;
    for (const std::string& line : rest(reader)) seen.push_back(parse_event(line).value().name);
  }
  writer.join();
  ASSERT_EQ(seen.size(), std::size_t{calls});
  for (int i = 0; i < calls; ++i) EXPECT_EQ(seen[static_cast<std::size_t>(i)], fmt::format("Call{}", i));
  EXPECT_GT(file_numbers(folder)->size(), 5U);
}

TEST_F(AuditReaderTest, WaitingEndsWhenNothingHappens) {
  Result<FolderWatch> watch = FolderWatch::open(folder_);
  ASSERT_TRUE(watch);
  EXPECT_FALSE(watch->wait(std::chrono::milliseconds(1)).value());
  write(1, "a\n");
  EXPECT_TRUE(watch->wait(std::chrono::seconds(20)).value());
  EXPECT_EQ(FolderWatch::open(folder_ + "/missing").error().code, errc::not_found);
}

}  // namespace
}  // namespace kaapi::audit
