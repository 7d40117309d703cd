#include "aws/dispatch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "aws/front_door.h"
#include "aws/gen/ecs.h"
#include "aws/gen/sts.h"

namespace kaapi::aws {
namespace {

using testing::HasSubstr;

const std::string ecs_target = "AmazonEC2ContainerServiceV20141113.";

http::Request json_request(std::string target, std::string body) {
  http::Request request;
  request.head.method = "POST";
  request.head.path = request.head.target = "/";
  request.head.headers.add("Host", "localhost");
  request.head.headers.add("Content-Type", "application/x-amz-json-1.1");
  request.head.headers.add("X-Amz-Target", std::move(target));
  request.body = std::move(body);
  return request;
}

http::Request form_request(std::string body) {
  http::Request request;
  request.head.method = "POST";
  request.head.path = request.head.target = "/";
  request.head.headers.add("Host", "localhost");
  request.head.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  request.body = std::move(body);
  return request;
}

class DispatchTest : public testing::Test {
 protected:
  DispatchTest() {
    context_.request_id = "the-id";
    dispatcher_.handle<ecs::CreateCluster>(
        [this](const CallContext& context,
               const ecs::CreateClusterRequest& request) -> Result<ecs::CreateClusterResponse> {
          if (fail_) return *fail_;
          if (throw_) throw std::runtime_error("a secret detail");
          ecs::CreateClusterResponse response;
          response.cluster.emplace();
          response.cluster->clusterName = request.clusterName.value_or("default") + "@" + context.region;
          return response;
        });
    dispatcher_.handle<sts::GetCallerIdentity>(
        [](const CallContext&, const sts::GetCallerIdentityRequest&) -> Result<sts::GetCallerIdentityResponse> {
          sts::GetCallerIdentityResponse response;
          response.Account = "a<b";
          return response;
        });
  }

  http::Response call(const http::Request& request, std::string_view scope_service = "") {
    context_.region = "us-east-1";
    return dispatcher_.call(dispatcher_.route(request, scope_service), context_, request);
  }
  static std::string body_of(const http::Response& response) { return std::get<std::string>(response.body); }

  Dispatcher dispatcher_;
  CallContext context_;
  std::optional<Error> fail_;
  bool throw_ = false;
};

TEST_F(DispatchTest, RunsAJsonOperation) {
  const http::Response answer = call(json_request(ecs_target + "CreateCluster", R"({"clusterName":"c"})"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(body_of(answer), R"({"cluster":{"clusterName":"c@us-east-1"}})");
  EXPECT_EQ(answer.headers.find("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(answer.headers.find("x-amzn-RequestId"), "the-id");
  EXPECT_EQ(body_of(call(json_request(ecs_target + "CreateCluster", ""))),
            R"({"cluster":{"clusterName":"default@us-east-1"}})");
}

TEST_F(DispatchTest, RunsAQueryOperation) {
  const std::string expected =
      "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>"
      "<Account>a&lt;b</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>the-id</RequestId>"
      "</ResponseMetadata></GetCallerIdentityResponse>";
  const http::Request request = form_request("Action=GetCallerIdentity&Version=2011-06-15");
  EXPECT_EQ(body_of(call(request, "sts")), expected);
  EXPECT_EQ(body_of(call(request)), expected);
  http::Request get;
  get.head.method = "GET";
  get.head.query = request.body;
  EXPECT_EQ(body_of(call(get)), expected);
}

TEST_F(DispatchTest, JsonErrorsHaveTheirTypeInBodyAndHeader) {
  fail_ = make_error("ClusterNotFoundException", "Cluster \"x\" not found.");
  const http::Response answer = call(json_request(ecs_target + "CreateCluster", "{}"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(body_of(answer), R"({"__type":"ClusterNotFoundException","message":"Cluster \"x\" not found."})");
  EXPECT_EQ(answer.headers.find("x-amzn-ErrorType"), "ClusterNotFoundException");
}

TEST_F(DispatchTest, StatusesOfErrorsComeFromTheModel) {
  fail_ = make_error("ServerException", "x");
  EXPECT_EQ(call(json_request(ecs_target + "CreateCluster", "{}")).status, 500);
  fail_ = make_error(errc::unavailable, "Docker does not answer");
  const http::Response answer = call(json_request(ecs_target + "CreateCluster", "{}"));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.headers.find("x-amzn-ErrorType"), "ServiceUnavailable");
}

TEST_F(DispatchTest, AnExceptionIsA500WithoutItsDetails) {
  throw_ = true;
  const http::Response answer = call(json_request(ecs_target + "CreateCluster", "{}"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(body_of(answer), HasSubstr("the-id"));
  EXPECT_THAT(body_of(answer), testing::Not(HasSubstr("secret")));
}

TEST_F(DispatchTest, UnservedOperationsAreNamed) {
  const auto json_message = [&](const std::string& target) { return body_of(call(json_request(target, "{}"))); };
  EXPECT_EQ(
      json_message(ecs_target + "CreateTaskSet"),
      R"({"__type":"UnknownOperationException","message":"ecs:CreateTaskSet is not served by this version of kaapi"})");
  EXPECT_THAT(json_message(ecs_target + "ListClusters"), HasSubstr("ecs:ListClusters is not served"));
  EXPECT_THAT(json_message(ecs_target + "MakeCoffee"), HasSubstr("ecs has no operation 'MakeCoffee'"));
  EXPECT_THAT(json_message("DynamoDB_20120810.ListTables"),
              HasSubstr("DynamoDB_20120810.ListTables belongs to no service"));
  EXPECT_THAT(json_message(""), HasSubstr("names no operation"));

  const http::Response query = call(form_request("Action=AssumeRole&Version=2011-06-15"), "sts");
  EXPECT_EQ(query.status, 400);
  EXPECT_EQ(body_of(query),
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>"
            "<Code>InvalidAction</Code><Message>sts:AssumeRole is not served by this version of kaapi</Message></Error>"
            "<RequestId>the-id</RequestId></ErrorResponse>");
  EXPECT_THAT(body_of(call(form_request("Version=2011-06-15"))), HasSubstr("MissingAction"));
  EXPECT_THAT(body_of(call(form_request("Action=RunInstances&Version=2016-11-15"))),
              HasSubstr("RunInstances belongs to no"));
}

TEST_F(DispatchTest, ABodyThatCannotBeReadIsTheClientsError) {
  const http::Response broken = call(json_request(ecs_target + "CreateCluster", "{"));
  EXPECT_EQ(broken.status, 400);
  EXPECT_THAT(body_of(broken), HasSubstr("SerializationException"));
  EXPECT_THAT(body_of(call(json_request(ecs_target + "CreateCluster", std::string(100'000, '[')))),
              HasSubstr("SerializationException"));
  EXPECT_THAT(body_of(call(form_request("Action=GetCallerIdentity&Version=2011-06-15&x=%"))),
              HasSubstr("MalformedQueryString"));
}

TEST_F(DispatchTest, CountsAnswers) {
  call(json_request(ecs_target + "CreateCluster", "{}"));
  call(json_request(ecs_target + "CreateCluster", "{"));
  throw_ = true;
  call(json_request(ecs_target + "CreateCluster", "{}"));
  const OperationCounters counters = dispatcher_.counters().at(0);
  EXPECT_EQ(counters.operation, "CreateCluster");
  EXPECT_EQ(counters.succeeded, 1U);
  EXPECT_EQ(counters.refused, 1U);
  EXPECT_EQ(counters.failed, 1U);
  EXPECT_THAT(dispatcher_.served(), testing::ElementsAre("ecs:CreateCluster", "sts:GetCallerIdentity"));
}

TEST_F(DispatchTest, AnOperationIsHandledOnce) {
  const auto again = [](const CallContext&,
                        const sts::GetCallerIdentityRequest&) -> Result<sts::GetCallerIdentityResponse> {
    return sts::GetCallerIdentityResponse{};
  };
  EXPECT_THROW(dispatcher_.handle<sts::GetCallerIdentity>(again), std::logic_error);
}

class Refusing final : public Authorizer {
 public:
  std::string arn_of(const CallContext&, std::string_view, std::string_view name) const override {
    return std::string(name);
  }
  Result<std::string> authorize(const CallContext&, const std::vector<Access>&) const override {
    ++judgements;
    return make_error(access_denied, "no");
  }
  Result<std::string> authorize_encoded(const CallContext& context, const std::vector<Access>& accesses,
                                        std::string& encoded) const override {
    encoded = "sealed";
    return authorize(context, accesses);
  }
  mutable int judgements = 0;
};

TEST_F(DispatchTest, ARefusalIsJudgedOnceAndCarriesItsEncodedForm) {
  const Refusing refusing;
  dispatcher_.guard(&refusing);
  const http::Response refused = call(json_request(ecs_target + "CreateCluster", "{}"));
  EXPECT_EQ(refused.headers.find("x-amzn-ErrorType"), "AccessDeniedException");
  EXPECT_EQ(refused.headers.find(encoded_refusal_header), "sealed");
  EXPECT_EQ(refusing.judgements, 1);
  context_.is_root = true;
  EXPECT_FALSE(call(json_request(ecs_target + "CreateCluster", "{}")).headers.find(encoded_refusal_header));
}

class NoKeys final : public KeyStore {
 public:
  std::optional<AccessKey> find(std::string_view access_key_id) const override {
    if (access_key_id != "AKID") return std::nullopt;
    return AccessKey{"secret", "", "123456789012", "arn:aws:iam::123456789012:user/u", "AIDA"};
  }
};

class FrontDoorTest : public testing::Test {
 protected:
  FrontDoorTest() {
    dispatcher_.handle<ecs::ListClusters>(
        [this](const CallContext& context, const ecs::ListClustersRequest&) -> Result<ecs::ListClustersResponse> {
          seen_ = context;
          return ecs::ListClustersResponse{};
        });
  }
  http::Request signed_request(std::string_view region) {
    http::Request request = json_request(ecs_target + "ListClusters", "{}");
    sign(request.head.headers, "POST", "/", request.body, {"AKID", "secret", ""}, region, "ecs", clock_.now());
    return request;
  }

  ManualClock clock_;
  NoKeys keys_;
  Dispatcher dispatcher_;
  CallContext seen_;
};

TEST(ExecutionEnvironment, IsAWordOfTheUserAgent) {
  EXPECT_EQ(execution_environment("aws-cli/2.9.19 Python/3.11.2 exec-env/kaapi-job-7 command/ecs"), "kaapi-job-7");
  EXPECT_EQ(execution_environment("exec-env/x"), "x");
  EXPECT_EQ(execution_environment("Boto3/1.26"), "");
  EXPECT_EQ(execution_environment("notexec-env/y exec-env/z"), "z");
}

TEST_F(FrontDoorTest, TheContextSaysWhoCallsAndFromWhere) {
  FrontDoor door(dispatcher_, keys_, clock_, {});
  EXPECT_EQ(door(signed_request("eu-west-1")).status, 200);
  EXPECT_EQ(seen_.region, "eu-west-1");
  EXPECT_EQ(seen_.account_id, "123456789012");
  EXPECT_EQ(seen_.principal_arn, "arn:aws:iam::123456789012:user/u");
  EXPECT_EQ(seen_.user_id, "AIDA");
  EXPECT_EQ(seen_.access_key_id, "AKID");
  EXPECT_EQ(seen_.now, clock_.now());
  EXPECT_THAT(seen_.request_id,
              testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  const std::string first = seen_.request_id;
  door(signed_request("eu-west-1"));
  EXPECT_NE(seen_.request_id, first);
}

TEST_F(FrontDoorTest, NobodyEntersWithoutASignature) {
  FrontDoor door(dispatcher_, keys_, clock_, {});
  const http::Response json = door(json_request(ecs_target + "ListClusters", "{}"));
  EXPECT_EQ(json.status, 400);
  EXPECT_EQ(json.headers.find("x-amzn-ErrorType"), "MissingAuthenticationTokenException");
  const http::Response query = door(form_request("Action=GetCallerIdentity&Version=2011-06-15"));
  EXPECT_EQ(query.status, 403);
  EXPECT_THAT(std::get<std::string>(query.body), HasSubstr("<Code>MissingAuthenticationToken</Code>"));
  EXPECT_EQ(seen_.request_id, "");
  EXPECT_EQ(door.unauthenticated(), 2U);
  EXPECT_THAT(door.metrics(), HasSubstr("kaapi_aws_unauthenticated_total 2\n"));
}

TEST_F(FrontDoorTest, WithAuthOffTheScopeOnlyTellsTheRegion) {
  FrontDoorConfig config;
  config.auth = false;
  config.account_id = "210987654321";
  config.default_region = "eu-north-1";
  FrontDoor door(dispatcher_, keys_, clock_, config);
  EXPECT_EQ(door(json_request(ecs_target + "ListClusters", "{}")).status, 200);
  EXPECT_EQ(seen_.region, "eu-north-1");
  EXPECT_EQ(seen_.principal_arn, "arn:aws:iam::210987654321:root");
  http::Request request = signed_request("eu-west-1");
  request.body = "{ }";
  EXPECT_EQ(door(request).status, 200);
  EXPECT_EQ(seen_.region, "eu-west-1");
  EXPECT_THAT(door.metrics(),
              HasSubstr("kaapi_aws_requests_total{service=\"ecs\",operation=\"ListClusters\",status=\"2xx\"} 2\n"));
}

}  // namespace
}  // namespace kaapi::aws
