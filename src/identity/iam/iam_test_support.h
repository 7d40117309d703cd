#pragma once
// IAM in memory, for the tests of this folder: requests are the forms that clients send, answers the XML that they get.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "aws/dispatch.h"
#include "base/test_directory.h"
#include "base/text.h"
#include "identity/iam/database.h"
#include "identity/iam/directory.h"
#include "identity/iam/iam_operations.h"

namespace kaapi::identity {

inline const Account test_account{"123456789012", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                                  "us-east-1"};

inline constexpr std::string_view allow_all =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})";
inline constexpr std::string_view allow_logs =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"logs:*","Resource":"*"}]})";
inline constexpr std::string_view trust_ecs =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]})";

struct Answer {
  int status = 0;
  std::string body;
  std::string code;  // of an error, else empty

  // The text of the first element of that name; empty when there is none.
  std::string text(std::string_view element) const {
    const std::string open = fmt::format("<{}>", element);
    const std::size_t begin = body.find(open);
    if (begin == std::string::npos) return {};
    return body.substr(begin + open.size(), body.find("</", begin) - begin - open.size());
  }
  std::size_t count(std::string_view part) const {
    std::size_t found = 0;
    for (std::size_t at = body.find(part); at != std::string::npos; at = body.find(part, at + part.size())) ++found;
    return found;
  }
};

using Parameters = std::initializer_list<std::pair<std::string_view, std::string_view>>;

class IamTest : public testing::Test {
 protected:
  IamTest() {
    context.account_id = test_account.account_id;
    context.region = "us-east-1";
    context.principal_arn = test_account.root_arn();
    context.user_id = test_account.account_id;
    context.is_root = true;
    open();
  }

  // As after a restart of the program.
  void open() {
    dispatcher.reset();
    directory.reset();
    directory = *Directory::open(*database, *sealer, test_account, clock, ids);
    dispatcher = std::make_unique<aws::Dispatcher>();
    add_iam_operations(*dispatcher, *directory);
  }

  // The form that a client of `service` sends, and what comes back.
  Answer send(std::string_view service, std::string_view version, std::string_view action, Parameters parameters) {
    http::Request request;
    request.head.method = "POST";
    request.head.target = request.head.path = "/";
    request.head.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    request.body = fmt::format("Action={}&Version={}", action, version);
    for (const auto& [name, value] : parameters) request.body += fmt::format("&{}={}", name, percent_encode(value));
    context.now = clock.now();
    const http::Response response = dispatcher->call(dispatcher->route(request, service), context, request);
    Answer answer{response.status, std::get<std::string>(response.body), ""};
    answer.code = answer.text("Code");
    return answer;
  }
  static Answer succeeded(std::string_view action, Answer answer) {
    EXPECT_EQ(answer.status, 200) << action << ": " << answer.body;
    return answer;
  }
  Answer call(std::string_view action, Parameters parameters = {}) {
    return send("iam", "2010-05-08", action, parameters);
  }
  // A call that must succeed.
  Answer must(std::string_view action, Parameters parameters = {}) {
    return succeeded(action, call(action, parameters));
  }
  // "404 NoSuchEntity" of a call that must fail.
  std::string refused(std::string_view action, Parameters parameters = {}) {
    const Answer answer = call(action, parameters);
    return fmt::format("{} {}", answer.status, answer.code);
  }

  void user(std::string_view name) { must("CreateUser", {{"UserName", name}}); }
  void group(std::string_view name) { must("CreateGroup", {{"GroupName", name}}); }
  void role(std::string_view name) {
    must("CreateRole", {{"RoleName", name}, {"AssumeRolePolicyDocument", trust_ecs}});
  }
  // Answers its ARN.
  std::string policy(std::string_view name, std::string_view document = allow_logs) {
    return must("CreatePolicy", {{"PolicyName", name}, {"PolicyDocument", document}}).text("Arn");
  }
  // From now on that user calls.
  void act_as(const std::string& name) {
    context.principal_arn = directory->state()->user(name)->arn;
    context.is_root = false;
  }

  const TestDirectory folder;
  ManualClock clock;
  SeededIds ids{11};
  std::unique_ptr<store::Database> database = *store::Database::open(":memory:", migrations());
  std::unique_ptr<store::Sealer> sealer =
      std::make_unique<store::Sealer>(*open_sealer(*database, folder.file("identity.key")));
  std::unique_ptr<Directory> directory;
  std::unique_ptr<aws::Dispatcher> dispatcher;
  aws::CallContext context;
};

inline constexpr std::string_view account_arn = "arn:aws:iam::123456789012:";

}  // namespace kaapi::identity
