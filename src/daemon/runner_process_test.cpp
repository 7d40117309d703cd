#include "daemon/runner_process.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

#include "base/test_directory.h"

namespace kaapi::daemon {
namespace {

// Waits until `ready` says so, looking whenever something in the folder changes.
template <class Ready>
bool eventually(const std::string& folder, const Ready& ready) {
  constexpr int patience_ms = 20'000;
  const FileDescriptor changes(::inotify_init1(IN_CLOEXEC));
  ::inotify_add_watch(changes.get(), folder.c_str(), IN_CLOSE_WRITE | IN_CREATE | IN_MODIFY);
  while (!ready()) {
    pollfd wait{changes.get(), POLLIN, 0};
    if (::poll(&wait, 1, patience_ms) <= 0) return ready();
    char events[4096];
    if (::read(changes.get(), events, sizeof events) < 0) return false;
  }
  return true;
}

class RunnerProcessTest : public testing::Test {
 protected:
  RunnerProcessConfig config(const std::string& script) {
    return {{"/bin/sh", "-c", script}, folder_.file("pid"), folder_.file("log")};
  }
  std::string text(const std::string& name) {
    std::ifstream file(folder_.file(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }

  TestDirectory folder_;
};

TEST_F(RunnerProcessTest, RunsUntilItIsStopped) {
  RunnerProcess runner(config("echo begun; exec sleep 1000"));
  ASSERT_TRUE(runner.start());
  ASSERT_TRUE(eventually(folder_.path(), [&] { return text("log") == "begun\n"; }));
  const std::optional<KnownProcess> known = living_process(folder_.file("pid"));
  ASSERT_TRUE(known);
  EXPECT_EQ(known->command, "/bin/sh -c echo begun; exec sleep 1000");
  runner.stop(std::chrono::seconds(10));
  EXPECT_EQ(::kill(known->pid, 0), -1);
  EXPECT_FALSE(living_process(folder_.file("pid")));
}

TEST_F(RunnerProcessTest, OneThatEndsIsStartedAgain) {
  RunnerProcess runner(config("echo begun"));
  ASSERT_TRUE(runner.start());
  EXPECT_TRUE(eventually(folder_.path(), [&] { return text("log") == "begun\nbegun\n"; }));
  runner.stop(std::chrono::seconds(10));
}

TEST_F(RunnerProcessTest, TheNextPlatformGoesOnWithTheSameProcess) {
  const RunnerProcessConfig same = config("exec sleep 1000");
  std::optional<KnownProcess> first;
  {
    RunnerProcess killed(same);
    ASSERT_TRUE(killed.start());
    first = living_process(same.pid_file);
    ASSERT_TRUE(first);
  }
  RunnerProcess next(same);
  ASSERT_TRUE(next.start());
  EXPECT_EQ(living_process(same.pid_file)->pid, first->pid);
  next.stop(std::chrono::seconds(10));
  ::waitpid(first->pid, nullptr, 0);
}

TEST_F(RunnerProcessTest, AnotherCommandReplacesTheProcessOfBefore) {
  const RunnerProcessConfig before = config("exec sleep 1000");
  std::optional<KnownProcess> first;
  {
    RunnerProcess killed(before);
    ASSERT_TRUE(killed.start());
    first = living_process(before.pid_file);
  }
  RunnerProcess next(config("exec sleep 2000"));
  ASSERT_TRUE(next.start());
  EXPECT_NE(living_process(before.pid_file)->pid, first->pid);
  int status = 0;
  EXPECT_EQ(::waitpid(first->pid, &status, 0), first->pid);
  next.stop(std::chrono::seconds(10));
}

TEST_F(RunnerProcessTest, SaysWhyItCannotBeStarted) {
  RunnerProcess runner({{"/nowhere/kaapi"}, folder_.file("pid"), folder_.file("log")});
  const Result<void> started = runner.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "the runner cannot be started (/nowhere/kaapi): No such file or directory");
}

}  // namespace
}  // namespace kaapi::daemon
