#include "cli/follow.h"

#include <gtest/gtest.h>

#include <fmt/format.h>
#include <poll.h>

#include <functional>
#include <sstream>

#include "cli/program.h"
#include "http/server.h"

namespace kaapi::cli {
namespace {

using actions::FollowEvent;

std::string printed(const std::vector<FollowEvent>& events, bool colors = false) {
  std::ostringstream out;
  FollowPrinter printer(out, colors);
  for (const FollowEvent& event : events) printer.print(event);
  return out.str();
}

TEST(FollowPrinter, OneJobNeedsNoPrefix) {
  EXPECT_EQ(
      printed({{"run", 0, "CD #1", "queued", "", ""},
               {"job", 1, "build", "queued", "", ""},
               {"run", 0, "CD #1", "in_progress", "", ""},
               {"job", 1, "build", "in_progress", "", ""},
               {"step", 1, "Run make", "in_progress", "", ""},
               {"log", 1, "build", "", "", "one\ntwo\n"},
               {"step", 1, "Run make", "completed", "success", ""},
               {"job", 1, "build", "completed", "success", ""},
               {"end", 0, "CD #1", "completed", "success", ""}}),
      "CD #1: queued\nCD #1: runs\njob build: started\n> Run make\none\ntwo\njob build: success\nCD #1: success\n");
}

TEST(FollowPrinter, ShowsOfTheLogWhatAPersonWaitsFor) {
  const std::string time = "2026-07-01T09:30:00.123Z ";
  std::string log;
  for (const char* one : {"##[group]Run make", "make", "shell: bash", "##[endgroup]", "building", "##[group]Linking",
                          "ld", "##[endgroup]", "##[warning]old", "##[error]broken", "##[odd", "2026-07-01 no time"}) {
    log += time + one + "\n";
  }
  EXPECT_EQ(printed({{"step", 1, "Build", "in_progress", "", ""}, {"log", 1, "b", "", "", log}}),
            "> Build\nbuilding\nLinking\nld\nwarning: old\nerror: broken\n##[odd\n2026-07-01 no time\n");
  // A group of that name which is not the runner's own.
  EXPECT_EQ(printed({{"step", 1, "Build", "in_progress", "", ""}, {"log", 1, "b", "", "", "a\n##[group]Run b\nc\n"}}),
            "> Build\na\nRun b\nc\n");
}

TEST(FollowPrinter, SaysWhyAndWhichJob) {
  EXPECT_EQ(printed({{"job", 1, "build", "queued", "", ""},
                     {"job", 2, "test", "waiting", "", "needs a reviewer of production"},
                     {"log", 1, "build", "", "", "x\n"},
                     {"step", 1, "Run make", "completed", "failure", "exit code 2"},
                     {"job", 1, "build", "completed", "failure", "the step failed"},
                     {"end", 0, "CD #1", "completed", "failure", "a job failed"}}),
            "job test: waiting: needs a reviewer of production\nbuild | x\nbuild | > Run make: failure: exit code 2\n"
            "job build: failure: the step failed\nCD #1: failure: a job failed\n");
}

TEST(FollowPrinter, LetsNothingSteerTheTerminal) {
  const std::vector<FollowEvent> events = {{"log", 1, "b", "", "", "\x1b[31mred\x1b[0m \x1b[2Jgone\x07\r\n"}};
  EXPECT_EQ(printed(events), "red ?[2Jgone?\n");
  EXPECT_EQ(printed(events, true), "\x1b[31mred\x1b[0m ?[2Jgone?\x1b[0m\n");
}

TEST(FollowPrinter, ExitCodeIsTheRuns) {
  std::ostringstream out;
  FollowPrinter printer(out);
  EXPECT_EQ(printer.exit_code(), exit_failure);
  printer.print({"end", 0, "CD", "completed", "cancelled", ""});
  EXPECT_EQ(printer.exit_code(), exit_failure);
  printer.print({"end", 0, "CD", "completed", "success", ""});
  EXPECT_EQ(printer.exit_code(), exit_success);
}

TEST(FollowPrinter, PrintsNothingTwiceWhenItIsToldAgain) {
  const std::vector<FollowEvent> before = {
      {"run", 0, "CD #1", "in_progress", "", ""},         {"job", 1, "build", "in_progress", "", ""},
      {"step", 1, "Run make", "in_progress", "", ""},     {"log", 1, "build", "", "", "##[group]Run make\nmake\n"},
      {"log", 1, "build", "", "", "##[endgroup]\none\n"}, {"step", 1, "Run make", "completed", "success", ""},
      {"step", 1, "Run make", "in_progress", "", ""},     {"job", 2, "test", "waiting", "", "for ann"}};
  std::ostringstream out;
  FollowPrinter printer(out);
  for (const FollowEvent& event : before) printer.print(event);
  for (int times = 0; times < 2; ++times) {
    out.str("");
    printer.begin_again();
    for (const FollowEvent& event : std::vector<FollowEvent>(before.begin(), before.end() - 5)) printer.print(event);
    EXPECT_EQ(out.str(), "") << "and broke again";
  }
  printer.begin_again();
  for (const FollowEvent& event : std::vector<FollowEvent>{{"run", 0, "CD #1", "in_progress", "", ""},
                                                           {"step", 1, "Run make", "in_progress", "", ""},
                                                           {"log", 1, "build", "", "", "##[group]Run make\n"},
                                                           {"log", 1, "build", "", "", "make\n##[endgroup]\none\n"},
                                                           {"step", 1, "Run make", "completed", "success", ""},
                                                           {"step", 1, "Run make", "in_progress", "", ""},
                                                           {"log", 1, "build", "", "", "two\n"},
                                                           {"step", 1, "Run make", "completed", "success", ""},
                                                           {"job", 1, "build", "completed", "success", ""},
                                                           {"job", 2, "test", "waiting", "", "for ann"},
                                                           {"end", 0, "CD #1", "completed", "success", ""}}) {
    printer.print(event);
  }
  EXPECT_EQ(out.str(), "build | two\njob build: success\nCD #1: success\n");
}

// A platform that answers one request.
class Follow : public ::testing::Test {
 protected:
  Follow() {
    server.route("/", 0, [this](const http::Request& request) {
      token = std::string(request.head.headers.find("Authorization").value_or(""));
      return answer(request);
    });
    EXPECT_TRUE(server.start());
  }
  Result<void> follow(std::chrono::milliseconds limit = max_follow) {
    return follow_run(fmt::format("http://127.0.0.1:{}", server.port()), "/runner/v1/runs/1/follow", "secret", printer,
                      limit);
  }

  std::function<http::Response(const http::Request&)> answer;
  std::string token;
  http::Server server{http::ServerConfig{}};
  std::ostringstream out;
  FollowPrinter printer{out};
};

TEST_F(Follow, PrintsAsItComes) {
  answer = [](const http::Request&) {
    http::Response response;
    response.body = http::ProducedBody{[](http::BodyWriter& writer) {
      const std::string log = R"({"kind":"log","job_id":1,"text":"hello\n"})";
      const std::string end = R"({"kind":"end","name":"CD #1","conclusion":"success"})";
      return writer.write(log.substr(0, 10)).has_value() &&
             writer.write(log.substr(10) + "\n" + end + "\n").has_value();
    }};
    return response;
  };
  const Result<void> followed = follow();
  ASSERT_TRUE(followed) << followed.error().message;
  EXPECT_EQ(token, "Bearer secret");
  EXPECT_EQ(out.str(), "hello\nCD #1: success\n");
  EXPECT_EQ(printer.exit_code(), exit_success);
}

TEST_F(Follow, TellsThatTheConnectionBroke) {
  answer = [](const http::Request&) {
    http::Response response;
    response.body = http::ProducedBody{
        [](http::BodyWriter& writer) { return writer.write("{\"kind\":\"log\",\"text\":\"hello\"}\n") && false; }};
    return response;
  };
  const Result<void> followed = follow();
  ASSERT_FALSE(followed);
  EXPECT_EQ(followed.error().code, errc::unavailable);
  EXPECT_EQ(out.str(), "hello\n");
  EXPECT_EQ(printer.exit_code(), exit_failure);
}

TEST_F(Follow, ComesBackToAPlatformThatWasRestarted) {
  int times = 0;
  answer = [&times](const http::Request&) {
    if (++times == 2) return http::Response::json(503, R"({"message": "not yet"})");
    http::Response response;
    response.body = http::ProducedBody{[whole = times == 3](http::BodyWriter& writer) {
      const std::string log = R"({"kind":"log","job_id":1,"text":"one\n"})";
      const std::string end = R"({"kind":"end","name":"CD #1","conclusion":"success"})";
      return writer.write(log + "\n" + (whole ? end + "\n" : "")) && whole;
    }};
    return response;
  };
  std::ostringstream err;
  const Result<void> followed =
      follow_through_restarts(fmt::format("http://127.0.0.1:{}", server.port()), "/runner/v1/runs/1/follow", "secret",
                              printer, err, {std::chrono::milliseconds(1), std::chrono::minutes(1)});
  ASSERT_TRUE(followed) << followed.error().message;
  EXPECT_EQ(times, 3);
  EXPECT_EQ(out.str(), "one\nCD #1: success\n");
  EXPECT_EQ(err.str(),
            fmt::format("kaapi: the connection to http://127.0.0.1:{} broke; the run goes on, and so does this "
                        "when the platform is back\n",
                        server.port()));
}

TEST_F(Follow, GivesAPlatformUpThatStaysAway) {
  server.stop(std::chrono::milliseconds(0));
  std::ostringstream err;
  const Result<void> followed =
      follow_through_restarts("http://127.0.0.1:1", "/runner/v1/runs/1/follow", "secret", printer, err,
                              {std::chrono::milliseconds(1), std::chrono::milliseconds(5)});
  ASSERT_FALSE(followed);
  EXPECT_EQ(followed.error().code, errc::unavailable);
  EXPECT_NE(followed.error().message.find("the run goes on"), std::string::npos);
}

TEST_F(Follow, WaitsLongerThanAnybodyMayReview) {
  EXPECT_GT(max_follow, std::chrono::hours(31 * 24));
  answer = [](const http::Request&) {
    http::Response response;
    response.body = http::ProducedBody{[](http::BodyWriter& writer) {
      pollfd gone{writer.descriptor(), POLLRDHUP, 0};
      return ::poll(&gone, 1, -1) == 0;
    }};
    return response;
  };
  const Result<void> followed = follow(std::chrono::milliseconds(1));
  ASSERT_FALSE(followed);
  EXPECT_EQ(followed.error().code, errc::timed_out);
  EXPECT_NE(followed.error().message.find("goes on: follow it with `kaapi run watch`"), std::string::npos);
}

TEST_F(Follow, TellsWhyItIsRefused) {
  answer = [](const http::Request&) { return http::Response::json(404, R"({"message": "there is no run 1"})"); };
  const Result<void> followed = follow();
  ASSERT_FALSE(followed);
  EXPECT_EQ(followed.error().code, errc::not_found);
  EXPECT_NE(followed.error().message.find("there is no run 1"), std::string::npos);
  EXPECT_FALSE(follow_run("ftp://x", "/", "t", printer));
}

}  // namespace
}  // namespace kaapi::cli
