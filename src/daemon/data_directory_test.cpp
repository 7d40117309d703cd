#include "daemon/data_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/test_directory.h"

namespace kaapi::daemon {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class DataDirectoryTest : public testing::Test {
 protected:
  TestDirectory parent_;
  std::string path_ = parent_.file("a/b");
  SecureIds ids_;
};

TEST_F(DataDirectoryTest, IsMadeForItsOwnerOnly) {
  const Result<DataDirectory> directory = DataDirectory::open(path_, ids_);
  ASSERT_TRUE(directory);
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0700U);
}

TEST_F(DataDirectoryTest, IsMadeWhereWeAre) {
  const std::filesystem::path before = std::filesystem::current_path();
  std::filesystem::current_path(parent_.path());
  const Result<DataDirectory> directory = DataDirectory::open("staging", ids_);
  std::filesystem::current_path(before);
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_EQ(directory->path(), parent_.file("staging"));
}

TEST_F(DataDirectoryTest, KeepsItsInstanceAsLongAsItKeepsItsState) {
  ASSERT_TRUE(DataDirectory::open(path_, ids_));
  const std::string state = path_ + "/control.db";
  std::ofstream(state) << "";
  const std::string first = DataDirectory::open(path_, ids_)->instance();
  EXPECT_THAT(first, MatchesRegex("[0-9a-f]{12}"));
  EXPECT_EQ(DataDirectory::open(path_, ids_)->instance(), first);
  // Containers that this state does not know must not be taken for leftovers.
  ASSERT_EQ(::unlink(state.c_str()), 0);
  EXPECT_NE(DataDirectory::open(path_, ids_)->instance(), first);
}

TEST_F(DataDirectoryTest, BelongsToOneAtATime) {
  {
    const Result<DataDirectory> first = DataDirectory::open(path_, ids_);
    ASSERT_TRUE(first);
    const Result<DataDirectory> second = DataDirectory::open(path_, ids_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, errc::conflict);
    EXPECT_THAT(second.error().message,
                HasSubstr("another kaapi (pid " + std::to_string(::getpid()) + ") already uses " + path_));
  }
  EXPECT_TRUE(DataDirectory::open(path_, ids_));
}

TEST_F(DataDirectoryTest, RefusesADamagedInstanceFile) {
  { ASSERT_TRUE(DataDirectory::open(path_, ids_)); }
  std::ofstream(path_ + "/control.db") << "";
  std::ofstream(path_ + "/instance") << "no\n";
  const Result<DataDirectory> again = DataDirectory::open(path_, ids_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, errc::damaged);
  EXPECT_THAT(again.error().message, HasSubstr(path_ + "/instance is damaged"));
}

TEST_F(DataDirectoryTest, SaysWhyItCannotBeUsed) {
  std::ofstream(parent_.file("file")) << "text";
  const Result<DataDirectory> in_a_file = DataDirectory::open(parent_.file("file"), ids_);
  ASSERT_FALSE(in_a_file);
  EXPECT_EQ(in_a_file.error().code, errc::unavailable);
  EXPECT_THAT(in_a_file.error().message, HasSubstr("choose another with --data"));
  EXPECT_FALSE(DataDirectory::open(parent_.file("file/below"), ids_));
}

TEST_F(DataDirectoryTest, TellsTheEndpointWhileItRuns) {
  EXPECT_EQ(running_endpoint(path_), std::nullopt);
  EXPECT_EQ(last_endpoint(path_), std::nullopt);
  {
    Result<DataDirectory> directory = DataDirectory::open(path_, ids_);
    ASSERT_TRUE(directory);
    EXPECT_EQ(running_endpoint(path_), std::nullopt);
    ASSERT_TRUE(directory->publish_endpoint("http://127.0.0.1:4566"));
    EXPECT_EQ(running_endpoint(path_), "http://127.0.0.1:4566");
  }
  EXPECT_EQ(running_endpoint(path_), std::nullopt);
  EXPECT_EQ(last_endpoint(path_), "http://127.0.0.1:4566");
  const Result<DataDirectory> next = DataDirectory::open(path_, ids_);
  ASSERT_TRUE(next);
  EXPECT_EQ(running_endpoint(path_), std::nullopt) << "it does not listen yet";
  EXPECT_EQ(last_endpoint(path_), "http://127.0.0.1:4566");
}

TEST_F(DataDirectoryTest, WhatAKilledPlatformLeftBehindDoesNotCount) {
  { ASSERT_TRUE(DataDirectory::open(path_, ids_)); }
  std::ofstream(path_ + "/endpoint") << "http://127.0.0.1:4566\n";
  EXPECT_EQ(running_endpoint(path_), std::nullopt);
}

}  // namespace
}  // namespace kaapi::daemon
