// What the operations answer, and how they refuse.
#include <fmt/format.h>

#include "identity/iam/iam_test_support.h"
#include "identity/iam/names.h"
#include "identity/policy/document.h"

namespace kaapi::identity {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

TEST_F(IamTest, UsersAsAwsShowsThem) {
  const Answer made = must(
      "CreateUser", {{"UserName", "Bob"}, {"Path", "/team/"}, {"Tags.member.1.Key", "a"}, {"Tags.member.1.Value", ""}});
  EXPECT_EQ(made.text("Arn"), "arn:aws:iam::123456789012:user/team/Bob");
  EXPECT_THAT(made.text("UserId"), MatchesRegex("AIDA[A-Z2-7]{17}"));
  EXPECT_THAT(made.body, HasSubstr("<CreateUserResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">"
                                   "<CreateUserResult><User><Path>/team/</Path><UserName>Bob</UserName>"));
  EXPECT_THAT(made.text("CreateDate"), testing::EndsWith(":40.000Z"));
  EXPECT_THAT(must("GetUser", {{"UserName", "Bob"}}).body, HasSubstr("<Tags><member><Key>a</Key><Value></Value>"));
  EXPECT_EQ(must("ListUsers", {{"PathPrefix", "/team"}}).count("<UserName>"), 1U);
  EXPECT_EQ(must("ListUsers", {{"PathPrefix", "/other/"}}).count("<UserName>"), 0U);
  EXPECT_EQ(must("ListUsers").text("IsTruncated"), "false");
  must("DeleteUser", {{"UserName", "Bob"}});
  EXPECT_EQ(refused("GetUser", {{"UserName", "Bob"}}), "404 NoSuchEntity");
  EXPECT_THAT(call("GetUser", {{"UserName", "Bob"}}).body, HasSubstr("The user with name Bob cannot be found."));
}

TEST_F(IamTest, TheCallerIsMeantWhereNoUserIsNamed) {
  EXPECT_EQ(must("GetUser").text("Arn"), "arn:aws:iam::123456789012:root");
  user("Bob");
  EXPECT_EQ(refused("CreateAccessKey"), "400 ValidationError") << "root's key is not made here";
  act_as("Bob");
  EXPECT_EQ(must("GetUser").text("UserName"), "Bob");
  const Answer key = must("CreateAccessKey");
  EXPECT_EQ(key.text("UserName"), "Bob");
  EXPECT_EQ(must("ListAccessKeys").text("AccessKeyId"), key.text("AccessKeyId"));
  context.principal_arn = "arn:aws:sts::123456789012:assumed-role/r/s";
  EXPECT_EQ(refused("GetUser"), "400 ValidationError");
}

TEST_F(IamTest, NamesAreTakenInAnyCaseButAnswerToOne) {
  user("Bob");
  group("Devs");
  role("Web");
  policy("Logs");
  must("CreateInstanceProfile", {{"InstanceProfileName", "P"}});
  EXPECT_EQ(refused("CreateUser", {{"UserName", "bob"}}), "409 EntityAlreadyExists");
  EXPECT_EQ(refused("CreateGroup", {{"GroupName", "devs"}}), "409 EntityAlreadyExists");
  EXPECT_EQ(refused("CreateRole", {{"RoleName", "WEB"}, {"AssumeRolePolicyDocument", trust_ecs}}),
            "409 EntityAlreadyExists");
  EXPECT_EQ(refused("CreatePolicy", {{"PolicyName", "logs"}, {"Path", "/x/"}, {"PolicyDocument", allow_logs}}),
            "409 EntityAlreadyExists");
  EXPECT_EQ(refused("CreateInstanceProfile", {{"InstanceProfileName", "p"}}), "409 EntityAlreadyExists");
  EXPECT_EQ(refused("GetUser", {{"UserName", "bob"}}), "404 NoSuchEntity");
}

TEST_F(IamTest, ARenamedUserKeepsKeysAndTrust) {
  user("Bob");
  const std::string id = must("CreateAccessKey", {{"UserName", "Bob"}}).text("AccessKeyId");
  const std::string trust =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::123456789012:user/Bob"]},"Action":"sts:AssumeRole"}]})";
  must("CreateRole", {{"RoleName", "r"}, {"AssumeRolePolicyDocument", trust}});
  must("UpdateUser", {{"UserName", "Bob"}, {"NewUserName", "bob"}, {"NewPath", "/x/"}});
  EXPECT_EQ(refused("GetUser", {{"UserName", "Bob"}}), "404 NoSuchEntity");
  EXPECT_EQ(must("ListAccessKeys", {{"UserName", "bob"}}).text("AccessKeyId"), id);
  EXPECT_EQ(find_user_key(*directory->state(), id)->principal_arn, "arn:aws:iam::123456789012:user/x/bob");
  EXPECT_THAT(directory->state()->role("r")->trust.text, HasSubstr(":user/x/bob"));
  user("Ann");
  EXPECT_EQ(refused("UpdateUser", {{"UserName", "Ann"}, {"NewUserName", "BOB"}}), "409 EntityAlreadyExists");

  const std::string user_id = directory->state()->user("bob")->id;
  must("DeleteAccessKey", {{"UserName", "bob"}, {"AccessKeyId", id}});
  must("DeleteUser", {{"UserName", "bob"}});
  EXPECT_THAT(directory->state()->role("r")->trust.text, HasSubstr(user_id))
      << "whoever gets the name later is somebody else";
}

TEST_F(IamTest, AccessKeysAreTwoAtMost) {
  user("Bob");
  const Answer first = must("CreateAccessKey", {{"UserName", "Bob"}});
  const Answer second = must("CreateAccessKey", {{"UserName", "Bob"}});
  EXPECT_NE(first.text("SecretAccessKey"), second.text("SecretAccessKey"));
  EXPECT_EQ(refused("CreateAccessKey", {{"UserName", "Bob"}}), "409 LimitExceeded");
  EXPECT_THAT(call("CreateAccessKey", {{"UserName", "Bob"}}).body,
              HasSubstr("Cannot exceed quota for AccessKeysPerUser: 2"));
  const Answer listed = must("ListAccessKeys", {{"UserName", "Bob"}});
  EXPECT_EQ(listed.count("<Status>Active</Status>"), 2U);
  EXPECT_EQ(listed.count("Secret"), 0U);
  const std::string id = first.text("AccessKeyId");
  must("UpdateAccessKey", {{"UserName", "Bob"}, {"AccessKeyId", id}, {"Status", "Inactive"}});
  EXPECT_EQ(must("ListAccessKeys", {{"UserName", "Bob"}}).count("<Status>Inactive</Status>"), 1U);
  EXPECT_EQ(refused("UpdateAccessKey", {{"UserName", "Bob"}, {"AccessKeyId", id}, {"Status", "Gone"}}),
            "400 ValidationError");
  EXPECT_EQ(refused("DeleteUser", {{"UserName", "Bob"}}), "409 DeleteConflict");
  user("Ann");
  EXPECT_EQ(refused("DeleteAccessKey", {{"UserName", "Ann"}, {"AccessKeyId", id}}), "404 NoSuchEntity")
      << "it is another's";
  must("DeleteAccessKey", {{"UserName", "Bob"}, {"AccessKeyId", id}});
  EXPECT_EQ(refused("GetAccessKeyLastUsed", {{"AccessKeyId", id}}), "404 NoSuchEntity");
}

TEST_F(IamTest, GroupsHaveMembers) {
  group("devs");
  user("Bob");
  must("AddUserToGroup", {{"GroupName", "devs"}, {"UserName", "Bob"}});
  must("AddUserToGroup", {{"GroupName", "devs"}, {"UserName", "Bob"}});
  EXPECT_EQ(must("GetGroup", {{"GroupName", "devs"}}).count("<UserName>Bob</UserName>"), 1U);
  EXPECT_EQ(refused("DeleteGroup", {{"GroupName", "devs"}}), "409 DeleteConflict");
  EXPECT_EQ(refused("DeleteUser", {{"UserName", "Bob"}}), "409 DeleteConflict");
  must("UpdateGroup", {{"GroupName", "devs"}, {"NewGroupName", "people"}, {"NewPath", "/p/"}});
  EXPECT_EQ(must("ListGroupsForUser", {{"UserName", "Bob"}}).text("Arn"), "arn:aws:iam::123456789012:group/p/people");
  must("RemoveUserFromGroup", {{"GroupName", "people"}, {"UserName", "Bob"}});
  must("DeleteGroup", {{"GroupName", "people"}});
  EXPECT_EQ(refused("AddUserToGroup", {{"GroupName", "people"}, {"UserName", "Bob"}}), "404 NoSuchEntity");
  for (std::size_t number = 0; number <= max_groups_per_user; ++number) {
    const std::string name = fmt::format("g{}", number);
    group(name);
    EXPECT_EQ(call("AddUserToGroup", {{"GroupName", name}, {"UserName", "Bob"}}).code,
              number < max_groups_per_user ? "" : "LimitExceeded");
  }
}

TEST_F(IamTest, RolesAsAwsShowsThem) {
  const Answer made = must("CreateRole", {{"RoleName", "web"},
                                          {"Path", "/a/"},
                                          {"AssumeRolePolicyDocument", trust_ecs},
                                          {"Description", "for <web>"},
                                          {"MaxSessionDuration", "7200"}});
  EXPECT_THAT(made.text("RoleId"), MatchesRegex("AROA[A-Z2-7]{17}"));
  EXPECT_EQ(made.text("AssumeRolePolicyDocument"), percent_encode(trust_ecs)) << "RFC 3986, as IAM answers it";
  EXPECT_THAT(made.text("AssumeRolePolicyDocument"), testing::StartsWith("%7B%22Version%22%3A%222012-10-17%22"));
  EXPECT_EQ(made.text("MaxSessionDuration"), "7200");
  EXPECT_EQ(made.text("Description"), "for &lt;web&gt;");
  EXPECT_THAT(must("GetRole", {{"RoleName", "web"}}).body, HasSubstr("<RoleLastUsed></RoleLastUsed>"));
  must("UpdateRoleDescription", {{"RoleName", "web"}, {"Description", "new"}});
  EXPECT_EQ(must("GetRole", {{"RoleName", "web"}}).text("Description"), "new");
  must("UpdateRole", {{"RoleName", "web"}, {"MaxSessionDuration", "3600"}});
  EXPECT_EQ(must("GetRole", {{"RoleName", "web"}}).text("Description"), "new") << "what is not given stays";
  must("UpdateRole", {{"RoleName", "web"}, {"Description", ""}});
  EXPECT_EQ(must("GetRole", {{"RoleName", "web"}}).text("Description"), "");
  EXPECT_EQ(must("GetRole", {{"RoleName", "web"}}).text("MaxSessionDuration"), "3600");
  const std::string other =
      R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"}})";
  must("UpdateAssumeRolePolicy", {{"RoleName", "web"}, {"PolicyDocument", other}});
  EXPECT_EQ(must("GetRole", {{"RoleName", "web"}}).text("AssumeRolePolicyDocument"), percent_encode(other));
  EXPECT_EQ(must("ListRoles", {{"PathPrefix", "/a/"}}).count("<RoleName>"), 1U);
}

// What is wrong with a request, and what IAM calls it.
TEST_F(IamTest, BadRequestsAreRefusedByTheirNames) {
  user("Bob");
  role("web");
  const std::string long_name(65, 'a');
  const std::string much(policy::max_trust_policy_size, 'x');
  const std::string large_trust =
      R"({"Version":"2012-10-17","Statement":[{"Sid":")" + much +
      R"(","Effect":"Allow","Principal":{"Service":"ecs.amazonaws.com"},"Action":"sts:AssumeRole"}]})";
  const std::string unknown_principal =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:role/none"},"Action":"sts:AssumeRole"}]})";
  struct Row {
    std::string_view action;
    std::vector<std::pair<std::string_view, std::string_view>> parameters;
    std::string_view refused;
  };
  const Row rows[] = {
      {"CreateUser", {}, "400 ValidationError"},
      {"CreateUser", {{"UserName", ""}}, "400 ValidationError"},
      {"CreateUser", {{"UserName", "a b"}}, "400 ValidationError"},
      {"CreateUser", {{"UserName", long_name}}, "400 ValidationError"},
      {"CreateUser", {{"UserName", "x"}, {"Path", "team"}}, "400 ValidationError"},
      {"CreateUser",
       {{"UserName", "x"}, {"PermissionsBoundary", "arn:aws:iam::123456789012:policy/none"}},
       "404 NoSuchEntity"},
      {"CreateUser",
       {{"UserName", "x"}, {"Tags.member.1.Key", "aws:x"}, {"Tags.member.1.Value", ""}},
       "400 InvalidInput"},
      {"CreateRole", {{"RoleName", "x"}}, "400 ValidationError"},
      {"CreateRole", {{"RoleName", "x"}, {"AssumeRolePolicyDocument", "{"}}, "400 MalformedPolicyDocument"},
      {"CreateRole", {{"RoleName", "x"}, {"AssumeRolePolicyDocument", allow_all}}, "400 MalformedPolicyDocument"},
      {"CreateRole",
       {{"RoleName", "x"}, {"AssumeRolePolicyDocument", unknown_principal}},
       "400 MalformedPolicyDocument"},
      {"CreateRole", {{"RoleName", "x"}, {"AssumeRolePolicyDocument", large_trust}}, "409 LimitExceeded"},
      {"CreateRole",
       {{"RoleName", "x"}, {"AssumeRolePolicyDocument", trust_ecs}, {"MaxSessionDuration", "60"}},
       "400 ValidationError"},
      {"CreateRole",
       {{"RoleName", "x"}, {"AssumeRolePolicyDocument", trust_ecs}, {"Path", "/aws-service-role/x/"}},
       "400 ValidationError"},
      {"UpdateAssumeRolePolicy", {{"RoleName", "none"}, {"PolicyDocument", trust_ecs}}, "404 NoSuchEntity"},
      {"UpdateAssumeRolePolicy", {{"RoleName", "web"}, {"PolicyDocument", allow_all}}, "400 MalformedPolicyDocument"},
      {"PutUserPolicy",
       {{"UserName", "Bob"}, {"PolicyName", "p"}, {"PolicyDocument", trust_ecs}},
       "400 MalformedPolicyDocument"},
      {"PutUserPolicy", {{"UserName", "none"}, {"PolicyName", "p"}, {"PolicyDocument", allow_all}}, "404 NoSuchEntity"},
      {"GetUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "p"}}, "404 NoSuchEntity"},
      {"DeleteRolePolicy", {{"RoleName", "web"}, {"PolicyName", "p"}}, "404 NoSuchEntity"},
      {"AttachUserPolicy",
       {{"UserName", "Bob"}, {"PolicyArn", "arn:aws:iam::aws:policy/NoSuchPolicy"}},
       "404 NoSuchEntity"},
      {"AttachUserPolicy", {{"UserName", "Bob"}, {"PolicyArn", "short"}}, "400 ValidationError"},
      {"DetachRolePolicy",
       {{"RoleName", "web"}, {"PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}},
       "404 NoSuchEntity"},
      {"GetPolicy", {{"PolicyArn", "arn:aws:iam::123456789012:policy/none"}}, "404 NoSuchEntity"},
      {"GetPolicyVersion",
       {{"PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}, {"VersionId", "v99"}},
       "404 NoSuchEntity"},
      {"DeletePolicy", {{"PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}}, "400 InvalidInput"},
      {"CreatePolicy", {{"PolicyName", "p"}, {"PolicyDocument", "[]"}}, "400 MalformedPolicyDocument"},
      {"ListUsers", {{"Marker", "made up"}}, "400 ValidationError"},
      {"ListUsers", {{"MaxItems", "0"}}, "400 ValidationError"},
      {"ListUsers", {{"MaxItems", "1001"}}, "400 ValidationError"},
      {"CreateOpenIDConnectProvider", {{"Url", "http://issuer.example"}}, "400 ValidationError"},
      {"CreateOpenIDConnectProvider", {{"Url", "https://"}}, "400 ValidationError"},
      {"CreateOpenIDConnectProvider", {{"Url", "https://issuer.example?x=1"}}, "400 ValidationError"},
      {"CreateOpenIDConnectProvider", {{"Url", "https://me@issuer.example"}}, "400 ValidationError"},
      {"CreateOpenIDConnectProvider",
       {{"Url", "https://issuer.example"}, {"ThumbprintList.member.1", "ab"}},
       "400 ValidationError"},
      {"GetOpenIDConnectProvider",
       {{"OpenIDConnectProviderArn", "arn:aws:iam::123456789012:oidc-provider/x"}},
       "404 NoSuchEntity"},
      {"CreateServiceLinkedRole", {{"AWSServiceName", "lambda.amazonaws.com"}}, "400 InvalidInput"},
      {"CreateServiceLinkedRole", {{"AWSServiceName", "ecs.amazonaws.com"}, {"CustomSuffix", "x"}}, "400 InvalidInput"},
      {"DeleteServiceLinkedRole", {{"RoleName", "web"}}, "404 NoSuchEntity"},
      {"GetServiceLinkedRoleDeletionStatus", {{"DeletionTaskId", "task/x"}}, "404 NoSuchEntity"},
      {"AddRoleToInstanceProfile", {{"InstanceProfileName", "none"}, {"RoleName", "web"}}, "404 NoSuchEntity"},
      {"DeleteAccountAlias", {{"AccountAlias", "not-ours"}}, "404 NoSuchEntity"},
      {"CreateAccountAlias", {{"AccountAlias", "A"}}, "400 ValidationError"},
      {"GetLoginProfile", {{"UserName", "Bob"}}, "404 NoSuchEntity"},
      {"ListMFADevices", {{"UserName", "none"}}, "404 NoSuchEntity"},
      {"SimulatePrincipalPolicy",
       {{"PolicySourceArn", "arn:aws:iam::123456789012:user/none"}, {"ActionNames.member.1", "ecs:RunTask"}},
       "404 NoSuchEntity"},
      {"SimulateCustomPolicy",
       {{"PolicyInputList.member.1", "{"}, {"ActionNames.member.1", "ecs:RunTask"}},
       "400 InvalidInput"},
      {"SimulateCustomPolicy",
       {{"PolicyInputList.member.1", allow_all}, {"ActionNames.member.1", "ecs:*"}},
       "400 InvalidInput"},
  };
  const auto before = directory->state();
  for (const Row& row : rows) {
    http::Request request;
    request.head.method = "POST";
    request.head.target = request.head.path = "/";
    request.head.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.body = fmt::format("Action={}&Version=2010-05-08", row.action);
    for (const auto& [name, value] : row.parameters) request.body += fmt::format("&{}={}", name, percent_encode(value));
    const http::Response response = dispatcher->call(dispatcher->route(request, "iam"), context, request);
    const Answer answer{response.status, std::get<std::string>(response.body), ""};
    EXPECT_EQ(fmt::format("{} {}", answer.status, answer.text("Code")), row.refused) << request.body << answer.body;
  }
  EXPECT_EQ(directory->state(), before) << "a refused request changes nothing";
}

TEST_F(IamTest, ARoleGoesWhenNothingHangsOnIt) {
  role("web");
  must("PutRolePolicy", {{"RoleName", "web"}, {"PolicyName", "p"}, {"PolicyDocument", allow_all}});
  EXPECT_THAT(call("DeleteRole", {{"RoleName", "web"}}).body, HasSubstr("must delete policies first"));
  must("DeleteRolePolicy", {{"RoleName", "web"}, {"PolicyName", "p"}});
  must("AttachRolePolicy", {{"RoleName", "web"}, {"PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}});
  EXPECT_THAT(call("DeleteRole", {{"RoleName", "web"}}).body, HasSubstr("must detach all policies first"));
  must("DetachRolePolicy", {{"RoleName", "web"}, {"PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}});
  must("CreateInstanceProfile", {{"InstanceProfileName", "p"}});
  must("AddRoleToInstanceProfile", {{"InstanceProfileName", "p"}, {"RoleName", "web"}});
  EXPECT_EQ(refused("AddRoleToInstanceProfile", {{"InstanceProfileName", "p"}, {"RoleName", "web"}}),
            "409 LimitExceeded");
  EXPECT_EQ(must("ListInstanceProfilesForRole", {{"RoleName", "web"}}).text("InstanceProfileName"), "p");
  EXPECT_EQ(must("GetInstanceProfile", {{"InstanceProfileName", "p"}}).text("RoleName"), "web");
  EXPECT_EQ(refused("DeleteRole", {{"RoleName", "web"}}), "409 DeleteConflict");
  EXPECT_EQ(refused("DeleteInstanceProfile", {{"InstanceProfileName", "p"}}), "409 DeleteConflict");
  must("RemoveRoleFromInstanceProfile", {{"InstanceProfileName", "p"}, {"RoleName", "web"}});
  must("DeleteInstanceProfile", {{"InstanceProfileName", "p"}});
  must("DeleteRole", {{"RoleName", "web"}});
}

TEST_F(IamTest, ServiceLinkedRolesAreTheirServices) {
  const std::string name = "AWSServiceRoleForECS";
  EXPECT_EQ(must("CreateServiceLinkedRole", {{"AWSServiceName", "ecs.amazonaws.com"}}).text("Arn"),
            "arn:aws:iam::123456789012:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS");
  EXPECT_THAT(call("CreateServiceLinkedRole", {{"AWSServiceName", "ecs.amazonaws.com"}}).body,
              HasSubstr("has been taken in this account"));
  EXPECT_EQ(refused("DeleteRole", {{"RoleName", name}}), "400 UnmodifiableEntity");
  EXPECT_EQ(refused("PutRolePolicy", {{"RoleName", name}, {"PolicyName", "p"}, {"PolicyDocument", allow_all}}),
            "400 UnmodifiableEntity");
  EXPECT_EQ(refused("AttachRolePolicy", {{"RoleName", name}, {"PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}}),
            "400 UnmodifiableEntity");
  EXPECT_EQ(refused("UpdateAssumeRolePolicy", {{"RoleName", name}, {"PolicyDocument", trust_ecs}}),
            "400 UnmodifiableEntity");
  open();
  EXPECT_EQ(refused("UpdateRole", {{"RoleName", name}, {"MaxSessionDuration", "7200"}}), "400 UnmodifiableEntity")
      << "also after a restart";
  must("UpdateRole", {{"RoleName", name}, {"Description", "may be told"}});
  const std::string task = must("DeleteServiceLinkedRole", {{"RoleName", name}}).text("DeletionTaskId");
  EXPECT_EQ(must("GetServiceLinkedRoleDeletionStatus", {{"DeletionTaskId", task}}).text("Status"), "SUCCEEDED");
  for (const std::string_view service :
       {"elasticloadbalancing.amazonaws.com", "rds.amazonaws.com", "elasticache.amazonaws.com", "mq.amazonaws.com"}) {
    must("CreateServiceLinkedRole", {{"AWSServiceName", service}});
  }
}

TEST_F(IamTest, PoliciesHaveFiveVersions) {
  const std::string arn = policy("logs");
  for (int number = 2; number <= 5; ++number) {
    const Answer made =
        must("CreatePolicyVersion",
             {{"PolicyArn", arn}, {"PolicyDocument", allow_all}, {"SetAsDefault", number == 3 ? "true" : "false"}});
    EXPECT_EQ(made.text("VersionId"), version_id(number));
    EXPECT_EQ(made.text("IsDefaultVersion"), number == 3 ? "true" : "false");
  }
  EXPECT_EQ(refused("CreatePolicyVersion", {{"PolicyArn", arn}, {"PolicyDocument", allow_all}}), "409 LimitExceeded");
  EXPECT_EQ(must("GetPolicy", {{"PolicyArn", arn}}).text("DefaultVersionId"), "v3");
  EXPECT_EQ(must("ListPolicyVersions", {{"PolicyArn", arn}}).text("VersionId"), "v5") << "the newest first";
  EXPECT_EQ(must("GetPolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v1"}}).text("Document"),
            percent_encode(allow_logs));
  EXPECT_EQ(refused("DeletePolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v3"}}), "409 DeleteConflict");
  EXPECT_EQ(refused("DeletePolicy", {{"PolicyArn", arn}}), "409 DeleteConflict");
  must("DeletePolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v5"}});
  EXPECT_EQ(must("CreatePolicyVersion", {{"PolicyArn", arn}, {"PolicyDocument", allow_all}}).text("VersionId"), "v6")
      << "numbers are not used twice";
  must("SetDefaultPolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v1"}});
  EXPECT_EQ(refused("SetDefaultPolicyVersion", {{"PolicyArn", arn}, {"VersionId", "v5"}}), "404 NoSuchEntity");
  EXPECT_EQ(managed_document(*directory->state(), arn), directory->state()->policy(arn)->version(1)->policy.document);
  const std::string huge =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::)" +
      std::string(policy::max_managed_policy_size, 'x') + R"("}]})";
  EXPECT_EQ(refused("CreatePolicy", {{"PolicyName", "huge"}, {"PolicyDocument", huge}}), "409 LimitExceeded");
}

TEST_F(IamTest, AttachedPoliciesAreCountedAndHold) {
  const std::string arn = policy("logs");
  role("web");
  user("Bob");
  group("devs");
  must("AttachRolePolicy", {{"RoleName", "web"}, {"PolicyArn", arn}});
  must("AttachRolePolicy", {{"RoleName", "web"}, {"PolicyArn", arn}});
  must("AttachGroupPolicy", {{"GroupName", "devs"}, {"PolicyArn", arn}});
  must("PutUserPermissionsBoundary", {{"UserName", "Bob"}, {"PermissionsBoundary", arn}});
  const Answer shown = must("GetPolicy", {{"PolicyArn", arn}});
  EXPECT_EQ(shown.text("AttachmentCount"), "2");
  EXPECT_EQ(shown.text("PermissionsBoundaryUsageCount"), "1");
  const Answer holders = must("ListEntitiesForPolicy", {{"PolicyArn", arn}});
  EXPECT_EQ(holders.text("RoleName") + holders.text("GroupName") + holders.text("UserName"), "webdevsBob");
  EXPECT_EQ(
      must("ListEntitiesForPolicy", {{"PolicyArn", arn}, {"PolicyUsageFilter", "PermissionsPolicy"}}).text("UserName"),
      "");
  EXPECT_EQ(must("ListEntitiesForPolicy", {{"PolicyArn", arn}, {"EntityFilter", "Role"}}).text("GroupName"), "");
  EXPECT_EQ(must("ListAttachedRolePolicies", {{"RoleName", "web"}}).text("PolicyName"), "logs");
  EXPECT_THAT(must("GetUser", {{"UserName", "Bob"}}).body, HasSubstr("<PermissionsBoundaryArn>" + arn));
  EXPECT_EQ(refused("DeletePolicy", {{"PolicyArn", arn}}), "409 DeleteConflict");
  must("DetachRolePolicy", {{"RoleName", "web"}, {"PolicyArn", arn}});
  must("DetachGroupPolicy", {{"GroupName", "devs"}, {"PolicyArn", arn}});
  EXPECT_EQ(refused("DeletePolicy", {{"PolicyArn", arn}}), "409 DeleteConflict") << "it is still a boundary";
  must("DeleteUserPermissionsBoundary", {{"UserName", "Bob"}});
  must("DeletePolicy", {{"PolicyArn", arn}});
  for (std::size_t number = 0; number <= max_attached_policies; ++number) {
    EXPECT_EQ(call("AttachRolePolicy", {{"RoleName", "web"}, {"PolicyArn", policy(fmt::format("p{}", number))}}).code,
              number < max_attached_policies ? "" : "LimitExceeded");
  }
}

TEST_F(IamTest, AwsManagedPoliciesAreThereByName) {
  const std::string arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy";
  const Answer shown = must("GetPolicy", {{"PolicyArn", arn}});
  EXPECT_EQ(shown.text("PolicyName"), "AmazonECSTaskExecutionRolePolicy");
  EXPECT_EQ(shown.text("Path"), "/service-role/");
  EXPECT_THAT(
      must("GetPolicyVersion", {{"PolicyArn", arn}, {"VersionId", shown.text("DefaultVersionId")}}).text("Document"),
      testing::StartsWith("%7B"));
  const std::string own = policy("own");
  EXPECT_EQ(must("ListPolicies", {{"Scope", "Local"}}).count("<Arn>"), 1U);
  EXPECT_EQ(must("ListPolicies", {{"Scope", "AWS"}}).count("<Arn>arn:aws:iam::aws:policy/"), 9U);
  EXPECT_EQ(must("ListPolicies").count("<Arn>"), 10U);
  EXPECT_EQ(must("ListPolicies", {{"PathPrefix", "/service-role/"}}).count("<Arn>"), 1U);
  EXPECT_EQ(must("ListPolicies", {{"OnlyAttached", "true"}}).count("<Arn>"), 0U);
  role("web");
  must("AttachRolePolicy", {{"RoleName", "web"}, {"PolicyArn", arn}});
  EXPECT_EQ(must("ListPolicies", {{"OnlyAttached", "true"}}).text("Arn"), arn);
  EXPECT_EQ(must("ListAttachedRolePolicies", {{"RoleName", "web"}, {"PathPrefix", "/service-role/"}}).count("<member>"),
            1U);
  EXPECT_EQ(must("ListAttachedRolePolicies", {{"RoleName", "web"}, {"PathPrefix", "/x/"}}).count("<member>"), 0U);
}

TEST_F(IamTest, InlinePoliciesHaveALimitTogether) {
  user("Bob");
  const auto sized = [](std::size_t letters) {
    return R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::)" +
           std::string(letters, 'x') + R"("}]})";
  };
  must("PutUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "b"}, {"PolicyDocument", sized(900)}});
  must("PutUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "a"}, {"PolicyDocument", sized(800)}});
  EXPECT_EQ(refused("PutUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "c"}, {"PolicyDocument", sized(400)}}),
            "409 LimitExceeded");
  must("PutUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "b"}, {"PolicyDocument", sized(1)}});
  EXPECT_EQ(must("GetUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "b"}}).text("PolicyDocument"),
            percent_encode(sized(1)));
  EXPECT_THAT(must("ListUserPolicies", {{"UserName", "Bob"}}).body,
              HasSubstr("<PolicyNames><member>a</member><member>b</member></PolicyNames>"));
  must("DeleteUserPolicy", {{"UserName", "Bob"}, {"PolicyName", "a"}});
  EXPECT_EQ(must("ListUserPolicies", {{"UserName", "Bob"}}).count("<member>"), 1U);
}

TEST_F(IamTest, TagsAreToldApartWithoutCase) {
  role("web");
  must("TagRole", {{"RoleName", "web"}, {"Tags.member.1.Key", "Team"}, {"Tags.member.1.Value", "a"}});
  must("TagRole", {{"RoleName", "web"}, {"Tags.member.1.Key", "team"}, {"Tags.member.1.Value", "b"}});
  EXPECT_EQ(must("ListRoleTags", {{"RoleName", "web"}}).count("<Key>team</Key><Value>b</Value>"), 1U);
  EXPECT_EQ(must("ListRoleTags", {{"RoleName", "web"}}).count("<Key>"), 1U);
  EXPECT_EQ(refused("TagRole", {{"RoleName", "web"},
                                {"Tags.member.1.Key", "X"},
                                {"Tags.member.1.Value", ""},
                                {"Tags.member.2.Key", "x"},
                                {"Tags.member.2.Value", ""}}),
            "400 InvalidInput");
  must("UntagRole", {{"RoleName", "web"}, {"TagKeys.member.1", "TEAM"}});
  EXPECT_EQ(must("ListRoleTags", {{"RoleName", "web"}}).count("<Key>"), 0U);
  for (std::size_t number = 0; number <= max_tags; ++number) {
    const std::string key = fmt::format("k{}", number);
    EXPECT_EQ(call("TagRole", {{"RoleName", "web"}, {"Tags.member.1.Key", key}, {"Tags.member.1.Value", ""}}).code,
              number < max_tags ? "" : "LimitExceeded");
  }
}

TEST_F(IamTest, ProvidersOfOpenIdConnect) {
  const std::string print(40, 'A');
  const Answer made = must("CreateOpenIDConnectProvider", {{"Url", "https://token.actions.githubusercontent.com"},
                                                           {"ClientIDList.member.1", "sts.amazonaws.com"},
                                                           {"ThumbprintList.member.1", print}});
  const std::string arn = made.text("OpenIDConnectProviderArn");
  EXPECT_EQ(arn, "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com");
  const auto shown = [&] { return must("GetOpenIDConnectProvider", {{"OpenIDConnectProviderArn", arn}}); };
  EXPECT_EQ(shown().text("Url"), "token.actions.githubusercontent.com");
  EXPECT_THAT(shown().body, HasSubstr("<member>" + lower(print) + "</member>"));
  EXPECT_EQ(refused("CreateOpenIDConnectProvider", {{"Url", "https://token.actions.githubusercontent.com"}}),
            "409 EntityAlreadyExists");
  for (int twice = 0; twice < 2; ++twice) {
    must("AddClientIDToOpenIDConnectProvider", {{"OpenIDConnectProviderArn", arn}, {"ClientID", "other"}});
  }
  EXPECT_EQ(shown().count("<member>other</member>"), 1U);
  for (int twice = 0; twice < 2; ++twice) {
    must("RemoveClientIDFromOpenIDConnectProvider", {{"OpenIDConnectProviderArn", arn}, {"ClientID", "other"}});
  }
  EXPECT_EQ(shown().count("other"), 0U);
  const std::string next(40, '0');
  must("UpdateOpenIDConnectProviderThumbprint", {{"OpenIDConnectProviderArn", arn}, {"ThumbprintList.member.1", next}});
  EXPECT_THAT(shown().body, HasSubstr(next));
  EXPECT_EQ(must("ListOpenIDConnectProviders").text("Arn"), arn);
  must("DeleteOpenIDConnectProvider", {{"OpenIDConnectProviderArn", arn}});
  must("DeleteOpenIDConnectProvider", {{"OpenIDConnectProviderArn", arn}});
  EXPECT_EQ(must("ListOpenIDConnectProviders").count("<Arn>"), 0U);
}

TEST_F(IamTest, ListsComeInPages) {
  const std::string longest(56, 'n');
  for (int number = 0; number < 7; ++number) role(fmt::format("{}{:08}", longest, number));
  std::string marker;
  std::string seen;
  int pages = 0;
  do {
    const Answer page = marker.empty() ? must("ListRoles", {{"MaxItems", "3"}})
                                       : must("ListRoles", {{"MaxItems", "3"}, {"Marker", marker}});
    for (int number = 0; number < 7; ++number) {
      if (page.count(fmt::format("<RoleName>{}{:08}<", longest, number)) == 1) seen += fmt::to_string(number);
    }
    marker = page.text("Marker");
    EXPECT_EQ(page.text("IsTruncated"), marker.empty() ? "false" : "true");
    EXPECT_LE(marker.size(), 320U) << "the model's limit";
    ++pages;
  } while (!marker.empty());
  EXPECT_EQ(seen, "0123456");
  EXPECT_EQ(pages, 3);
  const std::string other = must("ListRoles", {{"MaxItems", "1"}}).text("Marker");
  EXPECT_EQ(refused("ListUsers", {{"Marker", other}}), "400 ValidationError") << "of another listing";
  EXPECT_EQ(refused("ListRoles", {{"Marker", other}, {"PathPrefix", "/x/"}}), "400 ValidationError");

  const Answer details = must("GetAccountAuthorizationDetails", {{"MaxItems", "5"}});
  EXPECT_EQ(details.count("<RoleId>"), 5U);
  EXPECT_EQ(
      must("GetAccountAuthorizationDetails", {{"MaxItems", "5"}, {"Marker", details.text("Marker")}}).count("<RoleId>"),
      2U);
}

TEST_F(IamTest, TheAccountAtAGlance) {
  user("Bob");
  role("web");
  const std::string arn = policy("logs");
  must("AttachRolePolicy", {{"RoleName", "web"}, {"PolicyArn", "arn:aws:iam::aws:policy/ReadOnlyAccess"}});
  const Answer summary = must("GetAccountSummary");
  for (const std::string entry :
       {"Users</key><value>1", "Roles</key><value>1", "Policies</key><value>1", "Groups</key><value>0",
        "AccessKeysPerUserQuota</key><value>2", "VersionsPerPolicyQuota</key><value>5"}) {
    EXPECT_THAT(summary.body, HasSubstr("<entry><key>" + entry + "</value></entry>"));
  }
  const Answer details = must("GetAccountAuthorizationDetails");
  EXPECT_EQ(details.count("<UserId>") + details.count("<RoleId>") + details.count("<PolicyId>"), 4U);
  EXPECT_EQ(must("GetAccountAuthorizationDetails", {{"Filter.member.1", "User"}}).count("<RoleId>"), 0U);
  EXPECT_EQ(must("ListAccountAliases").count("<member>"), 0U);
  must("CreateAccountAlias", {{"AccountAlias", "our-team"}});
  EXPECT_THAT(must("ListAccountAliases").body, HasSubstr("<AccountAliases><member>our-team</member></AccountAliases>"));
  must("DeleteAccountAlias", {{"AccountAlias", "our-team"}});
}

TEST_F(IamTest, NothingIsThereOfWhatNobodyHas) {
  user("Bob");
  for (const std::string_view action :
       {"ListSSHPublicKeys", "ListMFADevices", "ListSigningCertificates", "ListServiceSpecificCredentials"}) {
    EXPECT_EQ(must(action, {{"UserName", "Bob"}}).text("IsTruncated"), "false") << action;
  }
  must("ListVirtualMFADevices");
}

TEST_F(IamTest, SimulationSaysWhatPoliciesSay) {
  user("Bob");
  const std::string arn = policy("logs");
  must("AttachUserPolicy", {{"UserName", "Bob"}, {"PolicyArn", arn}});
  must("PutUserPolicy",
       {{"UserName", "Bob"},
        {"PolicyName", "no"},
        {"PolicyDocument",
         R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"logs:DeleteLogGroup","Resource":"*"}]})"}});
  const std::string bob = fmt::format("{}user/Bob", account_arn);
  const Answer answer = must("SimulatePrincipalPolicy", {{"PolicySourceArn", bob},
                                                         {"ActionNames.member.1", "logs:PutLogEvents"},
                                                         {"ActionNames.member.2", "logs:DeleteLogGroup"},
                                                         {"ActionNames.member.3", "ecs:RunTask"}});
  EXPECT_EQ(answer.count("<EvalDecision>allowed<"), 1U);
  EXPECT_EQ(answer.count("<EvalDecision>explicitDeny<"), 1U);
  EXPECT_EQ(answer.count("<EvalDecision>implicitDeny<"), 1U);
  EXPECT_THAT(answer.body,
              HasSubstr("<SourcePolicyId>logs</SourcePolicyId><SourcePolicyType>user-managed</SourcePolicyType>"
                        "<StartPosition><Line>1</Line><Column>"));
  EXPECT_THAT(answer.body,
              HasSubstr("<SourcePolicyId>user_Bob_no</SourcePolicyId><SourcePolicyType>user</SourcePolicyType>"));

  const Answer bounded =
      must("SimulatePrincipalPolicy",
           {{"PolicySourceArn", bob},
            {"ActionNames.member.1", "logs:PutLogEvents"},
            {"PermissionsBoundaryPolicyInputList.member.1",
             R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*"}]})"}});
  EXPECT_EQ(bounded.text("EvalDecision"), "implicitDeny");
  EXPECT_EQ(bounded.text("AllowedByPermissionsBoundary"), "false");

  const std::string_view office =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ecs:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}]})";
  const Answer unknown =
      must("SimulateCustomPolicy", {{"PolicyInputList.member.1", office}, {"ActionNames.member.1", "ecs:RunTask"}});
  EXPECT_EQ(unknown.text("EvalDecision"), "implicitDeny");
  EXPECT_EQ(lower(unknown.body.substr(unknown.body.find("<MissingContextValues>"), 50))
                .find("<missingcontextvalues><member>aws:sourceip"),
            0U);
  const Answer known =
      must("SimulateCustomPolicy", {{"PolicyInputList.member.1", office},
                                    {"ActionNames.member.1", "ecs:RunTask"},
                                    {"ContextEntries.member.1.ContextKeyName", "aws:SourceIp"},
                                    {"ContextEntries.member.1.ContextKeyType", "ip"},
                                    {"ContextEntries.member.1.ContextKeyValues.member.1", "10.1.2.3"}});
  EXPECT_EQ(known.text("EvalDecision"), "allowed");
  EXPECT_EQ(known.text("SourcePolicyId"), "PolicyInputList.1");
  EXPECT_EQ(
      lower(must("GetContextKeysForCustomPolicy", {{"PolicyInputList.member.1", office}}).body).find("aws:sourceip") !=
          std::string::npos,
      true);
  EXPECT_EQ(must("GetContextKeysForPrincipalPolicy", {{"PolicySourceArn", bob}}).count("<member>"), 0U);

  const Answer paged = must("SimulateCustomPolicy", {{"PolicyInputList.member.1", allow_all},
                                                     {"ActionNames.member.1", "ecs:RunTask"},
                                                     {"ActionNames.member.2", "ecs:StopTask"},
                                                     {"MaxItems", "1"}});
  EXPECT_EQ(paged.text("IsTruncated"), "true");
  EXPECT_EQ(paged.count("<EvalActionName>"), 1U);
}

TEST_F(IamTest, EveryOperationOfTheModelIsServed) {
  EXPECT_EQ(dispatcher->served().size(), aws::find_service("iam")->operations.size());
}

}  // namespace
}  // namespace kaapi::identity
