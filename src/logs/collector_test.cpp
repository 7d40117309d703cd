#include "logs/collector.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "base/test_directory.h"
#include "logs/test_engine.h"

namespace kaapi::logs {
namespace {

using containers::OutputLine;
using containers::OutputStream;

constexpr std::int64_t ms = 1'000'000;
constexpr std::chrono::seconds patience{20};
const GroupName group{"eu-west-1", "/ecs/app"};

// What a test waits for, changed by other threads.
class Signal {
 public:
  template <class F>
  void change(F f) {
    const std::lock_guard lock(mutex_);
    f();
    changed_.notify_all();
  }
  template <class F>
  [[nodiscard]] bool wait(F f) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, f);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class CollectorTest : public testing::Test {
 protected:
  std::unique_ptr<store::Database> open(const std::string& name) const {
    auto database = store::Database::open(folder_ + "/" + name, migrations());
    EXPECT_TRUE(database);
    return std::move(*database);
  }
  static AttachRequest request(const std::string& container) {
    return {container, group.region, group.name, "app/" + container, true, "task-1/" + container};
  }
  static std::vector<std::string> messages(LogStore& store, const std::string& container) {
    ReadQuery query;
    query.stream = "app/" + container;
    query.direction = Direction::forward;
    std::vector<std::string> out;
    while (true) {
      const Result<ReadPage> page = store.read(group, query, from_millis(0));
      if (!page || page->events.empty()) return out;
      for (const StoredEvent& event : page->events) out.push_back(event.message);
      query.from = page->forward;
    }
  }

  const TestDirectory directory_;
  const std::string& folder_ = directory_.path();
  SystemClock clock_;
  OutputEngine engine_;
};

// A collector and its store, as in one run of the program.
struct Platform {
  Platform(OutputEngine& engine, store::Database& opened, const Clock& clock) : database(opened), store(opened) {
    database.set_commit_hook([this](bool committed) {
      if (committed) signal.change([this] { ++commits; });
    });
    collector.emplace(engine, store, clock);
    collector->on_drained([this](const std::string& container) { signal.change([&] { drained.insert(container); }); });
  }
  ~Platform() {
    collector.reset();
    database.set_commit_hook({});
  }
  [[nodiscard]] bool wait_drained(const std::string& container) {
    return signal.wait([&] { return drained.contains(container); });
  }
  // Waits until a commit after `earlier` ones.
  [[nodiscard]] bool wait_commit(int earlier) {
    return signal.wait([&] { return commits > earlier; });
  }
  int committed() {
    int count = 0;
    signal.change([&] { count = commits; });
    return count;
  }

  store::Database& database;
  LogStore store;
  Signal signal;
  int commits = 0;
  std::multiset<std::string> drained;
  std::optional<Collector> collector;
};

OutputLine line(std::int64_t at_nanos, std::string text, OutputStream stream = OutputStream::out,
                bool partial = false) {
  return {stream, at_nanos, partial, std::move(text)};
}

TEST_F(CollectorTest, StoresOutputWhileItRunsAndReportsTheEndAfterTheLastCommit) {
  const auto database = open("logs.db");
  engine_.add("c1");
  Platform run(engine_, *database, clock_);
  run.collector->attach(request("c1"));
  engine_.write("c1", line(5 * ms, "hello"));
  std::vector<std::string> stored;
  while (stored.empty()) {
    const int earlier = run.committed();
    stored = messages(run.store, "c1");
    if (stored.empty()) {
      ASSERT_TRUE(run.wait_commit(earlier));
    }
  }
  EXPECT_EQ(stored, (std::vector<std::string>{"hello"}));
  EXPECT_TRUE(run.drained.empty());
  for (int i = 0; i < 500; ++i) engine_.write("c1", line((6 + i) * ms, fmt::format("line {}", i)));
  engine_.write("c1", line(600 * ms, "no newline", OutputStream::err, true));
  engine_.end("c1");
  ASSERT_TRUE(run.wait_drained("c1"));
  stored = messages(run.store, "c1");
  ASSERT_EQ(stored.size(), 502U);
  EXPECT_EQ(stored[500], "line 499");
  EXPECT_EQ(stored[501], "no newline");
}

TEST_F(CollectorTest, ReportsAContainerThatIsGoneAsDrained) {
  const auto database = open("logs.db");
  Platform run(engine_, *database, clock_);
  run.collector->attach(request("never"));
  ASSERT_TRUE(run.wait_drained("never"));
}

TEST_F(CollectorTest, FollowsAgainWhenTheEngineWasLost) {
  const auto database = open("logs.db");
  Platform run(engine_, *database, clock_);
  engine_.write("c1", line(5 * ms, "one"));
  engine_.write("c1", line(5 * ms, "two"));
  engine_.write("c1", line(6 * ms, "half", OutputStream::out, true));
  run.collector->attach(request("c1"));
  ASSERT_TRUE(run.wait_commit(0));
  engine_.lose();
  engine_.write("c1", line(7 * ms, " done"));
  engine_.write("c1", line(8 * ms, "three"));
  engine_.end("c1");
  ASSERT_TRUE(run.wait_drained("c1"));
  EXPECT_EQ(messages(run.store, "c1"), (std::vector<std::string>{"one", "two", "half done", "three"}));
  EXPECT_GE(engine_.follows().size(), 2U);
}

TEST_F(CollectorTest, DetachAndAttachAgainDoublesNothing) {
  const auto database = open("logs.db");
  Platform run(engine_, *database, clock_);
  std::vector<std::string> expected;
  engine_.add("c1");
  for (int round = 0; round < 20; ++round) {
    run.collector->attach(request("c1"));
    for (int i = 0; i < 20; ++i) {
      expected.push_back(fmt::format("{}-{}", round, i));
      engine_.write("c1", line((round + 1) * ms, expected.back()));
    }
    run.collector->detach("c1");
  }
  run.collector->attach(request("c1"));
  engine_.end("c1");
  ASSERT_TRUE(run.wait_drained("c1"));
  EXPECT_EQ(messages(run.store, "c1"), expected);
  EXPECT_EQ(run.drained.size(), 1U);
}

TEST_F(CollectorTest, HoldsBackWhoWritesFasterThanTheDisk) {
  const auto database = open("logs.db");
  Platform run(engine_, *database, clock_);
  const std::string text(60'000, 'x');
  constexpr int lines = 200;
  constexpr int fitting = static_cast<int>(max_queued_bytes_per_container / 60'200);
  for (int i = 0; i < lines; ++i) engine_.write("c1", line((i + 1) * ms, text));
  engine_.end("c1");
  // The disk stands still until the queue is full. At no commit may more have been taken than what is stored and what
  // may wait.
  int most_waiting = 0;
  database->set_commit_hook([&](bool committed) {
    if (committed) return;
    if (most_waiting == 0) engine_.wait_delivered(fitting);
    const Result<GroupPage> groups = run.store.groups(group.region, {});  // as committed so far
    const std::int64_t stored = groups->groups.empty() ? 0 : groups->groups.front().stored_bytes / 60'026;
    most_waiting = std::max(most_waiting, engine_.delivered() - static_cast<int>(stored));
  });
  run.collector->attach(request("c1"));
  ASSERT_TRUE(run.wait_drained("c1"));
  EXPECT_EQ(messages(run.store, "c1").size(), static_cast<std::size_t>(lines));
  EXPECT_GE(most_waiting, fitting);
  EXPECT_LE(most_waiting, fitting);
}

TEST_F(CollectorTest, TakesManyContainersAtOnce) {
  const auto database = open("logs.db");
  Platform run(engine_, *database, clock_);
  constexpr int containers = 20;
  constexpr int lines = 200;
  std::vector<std::thread> threads;
  for (int c = 0; c < containers; ++c) {
    threads.emplace_back([&, c] {
      const std::string name = fmt::format("c{}", c);
      engine_.add(name);
      run.collector->attach(request(name));
      for (int i = 0; i < lines; ++i) engine_.write(name, line((i / 3) * ms, fmt::format("{}", i)));
      engine_.end(name);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (int c = 0; c < containers; ++c) {
    const std::string name = fmt::format("c{}", c);
    ASSERT_TRUE(run.wait_drained(name));
    const std::vector<std::string> stored = messages(run.store, name);
    ASSERT_EQ(stored.size(), static_cast<std::size_t>(lines));
    for (int i = 0; i < lines; ++i) ASSERT_EQ(stored[static_cast<std::size_t>(i)], fmt::format("{}", i));
  }
}

TEST_F(CollectorTest, StoresInAGroupThatIsMadeAgainAndDropsWhereItMayNot) {
  const auto database = open("logs.db");
  Platform run(engine_, *database, clock_);
  AttachRequest strict = request("strict");
  strict.create_group = false;
  EXPECT_EQ(run.collector->prepare({group.region, group.name, strict.stream, false}).error().message,
            "The specified log group does not exist.");
  engine_.write("strict", line(ms, "lost"));
  engine_.end("strict");
  run.collector->attach(strict);
  ASSERT_TRUE(run.wait_drained("strict"));
  ASSERT_TRUE(run.collector->prepare({group.region, group.name, "app/free", true}));
  ASSERT_TRUE(run.collector->prepare({group.region, group.name, "app/free", false}));
  ASSERT_TRUE(run.store.delete_group(group));
  engine_.write("free", line(ms, "kept"));
  engine_.end("free");
  run.collector->attach(request("free"));
  ASSERT_TRUE(run.wait_drained("free"));
  EXPECT_EQ(messages(run.store, "free"), (std::vector<std::string>{"kept"}));
  EXPECT_TRUE(messages(run.store, "strict").empty());
}

TEST_F(CollectorTest, StopsWithoutLosingItsPlace) {
  const auto database = open("logs.db");
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    expected.push_back(fmt::format("{}", i));
    engine_.write("c1", line((i / 7 + 1) * ms, expected.back()));
    if (i % 50 != 0) continue;
    Platform run(engine_, *database, clock_);
    run.collector->attach(request("c1"));
  }
  engine_.end("c1");
  Platform run(engine_, *database, clock_);
  run.collector->attach(request("c1"));
  ASSERT_TRUE(run.wait_drained("c1"));
  EXPECT_EQ(messages(run.store, "c1"), expected);
}

// A kill -9 leaves the files as they are at that moment. Here they are copied right before and right after every commit
// of a run, and each copy is taken up by another run: it must end with everything exactly once.
TEST_F(CollectorTest, KillAtAnyCommitLosesAndDoublesNothing) {
  int copies = 0;
  std::vector<std::string> expected_out;
  std::vector<std::string> expected_err;
  {
    const auto database = open("logs.db");
    Platform run(engine_, *database, clock_);
    database->set_commit_hook([&](bool committed) {
      const std::string copy = fmt::format("{}/copy{}.db", folder_, copies++);
      std::filesystem::copy_file(folder_ + "/logs.db", copy);
      std::filesystem::copy_file(folder_ + "/logs.db-wal", copy + "-wal");
      if (committed) run.signal.change([&] { ++run.commits; });
    });
    engine_.add("c1");
    run.collector->attach(request("c1"));
    for (int step = 0; step < 24; ++step) {
      const int earlier = run.committed();
      const std::int64_t at = (step / 3 + 1) * ms;  // three steps share a timestamp
      expected_out.push_back(fmt::format("o{} long line", step));
      expected_err.push_back(fmt::format("e{}", step));
      engine_.write("c1", line(at, fmt::format("o{} long ", step), OutputStream::out, true));
      engine_.write("c1", line(at, expected_err.back(), OutputStream::err));
      if (step % 2 == 0) {
        ASSERT_TRUE(run.wait_commit(earlier));  // with an unfinished line
      }
      engine_.write("c1", line(at, "line"));
      engine_.write("c1", line(at, "", OutputStream::err));
    }
    engine_.end("c1");
    ASSERT_TRUE(run.wait_drained("c1"));
  }
  ASSERT_GE(copies, 24);
  for (int copy = 0; copy < copies; ++copy) {
    const auto database = open(fmt::format("copy{}.db", copy));
    Platform run(engine_, *database, clock_);
    run.collector->attach(request("c1"));
    ASSERT_TRUE(run.wait_drained("c1"));
    std::vector<std::string> out;
    std::vector<std::string> err;
    for (const std::string& message : messages(run.store, "c1"))
      (message.starts_with('o') ? out : err).push_back(message);
    ASSERT_EQ(out, expected_out) << "copy " << copy;
    ASSERT_EQ(err, expected_err) << "copy " << copy;
  }
}

TEST_F(CollectorTest, ForgetDropsTheCursor) {
  const auto database = open("logs.db");
  Platform run(engine_, *database, clock_);
  engine_.write("c1", line(ms, "x"));
  engine_.end("c1");
  run.collector->attach(request("c1"));
  ASSERT_TRUE(run.wait_drained("c1"));
  EXPECT_EQ(run.store.output_cursors("task-1/c1")->size(), 1U);
  run.collector->detach("c1");
  ASSERT_TRUE(run.collector->forget("task-1/c1"));
  EXPECT_TRUE(run.store.output_cursors("task-1/c1")->empty());
}

}  // namespace
}  // namespace kaapi::logs
