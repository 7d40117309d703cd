// A runner and its job processes against a platform in memory.

#include "actions/runner/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>

#include "actions/runner/process.h"
#include "actions/runner/test_support.h"

namespace kaapi::actions::runner {
namespace {

using testing::HasSubstr;

struct Rig {
  FakePlatform platform;
  TestDirectory folder;
  std::optional<Supervisor> supervisor;

  Rig() {
    // Job users pass through.
    std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  }
  void start(std::size_t slots = 1) {
    RunnerConfig config;
    config.server = parse_server_address(platform.url()).value();
    config.token = "runner-token";
    config.name = "r1";
    config.labels = {"linux"};
    config.slots = slots;
    config.work_folder = folder.file("work");
    config.program = KAAPI_JOB_PROGRAM;
    config.arguments = {"job"};
    supervisor.emplace(config);
    const Result<void> started = supervisor->start();
    ASSERT_TRUE(started) << started.error().message;
  }
};

TEST(Supervisor, RunsAJobAndTidiesUp) {
  Rig rig;
  rig.start();
  // It leaves a process behind, which says who it is.
  rig.platform.offer(message_of(
      job_of("- run: |\n    id -u; stat -c %a $RUNNER_WORKSPACE/../..; echo done\n    setsid tail -f "
             "/dev/null > /dev/null 2>&1 &\n    echo left=$(mktemp -d /tmp/kaapi-left.XXXXXX) ok\n    echo stray=$!")));
  const auto completion = rig.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "success") << rig.platform.log_text();
  EXPECT_THAT(rig.platform.log_text(), HasSubstr("\ndone\n"));
  if (::geteuid() == 0) {
    // The first that no other runner here has.
    EXPECT_THAT(rig.platform.log_text(), testing::ContainsRegex("\n6[12][0-9][0-9][0-9]\n"));
  }
  rig.supervisor->stop();
  EXPECT_FALSE(std::filesystem::exists(rig.folder.file("work/job-11")));
  const std::string log = rig.platform.log_text();
  EXPECT_THAT(log, HasSubstr("\n700\ndone\n"));
  const std::size_t left = log.rfind("left=") + std::string_view("left=").size();
  const std::string path = log.substr(left, log.find(' ', left) - left);
  EXPECT_THAT(path, testing::StartsWith("/tmp/kaapi-left."));
  if (::geteuid() == 0) {
    EXPECT_FALSE(std::filesystem::exists(path)) << "the next job of this user could read it";
  } else {
    std::filesystem::remove_all(path);
  }
  // The first one is the script, as the log shows it.
  const std::size_t at = log.rfind("stray=") + std::string_view("stray=").size();
  const auto stray = parse_number(log.substr(at, log.find('\n', at) - at));
  ASSERT_TRUE(stray) << log;
  EXPECT_NE(::kill(static_cast<pid_t>(*stray), 0), 0) << "the process that the job left runs on";
  EXPECT_EQ(rig.platform.acquires.at(0).name, "r1");
  EXPECT_EQ(rig.platform.steps.at(1).conclusion, "success");
}

TEST(Supervisor, ANamedUserHasItsOwnGroups) {
  if (::geteuid() != 0) {
    EXPECT_EQ(slot_user("nobody").error().code, errc::invalid);
    return;
  }
  const Result<SlotUser> nobody = slot_user("nobody");
  ASSERT_TRUE(nobody) << nobody.error().message;
  EXPECT_EQ(nobody->user->groups, std::vector<gid_t>{nobody->user->gid}) << "not that of the Docker socket";
  EXPECT_EQ(slot_user("no-such-user").error().code, errc::not_found);
}

TEST(Supervisor, TellsOfAJobProcessThatDies) {
  Rig rig;
  rig.start();
  rig.platform.offer(message_of(job_of("- run: kill -9 $PPID; exec tail -f /dev/null")));
  const auto completion = rig.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "failure");
  EXPECT_THAT(completion->reason, HasSubstr("signal 9"));
}

TEST(Supervisor, JobsOfTwoRunnersAreNotOneUsers) {
  const Result<SlotUser> one = slot_user("auto");
  const Result<SlotUser> other = slot_user("auto");
  ASSERT_TRUE(one) << one.error().message;
  ASSERT_TRUE(other) << other.error().message;
  ASSERT_EQ(one->user.has_value(), ::geteuid() == 0);
  if (one->user) {
    EXPECT_NE(one->user->uid, other->user->uid);
  }
}

TEST(Supervisor, CancelsAJobThatThePlatformCancels) {
  Rig rig;
  rig.start();
  rig.platform.offer(message_of(job_of("- run: echo ready; exec tail -f /dev/null\n- if: always()\n  run: echo tidy")));
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.log.find(" ready\n") != std::string::npos; }));
  rig.platform.cancel("by ada");
  const auto completion = rig.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "cancelled");
  EXPECT_EQ(completion->reason, "by ada");
  EXPECT_THAT(rig.platform.log_text(), HasSubstr("\ntidy\n"));
}

TEST(Supervisor, StoppingCancelsItsJobs) {
  Rig rig;
  rig.start();
  rig.platform.offer(message_of(job_of("- run: echo ready; exec tail -f /dev/null")));
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.log.find(" ready\n") != std::string::npos; }));
  rig.supervisor->stop();
  const auto completion = rig.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "cancelled");
  EXPECT_THAT(completion->reason, HasSubstr("the runner was stopped"));
}

TEST(Supervisor, JobsGoOnWhileThePlatformIsAway) {
  Rig rig;
  rig.start();
  const std::string gate = rig.folder.file("gate");
  ASSERT_EQ(::mkfifo(gate.c_str(), 0666), 0);
  std::filesystem::permissions(gate, std::filesystem::perms(0666));
  rig.platform.offer(message_of(job_of("- run: echo ready; read x < " + gate + "; echo after")));
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.log.find(" ready\n") != std::string::npos; }));
  rig.platform.fail_with(503);
  std::ofstream(gate) << "go\n";
  const std::size_t asked = rig.platform.request_count();
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.requests.size() > asked + 1; }));
  rig.platform.fail_with(0);
  const auto completion = rig.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "success");
  EXPECT_THAT(rig.platform.log_text(), HasSubstr("\nafter\n"));
}

TEST(Supervisor, AJobThatThePlatformDoesNotKnowIsEnded) {
  Rig rig;
  rig.start();
  rig.platform.offer(message_of(job_of("- run: echo ready; exec tail -f /dev/null")));
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.log.find(" ready\n") != std::string::npos; }));
  rig.platform.fail_with(410);
  rig.platform.cancel("wake the held request");
  // The folder goes with the job.
  rig.supervisor->stop();
  EXPECT_FALSE(std::filesystem::exists(rig.folder.file("work/job-11")));
  EXPECT_FALSE(rig.platform.completion);
}

TEST(Supervisor, OneRunnerForAFolder) {
  Rig rig;
  rig.start();
  RunnerConfig config;
  config.server = parse_server_address(rig.platform.url()).value();
  config.work_folder = rig.folder.file("work");
  Supervisor second(config);
  const Result<void> started = second.start();
  ASSERT_FALSE(started);
  EXPECT_THAT(started.error().message, HasSubstr("another runner"));
}

TEST(Channel, ALostAnswerIsRepairedBySendingAgain) {
  FakePlatform platform;
  TestDirectory folder;
  StopSource stop;
  ChannelConfig config;
  config.server = parse_server_address(platform.url()).value();
  config.job_id = 5;
  config.token = "t";
  config.spool_path = folder.file("log");
  platform.lose_next_log_answer = true;
  auto channel = Channel::open(config, stop);
  ASSERT_TRUE(channel);
  (*channel)->append("one\n");
  ASSERT_TRUE(platform.wait([&] { return !platform.log.empty(); }));
  (*channel)->append("two\n");
  ASSERT_TRUE((*channel)->finish({}));
  EXPECT_EQ(platform.log, "one\ntwo\n");
}

TEST(Channel, APlatformThatStaysAwayIsLost) {
  FakePlatform platform;
  TestDirectory folder;
  StopSource stop;
  ChannelConfig config;
  config.server = parse_server_address(platform.url()).value();
  config.spool_path = folder.file("log");
  config.lost_after = std::chrono::milliseconds(200);
  platform.fail_with(503);
  auto channel = Channel::open(config, stop);
  ASSERT_TRUE(channel);
  (*channel)->append("one\n");
  const Result<void> delivered = (*channel)->finish({});
  ASSERT_FALSE(delivered);
  EXPECT_EQ(stop.level(), StopLevel::kill);
}

// The goal is 150 ms beyond the shells themselves; the number is printed, and a job that is far off fails.
TEST(Supervisor, TenEmptyStepsCostLittle) {
  Rig rig;
  rig.start();
  std::string steps;
  for (int i = 0; i < 10; ++i) steps += "- run: \":\"\n";
  const std::string workflow = job_of(steps);
  const auto shells_from = std::chrono::steady_clock::now();
  StopSource never;
  for (int i = 0; i < 10; ++i) {
    ProcessRun shell;
    shell.argv = {"/bin/bash", "-e", "-c", ":"};
    ASSERT_TRUE(run_process(shell, never, StopLevel::none));
  }
  const auto from = std::chrono::steady_clock::now();
  rig.platform.offer(message_of(workflow));
  const auto completion = rig.platform.wait_completion();
  const auto to = std::chrono::steady_clock::now();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "success");
  const auto ms = [](auto duration) { return std::chrono::duration<double, std::milli>(duration).count(); };
  fmt::print("a job of 10 empty steps: {:.1f} ms; 10 shells alone: {:.1f} ms\n", ms(to - from), ms(from - shells_from));
  EXPECT_LT(ms(to - from), 5000);
}

}  // namespace
}  // namespace kaapi::actions::runner
