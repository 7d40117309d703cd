#include "identity/iam/directory.h"

#include <chrono>
#include <filesystem>

#include "identity/iam/iam_facts.h"
#include "identity/iam/iam_test_support.h"
#include "identity/iam/names.h"

namespace kaapi::identity {
namespace {

using testing::HasSubstr;

class DirectoryTest : public IamTest {
 protected:
  // Every text in the database, for looking for secrets.
  std::string everything_stored() {
    return *database->read([](store::Session& session) -> Result<std::string> {
      std::string all;
      store::Statement rows = session.query("SELECT doc FROM entity");
      while (rows.step()) all += rows.text(0);
      return all;
    });
  }
  std::int64_t rows_of_kind(std::string_view kind) {
    return *database->read([&](store::Session& session) -> Result<std::int64_t> {
      store::Statement rows = session.query("SELECT count(*) FROM entity WHERE kind = ?1", kind);
      rows.step();
      return rows.number(0);
    });
  }
};

TEST_F(DirectoryTest, EverythingIsThereAfterARestart) {
  user("Bob");
  group("devs");
  role("deployer");
  const std::string arn = policy("logs");
  must("AddUserToGroup", {{"UserName", "Bob"}, {"GroupName", "devs"}});
  must("PutUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "all"}, {"PolicyDocument", allow_all}});
  must("AttachRolePolicy", {{"RoleName", "deployer"}, {"PolicyArn", arn}});
  must("PutRolePermissionsBoundary", {{"RoleName", "deployer"}, {"PermissionsBoundary", arn}});
  must("TagRole", {{"RoleName", "deployer"}, {"Tags.member.1.Key", "Team"}, {"Tags.member.1.Value", "a b"}});
  must("CreateInstanceProfile", {{"InstanceProfileName", "web"}, {"Path", "/x/"}});
  must("AddRoleToInstanceProfile", {{"InstanceProfileName", "web"}, {"RoleName", "deployer"}});
  must("CreateOpenIDConnectProvider", {{"Url", "https://issuer.example/a"}, {"ClientIDList.member.1", "me"}});
  must("CreateAccountAlias", {{"AccountAlias", "our-team"}});
  const Answer key = must("CreateAccessKey", {{"UserName", "Bob"}});
  const std::string before = must("GetAccountAuthorizationDetails").body;
  const auto without_id = [](const std::string& body) { return body.substr(0, body.find("<ResponseMetadata>")); };

  open();
  EXPECT_EQ(without_id(must("GetAccountAuthorizationDetails").body), without_id(before));
  const auto state = directory->state();
  EXPECT_EQ(state->alias, "our-team");
  EXPECT_EQ(state->oidc_provider("arn:aws:iam::123456789012:oidc-provider/issuer.example/a")->client_ids,
            std::vector<std::string>{"me"});
  EXPECT_EQ(state->role("deployer")->boundary, arn);
  const auto found = find_user_key(*state, key.text("AccessKeyId"));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->secret, key.text("SecretAccessKey"));
  EXPECT_EQ(found->principal_arn, "arn:aws:iam::123456789012:user/Bob");
}

TEST_F(DirectoryTest, AFailedWriteChangesNothing) {
  const auto before = directory->state();
  const Result<void> refused = directory->write([](Edit& edit) -> Result<void> {
    User lost;
    lost.name = "lost";
    edit.put(lost);
    EXPECT_NE(edit.state().user("lost"), nullptr) << "later steps of the same write see it";
    return make_error(errc::conflict, "no");
  });
  EXPECT_FALSE(refused);
  EXPECT_EQ(directory->state(), before);
  EXPECT_EQ(rows_of_kind("user"), 0);
}

TEST_F(DirectoryTest, NothingIsPublishedThatIsNotOnDisk) {
  struct Crash {};
  database->set_commit_hook([](bool committed) {
    if (!committed) throw Crash();
  });
  EXPECT_THROW(static_cast<void>(directory->write([](Edit& edit) -> Result<void> {
                 User lost;
                 lost.name = "lost";
                 edit.put(lost);
                 return ok();
               })),
               Crash);
  database->set_commit_hook({});
  EXPECT_EQ(directory->state()->user("lost"), nullptr);
  EXPECT_EQ(rows_of_kind("user"), 0);
}

TEST_F(DirectoryTest, AReaderKeepsItsSnapshot) {
  user("Bob");
  const auto before = directory->state();
  const User* bob = before->user("Bob");
  must("DeleteUser", {{"UserName", "Bob"}});
  EXPECT_EQ(bob->name, "Bob");
  EXPECT_EQ(before->user("Bob"), bob);
  EXPECT_EQ(directory->state()->user("Bob"), nullptr);
}

TEST_F(DirectoryTest, SecretsAreSealed) {
  user("Bob");
  const std::string secret = must("CreateAccessKey", {{"UserName", "Bob"}}).text("SecretAccessKey");
  ASSERT_EQ(secret.size(), 40U);
  const std::string stored = everything_stored();
  EXPECT_THAT(stored, HasSubstr("AKIA"));
  EXPECT_THAT(stored, testing::Not(HasSubstr(secret)));
  EXPECT_THAT(stored, testing::Not(HasSubstr(base64_encode(secret))));
}

TEST_F(DirectoryTest, ASecretOfAnotherRowDoesNotOpen) {
  user("Bob");
  must("CreateAccessKey", {{"UserName", "Bob"}});
  ASSERT_TRUE(database->write([](store::Session& session) -> Result<void> {
    session.run("UPDATE entity SET doc = replace(doc, '\"id\":\"AKIA', '\"id\":\"AKIB') WHERE kind = 'access-key'");
    return ok();
  }));
  const Error error = Directory::open(*database, *sealer, test_account, clock, ids).error();
  EXPECT_EQ(error.code, errc::damaged);
  EXPECT_THAT(error.message, HasSubstr("access key AKIB"));
}

TEST_F(DirectoryTest, ADamagedRowIsAnErrorThatSaysWhich) {
  role("deployer");
  ASSERT_TRUE(database->write([](store::Session& session) -> Result<void> {
    session.run("UPDATE entity SET doc = replace(doc, 'sts:AssumeRole', '') WHERE kind = 'role'");
    return ok();
  }));
  const Error error = Directory::open(*database, *sealer, test_account, clock, ids).error();
  EXPECT_EQ(error.code, errc::damaged);
  EXPECT_THAT(error.message, HasSubstr("role/deployer"));
}

TEST_F(DirectoryTest, TheKeyFileMustBeTheOneThatSealed) {
  const std::string path = folder.file("identity.key");
  EXPECT_TRUE(open_sealer(*database, path));
  std::filesystem::rename(path, path + ".away");
  EXPECT_THAT(open_sealer(*database, path).error().message, HasSubstr("is missing"));
  EXPECT_FALSE(std::filesystem::exists(path)) << "a new key would only hide what is wrong";
  const auto other = *store::Database::open(":memory:", migrations());
  ASSERT_TRUE(open_sealer(*other, path));
  EXPECT_THAT(open_sealer(*database, path).error().message, HasSubstr("another key"));
}

TEST_F(DirectoryTest, InactiveAndUnknownKeysAreNotFound) {
  user("Bob");
  const std::string id = must("CreateAccessKey", {{"UserName", "Bob"}}).text("AccessKeyId");
  EXPECT_THAT(id, testing::MatchesRegex("AKIA[A-Z2-7]{16}"));
  EXPECT_TRUE(find_user_key(*directory->state(), id));
  must("UpdateAccessKey", {{"UserName", "Bob"}, {"AccessKeyId", id}, {"Status", "Inactive"}});
  EXPECT_FALSE(find_user_key(*directory->state(), id));
  EXPECT_FALSE(find_user_key(*directory->state(), "AKIAAAAAAAAAAAAAAAAA"));
}

TEST_F(DirectoryTest, ARolesLastUseIsShownAndEndsWithIt) {
  role("web");
  const std::string id = directory->state()->role("web")->id;
  EXPECT_THAT(must("GetRole", {{"RoleName", "web"}}).body, HasSubstr("<RoleLastUsed></RoleLastUsed>"));
  directory->note_role_use("web", "AROAOFANOTHERLIFE", "ecs", "eu-west-1");
  EXPECT_FALSE(directory->last_used("AROAOFANOTHERLIFE"));
  directory->note_role_use("web", id, "ecs", "eu-west-1");
  EXPECT_EQ(rows_of_kind("access-key-use"), 1);
  open();
  const std::string shown = fmt::format("<LastUsedDate>{:.19}", format_time(clock.now()));
  EXPECT_THAT(must("GetRole", {{"RoleName", "web"}}).body,
              testing::AllOf(HasSubstr(shown), HasSubstr("<Region>eu-west-1</Region>")));
  EXPECT_THAT(must("GetAccountAuthorizationDetails").body, HasSubstr(shown));
  must("DeleteRole", {{"RoleName", "web"}});
  EXPECT_EQ(rows_of_kind("access-key-use"), 0);
  EXPECT_FALSE(directory->last_used(id));
}

TEST_F(DirectoryTest, TheLastUseIsWrittenOnceAMinuteAndAtTheEnd) {
  user("Bob");
  const std::string id = must("CreateAccessKey", {{"UserName", "Bob"}}).text("AccessKeyId");
  EXPECT_EQ(must("GetAccessKeyLastUsed", {{"AccessKeyId", id}}).text("ServiceName"), "N/A");

  std::uint64_t version = database->version();
  const auto wrote = [&] { return std::exchange(version, database->version()) != version; };
  directory->note_use(id, "ecs", "eu-central-1");
  EXPECT_TRUE(wrote());
  clock.advance(Duration(59'999));
  directory->note_use(id, "ecr", "eu-west-1");
  EXPECT_FALSE(wrote());
  EXPECT_EQ(directory->last_used(id)->service, "ecr") << "what is remembered is shown at once";
  clock.advance(Duration(1));
  directory->note_use(id, "logs", "eu-west-1");
  EXPECT_TRUE(wrote());
  clock.advance(Duration(1'000));
  directory->note_use(id, "sts", "us-east-1");
  EXPECT_FALSE(wrote());
  const Time last = clock.now();

  open();
  EXPECT_EQ(directory->last_used(id)->service, "sts");
  EXPECT_EQ(directory->last_used(id)->at, last);
  EXPECT_EQ(must("GetAccessKeyLastUsed", {{"AccessKeyId", id}}).text("Region"), "us-east-1");

  directory->note_use("AKIAAAAAAAAAAAAAAAAA", "ecs", "x");
  EXPECT_FALSE(directory->last_used("AKIAAAAAAAAAAAAAAAAA")) << "only keys that exist are remembered";
  must("DeleteAccessKey", {{"UserName", "Bob"}, {"AccessKeyId", id}});
  EXPECT_FALSE(directory->last_used(id));
  EXPECT_EQ(rows_of_kind("access-key-use"), 0);
}

TEST_F(DirectoryTest, SubjectsHoldEverythingThatIsAttached) {
  user("Bob");
  group("devs");
  const std::string logs = policy("logs");
  must("AddUserToGroup", {{"UserName", "Bob"}, {"GroupName", "devs"}});
  must("PutUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "own"}, {"PolicyDocument", allow_logs}});
  must("AttachUserPolicy", {{"UserName", "Bob"}, {"PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}});
  must("PutGroupPolicy", {{"GroupName", "devs"}, {"PolicyName", "shared"}, {"PolicyDocument", allow_all}});
  must("AttachGroupPolicy", {{"GroupName", "devs"}, {"PolicyArn", logs}});
  must("PutUserPermissionsBoundary", {{"UserName", "Bob"}, {"PermissionsBoundary", logs}});

  const policy::Subject subject = subject_of_user(*directory->state(), "Bob").value();
  std::vector<std::string> names;
  for (const policy::NamedPolicy& one : subject.identity) {
    names.push_back(one.name);
    EXPECT_NE(one.document, nullptr);
  }
  EXPECT_THAT(names, testing::ElementsAre("inline policy own of user Bob", "arn:aws:iam::aws:policy/ReadOnlyAccess",
                                          "inline policy shared of group devs", logs));
  EXPECT_EQ(subject.boundary->name, logs);
  EXPECT_EQ(subject.principal.type, "User");
  EXPECT_EQ(subject.principal.arn, "arn:aws:iam::123456789012:user/Bob");
  EXPECT_EQ(subject.principal.user_name, "Bob");

  role("deployer");
  const policy::Subject session = subject_of_role(*directory->state(), "deployer").value();
  EXPECT_EQ(session.principal.role_arn, "arn:aws:iam::123456789012:role/deployer");
  EXPECT_FALSE(session.boundary);
  EXPECT_EQ(subject_of_role(*directory->state(), "Deployer").error().code, "NoSuchEntity") << "names have one case";
}

TEST_F(DirectoryTest, TagsAreToldOfEveryKind) {
  const IamFacts facts(*directory);
  const std::map<std::string, std::string> team{{"Team", "a"}};
  constexpr std::pair<std::string_view, std::string_view> key{"Tags.member.1.Key", "Team"};
  constexpr std::pair<std::string_view, std::string_view> value{"Tags.member.1.Value", "a"};
  must("CreateUser", {{"UserName", "u"}, key, value});
  must("CreateRole", {{"RoleName", "r"}, {"Path", "/p/"}, {"AssumeRolePolicyDocument", trust_ecs}, key, value});
  must("CreatePolicy", {{"PolicyName", "p"}, {"PolicyDocument", allow_logs}, key, value});
  must("CreateInstanceProfile", {{"InstanceProfileName", "i"}, key, value});
  must("CreateOpenIDConnectProvider", {{"Url", "https://issuer.example"}, key, value});
  for (const std::string arn :
       {"user/u", "role/p/r", "policy/p", "instance-profile/i", "oidc-provider/issuer.example"}) {
    EXPECT_EQ(facts.tags_of(std::string(account_arn) + arn), team) << arn;
  }
  for (const std::string arn : {"role/r", "user/U", "group/u", ""}) {
    EXPECT_TRUE(facts.tags_of(std::string(account_arn) + arn).empty()) << arn;
  }
}

// A write copies the map of the kind that it changes and stores one row, however many there are.
TEST_F(DirectoryTest, TenThousandRolesDoNotMakeAWriteSlow) {
  role("template");
  const Role one = *directory->state()->role("template");
  ASSERT_TRUE(directory->write([&](Edit& edit) -> Result<void> {
    for (int number = 0; number < 9'998; ++number) {
      Role copy = one;
      copy.name = fmt::format("role-{}", number);
      copy.arn = entity_arn(test_account.account_id, "role", "/", copy.name);
      edit.put(std::move(copy));
    }
    return ok();
  }));
  const std::uint64_t before = database->version();
  const auto start = std::chrono::steady_clock::now();
  constexpr int writes = 20;
  for (int number = 0; number < writes; ++number) {
    must("UpdateRoleDescription", {{"RoleName", "template"}, {"Description", fmt::to_string(number)}});
  }
  const std::chrono::duration<double, std::milli> each = (std::chrono::steady_clock::now() - start) / writes;
  EXPECT_EQ(database->version() - before, static_cast<std::uint64_t>(writes)) << "one row for each";
  EXPECT_LT(each.count(), 100.0) << "milliseconds";  // some two, and fifty times that under a sanitizer
  must("CreateRole", {{"RoleName", "last"}, {"AssumeRolePolicyDocument", trust_ecs}});
  EXPECT_EQ(refused("CreateRole", {{"RoleName", "too-many"}, {"AssumeRolePolicyDocument", trust_ecs}}),
            "409 LimitExceeded");
}

}  // namespace
}  // namespace kaapi::identity
