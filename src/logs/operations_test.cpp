#include "logs/operations.h"

#include <gtest/gtest.h>

#include "aws/gen/logs.h"
#include "logs/facts.h"
#include "logs/store.h"

namespace kaapi::logs {
namespace {

constexpr std::int64_t start_ms = 1'750'000'000'000;

class LogsOperationsTest : public testing::Test {
 protected:
  LogsOperationsTest()
      : database_(*store::Database::open(":memory:", migrations())), store_(*database_), clock_(from_millis(start_ms)) {
    add_operations(dispatcher_, store_, clock_);
    context_.account_id = "123456789012";
    context_.region = "eu-west-1";
  }
  // Calls over the wire's own form; the answer's body.
  json::value call(const std::string& operation, const std::string& body) {
    http::Request request;
    request.head.method = "POST";
    request.head.headers.add("X-Amz-Target", "Logs_20140328." + operation);
    request.head.headers.add("Content-Type", "application/x-amz-json-1.1");
    request.body = body;
    const http::Response response = dispatcher_.call(dispatcher_.route(request, "logs"), context_, request);
    status_ = response.status;
    const std::string text = std::get<std::string>(response.body);
    const Result<json::value> tree = parse_json(text.empty() ? "{}" : text);
    EXPECT_TRUE(tree) << text;
    return tree ? *tree : json::value();
  }
  std::string error(const std::string& operation, const std::string& body) {
    const json::value answer = call(operation, body);
    EXPECT_EQ(status_, 400);
    const std::string type = string_member(answer, "__type");
    return type.substr(type.find('#') + 1) + ": " + string_member(answer, "message", string_member(answer, "Message"));
  }
  void make_group() {
    call("CreateLogGroup", R"({"logGroupName":"/ecs/app","tags":{"team":"a"}})");
    EXPECT_EQ(status_, 200);
    call("CreateLogStream", R"({"logGroupName":"/ecs/app","logStreamName":"s"})");
    EXPECT_EQ(status_, 200);
  }
  void put(int count) {
    std::string events;
    for (int i = 0; i < count; ++i) {
      events += fmt::format(R"({}{{"timestamp":{},"message":"m{}"}})", i == 0 ? "" : ",", start_ms + i, i);
    }
    call("PutLogEvents", fmt::format(R"({{"logGroupName":"/ecs/app","logStreamName":"s","logEvents":[{}]}})", events));
    EXPECT_EQ(status_, 200);
  }
  static std::string texts(const json::value& answer) {
    std::string out;
    for (const json::value& event : answer.at("events").as_array()) out += string_member(event, "message") + " ";
    return out;
  }

  std::unique_ptr<store::Database> database_;
  LogStore store_;
  ManualClock clock_;
  aws::Dispatcher dispatcher_;
  aws::CallContext context_;
  int status_ = 0;
};

TEST_F(LogsOperationsTest, DescribesGroupsAndStreams) {
  make_group();
  put(2);
  call("PutRetentionPolicy", R"({"logGroupName":"/ecs/app","retentionInDays":30})");
  EXPECT_EQ(status_, 200);
  const json::value answer = call("DescribeLogGroups", R"({"logGroupNamePrefix":"/ecs/"})");
  const json::value& group = answer.at("logGroups").as_array().at(0);
  EXPECT_EQ(string_member(group, "arn"), "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app:*");
  EXPECT_EQ(string_member(group, "logGroupArn"), "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app");
  EXPECT_EQ(int_member(group, "creationTime"), start_ms);
  EXPECT_EQ(int_member(group, "retentionInDays"), 30);
  EXPECT_EQ(int_member(group, "storedBytes"), 2 * (2 + 26));
  const json::value streams =
      call("DescribeLogStreams", R"({"logGroupName":"/ecs/app","orderBy":"LastEventTime","descending":true})");
  const json::value& stream = streams.at("logStreams").as_array().at(0);
  EXPECT_EQ(string_member(stream, "arn"), "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app:log-stream:s");
  EXPECT_EQ(int_member(stream, "firstEventTimestamp"), start_ms);
  EXPECT_EQ(int_member(stream, "lastEventTimestamp"), start_ms + 1);
}

TEST_F(LogsOperationsTest, TagsAGroup) {
  make_group();  // with team=a
  const std::string arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app";
  const auto tags = [&] {
    return json::serialize(call("ListTagsForResource", fmt::format(R"({{"resourceArn":"{}"}})", arn)).at("tags"));
  };
  EXPECT_EQ(tags(), R"({"team":"a"})");
  call("TagResource", fmt::format(R"({{"resourceArn":"{}","tags":{{"team":"b","stage":"x"}}}})", arn));
  EXPECT_EQ(status_, 200);
  EXPECT_EQ(tags(), R"({"stage":"x","team":"b"})");
  call("UntagResource", fmt::format(R"({{"resourceArn":"{}","tagKeys":["stage","none"]}})", arn));
  EXPECT_EQ(status_, 200);
  call("TagLogGroup", R"({"logGroupName":"/ecs/app","tags":{"old":"1"}})");
  EXPECT_EQ(json::serialize(call("ListTagsLogGroup", R"({"logGroupName":"/ecs/app"})")),
            R"({"tags":{"old":"1","team":"b"}})");
  call("UntagLogGroup", R"({"logGroupName":"/ecs/app","tags":["old","team"]})");
  EXPECT_EQ(tags(), "{}");
}

TEST_F(LogsOperationsTest, RefusesTagsAsCloudWatchDoes) {
  make_group();
  const std::string about = R"("resourceArn":"arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app")";
  EXPECT_EQ(error("ListTagsForResource", R"({"resourceArn":"arn:aws:logs:eu-west-1:123456789012:log-group:none"})"),
            "ResourceNotFoundException: The specified log group does not exist.");
  EXPECT_TRUE(error("ListTagsForResource", R"({"resourceArn":"/ecs/app"})").starts_with("InvalidParameterException: "));
  EXPECT_TRUE(
      error("ListTagsForResource", R"({"resourceArn":"arn:aws:logs:us-east-1:123456789012:log-group:/ecs/app"})")
          .starts_with("InvalidParameterException: "));
  const std::string reserved =
      "InvalidParameterException: Tag key 'aws:x' is not allowed: the prefix 'aws:' is reserved for AWS use.";
  EXPECT_EQ(error("TagResource", "{" + about + R"(,"tags":{"aws:x":"1"}})"), reserved);
  EXPECT_EQ(error("CreateLogGroup", R"({"logGroupName":"g","tags":{"aws:x":"1"}})"), reserved);
  std::string many;
  for (int i = 0; i < 50; ++i) many += fmt::format(R"({}"k{}":"v")", i == 0 ? "" : ",", i);
  const std::string said = ": The log group would have 51 tags; at most 50 are allowed.";
  EXPECT_EQ(error("TagResource", "{" + about + R"(,"tags":{)" + many + "}}"), "TooManyTagsException" + said);
  EXPECT_EQ(error("TagLogGroup", R"({"logGroupName":"/ecs/app","tags":{)" + many + "}}"),
            "InvalidParameterException" + said);
}

TEST_F(LogsOperationsTest, TellsPoliciesTheTagsOfItsGroups) {
  make_group();
  const LogGroupFacts facts(store_, "123456789012");
  const Tags tags = {{"team", "a"}};
  const std::string arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app";
  for (const char* rest : {"", ":*", ":log-stream:", ":log-stream:s"})
    EXPECT_EQ(facts.tags_of(arn + rest), tags) << rest;
  for (const char* other : {"", "*", "arn:aws:logs:us-east-1:123456789012:log-group:/ecs/app",
                            "arn:aws:logs:eu-west-1:999999999999:log-group:/ecs/app",
                            "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs"}) {
    EXPECT_TRUE(facts.tags_of(other).empty()) << other;
  }
  EXPECT_EQ(facts.policy_of(arn), "");
}

TEST_F(LogsOperationsTest, DeletesRetentionAndStreams) {
  make_group();
  call("PutRetentionPolicy", R"({"logGroupName":"/ecs/app","retentionInDays":30})");
  call("DeleteRetentionPolicy", R"({"logGroupName":"/ecs/app"})");
  EXPECT_EQ(status_, 200);
  const json::value groups = call("DescribeLogGroups", "{}");
  EXPECT_EQ(find_member(groups.at("logGroups").as_array().at(0), "retentionInDays"), nullptr);
  call("DeleteLogStream", R"({"logGroupName":"/ecs/app","logStreamName":"s"})");
  EXPECT_EQ(status_, 200);
  EXPECT_TRUE(call("DescribeLogStreams", R"({"logGroupName":"/ecs/app"})").at("logStreams").as_array().empty());
  EXPECT_EQ(error("DeleteLogStream", R"({"logGroupName":"/ecs/app","logStreamName":"s"})"),
            "ResourceNotFoundException: The specified log stream does not exist.");
  EXPECT_EQ(error("DeleteRetentionPolicy", R"({"logGroupName":"none"})"),
            "ResourceNotFoundException: The specified log group does not exist.");
}

TEST_F(LogsOperationsTest, ListsPageByPage) {
  for (const char* name : {"a", "b", "c"}) call("CreateLogGroup", fmt::format(R"({{"logGroupName":"{}"}})", name));
  json::value answer = call("DescribeLogGroups", R"({"limit":2})");
  EXPECT_EQ(answer.at("logGroups").as_array().size(), 2U);
  const std::string token = string_member(answer, "nextToken");
  answer = call("DescribeLogGroups", fmt::format(R"({{"limit":2,"nextToken":"{}"}})", token));
  EXPECT_EQ(answer.at("logGroups").as_array().size(), 1U);
  EXPECT_EQ(find_member(answer, "nextToken"), nullptr);
  EXPECT_EQ(error("DescribeLogGroups", fmt::format(R"({{"logGroupNamePrefix":"a","nextToken":"{}"}})", token)),
            "InvalidParameterException: The specified nextToken is invalid.");
}

TEST_F(LogsOperationsTest, PutsGetsAndFilters) {
  make_group();
  put(4);
  const std::string where = R"("logGroupName":"/ecs/app","logStreamName":"s")";
  json::value answer = call("GetLogEvents", fmt::format(R"({{{},"limit":2,"startFromHead":true}})", where));
  EXPECT_EQ(texts(answer), "m0 m1 ");
  const std::string forward = string_member(answer, "nextForwardToken");
  EXPECT_TRUE(forward.starts_with("f/"));
  EXPECT_TRUE(string_member(answer, "nextBackwardToken").starts_with("b/"));
  answer = call("GetLogEvents", fmt::format(R"({{{},"startFromHead":true,"nextToken":"{}"}})", where, forward));
  EXPECT_EQ(texts(answer), "m2 m3 ");
  const std::string last = string_member(answer, "nextForwardToken");
  answer = call("GetLogEvents", fmt::format(R"({{{},"startFromHead":true,"nextToken":"{}"}})", where, last));
  EXPECT_EQ(texts(answer), "");
  EXPECT_EQ(string_member(answer, "nextForwardToken"), last);
  EXPECT_EQ(error("GetLogEvents", fmt::format(R"({{{},"nextToken":"x"}})", where)),
            "InvalidParameterException: The specified nextToken is invalid.");

  // As `aws logs tail --follow` polls.
  answer = call("FilterLogEvents",
                fmt::format(R"({{"logGroupName":"/ecs/app","interleaved":true,"startTime":{}}})", start_ms + 2));
  EXPECT_EQ(texts(answer), "m2 m3 ");
  EXPECT_EQ(find_member(answer, "nextToken"), nullptr);
  EXPECT_EQ(string_member(answer.at("events").as_array().at(0), "eventId").size(), 56U);
  EXPECT_EQ(string_member(answer.at("events").as_array().at(0), "logStreamName"), "s");
  const std::string arn = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/app";
  answer =
      call("FilterLogEvents", fmt::format(R"({{"logGroupIdentifier":"{}","filterPattern":"?m1 ?m3","limit":1}})", arn));
  EXPECT_EQ(texts(answer), "m1 ");
  answer =
      call("FilterLogEvents", fmt::format(R"({{"logGroupIdentifier":"{}","filterPattern":"?m1 ?m3","nextToken":"{}"}})",
                                          arn, string_member(answer, "nextToken")));
  EXPECT_EQ(texts(answer), "m3 ");
}

TEST_F(LogsOperationsTest, TellsWhatItRejected) {
  make_group();
  const json::value answer = call(
      "PutLogEvents", fmt::format(R"({{"logGroupName":"/ecs/app","logStreamName":"s","sequenceToken":"any","logEvents":[
        {{"timestamp":1,"message":"old"}},{{"timestamp":{},"message":"fine"}},{{"timestamp":{},"message":"new"}}]}})",
                                  start_ms, start_ms + 3 * 3'600'000));
  EXPECT_EQ(status_, 200);
  EXPECT_EQ(int_member(answer.at("rejectedLogEventsInfo"), "tooOldLogEventEndIndex"), 1);
  EXPECT_EQ(int_member(answer.at("rejectedLogEventsInfo"), "tooNewLogEventStartIndex"), 2);
  EXPECT_EQ(texts(call("GetLogEvents", R"({"logGroupName":"/ecs/app","logStreamName":"s"})")), "fine ");
}

TEST_F(LogsOperationsTest, RefusesInCloudWatchsWords) {
  make_group();
  EXPECT_EQ(error("CreateLogGroup", R"({"logGroupName":"/ecs/app"})"),
            "ResourceAlreadyExistsException: The specified log group already exists");
  EXPECT_EQ(error("FilterLogEvents", R"({"logGroupName":"/ecs/none"})"),
            "ResourceNotFoundException: The specified log group does not exist.");
  EXPECT_EQ(error("GetLogEvents", R"({"logGroupName":"/ecs/app","logStreamName":"none"})"),
            "ResourceNotFoundException: The specified log stream does not exist.");
  EXPECT_TRUE(error("PutRetentionPolicy", R"({"logGroupName":"/ecs/app","retentionInDays":2})")
                  .starts_with("InvalidParameterException: retentionInDays is 2; it must be one of: 1, 3, 5"));
  EXPECT_TRUE(error("FilterLogEvents", R"({"logGroupName":"/ecs/app","filterPattern":"{ $.a = 1 }"})")
                  .starts_with("InvalidParameterException: Invalid filter pattern: JSON"));
  EXPECT_EQ(error("FilterLogEvents", R"({"filterPattern":"x"})"),
            "InvalidParameterException: Exactly one of logGroupName and logGroupIdentifier must be given.");
  EXPECT_EQ(
      error("DescribeLogStreams", R"({"logGroupName":"/ecs/app","orderBy":"LastEventTime","logStreamNamePrefix":"s"})"),
      "InvalidParameterException: Cannot order by LastEventTime with a logStreamNamePrefix.");
  EXPECT_TRUE(error("CreateLogGroup", R"({"logGroupName":"no spaces"})").starts_with("InvalidParameterException: "));
  EXPECT_TRUE(error("FilterLogEvents", R"({"logGroupIdentifier":"arn:aws:logs:us-east-1:123456789012:log-group:x"})")
                  .starts_with("InvalidParameterException: 'arn:aws:logs:us-east-1:"));
}

}  // namespace
}  // namespace kaapi::logs
