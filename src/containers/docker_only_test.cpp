// What only the real engine can show: its line lengths and terminals, many followers at once, and how long calls take.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <future>
#include <thread>

#include "containers/docker_under_test.h"
#include "containers/pause_image.h"

namespace kaapi::containers {
namespace {

using std::chrono::milliseconds;

class Docker : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { docker_ = std::make_unique<DockerUnderTest>(); }
  static void TearDownTestSuite() { docker_.reset(); }

  static DockerUnderTest& docker() { return *docker_; }
  static Engine& engine() { return docker_->engine(); }

  // Runs a shell script to its end and returns what it wrote.
  std::vector<OutputLine> output_of(const std::string& script, bool tty) {
    ContainerSpec spec = docker().obedient();
    spec.name = docker().unique("output");
    spec.command = {"sh", "-c", script};
    spec.tty = tty;
    const std::string id = engine().create(spec).value();
    EXPECT_TRUE(engine().start(id));
    std::vector<OutputLine> lines;
    std::promise<Result<void>> end;
    const auto subscription = engine().follow_output(
        id, 0, [&](OutputLine line) { lines.push_back(std::move(line)); },
        [&](Result<void> result) { end.set_value(std::move(result)); });
    auto ended = end.get_future();
    EXPECT_EQ(ended.wait_for(patience), std::future_status::ready);
    const auto result = ended.get();
    EXPECT_TRUE(result) << result.error().message;
    return lines;
  }

 private:
  static std::unique_ptr<DockerUnderTest> docker_;
};

std::unique_ptr<DockerUnderTest> Docker::docker_;

std::string joined(const std::vector<OutputLine>& lines) {
  std::string text;
  for (const OutputLine& line : lines) {
    text += line.text + (line.partial ? "" : "\n");
  }
  return text;
}

TEST_F(Docker, LongLinesComeInPieces) {
  const std::string line(40'000, 'x');
  for (const bool tty : {false, true}) {
    const auto lines = output_of("head -c 40000 /dev/zero | tr '\\0' x; echo; echo after; printf unended", tty);
    EXPECT_GT(lines.size(), 3U);
    EXPECT_TRUE(lines.front().partial);
    std::string text = joined(lines);
    if (!text.ends_with('\n')) {
      text += '\n';
    }
    EXPECT_EQ(text, line + "\nafter\nunended\n");
  }
}

TEST_F(Docker, DeliversEveryLineOfABurst) {
  const auto lines = output_of("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done", false);
  ASSERT_EQ(lines.size(), 20'000U);
  for (std::size_t index = 0; index < lines.size(); ++index) {
    ASSERT_EQ(lines[index].text, "line " + std::to_string(index));
  }
}

TEST_F(Docker, FollowsManyContainersOnOneThread) {
  ContainerSpec spec = docker().obedient();
  spec.name = docker().unique("many");
  const std::string id = engine().create(spec).value();
  ASSERT_TRUE(engine().start(id));
  docker().wait_ready(id);
  const auto threads = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/task"), std::filesystem::directory_iterator());
  };
  const auto before = threads();
  std::mutex mutex;
  std::condition_variable changed;
  int lines = 0;
  int ends = 0;
  std::vector<std::unique_ptr<Subscription>> subscriptions;
  for (int index = 0; index < 100; ++index) {
    subscriptions.push_back(engine().follow_output(
        id, 0,
        [&](const OutputLine&) {
          const std::lock_guard lock(mutex);
          ++lines;
          changed.notify_all();
        },
        [&](const Result<void>&) {
          const std::lock_guard lock(mutex);
          ++ends;
          changed.notify_all();
        }));
  }
  docker().say(id, OutputStream::out, "hello");
  std::unique_lock lock(mutex);
  ASSERT_TRUE(changed.wait_for(lock, patience, [&] { return lines == 100; }));
  EXPECT_LE(threads(), before + 1);
  lock.unlock();
  docker().end(id, 0);
  lock.lock();
  EXPECT_TRUE(changed.wait_for(lock, patience, [&] { return ends == 100; }));
  EXPECT_EQ(lines, 100);
}

TEST_F(Docker, MakesOneNetworkWhenManyAsk) {
  const std::string name = docker().unique("network");
  DockerEngine other{DockerConfig::from_environment().value()};
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int index = 0; index < 8; ++index) {
    threads.emplace_back([&, index] {
      good += (index % 2 == 0 ? engine() : other).ensure_network({name, {}, {}, {}}) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(good, 8);
  EXPECT_TRUE(engine().remove_network(name));
  const auto again = engine().remove_network(name);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, errc::not_found);
}

TEST_F(Docker, SaysWhyAPullFails) {
  // Port 9 of this machine: nobody listens there.
  const auto pulled = engine().pull("localhost:9/app:1", RegistryLogin{"u", "p"});
  ASSERT_FALSE(pulled);
  EXPECT_EQ(pulled.error().code, errc::unavailable);
  EXPECT_NE(pulled.error().message.find("connection refused"), std::string::npos) << pulled.error().message;
}

TEST_F(Docker, ReportsAStartThatFails) {
  ContainerSpec spec = docker().obedient();
  spec.name = docker().unique("broken");
  spec.command = {"/no/such/program"};
  const std::string id = engine().create(spec).value();
  const auto started = engine().start(id);
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, errc::invalid);
  EXPECT_NE(started.error().message.find("/no/such/program"), std::string::npos);
  EXPECT_NE(engine().inspect(id).value().error.find("/no/such/program"), std::string::npos);
}

TEST_F(Docker, PausesUntilToldToEnd) {
  ASSERT_TRUE(ensure_pause_image(engine()));
  for (const std::string signal : {"SIGTERM", "SIGINT"}) {
    ContainerSpec spec;
    spec.name = docker().unique("pause");
    spec.image = pause_image_reference();
    spec.labels = docker().obedient().labels;
    spec.labels["kaapi.name"] = spec.name;
    std::promise<int> died;
    const auto subscription = engine().watch({{"kaapi.name", spec.name}}, [&](const Event& event) {
      if (event.kind == EventKind::die) {
        died.set_value(event.exit_code);
      }
    });
    const std::string id = engine().create(spec).value();
    ASSERT_TRUE(engine().start(id));
    auto exit_code = died.get_future();
    const auto deadline = std::chrono::steady_clock::now() + patience;
    // Process 1 never hears of a signal that came before it was ready for it.
    do {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      ASSERT_TRUE(engine().signal(id, signal));
    } while (exit_code.wait_for(milliseconds(20)) != std::future_status::ready);
    EXPECT_EQ(exit_code.get(), 0);
  }
}

// Printed, not asserted: machines differ.
TEST_F(Docker, ShowsHowLongCallsTake) {
  constexpr std::size_t rounds = 10;
  std::map<std::string, std::vector<double>> taken;
  const auto timed = [&](const std::string& what, const auto& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    taken[what].push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  };
  for (std::size_t round = 0; round < rounds; ++round) {
    ContainerSpec spec = docker().obedient();
    spec.name = docker().unique("timed");
    spec.labels["kaapi.name"] = spec.name;
    auto died = std::make_shared<std::promise<void>>();
    const auto subscription = engine().watch({{"kaapi.name", spec.name}}, [died](const Event& event) {
      if (event.kind == EventKind::die) {
        died->set_value();
      }
    });
    std::string id;
    timed("create", [&] { id = engine().create(spec).value(); });
    timed("start", [&] { EXPECT_TRUE(engine().start(id)); });
    docker().wait_ready(id);
    timed("exec", [&] { EXPECT_EQ(engine().exec(id, {"true"}, patience).value().exit_code, 0); });
    timed("inspect", [&] { EXPECT_TRUE(engine().inspect(id)); });
    timed("signal and die event", [&] {
      EXPECT_TRUE(engine().signal(id, "SIGTERM"));
      EXPECT_EQ(died->get_future().wait_for(patience), std::future_status::ready);
    });
    timed("remove", [&] { EXPECT_TRUE(engine().remove(id)); });
  }
  for (auto& [what, values] : taken) {
    std::sort(values.begin(), values.end());
    std::printf("%-22s median %7.1f ms   best %7.1f ms   worst %7.1f ms\n", what.c_str(), values[rounds / 2],
                values.front(), values.back());
  }
}

}  // namespace
}  // namespace kaapi::containers
