#include "audit/record.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/event.h"
#include "audit/files.h"
#include "audit/test_call.h"
#include "base/json.h"

namespace kaapi::audit {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr Time now = from_millis(1'750'000'000'987);
constexpr std::string_view service_arn = "arn:aws:ecs:eu-west-1:123456789012:service/demo/web";
// Those of AWS's own documentation.
constexpr std::string_view secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
constexpr std::string_view token =
    "IQoJb3JpZ2luX2VjEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo";
constexpr std::string_view signature = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024";

std::string line_of(const TestCall& call) {
  return to_line(call.record(), "e1", "999999999999", now);
}
json::value tree_of(const TestCall& call) {
  const Result<json::value> tree = parse_json(line_of(call));
  EXPECT_TRUE(tree) << line_of(call);
  return tree ? *tree : json::value();
}

TEST(AuditRecord, HasTheShapeOfACloudTrailEvent) {
  const std::string expected =
      R"({"eventVersion":"1.08","eventID":"e1","eventTime":"2025-06-15T15:06:40Z","eventSource":"ecs.amazonaws.com",)"
      R"("eventName":"UpdateService","awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.7","userAgent":"aws-cli/2.9",)"
      R"("userIdentity":{"type":"IAMUser","principalId":"AIDAALICE","arn":"arn:aws:iam::123456789012:user/team/alice",)"
      R"("accountId":"123456789012","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"alice"},)"
      R"("requestID":"11111111-2222-4333-8444-555555555555","decision":{"allowed":true,"reason":"AdministratorAccess"},)"
      R"("readOnly":false,"requestParameters":null,"responseElements":null,)"
      R"("resources":[{"ARN":"arn:aws:ecs:eu-west-1:123456789012:service/demo/web","accountId":"123456789012",)"
      R"("type":"AWS::ECS::Service"}],"eventType":"AwsApiCall","managementEvent":true,)"
      R"("recipientAccountId":"123456789012","eventCategory":"Management"})";
  EXPECT_EQ(line_of(TestCall().on(std::string(service_arn))), expected + "\n");
}

TEST(AuditRecord, TellsWhoTheCallerIs) {
  struct Case {
    std::string arn;
    std::string type;
    std::string user_name;  // as a lookup finds it
    std::string role_name;
  };
  const std::vector<Case> cases = {
      {"arn:aws:iam::123456789012:root", "Root", "root", ""},
      {"arn:aws:iam::123456789012:user/bob", "IAMUser", "bob", ""},
      {"arn:aws:sts::123456789012:assumed-role/deploy/run-7", "AssumedRole", "run-7", "deploy"},
      {"arn:aws:sts::123456789012:federated-user/carol", "FederatedUser", "carol", ""},
      {"arn:aws:kaapi:eu-west-1:123456789012:runner-token/build", "Unknown", "runner-token/build", ""},
      {"arn:aws:kaapi:eu-west-1:123456789012:repository/team/shop/run/7", "Unknown", "repository/team/shop/run/7", ""},
      {"ecs-tasks.amazonaws.com", "AWSService", "ecs-tasks.amazonaws.com", ""},
      {"", "Unknown", "", ""},
  };
  for (const Case& c : cases) {
    const std::string line = line_of(TestCall().by(c.arn));
    EXPECT_THAT(line, HasSubstr("\"userIdentity\":{\"type\":\"" + c.type + "\"")) << c.arn;
    const Result<Event> event = parse_event(line);
    ASSERT_TRUE(event) << line;
    EXPECT_EQ(event->user_name, c.user_name) << line;
    EXPECT_EQ(event->role_name, c.role_name) << line;
  }
  EXPECT_THAT(line_of(TestCall().by("").named("AssumeRoleWithWebIdentity")), HasSubstr("WebIdentityUser"));
}

TEST(AuditRecord, ARefusalAndAFailureAreNotTheSame) {
  const json::value refused = tree_of(TestCall().refused("AccessDeniedException", "User: alice may not"));
  EXPECT_EQ(json::serialize(refused.at("decision")), R"({"allowed":false,"reason":"User: alice may not"})");
  EXPECT_EQ(string_member(refused, "errorCode"), "AccessDeniedException");
  TestCall failed;
  failed.error = make_error("ClusterNotFoundException", "Cluster not found.");
  const json::value tree = tree_of(failed);
  EXPECT_EQ(json::serialize(tree.at("decision")), R"({"allowed":true,"reason":"AdministratorAccess"})");
  EXPECT_EQ(string_member(tree, "errorMessage"), "Cluster not found.");
}

TEST(AuditRecord, ACallerThatIsNotKnownBelongsToTheAccount) {
  TestCall call;
  call.context = {};
  call.service.clear();
  call.operation.clear();
  const json::value tree = tree_of(call.refused("MissingAuthenticationToken", "Missing Authentication Token"));
  EXPECT_EQ(string_member(tree, "recipientAccountId"), "999999999999");
  EXPECT_EQ(string_member(tree, "eventSource"), "unknown");
  EXPECT_EQ(find_member(tree, "resources"), nullptr);
}

TEST(AuditRecord, NamesAResourceOnceAndNoStar) {
  const json::value tree =
      tree_of(TestCall().on("*").on(std::string(service_arn)).on(std::string(service_arn)).on("arn:aws:iam::1:role/r"));
  const json::array& resources = tree.at("resources").as_array();
  ASSERT_EQ(resources.size(), 2U);
  EXPECT_EQ(string_member(resources[1], "type"), "AWS::IAM::Role");
}

TEST(AuditRecord, NoSecretIsWrittenWhateverIsTold) {
  const std::vector<std::string> texts = {
      fmt::format("x-amz-security-token:{}\nhost:localhost", token),
      fmt::format("X-Amz-Security-Token={}&X-Amz-Date=20250615T150640Z", token),
      fmt::format(R"({{"SessionToken": "{}"}})", token),
      fmt::format("Authorization: {}", token),
      fmt::format("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20250615/x, Signature={}", signature),
      fmt::format("X-Amz-Signature={}", signature),
      fmt::format(R"({{"SecretAccessKey":"{}"}})", secret),
      fmt::format("aws_secret_access_key = {}", secret),
      fmt::format("Authorization: Bearer {}", token),
      fmt::format("Basic {}", secret),
      "WebIdentityToken eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ is not good",
  };
  for (const std::string& text : texts) {
    TestCall call;
    call.context.user_agent = text;
    call.context.source_ip = text;
    const std::string line = line_of(call.refused("InvalidSignatureException", "It was: " + text));
    for (const std::string_view hidden :
         {token.substr(0, 20), secret.substr(0, 20), signature.substr(0, 20), std::string_view("eyJzdWIiOiJhIn0")}) {
      EXPECT_THAT(line, Not(HasSubstr(std::string(hidden)))) << text;
    }
    EXPECT_THAT(line, HasSubstr("(removed)")) << text;
  }
}

TEST(AuditRecord, WhatIsNoSecretStays) {
  for (const std::string_view text :
       {"Check your AWS Secret Access Key and signing method", "Missing Authentication Token",
        "User: arn:aws:iam::123456789012:user/alice is not authorized to perform: secretsmanager:GetSecretValue on "
        "resource: arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/database-password-AbCdEf because no "
        "identity-based policy allows the secretsmanager:GetSecretValue action",
        "Boto3/1.26.0 md/Botocore#1.29.0 ua/2.0 os/linux#6.1 lang/python#3.11", "größer"}) {
    EXPECT_EQ(harmless_text(text, max_reason_bytes), text);
  }
}

TEST(AuditRecord, IsUtf8AndCutBetweenCharacters) {
  EXPECT_EQ(harmless_text("a\xC3", 10), "a?");
  EXPECT_EQ(harmless_text("\xED\xA0\x80 \xF5 \xC0\xAF", 20), "??? ? ??");
  EXPECT_EQ(harmless_text("aö", 2), "a");
  EXPECT_EQ(harmless_text("aö€😀", 10), "aö€😀");
}

TEST(AuditRecord, IsBoundedWhateverIsTold) {
  const std::string worst(100'000, '\x01');  // six characters each in JSON
  TestCall call;
  call.service = call.operation = worst;
  aws::CallContext& context = call.context;
  for (std::string* text : {&context.account_id, &context.region, &context.principal_arn, &context.user_id,
                            &context.access_key_id, &context.request_id, &context.source_ip, &context.user_agent}) {
    *text = worst;
  }
  context.account_id = "123456789012";
  for (int i = 0; i < 200; ++i) call.on(fmt::format("arn:aws:ecs:eu-west-1:123456789012:task/demo/{}{}", i, worst));
  const std::string line = line_of(call.refused(worst, worst));
  EXPECT_LT(line.size(), max_line_bytes);
  EXPECT_TRUE(parse_event(line.substr(0, line.size() - 1)));
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
}

TEST(AuditRecord, CountsTheResourcesItLeavesOut) {
  TestCall call;
  for (int i = 0; i < 400; ++i) call.on(fmt::format("arn:aws:ecs:eu-west-1:123456789012:task/demo/{:032}", i));
  const json::value tree = tree_of(call);
  const auto listed = static_cast<std::int64_t>(tree.at("resources").as_array().size());
  EXPECT_GT(listed, 100);
  EXPECT_EQ(listed + int_member(tree, "omittedResources"), 400);
}

TEST(AuditRecord, KnowsWhatOnlyReads) {
  for (const char* name : {"DescribeTasks", "ListClusters", "GetAuthorizationToken", "BatchGetImage", "AssumeRole",
                           "LookupEvents", "FilterLogEvents", "SimulatePrincipalPolicy"}) {
    EXPECT_TRUE(is_read_only(name)) << name;
  }
  for (const char* name : {"UpdateService", "PutLogEvents", "BatchDeleteImage", "CreateUser", "", "Nonsense"}) {
    EXPECT_FALSE(is_read_only(name)) << name;
  }
}

TEST(AuditRecord, TellsOfAGap) {
  const std::string line = to_gap_line(3, now, "cannot write: No space left on device", "e2", "123456789012", now);
  const Result<Event> event = parse_event(line);
  ASSERT_TRUE(event) << line;
  EXPECT_EQ(event->name, gap_event_name);
  EXPECT_EQ(event->error_message,
            "3 calls since 2025-06-15T15:06:40Z could not be recorded: cannot write: No space left on device");
}

Filter filter_with(std::string Filter::*member, std::string value) {
  Filter filter;
  filter.*member = std::move(value);
  return filter;
}

TEST(AuditFilter, AsksForOneThingEach) {
  TestCall call;
  call.by("arn:aws:sts::123456789012:assumed-role/deploy/run-7").on(std::string(service_arn));
  const std::string line = line_of(call);
  const Result<Event> event = parse_event(line);
  ASSERT_TRUE(event);
  struct Case {
    std::string Filter::*member;
    std::string value;
    bool matched;
  };
  const std::vector<Case> cases = {
      {&Filter::id, "e1", true},
      {&Filter::id, "e", false},
      {&Filter::name, "UpdateService", true},
      {&Filter::name, "updateservice", false},
      {&Filter::source, "ecs.amazonaws.com", true},
      {&Filter::source, "ecs", false},
      {&Filter::who, "run-7", true},
      {&Filter::who, "deploy", true},
      {&Filter::who, "deploy/run-7", true},
      {&Filter::who, "arn:aws:sts::123456789012:assumed-role/deploy/run-7", true},
      {&Filter::who, "run", false},
      {&Filter::who, "root", false},
      {&Filter::access_key_id, "AKIAIOSFODNN7EXAMPLE", true},
      {&Filter::resource, std::string(service_arn), true},
      {&Filter::resource, "web", true},
      {&Filter::resource, "demo/web", true},
      {&Filter::resource, "service/demo/web", true},
      {&Filter::resource, "eb", false},
      {&Filter::resource, "demo", false},
      {&Filter::resource_type, "AWS::ECS::Service", true},
      {&Filter::resource_type, "AWS::ECS::Task", false},
  };
  for (const Case& c : cases) {
    const Filter filter = filter_with(c.member, c.value);
    EXPECT_EQ(matches(filter, *event), c.matched) << c.value;
    EXPECT_TRUE(!c.matched || may_match(texts_of(filter), line)) << c.value;
  }
  EXPECT_FALSE(may_match(texts_of(filter_with(&Filter::name, "StopTask")), line));
}

TEST(AuditFilter, AsksForTimesAndDecisions) {
  const Result<Event> event = parse_event(line_of(TestCall()));
  const Time second = from_millis(1'750'000'000'000);
  ASSERT_EQ(event->time, second);
  ASSERT_EQ(time_of(line_of(TestCall())), second);
  Filter filter;
  filter.start = filter.end = second;
  EXPECT_TRUE(matches(filter, *event));
  filter.end = second - std::chrono::seconds(1);
  EXPECT_FALSE(matches(filter, *event));
  filter = {};
  filter.start = second + std::chrono::seconds(1);
  EXPECT_FALSE(matches(filter, *event));
  filter = {};
  filter.refused_only = true;
  EXPECT_FALSE(matches(filter, *event));
  EXPECT_TRUE(matches(filter, *parse_event(line_of(TestCall().refused("AccessDenied", "no")))));
  filter = {};
  filter.read_only = true;
  EXPECT_FALSE(matches(filter, *event));
  EXPECT_TRUE(matches(filter, *parse_event(line_of(TestCall().named("ListTasks")))));
}

TEST(AuditFilter, TheRootIsFoundByItsName) {
  const std::string line = line_of(TestCall().by("arn:aws:iam::123456789012:root"));
  const Filter filter = filter_with(&Filter::who, "root");
  EXPECT_TRUE(may_match(texts_of(filter), line));
  EXPECT_TRUE(matches(filter, *parse_event(line)));
}

TEST(AuditEvent, WhatIsNoEventIsTold) {
  for (const char* text : {"", "{", "{}", R"({"eventTime":"yesterday"})", R"({"eventTime":5})", "[]", "null"}) {
    EXPECT_FALSE(parse_event(text)) << text;
  }
}

}  // namespace
}  // namespace kaapi::audit
