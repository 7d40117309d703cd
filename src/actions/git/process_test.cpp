#include "actions/git/process.h"

#include <gtest/gtest.h>
#include <poll.h>

namespace kaapi::actions::git {
namespace {

Command shell(const std::string& script) {
  return {{"/bin/sh", "-c", script}, {"PATH=/usr/bin:/bin"}, ""};
}

TEST(Process, GivesWhatItPrintsAndItsExitCode) {
  const Result<Finished> finished = run(shell("cat; echo wrong >&2; exit 3"), "hello");
  ASSERT_TRUE(finished) << finished.error().message;
  EXPECT_EQ(finished->output, "hello");
  EXPECT_EQ(finished->errors, "wrong\n");
  EXPECT_EQ(finished->exit_code, 3);
  EXPECT_EQ(run(shell("kill -9 $$"))->exit_code, 137);
}

TEST(Process, HasItsOwnEnvironmentAndDirectory) {
  Command command = shell("echo $A-$HOME; pwd");
  command.environment.emplace_back("A=1");
  command.directory = "/usr";
  EXPECT_EQ(run(command)->output, "1-\n/usr\n");
}

TEST(Process, TakesMoreThanAPipeHolds) {
  const std::string much(1024 * 1024, 'x');
  EXPECT_EQ(run(shell("cat"), much)->output, much);
  // One that does not read its input.
  EXPECT_EQ(run(shell("exit 0"), much)->exit_code, 0);
}

TEST(Process, IsBounded) {
  EXPECT_EQ(run(shell("yes"), "", {1000, std::chrono::seconds(20)}).error().code, errc::too_large);
  EXPECT_EQ(run(shell("sleep 60"), "", {1000, std::chrono::milliseconds(50)}).error().code, errc::timed_out);
}

TEST(Process, WhatThereIsNoRoomForIsReadLater) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const FileDescriptor from(ends[0]);
  FileDescriptor to(ends[1]);
  ASSERT_EQ(::write(to.get(), "abcdef", 6), 6);
  to = FileDescriptor(-1);
  std::string text;
  EXPECT_TRUE(take(from.get(), text, 4));
  EXPECT_EQ(text, "abcd");
  EXPECT_TRUE(take(from.get(), text, 4)) << "full is not the end";
  text.clear();
  EXPECT_TRUE(take(from.get(), text, 4));
  EXPECT_EQ(text, "ef");
  EXPECT_FALSE(take(from.get(), text, 4));
}

TEST(Process, TellsWhatCannotBeStarted) {
  const Result<Finished> finished = run({{"/no/such/program"}, {}, ""});
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().code, errc::unavailable);
  EXPECT_NE(finished.error().message.find("/no/such/program"), std::string::npos);
}

TEST(Process, EndsWithAllItStarted) {
  pid_t child = 0;
  {
    Result<Process> process = Process::start(shell("sleep 60 & echo $!; trap '' TERM; wait; sleep 60"));
    ASSERT_TRUE(process);
    std::string text;
    while (text.find('\n') == std::string::npos) {
      pollfd printed{process->output(), POLLIN, 0};
      ASSERT_EQ(::poll(&printed, 1, 20'000), 1);
      drain(process->output(), text, 100);
    }
    child = std::stoi(text);
  }
  // It belongs to init now, which may not have waited for it yet: dead or gone.
  const std::string state = run(shell("ps -o stat= -p " + std::to_string(child)))->output;
  EXPECT_TRUE(state.empty() || state.front() == 'Z') << state;
}

}  // namespace
}  // namespace kaapi::actions::git
