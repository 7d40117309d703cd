// Actions of other repositories while their host does not answer: nobody else waits, and it can be stopped.

#include "actions/runner/action_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <future>

#include "actions/runner/supervisor.h"
#include "actions/runner/test_support.h"
#include "http/listener.h"

namespace kaapi::actions::runner {
namespace {

using testing::HasSubstr;

const std::string kept_commit(40, 'a');

// Takes connections and never says anything.
class SilentHost {
 public:
  SilentHost() : listener_(http::listen_on("127.0.0.1", 0)), socket_(listener_ ? listener_->fd : -1) {
    if (!listener_) throw std::runtime_error(listener_.error().message);
  }
  std::string url() const { return fmt::format("git://127.0.0.1:{}", listener_->port); }
  // Until one more has connected; false after 20 s.
  bool wait_connected() {
    pollfd waited{socket_.get(), POLLIN, 0};
    if (::poll(&waited, 1, 20'000) != 1) return false;
    connections_.emplace_back(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return true;
  }

 private:
  Result<http::Listener> listener_;
  FileDescriptor socket_;
  std::vector<FileDescriptor> connections_;
};

// Both ends of a line; the runner's is read by a thread, as by one that watches a job.
struct Line {
  SilentHost host;
  TestDirectory folder;
  ActionCache cache{host.url(), folder.path()};
  StopSource stop;
  std::array<int, 2> ends{};
  FileDescriptor job_end{-1};
  std::thread watcher;

  Line() {
    std::filesystem::create_directories(folder.file("owner/kept/" + kept_commit));
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("no socket");
    job_end = FileDescriptor(ends[1]);
    watcher = std::thread([this] {
      ActionDesk desk{FileDescriptor(ends[0]), cache};
      for (pollfd waited{desk.descriptor(), POLLIN, 0}; waited.fd >= 0; waited.fd = desk.descriptor()) {
        ::poll(&waited, 1, -1);
        desk.read();
      }
    });
  }
  ~Line() {
    job_end = FileDescriptor(-1);
    watcher.join();
  }
};

TEST(ActionLine, ACancelledJobWaitsForNoHost) {
  Line line;
  AskedActions actions(line.job_end.get(), line.stop);
  auto asked = std::async(std::launch::async, [&] { return actions.fetch("owner", "slow", "v1"); });
  ASSERT_TRUE(line.host.wait_connected());
  line.stop.raise(StopLevel::cancel, "by ada");
  const Result<FetchedAction> fetched = asked.get();
  ASSERT_FALSE(fetched);
  EXPECT_EQ(fetched.error().code, errc::cancelled);
  EXPECT_EQ(fetched.error().message, "by ada");
  // Steps with always() still get theirs, and not the answer to what was withdrawn.
  const Result<FetchedAction> kept = actions.fetch("owner", "kept", kept_commit);
  ASSERT_TRUE(kept) << kept.error().message;
  EXPECT_EQ(kept->commit, kept_commit);
  line.stop.raise(StopLevel::kill, "now");
  EXPECT_EQ(actions.fetch("owner", "kept", kept_commit).error().code, errc::cancelled);
}

TEST(ActionLine, TheEndOfTheLineIsTold) {
  Line line;
  AskedActions actions(line.job_end.get(), line.stop);
  ::shutdown(line.job_end.get(), SHUT_RDWR);
  EXPECT_THAT(actions.fetch("owner", "kept", kept_commit).error().message, HasSubstr("the runner does not answer"));
}

TEST(ActionCacheTest, OneFetchHoldsNoOtherAction) {
  SilentHost host;
  const TestDirectory folder;
  ActionCache cache(host.url(), folder.path());
  std::filesystem::create_directories(folder.file("owner/kept/" + kept_commit));
  const std::string commit(40, 'b');
  StopSource first, second;
  // A whole commit is not asked for but fetched at once.
  auto slow = std::async(std::launch::async, [&] { return cache.fetch("owner", "slow", commit, first); });
  ASSERT_TRUE(host.wait_connected());
  StopSource never;
  EXPECT_TRUE(cache.fetch("owner", "kept", kept_commit, never));
  auto same = std::async(std::launch::async, [&] { return cache.fetch("owner", "slow", commit, second); });
  second.raise(StopLevel::cancel, "second");
  EXPECT_EQ(same.get().error().message, "second");
  first.raise(StopLevel::kill, "first");
  EXPECT_EQ(slow.get().error().message, "first");
}

struct Runner {
  FakePlatform platform;
  SilentHost host;
  TestDirectory folder;
  std::optional<Supervisor> supervisor;

  explicit Runner(std::size_t slots) {
    std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
    RunnerConfig config;
    config.server = parse_server_address(platform.url()).value();
    config.token = "runner-token";
    config.slots = slots;
    config.work_folder = folder.file("work");
    config.actions_url = host.url();
    config.program = KAAPI_JOB_PROGRAM;
    config.arguments = {"job"};
    supervisor.emplace(config);
    const Result<void> started = supervisor->start();
    if (!started) throw std::runtime_error(started.error().message);
  }
};

TEST(ActionLine, AHostThatDoesNotAnswerHoldsNeitherTheCancellationNorTheRunner) {
  Runner runner(2);
  runner.platform.offer(message_of(job_of("- uses: owner/slow@v1\n- run: echo never")));
  ASSERT_TRUE(runner.host.wait_connected());
  JobMessage other = message_of(job_of("- run: echo done"));
  other.job_id = 12;
  runner.platform.offer(other);
  const auto completion = runner.platform.wait_completion();
  ASSERT_TRUE(completion) << "the other slot waits";
  EXPECT_EQ(completion->conclusion, "success");
  runner.supervisor->stop();
  EXPECT_EQ(runner.platform.completion->conclusion, "cancelled");
  EXPECT_EQ(runner.platform.completion->reason, "the runner was stopped");
}

TEST(ActionLine, ThePlatformsCancellationEndsTheFetch) {
  Runner runner(1);
  runner.platform.offer(message_of(job_of("- uses: owner/slow@v1\n- run: echo never")));
  ASSERT_TRUE(runner.host.wait_connected());
  runner.platform.cancel("by ada");
  const auto completion = runner.platform.wait_completion();
  ASSERT_TRUE(completion);
  EXPECT_EQ(completion->conclusion, "cancelled");
  EXPECT_EQ(completion->reason, "by ada");
}

}  // namespace
}  // namespace kaapi::actions::runner
