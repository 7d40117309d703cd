#pragma once
// For tests: a fake job whose AWS_ENDPOINT_URL is a front door of the test's own.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>

#include "actions/builtin/test_host.h"
#include "aws/dispatch.h"
#include "aws/front_door.h"
#include "aws/gen/ecr.h"
#include "aws/gen/ecs.h"
#include "aws/gen/sts.h"
#include "http/server.h"

namespace kaapi::actions {

// Knows the keys AKID (a session) and LONG.
class TwoKeys final : public aws::KeyStore {
 public:
  std::optional<aws::AccessKey> find(std::string_view access_key_id) const override {
    const std::string arn = "arn:aws:sts::123456789012:assumed-role/github-action-role/GitHubActions";
    if (access_key_id == "AKID") return aws::AccessKey{"secret", "token", "123456789012", arn, "AROA:GitHubActions"};
    if (access_key_id == "LONG") return aws::AccessKey{"long-secret", "", "123456789012", arn, "AIDA"};
    return std::nullopt;
  }
};

// Add operations to `dispatcher`, then start().
class AwsActionTest : public testing::Test {
 protected:
  AwsActionTest() {
    dispatcher.handle<aws::sts::GetCallerIdentity>(
        [](const aws::CallContext& context,
           const aws::sts::GetCallerIdentityRequest&) -> Result<aws::sts::GetCallerIdentityResponse> {
          aws::sts::GetCallerIdentityResponse response;
          response.Account = context.account_id;
          response.Arn = context.principal_arn;
          return response;
        });
    host.variables["AWS_ACCESS_KEY_ID"] = "AKID";
    host.variables["AWS_SECRET_ACCESS_KEY"] = "secret";
    host.variables["AWS_SESSION_TOKEN"] = "token";
    host.variables["AWS_REGION"] = "ap-south-1";
  }
  void start() {
    server.route("/", 1'000'000, [this](const http::Request& request) { return door(request); });
    server.start().value();
    host.variables["AWS_ENDPOINT_URL"] = fmt::format("http://127.0.0.1:{}", server.port());
  }
  // What a step of this action fails with; empty: it succeeds.
  std::string step(std::string_view action, std::map<std::string, std::string> inputs) {
    host.next_step(std::move(inputs));
    host.requests.clear();
    const ActionResult result = find_builtin(action)->main(host);
    return result ? "" : result.error().message;
  }

  TestHost host;
  SystemClock clock;
  TwoKeys keys;
  aws::Dispatcher dispatcher;
  aws::FrontDoor door{dispatcher, keys, clock, {}};
  http::Server server{http::ServerConfig{}};
};

}  // namespace kaapi::actions
