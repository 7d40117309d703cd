// What built-in actions see of a runner: a platform that comes back, and a job's container beside them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <future>

#include "actions/runner/test_support.h"
#include "http/listener.h"

namespace kaapi::actions::runner {
namespace {

using testing::HasSubstr;

// Asks the platform, and says what it answers.
const BuiltIn* asking(std::string_view name) {
  static const BuiltIn ask = [] {
    BuiltIn built;
    built.name = "actions/ask";
    built.main = [](ActionHost& host) -> ActionResult {
      host.log("asking");
      const auto answer = host.get("artifacts");
      if (!answer) return answer.error();
      host.log(fmt::format("answered {} {}", answer->status, answer->body));
      return ok();
    };
    return built;
  }();
  return name == ask.name ? &ask : nullptr;
}

struct Asking : JobRig {
  Asking() : JobRig(job_of("- uses: actions/ask@v1")) { find_builtin = &asking; }
};

TEST(BuiltInHost, APlatformThatIsNotReadyIsAskedAgain) {
  FakePlatform platform;
  platform.fail_with(503);
  Asking rig;
  rig.place.server_url = platform.url();
  auto job = std::async(std::launch::async, [&] { return rig.run(); });
  ASSERT_TRUE(platform.wait([&] { return platform.requests.size() > 1; }));
  platform.fail_with(0);
  EXPECT_THAT(job.get(), HasSubstr("\nanswered 404 "));
}

// As a platform that restarts: the first connections break.
class BreaksTwice {
 public:
  BreaksTwice() : listener_(http::listen_on("127.0.0.1", 0)), socket_(listener_ ? listener_->fd : -1) {
    if (!listener_) throw std::runtime_error(listener_.error().message);
    thread_ = std::thread([this] { serve(); });
  }
  ~BreaksTwice() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", listener_->port); }

 private:
  void serve() {
    for (int connection = 1;; ++connection) {
      pollfd waited{socket_.get(), POLLIN, 0};
      ::poll(&waited, 1, -1);
      const FileDescriptor one(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!one) return;
      std::array<char, 4096> request{};
      ::recv(one.get(), request.data(), request.size(), 0);
      if (connection == 1) continue;
      const std::string_view says = connection == 2 ? "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
                                                    : "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole";
      ::send(one.get(), says.data(), says.size(), MSG_NOSIGNAL);
    }
  }

  Result<http::Listener> listener_;
  FileDescriptor socket_;
  std::thread thread_;
};

TEST(BuiltInHost, AnAnswerThatBreaksOffIsAskedForAgain) {
  BreaksTwice platform;
  Asking rig;
  rig.place.server_url = platform.url();
  EXPECT_THAT(rig.run(), HasSubstr("\nanswered 200 whole\n"));
}

TEST(BuiltInHost, APlatformThatStaysAwayIsGivenUp) {
  Asking rig;
  rig.place.lost_after_ms = 300;
  EXPECT_THAT(rig.run(), HasSubstr("##[error]the platform cannot be reached"));
  EXPECT_EQ(rig.completion.conclusion, "failure");
}

TEST(BuiltInHost, WaitingForThePlatformEndsWithTheJob) {
  FakePlatform platform;
  platform.fail_with(503);
  Asking rig;
  rig.place.server_url = platform.url();
  rig.place.lost_after_ms = 3'600'000;
  auto job = std::async(std::launch::async, [&] { return rig.run(); });
  ASSERT_TRUE(platform.wait([&] { return platform.requests.size() > 1; }));
  rig.stop.raise(StopLevel::cancel, "cancelled by ada");
  job.get();
  EXPECT_EQ(rig.completion.conclusion, "cancelled");
}

// Says where the paths of its input are, and where the job finds the workspace.
const BuiltIn* looking(std::string_view name) {
  static const BuiltIn look = [] {
    BuiltIn built;
    built.name = "actions/look";
    built.inputs = {{"paths", ""}};
    built.main = [](ActionHost& host) -> ActionResult {
      for (const std::string& path : split(host.input("paths"), ' ')) {
        const Result<std::string> here = host.host_path(path);
        host.log(fmt::format("{} is {}", path, here ? *here : here.error().message));
      }
      host.log("job sees " + host.job_path(host.temp() + "/x"));
      return ok();
    };
    return built;
  }();
  return name == look.name ? &look : nullptr;
}

constexpr const char* docker = "#!/bin/sh\ncase $1 in create|network) echo abc123 ;; esac\n";

TEST(BuiltInHost, PathsOfTheJobsContainerAreThoseOfTheHost) {
  JobRig rig(
      "on: push\njobs:\n  build:\n    runs-on: x\n    container: alpine\n    steps:\n      - uses: actions/look@v1\n"
      "        with: {paths: \"/__w/demo/demo/a /github/home/.m2 /github/workflow/event.json /__a/o /root/.m2 /__world "
      "${{ github.workspace }}\"}\n");
  rig.find_builtin = &looking;
  rig.place.action_folder = "/actions";
  rig.put("tools/docker", docker);
  std::filesystem::permissions(rig.workspace() + "/tools/docker", std::filesystem::perms::owner_all);
  const std::string path = std::string(std::getenv("PATH"));
  ::setenv("PATH", (rig.workspace() + "/tools:" + path).c_str(), 1);
  const std::string log = rig.run();
  ::setenv("PATH", path.c_str(), 1);
  const std::string work = rig.folder.path() + "/work";
  EXPECT_THAT(log, HasSubstr(fmt::format("\n/__w/demo/demo/a is {}/demo/demo/a\n", work)));
  EXPECT_THAT(log, HasSubstr(fmt::format("\n/github/home/.m2 is {}/_temp/_github_home/.m2\n", work)));
  EXPECT_THAT(log, HasSubstr(fmt::format("is {}/_temp/_github_workflow/event.json\n", work)));
  EXPECT_THAT(log, HasSubstr("\n/__a/o is /actions/o\n"));
  EXPECT_THAT(log, HasSubstr("\n/root/.m2 is '/root/.m2' is in the job's container alone."));
  EXPECT_THAT(log, HasSubstr("(the workspace is /__w/demo/demo), /github/home and /github/workflow"));
  EXPECT_THAT(log, HasSubstr("\n/__world is '/__world' is in the job's container alone."));
  EXPECT_THAT(log, HasSubstr(fmt::format("\n{0} is {0}\n", rig.workspace())));
  EXPECT_THAT(log, HasSubstr("\njob sees /__w/_temp/x\n"));
}

TEST(BuiltInHost, WithoutAContainerPathsStayAsTheyAre) {
  JobRig rig(job_of("- uses: actions/look@v1\n  with: {paths: /root/.m2}"));
  rig.find_builtin = &looking;
  const std::string log = rig.run();
  EXPECT_THAT(log, HasSubstr("\n/root/.m2 is /root/.m2\n"));
  EXPECT_THAT(log, HasSubstr(fmt::format("\njob sees {}/work/_temp/x\n", rig.folder.path())));
}

}  // namespace
}  // namespace kaapi::actions::runner
