#include "identity/sts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/front_door.h"
#include "identity/account.h"

namespace kaapi::identity {
namespace {

using testing::HasSubstr;

const Account account{"123456789012", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "us-east-1"};

http::Request caller_identity_request(Time now, std::string_view secret) {
  http::Request request;
  request.head.method = "POST";
  request.head.target = request.head.path = "/";
  request.head.headers.add("Host", "localhost:4566");
  request.head.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  request.body = "Action=GetCallerIdentity&Version=2011-06-15";
  aws::sign(request.head.headers, "POST", "/", request.body, {account.access_key_id, std::string(secret), ""},
            "eu-west-1", "sts", now);
  return request;
}

TEST(Sts, SaysWhoIsCalling) {
  aws::Dispatcher dispatcher;
  add_sts_operations(dispatcher);
  const RootKeyStore keys(account);
  const ManualClock clock;
  aws::FrontDoor door(dispatcher, keys, clock, {});

  const http::Response answer = door(caller_identity_request(clock.now(), account.secret_access_key));
  EXPECT_EQ(answer.status, 200);
  const std::string& body = std::get<std::string>(answer.body);
  EXPECT_THAT(body, HasSubstr("<GetCallerIdentityResult><UserId>123456789012</UserId><Account>123456789012</Account>"
                              "<Arn>arn:aws:iam::123456789012:root</Arn></GetCallerIdentityResult>"));

  const http::Response refused = door(caller_identity_request(clock.now(), "another secret"));
  EXPECT_EQ(refused.status, 403);
  EXPECT_THAT(std::get<std::string>(refused.body), HasSubstr("<Code>SignatureDoesNotMatch</Code>"));
}

}  // namespace
}  // namespace kaapi::identity
