#include "identity/policy/document.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "identity/policy/parsed_policies.h"

namespace kaapi::identity::policy {
namespace {

using testing::HasSubstr;

// Why a text is refused, or "accepted".
std::string refused(std::string_view text, Kind kind = Kind::identity) {
  const auto document = parse(text, kind);
  if (document) return "accepted";
  EXPECT_EQ(document.error().code, "MalformedPolicyDocument");
  EXPECT_EQ(document.error().status, 400);
  return document.error().message;
}

// One statement, with what is handed in beside the usual.
std::string with(std::string_view more, std::string_view version = "2012-10-17") {
  return fmt::format(R"({{"Version": "{}", "Statement": [{{"Effect": "Allow", {}}}]}})", version, more);
}
std::string with_condition(std::string_view condition) {
  return with(fmt::format(R"("Action": "*", "Resource": "*", "Condition": {})", condition));
}
std::string with_principal(std::string_view principal) {
  return with(fmt::format(R"("Action": "sts:AssumeRole", "Principal": {})", principal));
}

struct Refused {
  std::string text;
  std::string expected;
};

TEST(Document, WhatIsNoDocumentIsRefused) {
  for (const Refused& row : std::vector<Refused>{
           {"", "This policy contains invalid Json"},
           {"{", "This policy contains invalid Json"},
           {"[]", "Expected a JSON object"},
           {"{}", "Missing required field Statement"},
           {R"({"Statement": []})", "expected one statement or a list"},
           {R"({"Statement": "x"})", "expected one statement or a list"},
           {R"({"Statement": [1]})", "Statement 1: expected an object"},
           {R"({"Version": "2012-10-18", "Statement": []})", "must contain a valid version string"},
           {R"({"Version": 2012, "Statement": []})", "must contain a valid version string"},
           {R"({"version": "2012-10-17", "Statement": []})", "Unknown field version"},
           {R"({"Id": 1, "Statement": []})", "Id: expected a string"},
           {R"({"Statement": [], "Statement": []})",
            "The key \"Statement\" stands twice in one object (line 1, column 19)"},
           {std::string(100, '['), "This policy contains invalid Json"},
       }) {
    EXPECT_THAT(refused(row.text), HasSubstr(row.expected)) << row.text;
  }
  EXPECT_THAT(refused(std::string(max_document_bytes + 1, ' ')), HasSubstr("expected at most 131072"));
}

TEST(Document, AStatementMustBeWhole) {
  for (const Refused& row : std::vector<Refused>{
           {with(R"("Resource": "*")"), "Policy statement must contain actions. Statement 1"},
           {with(R"("Action": [], "Resource": "*")"), "Policy statement must contain actions."},
           {with(R"("Action": "*")"), "Policy statement must contain resources."},
           {with(R"("Action": "*", "Resource": [])"), "Policy statement must contain resources."},
           {with(R"("Action": "*", "NotAction": "*", "Resource": "*")"), "either Action or NotAction, not both"},
           {with(R"("Action": "*", "Resource": "*", "NotResource": "*")"), "either Resource or NotResource, not both"},
           {with(R"("Action": "*", "Resource": "*", "Comment": "x")"), "Unknown field Comment: expected Sid, Effect"},
           {with(R"("Action": "*", "Resource": "*", "Effect": "Deny")"), "The key \"Effect\" stands twice"},
           {with(R"("Action": "*", "Resource": "*", "\u0045ffect": "Deny")"), "The key \"Effect\" stands twice"},
           {with(R"("Action": 1, "Resource": "*")"), "Action: expected a string or a list of strings"},
           {with(R"("Action": ["*", 1], "Resource": "*")"), "Action: expected a list that holds strings only"},
           {with(R"("Action": {"a": 1}, "Resource": "*")"), "Action: expected a string"},
           {with(R"("Action": "*", "Resource": null)"), "Resource: expected a string"},
           {R"({"Statement": {"Action": "*", "Resource": "*"}})", "Missing required field Effect Statement 1"},
           {R"({"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}})", "Invalid effect: \"allow\""},
           {with(R"("Action": "*", "Resource": "*", "Principal": "*")"), "should not specify a principal"},
           {with(R"("Sid": "a b", "Action": "*", "Resource": "*")"), "must be alpha-numeric"},
           {with(R"("Sid": 1, "Action": "*", "Resource": "*")"), "Sid: expected a string"},
       }) {
    EXPECT_THAT(refused(row.text), HasSubstr(row.expected)) << row.text;
  }
}

TEST(Document, TheStatementIsNamed) {
  const std::string text = R"({"Statement": [{"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"},
                                             {"Sid": "B", "Effect": "Allow", "Action": "x", "Resource": "*"}]})";
  EXPECT_THAT(refused(text), HasSubstr("Statement 2 (Sid B): Actions/Conditions must be prefaced by a vendor"));
  EXPECT_THAT(refused(R"({"Statement": [{"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"},
                                        {"Sid": "A", "Effect": "Allow", "Action": "*", "Resource": "*"}]})"),
              HasSubstr("Statement IDs (SID) in a single policy must be unique."));
}

TEST(Document, ActionsAndResourcesHaveTheirForm) {
  for (const Refused& row : std::vector<Refused>{
           {with(R"("Action": "ListClusters", "Resource": "*")"), "must be prefaced by a vendor"},
           {with(R"("Action": ":ListClusters", "Resource": "*")"), "must be prefaced by a vendor"},
           {with(R"("Action": "e*:ListClusters", "Resource": "*")"), "Vendor e* is not valid"},
           {with(R"("Action": "ecs:", "Resource": "*")"), "expected the name of an action"},
           {with(R"("Action": "ecs:List:Clusters", "Resource": "*")"), "can contain only one colon"},
           {with(R"("Action": "ecs:List Clusters", "Resource": "*")"), "expected the name of an action"},
           {with(R"("Action": "*", "Resource": "service/x")"), "must be in ARN format or \"*\"."},
           {with(R"("Action": "*", "Resource": "arn:aws:ecs")"), "must be in ARN format or \"*\"."},
           {with(R"("Action": "*", "Resource": "arn:aws:ecs:us-east-1:1")"), "must be in ARN format or \"*\"."},
           {with(R"("Action": "*", "Resource": "arn:cloud:ecs:r:1:x")"), "Partition \"cloud\" is not valid"},
           {with(R"("Action": "*", "Resource": "arn:aws:*:r:1:x")"), "Resource vendor must be fully qualified"},
           {with(R"("Action": "*", "Resource": "arn:aws:ecs:r:1:${aws:username")"), "has no closing brace"},
           {with(R"("Action": "*", "Resource": "arn:aws:ecs:r:1:x\u0001")"), "control characters"},
       }) {
    EXPECT_THAT(refused(row.text), HasSubstr(row.expected)) << row.text;
  }
  EXPECT_EQ(refused(with(R"("NotAction": ["iam:*", "*:*"], "NotResource": ["arn:*:ecs:*", "arn:aws:ecs:r:1:x"])")),
            "accepted");
  EXPECT_EQ(refused(with(R"("Action": "*", "Resource": "arn:aws:ecs:r:1:${aws:username")", "2008-10-17")), "accepted")
      << "that version has no variables";
}

TEST(Document, ConditionsHaveTheirForm) {
  for (const Refused& row : std::vector<Refused>{
           {with_condition(R"("x")"), "Condition: expected an object of operators"},
           {with_condition(R"({"StringEqual": {"a:b": "c"}})"),
            "Invalid Condition type : StringEqual: expected one of ArnEquals"},
           {with_condition(R"({"stringequals": {"a:b": "c"}})"), "expected the spelling StringEquals"},
           {with_condition(R"({"ForAllValue:StringEquals": {"a:b": "c"}})"), "Invalid Condition type"},
           {with_condition(R"({"NullIfExists": {"a:b": "true"}})"), "expected Null alone"},
           {with_condition(R"({"ForAnyValue:Null": {"a:b": "true"}})"), "expected Null alone"},
           {with_condition(R"({"StringEquals": "x"})"), "Condition StringEquals: expected an object of keys"},
           {with_condition(R"({"StringEquals": {"username": "x"}})"), "username: expected a key such as aws:SourceIp"},
           {with_condition(R"({"StringEquals": {"aws:": "x"}})"), "expected a key such as aws:SourceIp"},
           {with_condition(R"({"StringEquals": {"aws:a": "x", "AWS:A": "y"}})"), "the key AWS:A stands twice"},
           {with_condition(R"({"StringEquals": {"aws:a": null}})"), "expected strings, numbers, true or false"},
           {with_condition(R"({"StringEquals": {"aws:a": [["x"]]}})"), "expected strings, numbers, true or false"},
           {with_condition(R"({"NumericEquals": {"a:b": "ten"}})"),
            "the value \"ten\" of NumericEquals for a:b: expected a number"},
           {with_condition(R"({"NumericEquals": {"a:b": "${a:c}"}})"), "expected a number"},
           {with_condition(R"({"DateEquals": {"a:b": "2026-13-01"}})"), "expected a date"},
           {with_condition(R"({"Bool": {"a:b": "yes"}})"), "expected true or false"},
           {with_condition(R"({"Null": {"a:b": "1"}})"), "expected true or false"},
           {with_condition(R"({"BinaryEquals": {"a:b": "&"}})"), "expected base64"},
           {with_condition(R"({"IpAddress": {"a:b": "10.0.0.0/33"}})"), "expected an IP address"},
           {with_condition(R"({"IpAddress": {"a:b": "10.0.0"}})"), "expected an IP address"},
           {with_condition(R"({"ArnLike": {"a:b": "user/x"}})"), "expected an ARN of six parts"},
       }) {
    EXPECT_THAT(refused(row.text), HasSubstr(row.expected)) << row.text;
  }
  EXPECT_EQ(refused(with_condition(R"({"StringEquals": {"a:b": ["x", 1, true]}, "Bool": {"a:b": false}})")),
            "accepted");
  EXPECT_EQ(refused(with_condition(R"({"ArnLike": {"a:b": ["*", "arn:*:iam::1:role/*", "${aws:PrincipalArn}"]}})")),
            "accepted");
  EXPECT_EQ(refused(with_condition(R"({"StringEquals": {"token.actions.githubusercontent.com:sub": "repo:a/b"}})")),
            "accepted");
}

TEST(Document, TrustPoliciesNameSomebodyAndNoResource) {
  for (const Refused& row : std::vector<Refused>{
           {with(R"("Action": "sts:AssumeRole")"), "Missing required field Principal"},
           {with(R"("Action": "sts:AssumeRole", "Principal": "*", "Resource": "*")"), "Has prohibited field Resource"},
           {with(R"("Action": "*", "Principal": "*")"), "may only specify STS AssumeRole actions"},
           {with(R"("Action": "ecs:ListClusters", "Principal": "*")"), "may only specify STS AssumeRole actions"},
           {with(R"("Action": "sts:AssumeRole", "Principal": "*", "NotPrincipal": "*")"),
            "either Principal or NotPrincipal"},
           {with_principal(R"("arn:aws:iam::111122223333:root")"), "expected \"*\" or an object"},
           {with_principal(R"({})"), "expected \"*\" or an object"},
           {with_principal(R"({"Aws": "*"})"), "Unknown field Aws: expected AWS, Service or Federated"},
           {with_principal(R"({"AWS": []})"), "expected at least one principal"},
           {with_principal(R"({"AWS": 111122223333})"), "AWS: expected a string"},
           {with_principal(R"({"AWS": "1111"})"), "Invalid principal in policy: \"AWS\":\"1111\""},
           {with_principal(R"({"AWS": "arn:aws:iam::111122223333:user/*"})"), "Invalid principal in policy"},
           {with_principal(R"({"AWS": "arn:aws:iam::111122223333:group/x"})"), "Invalid principal in policy"},
           {with_principal(R"({"AWS": "arn:aws:iam::*:root"})"), "Invalid principal in policy"},
           {with_principal(R"({"AWS": "arn:aws:sts::111122223333:assumed-role/x"})"), "Invalid principal in policy"},
           {with_principal(R"({"Service": "*"})"), "Invalid principal in policy"},
           {with_principal(R"({"Service": "ecs"})"), "expected a service such as ecs-tasks.amazonaws.com"},
           {with_principal(R"({"Federated": "arn:aws:iam::111122223333:oidc-provider/"})"),
            "Invalid principal in policy"},
       }) {
    EXPECT_THAT(refused(row.text, Kind::trust), HasSubstr(row.expected)) << row.text;
  }
  for (const char* principal :
       {R"("*")", R"({"AWS": "*"})", R"({"AWS": ["111122223333", "arn:aws:iam::111122223333:root"]})",
        R"({"AWS": "arn:aws:iam::111122223333:user/team/ann"})",
        R"({"AWS": "arn:aws:sts::111122223333:assumed-role/r/s"})", R"({"AWS": "AROAEXAMPLEEXAMPLE123"})",
        R"({"Service": ["ecs-tasks.amazonaws.com", "ecs.amazonaws.com"]})",
        R"({"Federated": "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com"})",
        R"({"Federated": "arn:aws:iam::111122223333:oidc-provider/127.0.0.1:8443/issuer"})",
        R"({"Federated": "cognito-identity.amazonaws.com"})"}) {
    EXPECT_EQ(refused(with_principal(principal), Kind::trust), "accepted") << principal;
  }
}

TEST(Document, ResourcePoliciesNeedNoResourceAndTakeAnySid) {
  EXPECT_EQ(refused(with(R"("Sid": "new statement", "Action": "ecr:*", "Principal": "*")"), Kind::resource),
            "accepted");
  EXPECT_THAT(refused(with(R"("Action": "ecr:*")"), Kind::resource), HasSubstr("Missing required field Principal"));
}

TEST(Document, ListsAreBounded) {
  std::string values;
  for (std::size_t i = 0; i <= max_values; ++i) values += fmt::format("{}{}", i == 0 ? "" : ",", i % 10);
  EXPECT_THAT(refused(with_condition(fmt::format(R"({{"StringEquals": {{"a:b": [{}]}}}})", values))),
              HasSubstr("more than 20000 values"));
  std::string statements;
  for (std::size_t i = 0; i <= max_statements; ++i) {
    statements += fmt::format(R"({}{{"Effect":"Deny","Action":"*","Resource":"*"}})", i == 0 ? "" : ",");
  }
  EXPECT_THAT(refused(fmt::format(R"({{"Statement": [{}]}})", statements)), HasSubstr("expected at most 1000"));
}

TEST(Document, ARefusalIsShortHoweverLongTheValue) {
  std::string umlauts;
  for (int i = 0; i < 5'000; ++i) umlauts += "\xC3\xA4";
  for (const std::string& value : {umlauts, "x" + umlauts}) {
    const std::string message = refused(with(fmt::format(R"("Action": "*", "Resource": "{}")", value)));
    EXPECT_LE(message.size(), max_refusal_bytes + 3);
    EXPECT_THAT(message, HasSubstr("Statement 1: Resource "));
    EXPECT_TRUE(message.ends_with("\xC3\xA4...")) << "cut between characters";
  }
}

TEST(Document, StatementsKnowTheirPlace) {
  const auto document = parse(
      "{\"Version\":\"2012-10-17\",\n  \"Statement\": [\n   {\"Sid\": \"A\", \"Effect\": \"Allow\", \"Action\": \"*\", "
      "\"Resource\": \"*\"},\n"
      "{\"Effect\": \"Deny\", \"Action\": \"*\",\n\"Resource\": \"*\", \"Condition\": {\"Bool\": {\"a:b\": [true]}}}]}",
      Kind::identity);
  ASSERT_TRUE(document) << document.error().message;
  const std::vector<Statement>& statements = (*document)->statements;
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0].begin, (Position{3, 4}));
  EXPECT_EQ(statements[0].end, (Position{3, 67}));
  EXPECT_EQ(statements[1].begin, (Position{4, 1}));
  EXPECT_EQ(statements[1].end.line, 5);
  EXPECT_EQ(statements[0].name(), "Sid A");
  EXPECT_EQ(statements[1].name(), "statement 2");
  const auto single = parse(R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})", Kind::identity);
  ASSERT_TRUE(single);
  EXPECT_EQ((*single)->statements[0].begin, (Position{1, 14}));
  EXPECT_EQ((*single)->version, "2008-10-17");
}

TEST(Document, ItsKeysAreListed) {
  const auto document = parse(with(R"("Action": "*", "Resource": "arn:aws:ecs:r:1:${aws:username}/${*}",
      "Condition": {"StringEquals": {"aws:SourceIp": "${aws:PrincipalTag/Team, 'x'}", "ecs:cluster": "a"}})"),
                              Kind::identity);
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(context_keys(**document),
            (std::vector<std::string>{"aws:principaltag/team", "aws:sourceip", "aws:username", "ecs:cluster"}));
}

TEST(Document, QuotasDoNotCountWhiteSpace) {
  EXPECT_EQ(counted_size("{ \"a\":\t\"b c\" }\r\n"), 10U);
}

TEST(ParsedPolicies, ATextIsParsedOnceAndTheirNumberIsBounded) {
  const auto text = [](std::size_t number) {
    return fmt::format(R"({{"Version":"2012-10-17","Statement":[{{"Sid":"S{}","Effect":"Allow","Principal":"*",)"
                       R"("Action":"ecr:*"}}]}})",
                       number);
  };
  ParsedPolicies policies(Kind::resource);
  const auto first = policies.parse(text(0));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*policies.parse(text(0)), *first);
  EXPECT_NE(*policies.parse(text(1)), *first);
  EXPECT_FALSE(policies.parse("{}"));
  EXPECT_EQ(policies.size(), 2U);
  for (std::size_t i = 0; i <= max_parsed_policies; ++i) ASSERT_TRUE(policies.parse(text(i)));
  EXPECT_LE(policies.size(), max_parsed_policies);
  EXPECT_GT(policies.size(), 0U);
}

}  // namespace
}  // namespace kaapi::identity::policy
