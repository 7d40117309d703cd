#include "audit/operations.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "audit/test_call.h"
#include "base/test_directory.h"

namespace kaapi::audit {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class LookupEventsTest : public testing::Test {
 protected:
  LookupEventsTest() : log_(Log::open({directory_.file("audit"), "123456789012"}, clock_, ids_).value()) {
    add_operations(dispatcher_, *log_);
    context_.account_id = "123456789012";
    context_.region = "eu-west-1";
  }
  void record(const TestCall& call) { log_->record(call.record()); }
  // A few calls of three callers, a minute apart.
  void record_some() {
    record(TestCall().by("arn:aws:iam::123456789012:root").named("CreateCluster").on(cluster_));
    clock_.advance(std::chrono::minutes(1));
    record(TestCall().named("ListServices").on(cluster_));
    clock_.advance(std::chrono::minutes(1));
    record(TestCall()
               .by("arn:aws:sts::123456789012:assumed-role/deploy/run-7")
               .named("UpdateService")
               .on(service_)
               .refused("AccessDeniedException", "not allowed"));
    clock_.advance(std::chrono::minutes(1));
    TestCall push;
    push.service = "ecr";
    push.context.access_key_id = "AKIAPUSH";
    record(push.named("PutImage").on("arn:aws:ecr:eu-west-1:123456789012:repository/web"));
  }
  json::value call(const std::string& body) {
    http::Request request;
    request.head.method = "POST";
    request.head.headers.add("X-Amz-Target", "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents");
    request.head.headers.add("Content-Type", "application/x-amz-json-1.1");
    request.body = body;
    const http::Response response = dispatcher_.call(dispatcher_.route(request, "cloudtrail"), context_, request);
    status_ = response.status;
    return parse_json(std::get<std::string>(response.body)).value();
  }
  static std::vector<std::string> names(const json::value& answer) {
    std::vector<std::string> found;
    for (const json::value& event : answer.at("Events").as_array()) found.push_back(string_member(event, "EventName"));
    return found;
  }
  std::vector<std::string> find(const std::string& key, const std::string& value) {
    return names(
        call(fmt::format(R"({{"LookupAttributes":[{{"AttributeKey":"{}","AttributeValue":"{}"}}]}})", key, value)));
  }
  std::string error(const std::string& body) {
    const json::value answer = call(body);
    EXPECT_EQ(status_, 400) << body;
    return string_member(answer, "__type") + ": " + string_member(answer, "message");
  }

  const std::string cluster_ = "arn:aws:ecs:eu-west-1:123456789012:cluster/demo";
  const std::string service_ = "arn:aws:ecs:eu-west-1:123456789012:service/demo/web";
  const TestDirectory directory_;
  ManualClock clock_;
  SeededIds ids_{3};
  std::unique_ptr<Log> log_;
  aws::Dispatcher dispatcher_;
  aws::CallContext context_;
  int status_ = 0;
};

TEST_F(LookupEventsTest, NewestFirstWithAllThatIsKnown) {
  record_some();
  const json::value answer = call("{}");
  EXPECT_THAT(names(answer), ElementsAre("PutImage", "UpdateService", "ListServices", "CreateCluster"));
  EXPECT_EQ(find_member(answer, "NextToken"), nullptr);
  const json::value& update = answer.at("Events").as_array()[1];
  EXPECT_EQ(string_member(update, "Username"), "run-7");
  EXPECT_EQ(string_member(update, "EventSource"), "ecs.amazonaws.com");
  EXPECT_EQ(string_member(update, "ReadOnly"), "false");
  EXPECT_EQ(update.at("EventTime").to_number<double>(), 1'750'000'120);
  EXPECT_EQ(json::serialize(update.at("Resources")),
            R"([{"ResourceType":"AWS::ECS::Service","ResourceName":")" + service_ + R"("}])");
  const json::value inside = parse_json(string_member(update, "CloudTrailEvent")).value();
  EXPECT_EQ(string_member(inside, "eventID"), string_member(update, "EventId"));
  EXPECT_EQ(string_member(inside, "errorCode"), "AccessDeniedException");
}

TEST_F(LookupEventsTest, FindsByEachAttribute) {
  record_some();
  EXPECT_THAT(find("EventName", "ListServices"), ElementsAre("ListServices"));
  EXPECT_THAT(find("EventSource", "ecr.amazonaws.com"), ElementsAre("PutImage"));
  EXPECT_THAT(find("Username", "root"), ElementsAre("CreateCluster"));
  EXPECT_THAT(find("Username", "run-7"), ElementsAre("UpdateService"));
  EXPECT_THAT(find("Username", "nobody"), ElementsAre());
  EXPECT_THAT(find("AccessKeyId", "AKIAPUSH"), ElementsAre("PutImage"));
  EXPECT_THAT(find("ReadOnly", "true"), ElementsAre("ListServices"));
  EXPECT_THAT(find("ResourceName", cluster_), ElementsAre("ListServices", "CreateCluster"));
  EXPECT_THAT(find("ResourceName", "web"), ElementsAre("PutImage", "UpdateService"));
  EXPECT_THAT(find("ResourceType", "AWS::ECR::Repository"), ElementsAre("PutImage"));
  const json::value all = call("{}");
  EXPECT_THAT(find("EventId", string_member(all.at("Events").as_array()[3], "EventId")), ElementsAre("CreateCluster"));
}

TEST_F(LookupEventsTest, FindsByTime) {
  record_some();
  EXPECT_THAT(names(call(R"({"StartTime":1750000060,"EndTime":1750000120})")),
              ElementsAre("UpdateService", "ListServices"));
  EXPECT_THAT(names(call(R"({"StartTime":1750000060.9})")), ElementsAre("PutImage", "UpdateService", "ListServices"));
  EXPECT_THAT(names(call(R"({"EndTime":1750000000})")), ElementsAre("CreateCluster"));
  EXPECT_THAT(names(call(R"({"StartTime":1760000000})")), ElementsAre());
}

TEST_F(LookupEventsTest, PagesStandStillWhileCallsComeIn) {
  for (int i = 0; i < 7; ++i) record(TestCall().named(fmt::format("Call{}", i)));
  const json::value first = call(R"({"MaxResults":3})");
  EXPECT_THAT(names(first), ElementsAre("Call6", "Call5", "Call4"));
  record(TestCall().named("Late"));
  const json::value second =
      call(fmt::format(R"({{"MaxResults":3,"NextToken":"{}"}})", string_member(first, "NextToken")));
  EXPECT_THAT(names(second), ElementsAre("Call3", "Call2", "Call1"));
  const json::value third =
      call(fmt::format(R"({{"MaxResults":3,"NextToken":"{}"}})", string_member(second, "NextToken")));
  EXPECT_THAT(names(third), ElementsAre("Call0"));
  EXPECT_EQ(find_member(third, "NextToken"), nullptr);
}

TEST_F(LookupEventsTest, GivesFiftyWhenNothingIsSaid) {
  for (int i = 0; i < 60; ++i) record(TestCall());
  EXPECT_EQ(names(call("{}")).size(), 50U);
}

TEST_F(LookupEventsTest, ALongSearchGoesOnWithAToken) {
  record(TestCall().named("Rare"));
  const std::string line = std::string(40'000, 'x') + "\n";  // no event, and yet to be read
  std::ofstream file(file_path(log_->folder(), 1), std::ios::app);
  for (std::uint64_t written = 0; written <= max_lookup_bytes; written += line.size()) file << line;
  file.close();
  constexpr std::string_view attribute = R"("LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"Rare"}])";
  const json::value first = call(fmt::format("{{{}}}", attribute));
  EXPECT_THAT(names(first), ElementsAre());
  const json::value second =
      call(fmt::format(R"({{{},"NextToken":"{}"}})", attribute, string_member(first, "NextToken")));
  EXPECT_THAT(names(second), ElementsAre("Rare"));
}

TEST_F(LookupEventsTest, RefusesAsAwsDoes) {
  record_some();
  EXPECT_THAT(error(R"({"MaxResults":0})"), StartsWith("InvalidMaxResultsException: MaxResults takes 1 to 50, not 0"));
  EXPECT_THAT(error(R"({"MaxResults":51})"), StartsWith("InvalidMaxResultsException: "));
  EXPECT_THAT(error(R"({"StartTime":2,"EndTime":1})"), StartsWith("InvalidTimeRangeException: "));
  EXPECT_THAT(error(R"({"NextToken":"made up"})"), StartsWith("InvalidNextTokenException: "));
  EXPECT_THAT(error(R"({"LookupAttributes":[{"AttributeKey":"ReadOnly","AttributeValue":"yes"}]})"),
              StartsWith("InvalidLookupAttributesException: "));
  EXPECT_THAT(error(R"({"LookupAttributes":[{"AttributeKey":"Colour","AttributeValue":"red"}]})"),
              StartsWith("InvalidLookupAttributesException: "));
  EXPECT_THAT(error(R"({"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"A"},)"
                    R"({"AttributeKey":"EventName","AttributeValue":"B"}]})"),
              StartsWith("InvalidLookupAttributesException: LookupAttributes takes one attribute"));
}

TEST_F(LookupEventsTest, ATokenOfAnotherLookupIsRefused) {
  record_some();
  const std::string token = string_member(call(R"({"MaxResults":1})"), "NextToken");
  EXPECT_THAT(
      error(fmt::format(
          R"({{"NextToken":"{}","LookupAttributes":[{{"AttributeKey":"EventName","AttributeValue":"A"}}]}})", token)),
      HasSubstr("InvalidNextTokenException"));
}

TEST_F(LookupEventsTest, ThereAreNoInsightEvents) {
  record_some();
  EXPECT_THAT(names(call(R"({"EventCategory":"insight"})")), ElementsAre());
}

}  // namespace
}  // namespace kaapi::audit
