// A runner and its job processes against a platform in memory.

#include "actions/runner/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>

#include "actions/runner/job_user.h"
#include "actions/runner/process.h"
#include "actions/runner/sandbox.h"
#include "actions/runner/test_support.h"

namespace kaapi::actions::runner {
namespace {

using testing::HasSubstr;
using testing::Not;

// Processes on this machine whose command line has that text; a job counts its own ones from 1.
std::vector<pid_t> processes_with(std::string_view text) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const auto process = parse_number(entry.path().filename().string());
    std::ifstream file(entry.path() / "cmdline");
    const std::string line{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    if (process && line.find(text) != std::string::npos) found.push_back(static_cast<pid_t>(*process));
  }
  return found;
}

// The job processes of this one.
std::vector<pid_t> job_processes() {
  std::vector<pid_t> children;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream file(thread.path() / "children");
    for (pid_t child = 0; file >> child;) children.push_back(child);
  }
  return children;
}

struct Rig {
  FakePlatform platform;
  TestDirectory folder;
  std::optional<Supervisor> supervisor;

  Rig() {
    // Job users pass through.
    std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  }
  // What the jobs see too.
  std::string shared() const { return folder.file("shared"); }
  std::promise<void> told_alone;
  std::future<void> alone = told_alone.get_future();
  void start(std::size_t slots = 1, std::chrono::seconds alone_after = std::chrono::seconds(0)) {
    RunnerConfig config;
    config.alone_after = alone_after;
    config.on_alone = [this] { told_alone.set_value(); };
    config.server = parse_server_address(platform.url()).value();
    config.token = "runner-token";
    config.name = "r1";
    config.labels = {"linux"};
    config.slots = slots;
    config.work_folder = folder.file("work");
    config.program = KAAPI_JOB_PROGRAM;
    config.arguments = {"job"};
    std::filesystem::create_directory(shared());
    config.shared = {shared()};
    supervisor.emplace(config);
    const Result<void> started = supervisor->start();
    ASSERT_TRUE(started) << started.error().message;
  }
};

TEST(Supervisor, RunsAJobAndTidiesUp) {
  Rig rig;
  rig.start();
  // It leaves a process behind, with a name that no other has.
  const std::string stray = fmt::format("left-by-{}", ::getpid());
  rig.platform.offer(message_of(
      job_of("- run: |\n    id -u; stat -c %a $RUNNER_WORKSPACE/../..; echo done\n    (exec -a " + stray +
             " setsid tail -f /dev/null > /dev/null 2>&1 &)\n    echo left=$(mktemp -d /tmp/kaapi-left.XXXXXX) ok")));
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
  EXPECT_TRUE(processes_with(stray).empty()) << "the process that the job left runs on";
  EXPECT_EQ(rig.platform.acquires.at(0).name, "r1");
  EXPECT_EQ(rig.platform.steps.at(1).conclusion, "success");
}

TEST(Supervisor, StepsDoNotLookIntoTheProcessOfTheirJob) {
  Rig rig;
  rig.start();
  // It has the runner's own token, in its memory and in what it was given.
  rig.platform.offer(message_of(
      job_of("- run: |\n    for what in environ fd/0 mem maps; do\n      if (: < /proc/$PPID/$what) 2> /dev/null; then "
             "echo $what is open; fi\n    done\n    ls /proc/$PPID/fd 2> /dev/null || echo closed")));
  const auto completion = rig.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_THAT(rig.platform.log_text(), HasSubstr("\nclosed\n"));
  EXPECT_THAT(rig.platform.log_text(), Not(testing::ContainsRegex("\n(environ|fd/0|mem|maps) is open\n")));
  rig.supervisor->stop();
}

TEST(Supervisor, JobsSeeTheMachinesProgramsAndTheirOwnFilesOnly) {
  if (::geteuid() != 0) {
    EXPECT_FALSE(can_sandbox());
    return;
  }
  ASSERT_TRUE(can_sandbox()) << "root must be allowed to mount here (CAP_SYS_ADMIN)";
  const std::string others = fmt::format("/tmp/kaapi-others.{}", ::getpid());
  std::filesystem::create_directories(others);
  Rig rig;
  rig.start();
  rig.platform.offer(message_of(job_of(R"sh(- run: |
    no() { if "$@" > /dev/null 2>&1; then echo "PASSED $*"; else echo "no $*"; fi; }
    no ls -d )sh" + others + R"sh(
    no ls /root
    no ls /home
    no test -s /etc/shadow
    no ls -d /run/docker.sock /run/dbus
    no ls )sh" + rig.folder.path() + R"sh(/work/actions/..//.lock
    no touch /usr/bin/x /etc/x /x /opt/x
    no sh -c 'echo 1 > /proc/sys/kernel/core_pattern'
    no test -e /dev/sda -o -e /dev/vda -o -e /dev/mem
    no mount -t tmpfs none /tmp
    for folder in /tmp /var/tmp /dev/shm; do echo mine > $folder/kaapi-mine; done
    stat -c %a /tmp; cat /tmp/kaapi-mine; ls $RUNNER_TEMP > /dev/null && echo "still here"
    echo "processes: $(ls -d /proc/[0-9]* | wc -l)"; echo hello > /dev/null; head -c 4 /dev/urandom | wc -c
    git --version > /dev/null && getent hosts localhost > /dev/null && echo "programs run"
)sh")));
  const auto completion = rig.platform.wait_completion();
  std::filesystem::remove_all(others);
  ASSERT_TRUE(completion);
  const std::string log = rig.platform.log_text();
  EXPECT_EQ(completion->conclusion, "success") << log;
  EXPECT_THAT(log, testing::Not(HasSubstr("\nPASSED "))) << log;
  EXPECT_THAT(log, HasSubstr("\n1777\nmine\nstill here\n"));
  EXPECT_THAT(log, testing::ContainsRegex("\nprocesses: [1-9]\n4\nprograms run\n"));
  for (const char* path : {"/tmp/kaapi-mine", "/var/tmp/kaapi-mine", "/dev/shm/kaapi-mine"})
    EXPECT_FALSE(std::filesystem::exists(path));
}

// A container's root could make either in a folder of the job; neither has any power there.
TEST(Supervisor, FilesOfAJobMakeNobodyRoot) {
  if (::geteuid() != 0) return;
  TestDirectory folder;
  ASSERT_TRUE(mount_harmless(folder.path()));
  EXPECT_EQ(::mknod(folder.file("disk").c_str(), S_IFBLK | 0666, makedev(8, 0)), 0);
  EXPECT_LT(::open(folder.file("disk").c_str(), O_RDONLY), 0);
  EXPECT_EQ(errno, EACCES);
  struct statvfs about {};
  ASSERT_EQ(::statvfs(folder.path().c_str(), &about), 0);
  EXPECT_TRUE((about.f_flag & ST_NOSUID) != 0 && (about.f_flag & ST_NODEV) != 0);
  unmount(folder.path());
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
  rig.platform.offer(message_of(job_of("- run: echo ready; exec tail -f /dev/null")));
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.log.find(" ready\n") != std::string::npos; }));
  for (const pid_t process : job_processes()) ::kill(process, SIGKILL);
  const auto completion = rig.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "failure");
  EXPECT_THAT(completion->reason, HasSubstr("signal 9"));
}

// The platform shall start it again, which it does not with what was cancelled. The kernel sends SIGHUP when the runner
// dies.
TEST(Supervisor, AJobWhoseRunnerDiesIsNotCancelled) {
  Rig rig;
  rig.start();
  rig.platform.offer(message_of(job_of("- run: echo ready; exec tail -f /dev/null\n- if: always()\n  run: echo tidy")));
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.log.find(" ready\n") != std::string::npos; }));
  for (const pid_t process : job_processes()) ::kill(process, SIGHUP);
  rig.supervisor->stop();
  EXPECT_FALSE(rig.platform.completion);
  EXPECT_EQ(rig.platform.log_text().find("\ntidy\n"), std::string::npos);
}

TEST(Supervisor, ARunnerIsTheSameAfterARestart) {
  Rig rig;
  rig.start();
  ASSERT_TRUE(rig.platform.wait([&] { return !rig.platform.acquires.empty(); }));
  rig.supervisor->stop();
  const std::size_t before = rig.platform.acquires.size();
  rig.supervisor.reset();
  Rig other;
  other.start();
  ASSERT_TRUE(other.platform.wait([&] { return !other.platform.acquires.empty(); }));
  rig.start();
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.acquires.size() > before; }));
  EXPECT_EQ(rig.platform.acquires.front().id, rig.platform.acquires.back().id);
  EXPECT_NE(rig.platform.acquires.front().id, other.platform.acquires.front().id);
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

// In the child of this test: as `user`, in the namespaces of `flags`, until it is killed. Tells when it is there.
[[noreturn]] void linger(const JobUser& user, int flags, int told) {
  const bool there =
      ::setresgid(user.gid, user.gid, user.gid) == 0 && ((flags & CLONE_NEWUSER) != 0 || ::unshare(flags) == 0) &&
      ::setresuid(user.uid, user.uid, user.uid) == 0 && ((flags & CLONE_NEWUSER) == 0 || ::unshare(flags) == 0);
  ::eventfd_write(told, there ? 1 : 2);
  while (true) ::pause();
}

TEST(Supervisor, AJobHidesInNoNetworkOfItsOwnAndContainersAreLeftAlone) {
  const Result<SlotUser> slot = slot_user("auto");
  ASSERT_TRUE(slot) << slot.error().message;
  if (!slot->user) {
    ASSERT_NE(::geteuid(), 0U);
    return;
  }
  std::vector<pid_t> children;
  std::vector<bool> there;  // not where the kernel gives no such namespace, to jobs neither
  for (const int flags : {CLONE_NEWUSER | CLONE_NEWNET, CLONE_NEWNET}) {
    const FileDescriptor told(::eventfd(0, EFD_CLOEXEC));
    const pid_t child = ::fork();
    if (child == 0) linger(*slot->user, flags, told.get());
    children.push_back(child);
    eventfd_t how = 0;
    ASSERT_EQ(::eventfd_read(told.get(), &how), 0);
    there.push_back(how == 1);
  }
  end_processes_of(*slot->user);
  int status = 0;
  if (!there[0]) ::kill(children[0], SIGKILL);
  EXPECT_EQ(::waitpid(children[0], &status, 0), children[0]);
  EXPECT_TRUE(WIFSIGNALED(status));
  if (there[1]) {
    EXPECT_EQ(::waitpid(children[1], &status, WNOHANG), 0) << "a runner in a container has the same users";
  }
  ::kill(children[1], SIGKILL);
  ::waitpid(children[1], &status, 0);
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
  const std::string gate = rig.shared() + "/gate";
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

TEST(Supervisor, OneThatLeavesEndsItsJobsAndTakesNoOther) {
  Rig rig;
  rig.start();
  const std::string gate = rig.shared() + "/gate";
  ASSERT_EQ(::mkfifo(gate.c_str(), 0666), 0);
  std::filesystem::permissions(gate, std::filesystem::perms(0666));
  rig.platform.offer(message_of(job_of("- run: echo ready; read x < " + gate + "; echo after")));
  ASSERT_TRUE(rig.platform.wait([&] { return rig.platform.log.find(" ready\n") != std::string::npos; }));
  rig.supervisor->leave();
  EXPECT_EQ(rig.alone.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  std::ofstream(gate) << "go\n";
  const auto completion = rig.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "success");
  EXPECT_EQ(rig.alone.wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(Supervisor, OneWithoutJobsWhosePlatformIsAwayEnds) {
  Rig rig;
  rig.platform.fail_with(503);
  rig.start(1, std::chrono::seconds(1));
  EXPECT_EQ(rig.alone.wait_for(std::chrono::seconds(30)), std::future_status::ready);
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
