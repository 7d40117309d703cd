// The life of a task role's credentials: given to whom the role trusts, the same until they near their end, then new
// ones, and worth nothing when the task has ended.

#include "identity/sts/task_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_directory.h"
#include "identity/iam/database.h"

namespace kaapi::identity {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using ::testing::HasSubstr;

const Account account{"123456789012", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                      "eu-central-1"};
constexpr std::string_view trusts_tasks =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},
        "Action":"sts:AssumeRole"}]})";

class TaskRoles : public ::testing::Test {
 protected:
  TaskRoles() { open(); }

  // As after a restart of the program.
  void open() {
    tasks.reset();
    sessions.reset();
    directory.reset();
    directory = *Directory::open(*database, *sealer, account, clock, ids);
    sessions = *Sessions::open(*database, *sealer, clock, ids);
    tasks = std::make_unique<TaskCredentials>(*directory, *sessions, clock);
  }

  void put_role(std::string_view trust, std::string id = "AROAEXAMPLEEXAMPLE123", std::string path = "/") {
    Role role;
    role.name = "app";
    role.path = path;
    role.id = std::move(id);
    role.arn = "arn:aws:iam::123456789012:role" + path + "app";
    role.trust.text = trust;
    role.trust.document = policy::parse(trust, policy::Kind::trust).value();
    ASSERT_TRUE(directory->write([&](Edit& edit) -> Result<void> {
      edit.put(role);
      return ok();
    }));
  }
  void delete_role() {
    ASSERT_TRUE(directory->write([&](Edit& edit) -> Result<void> {
      edit.erase(Role(*edit.state().role("app")));
      return ok();
    }));
  }

  static TaskRole task(const std::string& id = "t1", const std::string& role = "arn:aws:iam::123456789012:role/app") {
    return {role, id, "arn:aws:ecs:eu-central-1:123456789012:task/default/" + id};
  }
  std::shared_ptr<const Session> given(const TaskRole& to = task()) {
    const Result<TaskRoleCredentials> found = tasks->credentials(to);
    if (found) return found->session;
    ADD_FAILURE() << found.error().message;
    return nullptr;
  }
  std::string refused(const TaskRole& to = task()) {
    const Result<TaskRoleCredentials> found = tasks->credentials(to);
    if (found) return "given";
    EXPECT_EQ(found.error().code, "AccessDenied");
    return found.error().message;
  }

  TestDirectory files;
  ManualClock clock;
  SeededIds ids{7};
  std::unique_ptr<store::Database> database = *store::Database::open(files.file("identity.db"), migrations());
  std::optional<store::Sealer> sealer = *open_sealer(*database, files.file("identity.key"));
  std::unique_ptr<Directory> directory;
  std::unique_ptr<Sessions> sessions;
  std::unique_ptr<TaskCredentials> tasks;
};

TEST_F(TaskRoles, AreASessionOfTheRoleNamedAfterTheTask) {
  put_role(trusts_tasks);
  const auto session = given();
  EXPECT_EQ(session->kind, SessionKind::task_role);
  EXPECT_EQ(session->role_name, "app");
  EXPECT_EQ(session->role_id, "AROAEXAMPLEEXAMPLE123");
  EXPECT_EQ(session->session_name, "t1");
  EXPECT_EQ(session->owner, "t1");
  EXPECT_EQ(session->expires_at, clock.now() + hours(6));
  EXPECT_EQ(sessions->find(session->access_key_id), session);
  EXPECT_EQ(given(), session);
  EXPECT_NE(given(task("t2")), session);
}

TEST_F(TaskRoles, AreReplacedBeforeTheyEndAndHoldUntilThen) {
  put_role(trusts_tasks);
  const auto first = given();
  clock.advance(hours(5));
  EXPECT_EQ(given(), first) << "an hour is left";
  clock.advance(Duration(1));
  const auto second = given();
  EXPECT_NE(second->access_key_id, first->access_key_id);
  EXPECT_EQ(second->expires_at, clock.now() + hours(6));
  EXPECT_NE(sessions->find(first->access_key_id), nullptr) << "a call with the old ones may be under way";
  EXPECT_EQ(given(), second);
}

TEST_F(TaskRoles, EndWithTheTask) {
  put_role(trusts_tasks);
  const auto first = given();
  clock.advance(hours(5) + minutes(1));
  const auto second = given();
  const auto other = given(task("t2"));
  ASSERT_TRUE(tasks->revoke("t1"));
  EXPECT_EQ(sessions->find(first->access_key_id), nullptr);
  EXPECT_EQ(sessions->find(second->access_key_id), nullptr);
  EXPECT_NE(sessions->find(other->access_key_id), nullptr);
  EXPECT_TRUE(tasks->revoke("t1")) << "told twice";
}

TEST_F(TaskRoles, OfTasksThatEndedMeanwhileAreRevokedAfterARestart) {
  put_role(trusts_tasks);
  const auto ended = given(task("ended"));
  const auto lives = given(task("lives"));
  open();
  ASSERT_TRUE(tasks->revoke_all_but({"lives"}));
  EXPECT_EQ(sessions->find(ended->access_key_id), nullptr);
  EXPECT_NE(sessions->find(lives->access_key_id), nullptr);
  open();
  EXPECT_EQ(sessions->find(ended->access_key_id), nullptr);
}

TEST_F(TaskRoles, TheRoleIsFoundByNameAndByArn) {
  put_role(trusts_tasks, "AROAEXAMPLEEXAMPLE123", "/team/");
  EXPECT_EQ(tasks->credentials(task("t1", "app"))->role_arn, "arn:aws:iam::123456789012:role/team/app");
  EXPECT_EQ(tasks->credentials(task("t2", "arn:aws:iam::123456789012:role/team/app"))->role_arn,
            "arn:aws:iam::123456789012:role/team/app");
  EXPECT_THAT(refused(task("t3", "arn:aws:iam::123456789012:role/app")), HasSubstr("there is no such role"));
}

TEST_F(TaskRoles, ARefusalIsInTheWordsOfEcs) {
  constexpr const char* words =
      "ECS was unable to assume the role 'arn:aws:iam::123456789012:role/app' that was provided for this task. Please "
      "verify that the role being passed has the proper trust relationship and permissions and that your IAM user has "
      "permissions to pass this role.";
  EXPECT_THAT(refused(), HasSubstr(words));
  EXPECT_THAT(refused(task("t1", "app")), HasSubstr(words));
  EXPECT_THAT(refused(), HasSubstr("there is no such role"));
}

TEST_F(TaskRoles, ADifferentTrustIsNotEnough) {
  for (const char* statement :
       {R"({"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"})",
        R"({"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"})",
        R"({"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:TagSession"})",
        R"({"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole",
            "Condition":{"StringEquals":{"aws:SourceAccount":"999999999999"}}})"}) {
    put_role(R"({"Version":"2012-10-17","Statement":[)" + std::string(statement) + "]}");
    EXPECT_THAT(refused(), HasSubstr("does not allow sts:AssumeRole to the service ecs-tasks.amazonaws.com"))
        << statement;
  }
  put_role(
      R"({"Version":"2012-10-17","Statement":[
          {"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"},
          {"Effect":"Deny","Principal":{"Service":"ecs-tasks.amazonaws.com"},"Action":"sts:AssumeRole"}]})");
  EXPECT_THAT(refused(), HasSubstr("denies sts:AssumeRole"));
}

// As AWS advises against the confused deputy.
TEST_F(TaskRoles, ATrustPolicyMayNameTheAccountAndTheTasks) {
  put_role(
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ecs-tasks.amazonaws.com"},
          "Action":"sts:AssumeRole","Condition":{
            "ArnLike":{"aws:SourceArn":"arn:aws:ecs:eu-central-1:123456789012:*"},
            "StringEquals":{"aws:SourceAccount":"123456789012"}}}]})");
  EXPECT_EQ(given()->role_name, "app");
}

TEST_F(TaskRoles, AnotherRoleOfTheSameNameGivesNewOnes) {
  put_role(trusts_tasks);
  const auto first = given();
  delete_role();
  EXPECT_THAT(refused(), HasSubstr("there is no such role"));
  put_role(trusts_tasks, "AROAOTHEROTHEROTHER12");
  EXPECT_NE(given()->access_key_id, first->access_key_id);
}

TEST_F(TaskRoles, RevokedOnesAreNotGivenAgain) {
  put_role(trusts_tasks);
  const auto first = given();
  ASSERT_TRUE(sessions->revoke(first->access_key_id));
  EXPECT_NE(given()->access_key_id, first->access_key_id);
}

}  // namespace
}  // namespace kaapi::identity
