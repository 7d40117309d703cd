#include "daemon/thread_executor.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <stdexcept>
#include <vector>

#include "daemon/housekeeper.h"

namespace kaapi::daemon {
namespace {

using namespace std::chrono_literals;
using ecs::Lane;

TEST(ThreadExecutorTest, CarriesOutEverything) {
  constexpr int count = 500;
  std::latch done(count);
  ThreadExecutor executor({2, 3});
  for (int i = 0; i < count; ++i) executor.run(i % 2 == 0 ? Lane::slow : Lane::quick, [&done] { done.count_down(); });
  done.wait();
}

TEST(ThreadExecutorTest, SlowWorkNeverHoldsUpQuickWork) {
  ThreadExecutor executor({1, 1});
  std::promise<void> gate;
  const std::shared_future<void> open = gate.get_future().share();
  for (int i = 0; i < 3; ++i) executor.run(Lane::slow, [open] { open.wait(); });
  std::promise<void> quick;
  executor.run(Lane::quick, [&quick] { quick.set_value(); });
  EXPECT_EQ(quick.get_future().wait_for(20s), std::future_status::ready);
  gate.set_value();
}

TEST(ThreadExecutorTest, MetersWhatRunsAndWhatWaits) {
  ThreadExecutor executor({1, 1});
  std::promise<void> gate;
  std::promise<void> begun;
  const std::shared_future<void> open = gate.get_future().share();
  executor.run(Lane::slow, [&begun, open] {
    begun.set_value();
    open.wait();
  });
  begun.get_future().wait();
  executor.run(Lane::slow, [] {});
  executor.run(Lane::slow, [] {});
  EXPECT_EQ(executor.load(Lane::slow).running, 1U);
  EXPECT_EQ(executor.load(Lane::slow).waiting, 2U);
  EXPECT_EQ(executor.load(Lane::quick).running, 0U);
  gate.set_value();
}

TEST(ThreadExecutorTest, SurvivesWorkThatThrows) {
  ThreadExecutor executor({1, 1});
  executor.run(Lane::slow, [] { throw std::runtime_error("broken"); });
  std::promise<void> after;
  executor.run(Lane::slow, [&after] { after.set_value(); });
  EXPECT_EQ(after.get_future().wait_for(20s), std::future_status::ready);
}

TEST(ThreadExecutorTest, StoppingDropsWhatWaitsAndWaitsForWhatRuns) {
  ThreadExecutor executor({1, 1});
  std::promise<void> gate;
  std::promise<void> begun;
  const std::shared_future<void> open = gate.get_future().share();
  std::atomic<bool> dropped_ran = false;
  executor.run(Lane::slow, [&begun, open] {
    begun.set_value();
    open.wait();
  });
  begun.get_future().wait();
  executor.run(Lane::slow, [&dropped_ran] { dropped_ran = true; });
  EXPECT_FALSE(executor.stop(1ms));
  gate.set_value();
  EXPECT_TRUE(executor.stop(20s));
  executor.run(Lane::quick, [&dropped_ran] { dropped_ran = true; });
  EXPECT_FALSE(dropped_ran);
}

TEST(HousekeeperTest, CallsAgainAndAgainAlsoAfterAFailure) {
  std::latch calls(3);
  std::atomic<int> count = 0;
  const Housekeeper housekeeper(
      [&] {
        if (++count <= 3) calls.count_down();
        throw std::runtime_error("broken");
      },
      {1ms, 1ms});
  calls.wait();
}

TEST(HousekeeperTest, EndsAtOnceWhileItWaits) {
  std::atomic<bool> called = false;
  {
    const Housekeeper housekeeper([&] { called = true; });
  }
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace kaapi::daemon
