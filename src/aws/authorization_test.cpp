#include "aws/authorization.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/dispatch.h"
#include "aws/gen/ecs.h"
#include "aws/query.h"

namespace kaapi::aws {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr std::string_view ecs_target = "AmazonEC2ContainerServiceV20141113.";

// Allows what it is told to and knows every role below /team/.
class Allowing final : public Authorizer {
 public:
  std::string arn_of(const CallContext& context, std::string_view type, std::string_view name) const override {
    if (name.starts_with("arn:")) return std::string(name);
    return fmt::format("arn:aws:iam::{}:{}/team/{}", context.account_id, type, name);
  }
  Result<std::string> authorize(const CallContext&, const std::vector<Access>& accesses) const override {
    asked = accesses;
    if (allow) return std::string("a policy");
    return make_error(access_denied, "User: u is not authorized to perform: " + accesses.front().action);
  }
  bool allow = true;
  mutable std::vector<Access> asked;
};

class AccessesTest : public testing::Test {
 protected:
  AccessesTest() {
    context_.account_id = "123456789012";
    context_.region = "eu-west-1";
    context_.principal_arn = "arn:aws:iam::123456789012:user/u";
  }
  std::vector<Access> of(std::string_view operation, std::string_view request, std::string_view service = "ecs") {
    const ServiceInfo& info = *find_service(service);
    const json::value tree = request.starts_with("{") ? parse_json(request).value() : parse_form(request).value();
    return accesses_of(fmt::format("{}:{}", service, operation), find_operation(info, operation)->permission, context_,
                       tree, authorizer_);
  }
  std::vector<std::string> resources(std::string_view operation, std::string_view request,
                                     std::string_view service = "ecs") {
    std::vector<std::string> all;
    for (const Access& access : of(operation, request, service)) all.push_back(access.resource);
    return all;
  }

  CallContext context_;
  Allowing authorizer_;
};

TEST_F(AccessesTest, APlaceholderBringsTheSlashesBeforeIt) {
  const std::string shop = "arn:aws:kaapi:eu-west-1:123456789012:repository/team/shop";
  EXPECT_THAT(resources("PutSecret", R"({"repository":"team/shop","name":"K","value":"v"})", "settings"),
              ElementsAre(shop));
  EXPECT_THAT(
      resources("PutSecret", R"({"repository":"team/shop","environment":"prod","name":"K","value":"v"})", "settings"),
      ElementsAre(shop + "/environment/prod"));
}

TEST_F(AccessesTest, TheResourceIsTheSameHoweverTheRequestNamesIt) {
  const std::string web = "arn:aws:ecs:eu-west-1:123456789012:service/c/web";
  EXPECT_THAT(resources("UpdateService", R"({"cluster":"c","service":"web"})"), ElementsAre(web));
  EXPECT_THAT(
      resources(
          "UpdateService",
          R"({"cluster":"arn:aws:ecs:eu-west-1:123456789012:cluster/c","service":"arn:aws:ecs:eu-west-1:123456789012:service/c/web"})"),
      ElementsAre(web));
  EXPECT_THAT(resources("UpdateService", R"({"service":"web","cluster":null})"),
              ElementsAre("arn:aws:ecs:eu-west-1:123456789012:service/default/web"));
}

TEST_F(AccessesTest, EachOfAListIsAsked) {
  EXPECT_THAT(
      resources("DescribeServices", R"({"cluster":"c","services":["a","b"]})"),
      ElementsAre("arn:aws:ecs:eu-west-1:123456789012:service/c/a", "arn:aws:ecs:eu-west-1:123456789012:service/c/b"));
  EXPECT_THAT(resources("DescribeRepositories", "{}", "ecr"),
              ElementsAre("arn:aws:ecr:eu-west-1:123456789012:repository/*"));
}

TEST_F(AccessesTest, WhatNamesNothingIsAskedForEverything) {
  EXPECT_THAT(resources("UpdateService", "{}"), ElementsAre("*"));
  EXPECT_THAT(resources("UpdateService", R"({"service":5})"), ElementsAre("*"));
  EXPECT_THAT(resources("ListClusters", "{}"), ElementsAre("*"));
}

TEST_F(AccessesTest, ConditionKeysComeFromTheRow) {
  const Access access = of("UpdateService", R"({"cluster":"c","service":"web","taskDefinition":"app"})").front();
  EXPECT_THAT(access.conditions,
              UnorderedElementsAre(Pair("ecs:cluster", ElementsAre("arn:aws:ecs:eu-west-1:123456789012:cluster/c")),
                                   Pair("ecs:task-definition",
                                        ElementsAre("arn:aws:ecs:eu-west-1:123456789012:task-definition/app:*"))));
  EXPECT_THAT(of("UpdateService", R"({"service":"web"})").front().conditions,
              ElementsAre(Pair("ecs:cluster", ElementsAre("arn:aws:ecs:eu-west-1:123456789012:cluster/default"))));
}

TEST_F(AccessesTest, TagsAreConditionKeys) {
  const Access access =
      of("CreateCluster", R"({"clusterName":"c","tags":[{"key":"Team","value":"a"},{"key":"x"}]})").front();
  EXPECT_THAT(access.conditions, UnorderedElementsAre(Pair("aws:requesttag/team", ElementsAre("a")),
                                                      Pair("aws:requesttag/x", ElementsAre("")),
                                                      Pair("aws:tagkeys", ElementsAre("Team", "x"))));
  EXPECT_THAT(of("UntagResource", R"({"resourceArn":"arn:aws:ecs:::x","tagKeys":["a","b"]})").front().conditions,
              ElementsAre(Pair("aws:tagkeys", ElementsAre("a", "b"))));
  EXPECT_THAT(
      of("CreateLogGroup", R"({"logGroupName":"g","tags":{"Team":"a"}})", "logs").front().conditions,
      UnorderedElementsAre(Pair("aws:requesttag/team", ElementsAre("a")), Pair("aws:tagkeys", ElementsAre("Team"))));
}

TEST_F(AccessesTest, EachRoleThatIsPassedIsAQuestionOfItsOwn) {
  const std::vector<Access> accesses =
      of("RegisterTaskDefinition",
         R"({"family":"f","taskRoleArn":"task","executionRoleArn":"arn:aws:iam::123456789012:role/exec"})");
  ASSERT_EQ(accesses.size(), 3U);
  EXPECT_EQ(accesses[0].resource, "arn:aws:ecs:eu-west-1:123456789012:task-definition/f:*");
  EXPECT_EQ(accesses[1].action, "iam:PassRole");
  EXPECT_EQ(accesses[1].resource, "arn:aws:iam::123456789012:role/team/task");
  EXPECT_THAT(accesses[1].conditions, ElementsAre(Pair("iam:passedtoservice", ElementsAre("ecs-tasks.amazonaws.com"))));
  EXPECT_EQ(accesses[2].resource, "arn:aws:iam::123456789012:role/exec");
  EXPECT_EQ(of("RunTask", R"({"taskDefinition":"f","overrides":{"taskRoleArn":"t"}})").size(), 2U);
}

TEST_F(AccessesTest, LogGroupsAreTheSameByNameAndByArn) {
  const std::string group = "arn:aws:logs:eu-west-1:123456789012:log-group:/a/b:log-stream:";
  EXPECT_THAT(resources("FilterLogEvents", R"({"logGroupName":"/a/b"})", "logs"), ElementsAre(group));
  EXPECT_THAT(resources("FilterLogEvents",
                        R"({"logGroupIdentifier":"arn:aws:logs:eu-west-1:123456789012:log-group:/a/b:*"})", "logs"),
              ElementsAre(group));
}

class GuardedTest : public AccessesTest {
 protected:
  GuardedTest() {
    dispatcher_.handle<ecs::DeleteCluster>(
        [this](const CallContext&, const ecs::DeleteClusterRequest&) -> Result<ecs::DeleteClusterResponse> {
          ran_ = true;
          return ecs::DeleteClusterResponse{};
        });
    dispatcher_.guard(&authorizer_);
    request_.head.method = "POST";
    request_.head.path = request_.head.target = "/";
    request_.head.headers.add("Content-Type", "application/x-amz-json-1.1");
    request_.head.headers.add("X-Amz-Target", std::string(ecs_target) + "DeleteCluster");
    request_.body = R"({"cluster":"c"})";
  }
  http::Response call() { return dispatcher_.call(dispatcher_.route(request_, "ecs"), context_, request_, &record_); }

  Dispatcher dispatcher_;
  http::Request request_;
  CallRecord record_;
  bool ran_ = false;
};

TEST_F(GuardedTest, WhatIsDeniedDoesNotRun) {
  authorizer_.allow = false;
  const http::Response answer = call();
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(std::get<std::string>(answer.body), HasSubstr("\"__type\":\"AccessDeniedException\""));
  EXPECT_FALSE(ran_);
  ASSERT_TRUE(record_.error);
  EXPECT_EQ(record_.error->code, "AccessDeniedException");
  EXPECT_EQ(record_.accesses.front().resource, "arn:aws:ecs:eu-west-1:123456789012:cluster/c");
}

TEST_F(GuardedTest, WhatIsAllowedRunsAndItsReasonIsRecorded) {
  EXPECT_EQ(call().status, 200);
  EXPECT_TRUE(ran_);
  EXPECT_EQ(record_.reason, "a policy");
  EXPECT_FALSE(record_.error);
}

TEST_F(GuardedTest, RootIsAskedNothing) {
  authorizer_.allow = false;
  context_.is_root = true;
  EXPECT_EQ(call().status, 200);
  EXPECT_THAT(authorizer_.asked, IsEmpty());
}

TEST_F(GuardedTest, RightsAreAskedBeforeTheRequestIsChecked) {
  authorizer_.allow = false;
  request_.body = R"({"cluster":5})";
  EXPECT_THAT(std::get<std::string>(call().body), HasSubstr("AccessDeniedException"));
}

}  // namespace
}  // namespace kaapi::aws
