#include "cli/run.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "base/clock.h"
#include "http/server.h"

namespace kaapi::cli {
namespace {

using testing::HasSubstr;

// The commands against a platform that answers what it is told to.
class RunCommandsTest : public testing::Test {
 protected:
  RunCommandsTest() {
    server_.route("/", 1024 * 1024, [this](const http::Request& request) { return answer(request); });
    EXPECT_TRUE(server_.start());
    surroundings_.variable = [this](const char* name) -> std::optional<std::string> {
      const std::map<std::string, std::string> variables = {
          {"AWS_ENDPOINT_URL", fmt::format("http://127.0.0.1:{}", server_.port())},
          {"AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"},
          {"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}};
      const auto found = variables.find(name);
      return found == variables.end() ? std::nullopt : std::optional(found->second);
    };
  }
  ~RunCommandsTest() override { server_.stop(std::chrono::milliseconds(0)); }

  http::Response answer(const http::Request& request) {
    const std::string target(request.head.headers.find("X-Amz-Target").value_or(request.head.path));
    const std::string operation = target.substr(target.find('.') + 1);
    asked_.push_back(operation);
    const auto found = answers_.find(operation);
    return found == answers_.end() ? http::Response::json(404, R"({"message": "there is no such thing"})")
                                   : http::Response::json(200, found->second);
  }
  int run(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "kaapi");
    out_.str("");
    err_.str("");
    return run_program(static_cast<int>(arguments.size()), arguments.data(), surroundings_, out_, err_);
  }

  std::map<std::string, std::string> answers_;  // by operation or path
  std::vector<std::string> asked_;
  http::Server server_{http::ServerConfig{}};
  Surroundings surroundings_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(RunCommandsTest, ARejectionTakesAReason) {
  EXPECT_EQ(run({"run", "reject", "12", "-m", " ", "--repo", "shop"}), exit_usage);
  EXPECT_THAT(err_.str(), HasSubstr("a rejection takes a reason"));
  EXPECT_THAT(asked_, testing::IsEmpty());
  answers_["ReviewDeployment"] = R"({"jobs": 1})";
  EXPECT_EQ(run({"run", "approve", "12", "-m", "", "--repo", "shop"}), exit_success) << err_.str();
}

TEST_F(RunCommandsTest, AnAnnotationOfAWholeFileHasNoLine) {
  answers_["DescribeRun"] = R"({"run": {"runId": "12"}, "jobs": [{"jobId": "1", "name": "build", "annotations": [
      {"level": "error", "file": "a.c", "line": 0, "message": "broken"},
      {"level": "error", "file": "b.c", "message": "broken"},
      {"level": "notice", "file": "c.c", "line": 7, "message": "see"},
      {"level": "warning", "message": "old"}]}]})";
  ASSERT_EQ(run({"run", "show", "12", "--repo", "shop"}), exit_success) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("  error a.c: broken\n  error b.c: broken\n  notice c.c:7: see\n  warning: old\n"));
}

TEST_F(RunCommandsTest, ARunnerThatIsNotHeardOfIsAway) {
  const auto ago = [](std::chrono::seconds time) {
    return std::chrono::duration_cast<std::chrono::seconds>((SystemClock().now() - time).time_since_epoch()).count();
  };
  answers_["ListRunners"] =
      fmt::format(R"({{"runners": [{{"name": "near", "heardAt": {}, "jobs": []}},
      {{"name": "far", "heardAt": {}, "jobs": []}}, {{"name": "busy", "heardAt": {}, "jobs": ["3"]}}]}})",
                  ago(std::chrono::seconds(60)), ago(std::chrono::seconds(90)), ago(std::chrono::seconds(90)));
  ASSERT_EQ(run({"run", "runners"}), exit_success) << err_.str();
  EXPECT_THAT(out_.str(), testing::ContainsRegex("near +idle"));
  EXPECT_THAT(out_.str(), testing::ContainsRegex("far +away"));
  EXPECT_THAT(out_.str(), testing::ContainsRegex("busy +at job 3"));
}

TEST_F(RunCommandsTest, AnEndThatIsNotSeenIsNoFailureOfTheRun) {
  answers_["WatchRun"] = R"({"run": {"runId": "12", "path": "/runner/v1/runs/12/follow", "token": "t"}})";
  EXPECT_EQ(run({"run", "watch", "12", "--repo", "shop"}), exit_unseen);
  EXPECT_THAT(err_.str(), HasSubstr("kaapi: the run cannot be followed: there is no such thing"));
}

}  // namespace
}  // namespace kaapi::cli
