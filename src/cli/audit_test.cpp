#include "cli/audit.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "audit/log.h"
#include "audit/test_call.h"
#include "base/test_directory.h"

namespace kaapi::cli {
namespace {

using audit::TestCall;
using testing::HasSubstr;

class AuditCommandTest : public testing::Test {
 protected:
  AuditCommandTest() {
    surroundings_.variable = [](const char*) { return std::nullopt; };
    audit::LogConfig config;
    config.folder = directory_.file("audit");
    config.account_id = "123456789012";
    log_ = audit::Log::open(config, clock_, ids_).value();
  }
  void record(const TestCall& call) { log_->record(call.record()); }
  int run(std::vector<std::string> arguments) {
    std::vector<const char*> argv = {"kaapi", "audit", "--data", directory_.path().c_str()};
    for (const std::string& argument : arguments) argv.push_back(argument.c_str());
    out_.str("");
    err_.str("");
    return run_program(static_cast<int>(argv.size()), argv.data(), surroundings_, out_, err_);
  }
  // The lines below the heading.
  std::string shown(std::vector<std::string> arguments) {
    EXPECT_EQ(run(std::move(arguments)), exit_success) << err_.str();
    const std::string text = out_.str();
    return text.substr(text.find('\n') + 1);
  }
  // The operations that are shown, in order.
  std::string operations(std::vector<std::string> arguments) {
    std::istringstream lines(shown(std::move(arguments)));
    std::string names;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string time, who, action;
      words >> time >> who >> action;
      names += action + " ";
    }
    return names;
  }

  const TestDirectory directory_;
  Surroundings surroundings_;
  ManualClock clock_{SystemClock().now() - std::chrono::hours(5)};
  SeededIds ids_{5};
  std::unique_ptr<audit::Log> log_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST(AuditLine, ShowsWhoDidWhatAndWhatBecameOfIt) {
  audit::Event event;
  event.time = from_millis(1'750'000'000'000);
  event.source = "ecs.amazonaws.com";
  event.name = "UpdateService";
  event.user_name = "run-7";
  event.role_name = "deploy";
  event.source_ip = "192.0.2.7";
  event.resources = {{"arn:aws:ecs:eu-west-1:123456789012:service/demo/web", ""}, {"arn:aws:iam::1:role/task", ""}};
  event.allowed = true;
  event.reason = "inline policy ship of role deploy";
  EXPECT_EQ(
      audit_line(event, false),
      "2025-06-15T15:06:40Z  deploy/run-7          ecs:UpdateService             service/demo/web +1                "
      "   192.0.2.7        allowed: inline policy ship of role deploy\n");
  event.error_code = "ClusterNotFoundException";
  event.error_message = "Cluster not found.";
  EXPECT_THAT(audit_line(event, true),
              HasSubstr("\x1b[33mfailed: ClusterNotFoundException: Cluster not found.\x1b[0m"));
  event.allowed = false;
  event.reason = "no policy allows it\x1b[2J";
  EXPECT_THAT(audit_line(event, true), HasSubstr("\x1b[31mdenied: no policy allows it?[2J\x1b[0m"));
  EXPECT_THAT(audit_line({}, false), HasSubstr("  -  "));
}

TEST_F(AuditCommandTest, ShowsTheNewestOldestFirst) {
  for (int i = 0; i < 60; ++i) record(TestCall().named(fmt::format("Call{}", i)));
  const std::string all = operations({});
  EXPECT_TRUE(all.starts_with("ecs:Call10 ")) << all;
  EXPECT_TRUE(all.ends_with("ecs:Call58 ecs:Call59 ")) << all;
  EXPECT_EQ(operations({"--last", "2"}), "ecs:Call58 ecs:Call59 ");
  EXPECT_EQ(operations({"--last", "0"}), "");
}

TEST_F(AuditCommandTest, EachOptionAsksForOneThing) {
  record(TestCall().named("ListTasks"));
  record(TestCall().named("UpdateService").on("arn:aws:ecs:eu-west-1:123456789012:service/demo/web"));
  TestCall stranger;
  stranger.service = "sts";
  record(stranger.by("arn:aws:sts::123456789012:assumed-role/deploy/run-7")
             .named("AssumeRole")
             .refused("AccessDenied", "no identity-based policy allows it"));
  EXPECT_EQ(operations({"--user", "alice"}), "ecs:ListTasks ecs:UpdateService ");
  EXPECT_EQ(operations({"--user", "deploy"}), "sts:AssumeRole ");
  EXPECT_EQ(operations({"--event", "UpdateService"}), "ecs:UpdateService ");
  EXPECT_EQ(operations({"--event", "ecs:UpdateService"}), "ecs:UpdateService ");
  EXPECT_EQ(operations({"--event", "ecr:UpdateService"}), "");
  EXPECT_EQ(operations({"--resource", "web"}), "ecs:UpdateService ");
  EXPECT_EQ(operations({"--denied"}), "sts:AssumeRole ");
  EXPECT_THAT(out_.str(), HasSubstr("denied: no identity-based policy allows it"));
  EXPECT_EQ(operations({"--denied", "--user", "alice"}), "");
}

TEST_F(AuditCommandTest, SinceCountsBackFromNow) {
  record(TestCall().named("Old"));  // 5 hours ago
  clock_.set(SystemClock().now() - std::chrono::minutes(30));
  for (int i = 0; i < 70; ++i) record(TestCall().named("New"));
  EXPECT_EQ(operations({"--since", "1h"}).size(), 70 * std::string_view("ecs:New ").size());
  EXPECT_EQ(operations({"--since", "1h", "--last", "1"}), "ecs:New ");
  EXPECT_EQ(operations({"--since", "6h", "--event", "Old"}), "ecs:Old ");
  EXPECT_EQ(operations({"--since", "10s"}), "");
}

TEST_F(AuditCommandTest, JsonIsTheLogItself) {
  record(TestCall().named("ListTasks"));
  ASSERT_EQ(run({"--json"}), exit_success);
  std::ifstream file(audit::file_path(log_->folder(), 1));
  const std::string line((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_EQ(out_.str(), line);
}

TEST_F(AuditCommandTest, WithoutALogItSaysWhatToDo) {
  std::filesystem::remove_all(log_->folder());
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{}, {"--follow"}}) {
    EXPECT_EQ(run(arguments), exit_failure);
    EXPECT_THAT(err_.str(), HasSubstr("kaapi: there is no audit log in " + directory_.path()));
    EXPECT_THAT(err_.str(), HasSubstr("kaapi up"));
    EXPECT_EQ(out_.str(), "");
  }
}

TEST_F(AuditCommandTest, ALengthOfTimeIsCheckedAndTold) {
  for (const char* wrong : {"1", "h", "-1h", "1w", "99999999999999999999d", "1.5h"}) {
    EXPECT_EQ(run({"--since", wrong}), exit_usage) << wrong;
    EXPECT_THAT(err_.str(), HasSubstr("is no length of time")) << wrong;
  }
  EXPECT_EQ(parse_duration("2d").value(), std::chrono::hours(48));
  EXPECT_EQ(parse_duration("90s").value(), std::chrono::seconds(90));
}

TEST_F(AuditCommandTest, HelpTeaches) {
  EXPECT_EQ(run({"--help"}), exit_success);
  EXPECT_THAT(out_.str(), HasSubstr("kaapi audit --follow --denied"));
}

}  // namespace
}  // namespace kaapi::cli
