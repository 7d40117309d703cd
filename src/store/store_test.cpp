#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "store/database.h"

namespace kaapi::store {
namespace {

constexpr std::string_view first_schema = "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)";
constexpr std::string_view second_schema = "ALTER TABLE item ADD COLUMN note TEXT";
constexpr std::string_view schema_one[] = {first_schema};
constexpr std::string_view schema_two[] = {first_schema, second_schema};

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "kaapi_store_" + testing::UnitTest::GetInstance()->current_test_info()->name();
    remove();
  }
  void TearDown() override { remove(); }
  void remove() const {
    for (const char* tail : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + tail);
  }
  static std::int64_t count(Database& database) {
    return *database.read([](Session& session) -> Result<std::int64_t> {
      Statement rows = session.query("SELECT count(*) FROM item");
      rows.step();
      return rows.number(0);
    });
  }
  std::string path_;
};

Result<void> add(Database& database, std::string_view name) {
  return database.write([&](Session& session) -> Result<void> {
    session.run("INSERT INTO item(name) VALUES(?1)", name);
    return ok();
  });
}

TEST_F(StoreTest, KeepsWhatWasWrittenAndMigrates) {
  {
    auto database = *Database::open(path_, schema_one);
    ASSERT_TRUE(add(*database, "a"));
  }
  auto database = *Database::open(path_, schema_two);
  EXPECT_EQ(count(*database), 1);
}

TEST_F(StoreTest, VersionMovesWithEveryChangeAndOnlyThen) {
  for (const std::string& path : {path_, std::string(":memory:")}) {
    auto database = *Database::open(path, schema_one);
    const std::uint64_t empty = database->version();
    EXPECT_EQ(count(*database), 0);
    EXPECT_EQ(database->version(), empty) << "reading changes nothing";
    ASSERT_TRUE(add(*database, "a"));
    const std::uint64_t one = database->version();
    EXPECT_NE(one, empty);
    EXPECT_EQ(count(*database), 1);
    EXPECT_EQ(database->version(), one);
    ASSERT_TRUE(add(*database, "b"));
    EXPECT_NE(database->version(), one);
  }
}

TEST_F(StoreTest, WhatACrashLeftOfANewFileIsNoObstacle) {
  std::ofstream(path_ + ".new") << "half a database";
  auto database = *Database::open(path_, schema_two);
  ASSERT_TRUE(add(*database, "a"));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
}

TEST_F(StoreTest, RefusesANewerSchemaAndADamagedFile) {
  { auto database = *Database::open(path_, schema_two); }
  EXPECT_EQ(Database::open(path_, schema_one).error().code, errc::damaged);
  remove();
  std::ofstream(path_) << std::string(8192, 'x');
  EXPECT_EQ(Database::open(path_, schema_one).error().code, errc::damaged);
}

TEST_F(StoreTest, AFailedTransactionLeavesNothing) {
  auto database = *Database::open(path_, schema_one);
  const Result<void> refused = database->write([](Session& session) -> Result<void> {
    session.run("INSERT INTO item(name) VALUES('x')");
    return make_error(errc::conflict, "no");
  });
  EXPECT_EQ(refused.error().code, errc::conflict);
  EXPECT_EQ(count(*database), 0);
  ASSERT_TRUE(add(*database, "a"));
  EXPECT_EQ(add(*database, "a").error().code, errc::internal);
  EXPECT_EQ(count(*database), 1);
}

TEST_F(StoreTest, ConcurrentWritersShareCommitsAndLoseNothing) {
  auto database = *Database::open(path_, schema_one);
  int commits = 0;
  database->set_commit_hook([&](bool committed) { commits += committed ? 1 : 0; });
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) ASSERT_TRUE(add(*database, fmt::format("{}-{}", t, i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(count(*database), 400);
  EXPECT_LE(commits, 400);
}

// What a full disk does: the database gives up the whole transaction, and everyone who shared it must hear of it.
TEST_F(StoreTest, AGivenUpTransactionFailsForItsWholeGroup) {
  auto database = *Database::open(path_, schema_one);
  ASSERT_TRUE(database->write([](Session& session) -> Result<void> {
    session.run("PRAGMA max_page_count=4");
    return ok();
  }));
  std::vector<std::thread> threads;
  std::atomic<int> kept = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) kept += add(*database, fmt::format("{}-{}-{}", t, i, std::string(500, 'x'))) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(kept, 160);
  EXPECT_EQ(count(*database), kept);
}

TEST_F(StoreTest, ACrashBeforeTheCommitLosesItAndOneAfterKeepsIt) {
  auto database = *Database::open(":memory:", schema_one);
  struct Crash {};
  for (const bool crash_after : {false, true}) {
    database->set_commit_hook([&](bool committed) {
      if (committed == crash_after) throw Crash();
    });
    EXPECT_THROW(static_cast<void>(add(*database, "a")), Crash);
    database->set_commit_hook({});
    EXPECT_EQ(count(*database), crash_after ? 1 : 0);
  }
}

}  // namespace
}  // namespace kaapi::store
