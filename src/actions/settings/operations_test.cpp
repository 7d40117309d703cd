#include "actions/settings/operations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/gen/settings.h"
#include "base/json.h"
#include "base/test_directory.h"

namespace kaapi::actions::settings {
namespace {

using testing::HasSubstr;

// Through the dispatcher, as requests come in.
class SettingsOperationsTest : public testing::Test {
 protected:
  SettingsOperationsTest() {
    settings_ = Settings::open(directory_.path(), clock_).value();
    add_settings_operations(dispatcher_, *settings_,
                            {"eu-west-1", [](std::string_view repository) { return repository == "team/shop"; }});
    context_.region = "eu-west-1";
    context_.now = clock_.now();
  }

  http::Response call(const std::string& operation, std::string body) {
    http::Request request;
    request.head.method = "POST";
    request.head.headers.add("X-Amz-Target", "KaapiSettings_20261101." + operation);
    request.body = std::move(body);
    record_ = {};
    http::Response response = dispatcher_.call(dispatcher_.route(request, "kaapi"), context_, request, &record_);
    answer_ = std::get<std::string>(response.body);
    return response;
  }

  const TestDirectory directory_;
  ManualClock clock_;
  std::unique_ptr<Settings> settings_;
  aws::Dispatcher dispatcher_;
  aws::CallContext context_;
  aws::CallRecord record_;
  std::string answer_;
};

TEST_F(SettingsOperationsTest, AVariableGoesInAndOut) {
  EXPECT_EQ(call("PutVariable", R"({"repository":"team/shop","name":"Prefix","value":"shop"})").status, 200);
  EXPECT_EQ(call("ListVariables", R"({"repository":"team/shop"})").status, 200);
  EXPECT_THAT(answer_, HasSubstr(R"("name":"PREFIX","value":"shop")"));
  EXPECT_EQ(call("DeleteVariable", R"({"repository":"team/shop","name":"PREFIX"})").status, 200);
  call("ListVariables", R"({"repository":"team/shop"})");
  EXPECT_EQ(answer_, R"({"variables":[]})");
}

TEST_F(SettingsOperationsTest, ASecretGoesInAndNeverOut) {
  EXPECT_EQ(call("PutSecret", R"({"repository":"team/shop","name":"TOKEN","value":"hunter2"})").status, 200);
  EXPECT_THAT(answer_, Not(HasSubstr("hunter2")));
  call("ListSecrets", R"({"repository":"team/shop"})");
  EXPECT_THAT(answer_, HasSubstr("TOKEN"));
  EXPECT_THAT(answer_, Not(HasSubstr("hunter2")));
  EXPECT_EQ(settings_->secrets("team/shop", "")->at("TOKEN"), "hunter2");
  EXPECT_EQ(call("DeleteSecret", R"({"repository":"team/shop","name":"TOKEN"})").status, 200);
}

// What an answer says goes to the audit log too.
TEST_F(SettingsOperationsTest, NoRefusalShowsASecret) {
  for (const std::string body : {R"({"repository":"team/shop","name":"1","value":"hunter2"})",
                                 R"({"repository":"team/shop","name":"A","value":["hunter2"]})",
                                 R"({"repository":"team/shop","name":"A","value":"hunter2","environment":"none"})",
                                 R"({"repository":"x","name":"A","value":"hunter2"})",
                                 R"({"repository":"team/shop","name":"A","value":"hunter2)",
                                 R"({"repository":"team/shop","name":"A","value":"hunter2\u0000"})"}) {
    EXPECT_EQ(call("PutSecret", body).status, 400) << body;
    EXPECT_THAT(answer_, Not(HasSubstr("hunter2"))) << body;
    ASSERT_TRUE(record_.error);
    EXPECT_THAT(record_.error->message, Not(HasSubstr("hunter2"))) << body;
  }
}

TEST_F(SettingsOperationsTest, AnEnvironmentAndItsProtection) {
  EXPECT_EQ(call("PutEnvironment", R"({"repository":"team/shop","environment":"prod","branches":["main"],)"
                                   R"("reviewers":["arn:aws:iam::123456789012:user/ann"],"waitMinutes":10,)"
                                   R"("preventSelfReview":true})")
                .status,
            200)
      << answer_;
  const Result<Protection> protection = settings_->protection("team/shop", "prod");
  EXPECT_EQ(protection->wait, std::chrono::minutes(10));
  EXPECT_TRUE(protection->prevent_self_review);
  call("ListEnvironments", R"({"repository":"team/shop"})");
  EXPECT_THAT(answer_, HasSubstr(R"("waitMinutes":10)"));
  EXPECT_EQ(call("PutVariable", R"({"repository":"team/shop","environment":"prod","name":"A","value":"b"})").status,
            200);
  EXPECT_EQ(call("DeleteEnvironment", R"({"repository":"team/shop","environment":"prod"})").status, 200);
}

TEST_F(SettingsOperationsTest, RefusalsSayWhat) {
  call("PutVariable", R"({"repository":"team/none","name":"A","value":"b"})");
  EXPECT_THAT(answer_, HasSubstr("ResourceNotFoundException"));
  EXPECT_THAT(answer_, HasSubstr("kaapi repo create team/none"));
  call("PutVariable", R"({"repository":"shop","name":"A","value":"b"})");
  EXPECT_THAT(answer_, HasSubstr("ValidationException"));
  call("PutEnvironment", R"({"repository":"team/shop","environment":"p","branches":["["]})");
  EXPECT_THAT(answer_, HasSubstr("ValidationException"));
  context_.region = "us-east-1";
  call("PutVariable", R"({"repository":"team/shop","name":"A","value":"b"})");
  EXPECT_THAT(answer_, HasSubstr("region eu-west-1"));
}

}  // namespace
}  // namespace kaapi::actions::settings
