#include "actions/git/pushes.h"

#include <gtest/gtest.h>

#include <condition_variable>

#include "actions/git/test_repository.h"

namespace kaapi::actions::git {
namespace {

// Cannot deal with what comes as long as `full`.
class Listener final : public PushListener {
 public:
  PushReport pushed(const PushEvent& event) override {
    const std::lock_guard lock(mutex);
    events.push_back(event);
    told.notify_all();
    PushReport report;
    if (full) {
      report.again = event.updates;
      report.again.front().started.push_back("a.yml");
    }
    return report;
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    return told.wait_for(lock, std::chrono::seconds(20), [&] { return events.size() >= count; });
  }
  std::mutex mutex;
  std::condition_variable told;
  std::vector<PushEvent> events;
  bool full = false;
};

class PushesTest : public ::testing::Test {
 protected:
  PushesTest() {
    EXPECT_TRUE(all.repositories->create("team/shop"));
    caller.actor = "ann";
    caller.asked = false;
  }
  RefUpdate update(const std::string& sha) const { return {"refs/heads/main", std::string(no_commit), sha, false}; }
  std::string push(const std::string& text) {
    std::string sha = clone.commit("a", text);
    const Ran pushed = clone.git({"push", "--quiet", "--force", all.repositories->directory("team/shop"), "main"});
    EXPECT_EQ(pushed.exit_code, 0) << pushed.text;
    return sha;
  }
  std::int64_t rows() const {
    return all.database
        ->read([](store::Session& session) -> Result<std::int64_t> {
          store::Statement count = session.query("SELECT count(*) FROM pushes");
          count.step();
          return count.number(0);
        })
        .value();
  }

  TestRepositories all;
  SecureIds ids;
  AccessTokens tokens{*all.database, all.clock, ids};
  Gate gate{{"123456789012", "us-east-1", false}, tokens, nullptr, nullptr, all.clock, ids};
  Listener listener;
  Pushes pushes{*all.repositories, gate, &listener, ids, std::chrono::milliseconds(1)};
  Clone clone{all.directory.file("clone")};
  Caller caller;
};

TEST_F(PushesTest, WhatCannotBeDealtWithNowIsToldAgain) {
  const auto one = pushes.begin(caller, "team/shop");
  const std::string sha = push("1");
  ASSERT_TRUE(pushes.judge(one->token, {update(sha)})->empty());
  EXPECT_EQ(pushes.recover(), 0U) << "a push that goes on is left alone";
  listener.full = true;
  ASSERT_TRUE(pushes.report(one->token, {update(sha)}));
  pushes.end(one);
  EXPECT_EQ(rows(), 1);
  EXPECT_EQ(pushes.recover(), 1U);
  ASSERT_EQ(listener.events.size(), 2U);
  EXPECT_EQ(listener.events.back().updates.front().started, std::vector<std::string>{"a.yml"});
  push("2");  // also of what is not the newest any more
  listener.full = false;
  EXPECT_EQ(pushes.recover(), 0U);
  EXPECT_EQ(listener.events.back().updates.front().after, sha);
  EXPECT_EQ(listener.events.back().actor, "ann");
  EXPECT_EQ(rows(), 0);
}

// Otherwise the older one would be deployed last.
TEST_F(PushesTest, ALaterPushOfTheSameBranchWaitsForAnEarlierOne) {
  PushEvent event;
  event.repository = "team/shop";
  const std::string first = push("1"), second = push("2");
  event.updates = {update(first)};
  listener.full = true;
  ASSERT_TRUE(pushes.publish(event));
  listener.full = false;
  event.updates = {update(second), {"refs/heads/other", std::string(no_commit), second, false}};
  const Result<PushReport> report = pushes.publish(event);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->again.size(), 1U);
  EXPECT_NE(report->lines.front().find("refs/heads/main: what an earlier push"), std::string::npos);
  ASSERT_EQ(listener.events.back().updates.size(), 1U);
  EXPECT_EQ(listener.events.back().updates.front().ref, "refs/heads/other");
  EXPECT_EQ(pushes.recover(), 0U);
  ASSERT_EQ(listener.events.size(), 4U);
  EXPECT_EQ(listener.events[2].updates.front().after, first);
  EXPECT_EQ(listener.events[3].updates.front().after, second);
  EXPECT_EQ(rows(), 0);
}

TEST_F(PushesTest, ALaterPushDoesNotWaitForeverForWhatCannotBeDealtWith) {
  PushEvent event;
  event.repository = "team/shop";
  event.updates = {update(push("1"))};
  listener.full = true;
  ASSERT_TRUE(pushes.publish(event));
  all.clock.advance(longest_push_retry);
  listener.full = false;
  const std::string second = push("2");
  event.updates = {update(second)};
  EXPECT_TRUE(pushes.publish(event)->again.empty());
  // And the old commit is not deployed over it.
  EXPECT_EQ(pushes.recover(), 0U);
  EXPECT_EQ(listener.events.back().updates.front().after, second);
  EXPECT_EQ(rows(), 0);
}

TEST_F(PushesTest, AThreadTellsAgainUntilItIsDealtWith) {
  pushes.start();
  {
    const std::lock_guard lock(listener.mutex);
    listener.full = true;
  }
  PushEvent event;
  event.repository = "team/shop";
  event.updates = {update(push("1"))};
  ASSERT_TRUE(pushes.publish(event));
  EXPECT_TRUE(listener.wait_for(3));
  std::size_t count = 0;
  {
    const std::lock_guard lock(listener.mutex);
    listener.full = false;
    count = listener.events.size();
  }
  EXPECT_TRUE(listener.wait_for(count + 1));
  pushes.stop();
  EXPECT_EQ(rows(), 0);
}

TEST_F(PushesTest, WhatWasNotStartedInADayIsGivenUp) {
  listener.full = true;
  PushEvent event;
  event.repository = "team/shop";
  event.updates = {update(push("1"))};
  ASSERT_TRUE(pushes.publish(event));
  all.clock.advance(push_retry_limit - std::chrono::minutes(1));
  EXPECT_EQ(pushes.recover(), 1U);
  all.clock.advance(std::chrono::minutes(2));
  EXPECT_EQ(pushes.recover(), 0U);
  EXPECT_EQ(listener.events.size(), 2U);
  EXPECT_EQ(rows(), 0);
}

TEST_F(PushesTest, APushThatIsOverIsNotJudged) {
  const auto one = pushes.begin(caller, "team/shop");
  pushes.end(one);
  EXPECT_FALSE(pushes.judge(one->token, {update(push("1"))}));
  EXPECT_EQ(rows(), 0);
}

TEST_F(PushesTest, AreReplayedByBranchOrTag) {
  const std::string before = push("1");
  const std::string sha = push("2");
  PushEvent event;
  event.repository = "team/shop";
  event.actor = "bob";
  ASSERT_TRUE(pushes.replay(event, "main"));
  ASSERT_EQ(listener.events.size(), 1U);
  const RefUpdate& told = listener.events.front().updates.front();
  EXPECT_EQ(told.ref, "refs/heads/main");
  EXPECT_EQ(told.before, before);
  EXPECT_EQ(told.after, sha);
  EXPECT_TRUE(told.all_paths);
  EXPECT_EQ(pushes.replay(event, "none").error().code, errc::not_found);
  EXPECT_EQ(pushes.replay(event, sha).error().code, errc::invalid);
}

}  // namespace
}  // namespace kaapi::actions::git
