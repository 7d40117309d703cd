// The client against the server's own front door, over a real socket.
#include "aws/client.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/front_door.h"
#include "aws/gen/ecs.h"
#include "aws/gen/sts.h"
#include "aws/xml.h"
#include "http/server.h"

namespace kaapi::aws {
namespace {

using testing::HasSubstr;

class OneKey final : public KeyStore {
 public:
  std::optional<AccessKey> find(std::string_view access_key_id) const override {
    if (access_key_id != "AKID") return std::nullopt;
    return AccessKey{"secret", "token", "123456789012", "arn:aws:iam::123456789012:root", "123456789012"};
  }
};

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    dispatcher_.handle<ecs::DescribeClusters>(
        [](const CallContext& context,
           const ecs::DescribeClustersRequest& request) -> Result<ecs::DescribeClustersResponse> {
          if (!request.clusters) return make_error("ClusterNotFoundException", "which one?");
          ecs::DescribeClustersResponse response;
          response.clusters.emplace();
          for (const std::string& name : *request.clusters) {
            response.clusters->emplace_back().clusterName = name + "@" + context.region;
          }
          return response;
        });
    dispatcher_.handle<sts::GetCallerIdentity>(
        [](const CallContext& context, const sts::GetCallerIdentityRequest&) -> Result<sts::GetCallerIdentityResponse> {
          sts::GetCallerIdentityResponse response;
          response.Account = context.account_id;
          response.Arn = "a & b";
          return response;
        });
    server_.route("/", 1'000'000, [this](const http::Request& request) { return door_(request); });
    server_.start().value();
  }
  ClientConfig config() const {
    ClientConfig made;
    made.endpoint_url = fmt::format("http://127.0.0.1:{}", server_.port());
    made.credentials = {"AKID", "secret", "token"};
    made.region = "eu-west-1";
    return made;
  }

  SystemClock clock_;
  OneKey keys_;
  Dispatcher dispatcher_;
  FrontDoor door_{dispatcher_, keys_, clock_, {}};
  http::Server server_{http::ServerConfig{}};
};

TEST_F(ClientTest, CallsByNameWithJson) {
  Client client(config());
  const auto answer = client.call("ecs", "DescribeClusters", parse_json(R"({"clusters":["a","b"]})").value());
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(json::serialize(*answer), R"({"clusters":[{"clusterName":"a@eu-west-1"},{"clusterName":"b@eu-west-1"}]})");
  const auto identity = client.call("sts", "GetCallerIdentity", json::object());
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(json::serialize(*identity), R"({"Account":"123456789012","Arn":"a & b"})");
}

TEST_F(ClientTest, CallsWithTypes) {
  Client client(config());
  ecs::DescribeClustersRequest request;
  request.clusters = {"a"};
  const auto answer = client.call<ecs::DescribeClusters>(request);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->clusters->at(0).clusterName, "a@eu-west-1");
  EXPECT_EQ(client.call<sts::GetCallerIdentity>({})->Arn, "a & b");
}

TEST_F(ClientTest, ErrorsKeepTheServicesCodeMessageAndStatus) {
  Client client(config());
  const Error refused = client.call<ecs::DescribeClusters>({}).error();
  EXPECT_EQ(refused.code, "ClusterNotFoundException");
  EXPECT_EQ(refused.message, "which one?");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(client.call("sts", "AssumeRole", json::object()).error().code, "InvalidAction");
  EXPECT_EQ(client.call("moon", "Land", json::object()).error().code, errc::invalid);

  ClientConfig wrong = config();
  wrong.credentials.secret_access_key = "other";
  Client stranger(wrong);
  EXPECT_EQ(stranger.call<ecs::DescribeClusters>({}).error().code, "InvalidSignatureException");
  const Error query = stranger.call<sts::GetCallerIdentity>({}).error();
  EXPECT_EQ(query.code, "SignatureDoesNotMatch");
  EXPECT_EQ(query.status, 403);
}

TEST_F(ClientTest, NobodyThereIsUnavailable) {
  ClientConfig nowhere = config();
  server_.stop();
  Client client(nowhere);
  const Error error = client.call<ecs::DescribeClusters>({}).error();
  EXPECT_EQ(error.code, errc::unavailable);
  EXPECT_THAT(error.message, HasSubstr(nowhere.endpoint_url));
}

TEST_F(ClientTest, AnswersAreBounded) {
  ClientConfig small = config();
  small.max_body_bytes = 10;
  Client client(small);
  EXPECT_EQ(client.call<sts::GetCallerIdentity>({}).error().code, errc::too_large);
}

TEST(Xml, TreesOfElements) {
  EXPECT_EQ(
      json::serialize(
          parse_xml("<?xml version=\"1.0\"?>\n<!-- c --><A x=\"1\"><B>1 &lt; &#x41;&#228;</B><B/><C><D>x</D></C></A>\n")
              .value()),
      R"({"A":{"B":["1 < Aä",""],"C":{"D":"x"}}})");
  for (const std::string_view bad :
       {"", "x", "<A>", "<A></B>", "<A>&nope;</A>", "<A>&#0;</A>", "<A>&#xD800000;</A>",
        "<!DOCTYPE A [<!ENTITY e \"x\">]><A>&e;</A>", "<A></A><B></B>", "<A", "<A>&", "<>"}) {
    EXPECT_FALSE(parse_xml(bad)) << bad;
  }
  std::string deep;
  for (std::size_t i = 0; i < max_xml_depth + 2; ++i) deep += "<A>";
  EXPECT_FALSE(parse_xml(deep));
}

}  // namespace
}  // namespace kaapi::aws
