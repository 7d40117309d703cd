// Pushes of many refs, and what becomes of a push when nothing can be started now.

#include <gmock/gmock.h>
#include <sqlite3.h>

#include <future>

#include "actions/runs/test_support.h"

namespace kaapi::actions::runs {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string job_of(std::string_view name, std::string_view on = "push") {
  return fmt::format("name: {}\non: {}\njobs: {{a: {{runs-on: ubuntu-latest, steps: [{{run: make}}]}}}}\n", name, on);
}

class ConductorPushes : public testing::Test {
 protected:
  void SetUp() override { house.open(); }
  PushReport push(std::vector<RefUpdate> updates) {
    return house.conductor->pushed({"kaapi/demo", "ada", House::ada().arn, std::move(updates)});
  }
  std::vector<std::string> names(const PushReport& report) const {
    std::vector<std::string> out;
    for (const WatchedRun& run : report.runs) out.push_back(run.name.substr(0, run.name.find(' ')));
    return out;
  }
  // As a disk that is full does.
  void change_database(const char* sql) const {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open(house.folder.file("pipeline.db").c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }
  auto runs() { return house.conductor->list({"kaapi/demo", "", "", "", INT64_MAX, 50}).value(); }

  House house;
};

TEST_F(ConductorPushes, TheDefaultBranchAndTagsAreLookedAtFirst) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("CD", "{push: , schedule: [{cron: '0 * * * *'}]}")}});
  std::vector<RefUpdate> updates;
  for (int i = 0; i < 30; ++i) {
    updates.push_back({fmt::format("refs/heads/a{:02}", i), commit_id(0), sha, false});
    updates.push_back({fmt::format("refs/heads/gone{:02}", i), sha, commit_id(0), false});
  }
  updates.push_back({"refs/heads/main", commit_id(0), sha, false});
  updates.push_back({"refs/tags/v1", commit_id(0), sha, false});
  const PushReport report = push(updates);
  ASSERT_THAT(report.runs, SizeIs(max_push_refs));
  EXPECT_EQ(report.runs[0].ref, "refs/heads/main");
  EXPECT_EQ(report.runs[1].ref, "refs/tags/v1");
  EXPECT_EQ(report.runs[2].ref, "refs/heads/a00");
  EXPECT_THAT(report.lines, Contains(HasSubstr("so 12 start none, such as a18; start those of one: kaapi repo replay "
                                               "kaapi/demo REF")));
  EXPECT_THAT(report.again, IsEmpty()) << "that is a limit, and not for now only";
  house.clock.advance(std::chrono::hours(1));
  house.conductor->run_due();
  EXPECT_EQ(runs().front().event_name, "schedule");
}

TEST_F(ConductorPushes, WhatCannotBeReadNowIsToldAgain) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("CD")}});
  house.source.broken = true;
  const PushReport report = push({{"refs/heads/main", commit_id(0), sha, false}});
  ASSERT_THAT(report.again, SizeIs(1));
  EXPECT_THAT(report.lines, Contains(HasSubstr("main: git failed; it is tried again by itself")));
  house.source.broken = false;
  EXPECT_THAT(names(push(report.again)), ElementsAre("CD"));
  EXPECT_THAT(push({{"refs/heads/main", commit_id(0), commit_id(9), false}}).again, IsEmpty()) << "no such commit";
}

TEST_F(ConductorPushes, ToldAgainOnlyWhatHasNotStartedStarts) {
  house.board.max_active_runs = 1;
  house.open();
  const std::string sha = house.source.add(1, {{"a.yml", job_of("A")}, {"b.yml", job_of("B")}});
  const PushReport report = push({{"refs/heads/main", commit_id(0), sha, false}});
  EXPECT_THAT(names(report), ElementsAre("A"));
  ASSERT_THAT(report.again, SizeIs(1));
  EXPECT_THAT(report.again[0].started, ElementsAre(".github/workflows/a.yml"));
  ASSERT_TRUE(house.conductor->cancel("kaapi/demo", report.runs[0].run_id, House::ada()));
  const PushReport next = push(report.again);
  EXPECT_THAT(names(next), ElementsAre("B"));
  EXPECT_THAT(next.again, IsEmpty());
}

TEST_F(ConductorPushes, WhatIsNotOnDiskHasNotStarted) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("CD")}});
  change_database("CREATE TRIGGER full BEFORE INSERT ON runs BEGIN SELECT RAISE(ABORT, 'disk full'); END");
  const PushReport report = push({{"refs/heads/main", commit_id(0), sha, false}});
  EXPECT_THAT(report.runs, IsEmpty());
  ASSERT_THAT(report.again, SizeIs(1));
  EXPECT_FALSE(house.acquire()) << "a runner gets nothing of it";
  change_database("DROP TRIGGER full");
  EXPECT_THAT(names(push(report.again)), ElementsAre("CD"));
  EXPECT_THAT(runs(), SizeIs(1));
}

TEST_F(ConductorPushes, WhenThePlatformEndsNothingIsLost) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("CD")}});
  house.conductor->stop();
  const PushReport report = push({{"refs/heads/main", commit_id(0), sha, false}});
  EXPECT_THAT(report.again, SizeIs(1));
  EXPECT_THAT(report.lines, Not(Contains(HasSubstr("push again"))));
}

TEST_F(ConductorPushes, ACommitThatIsReadSlowlyHoldsUpNoOther) {
  const std::string slow = house.source.add(1, {{"a.yml", job_of("A")}});
  const std::string quick = house.source.add(2, {{"b.yml", job_of("B")}});
  std::promise<void> asked;
  std::promise<void> let_go;
  house.source.when_read = [&](std::string_view sha) {
    if (sha != slow) return;
    asked.set_value();
    let_go.get_future().wait();
  };
  WorkflowCache cache(house.source);
  const auto read_slowly = [&] { return cache.get("kaapi/demo", slow).value(); };
  auto first = std::async(std::launch::async, read_slowly);
  asked.get_future().wait();
  EXPECT_TRUE(cache.get("kaapi/demo", quick));
  auto second = std::async(std::launch::async, read_slowly);
  let_go.set_value();
  EXPECT_EQ(first.get(), second.get());
  EXPECT_EQ(house.source.reads, 2) << "each once";
}

TEST_F(ConductorPushes, FiltersOfPathsCanBeLeftOut) {
  const std::string sha = house.source.add(1, {{"a.yml", job_of("CD", "{push: {paths: ['src/**']}}")}});
  house.source.commits[sha].changed = {"README.md"};
  RefUpdate update{"refs/heads/main", commit_id(0), sha, false};
  EXPECT_THAT(push({update}).runs, IsEmpty());
  update.all_paths = true;
  EXPECT_THAT(push({update}).runs, SizeIs(1));
}

}  // namespace
}  // namespace kaapi::actions::runs
