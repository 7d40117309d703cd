#include "identity/access.h"
#include "identity/sts/authorization_message.h"
#include "identity/sts/sts_test_support.h"
#include "identity/sts/subject.h"

namespace kaapi::identity {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view deployer = "arn:aws:iam::123456789012:role/deployer";

class AssumeRoleTest : public StsTest {
 protected:
  AssumeRoleTest() { use_root(); }

  // What policies say of this key.
  policy::Effect effect(std::string_view key, std::string_view action, std::string_view resource = "*") {
    const policy::Subject subject = subject_of_key(*directory->state(), *sessions, key).value();
    const policy::MapContext nothing;
    return policy::evaluate(subject, {action, resource, nothing}).effect;
  }
  std::string assume(Parameters parameters) { return sts_must("AssumeRole", parameters).text("AccessKeyId"); }
};

TEST_F(AssumeRoleTest, GivesTheRolesRights) {
  role_with("deployer", trust(account_root), allow("ecs:UpdateService"));
  use(user_with("alice", allow("sts:AssumeRole", deployer)));
  const Answer answer = sts_must("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci@1"}});
  const std::string role_id = directory->state()->role("deployer")->id;
  EXPECT_EQ(answer.text("Arn"), "arn:aws:sts::123456789012:assumed-role/deployer/ci@1");
  EXPECT_EQ(answer.text("AssumedRoleId"), role_id + ":ci@1");
  EXPECT_EQ(answer.count("PackedPolicySize"), 0U);
  const std::string key = answer.text("AccessKeyId");
  EXPECT_EQ(answer.text("Expiration"), "2025-06-15T16:06:40.000Z");  // in an hour
  EXPECT_EQ(effect(key, "ecs:UpdateService"), policy::Effect::allowed);
  EXPECT_EQ(effect(key, "ecs:DeleteService"), policy::Effect::implicit_deny);
  use(key);
  const Answer who = sts_must("GetCallerIdentity");
  EXPECT_EQ(who.text("Arn"), "arn:aws:sts::123456789012:assumed-role/deployer/ci@1");
  EXPECT_EQ(who.text("UserId"), role_id + ":ci@1");
}

TEST_F(AssumeRoleTest, NeedsTheTrustOfTheRole) {
  role_with("deployer", trust_ecs);
  use(user_with("alice", allow("sts:AssumeRole")));
  EXPECT_EQ(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}}),
            "403 AccessDenied: User: arn:aws:iam::123456789012:user/alice is not authorized to perform: sts:AssumeRole "
            "on resource: arn:aws:iam::123456789012:role/deployer because no role trust policy allows the "
            "sts:AssumeRole action");
}

TEST_F(AssumeRoleTest, WhereTheTrustNamesOnlyTheAccountTheCallersOwnPoliciesMustAllow) {
  role_with("deployer", trust(account_root));
  use(user_with("alice", ""));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}}),
              HasSubstr("because no identity-based policy allows the sts:AssumeRole action"));
}

TEST_F(AssumeRoleTest, WhereTheTrustNamesTheCallerItIsEnough) {
  const std::string key = user_with("alice", "");
  role_with("deployer", trust("arn:aws:iam::123456789012:user/alice"));
  use(key);
  sts_must("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
  use(user_with("bob", ""));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}}),
              StartsWith("403 AccessDenied"));
}

TEST_F(AssumeRoleTest, ADenyOfTheCallersOwnGoesFirst) {
  const std::string key = user_with("alice", document(R"({"Effect":"Deny","Action":"sts:AssumeRole","Resource":"*"})"));
  role_with("deployer", trust("arn:aws:iam::123456789012:user/alice"));
  use(key);
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}}),
              HasSubstr("with an explicit deny in an identity-based policy"));
}

TEST_F(AssumeRoleTest, RootMayNot) {
  role_with("deployer", trust(account_root));
  EXPECT_EQ(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}}),
            "403 AccessDenied: Roles may not be assumed by root accounts.");
}

TEST_F(AssumeRoleTest, ARoleThatIsNotThereLooksLikeOneThatMayNotBeAssumed) {
  role_with("deployer", trust_ecs);
  use(user_with("alice", allow("sts:AssumeRole")));
  std::string there = sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
  std::string missing =
      sts_refused("AssumeRole", {{"RoleArn", "arn:aws:iam::123456789012:role/missing"}, {"RoleSessionName", "ci"}});
  there.replace(there.find("role/deployer"), 13, "role/missing");
  EXPECT_EQ(missing, there);
  EXPECT_THAT(
      sts_refused("AssumeRole", {{"RoleArn", "arn:aws:iam::999999999999:role/deployer"}, {"RoleSessionName", "ci"}}),
      StartsWith("403 AccessDenied"));
}

TEST_F(AssumeRoleTest, RefusesWhatIsMalformed) {
  role_with("deployer", trust(account_root));
  use(user_with("alice", allow("sts:*")));
  const auto refused = [&](std::string_view arn, std::string_view name) {
    return sts_refused("AssumeRole", {{"RoleArn", arn}, {"RoleSessionName", name}});
  };
  EXPECT_THAT(refused("arn:aws:iam::123456789012:user/alice", "ci"), StartsWith("400 ValidationError: Request ARN"));
  EXPECT_THAT(refused("deployer-deployer-deployer", "ci"), StartsWith("400 ValidationError: Request ARN"));
  EXPECT_THAT(refused(deployer, "x"), StartsWith("400 ValidationError"));
  EXPECT_THAT(refused(deployer, "with space"), StartsWith("400 ValidationError"));
  EXPECT_THAT(refused(deployer, std::string(65, 'x')), StartsWith("400 ValidationError"));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer},
                                         {"RoleSessionName", "ci"},
                                         {"SerialNumber", "arn:aws:iam::1:mfa/x"},
                                         {"TokenCode", "123456"}}),
              HasSubstr("MultiFactorAuthentication"));
}

TEST_F(AssumeRoleTest, LastsAsLongAsTheRoleAllows) {
  role_with("deployer", trust(account_root));
  const std::string alice = user_with("alice", allow("sts:*"));
  use(alice);
  const auto refused = [&](std::string_view seconds) {
    return sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"DurationSeconds", seconds}});
  };
  EXPECT_THAT(refused("899"), StartsWith("400 ValidationError"));
  EXPECT_EQ(refused("3601"),
            "400 ValidationError: The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
  use_root();
  must("UpdateRole", {{"RoleName", "deployer"}, {"MaxSessionDuration", "43200"}});
  use(alice);
  const std::string key = assume({{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"DurationSeconds", "43200"}});
  EXPECT_EQ(sessions->find(key)->expires_at, clock.now() + std::chrono::hours(12));
}

TEST_F(AssumeRoleTest, AChainOfRolesLastsAnHourAtMost) {
  role_with("first", trust(account_root), allow("sts:*"));
  role_with("deployer", trust(account_root));
  must("UpdateRole", {{"RoleName", "deployer"}, {"MaxSessionDuration", "43200"}});
  use(user_with("alice", allow("sts:*")));
  use(assume({{"RoleArn", "arn:aws:iam::123456789012:role/first"}, {"RoleSessionName", "ci"}}));
  EXPECT_THAT(
      sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"DurationSeconds", "3601"}}),
      HasSubstr("role chaining"));
  sts_must("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
}

TEST_F(AssumeRoleTest, TheTrustMayAskForAnExternalId) {
  role_with("deployer", trust(account_root, R"(,"Condition":{"StringEquals":{"sts:ExternalId":"42-x"}})"));
  use(user_with("alice", allow("sts:*")));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}}),
              StartsWith("403 AccessDenied"));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"ExternalId", "43"}}),
              StartsWith("403 AccessDenied"));
  assume({{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"ExternalId", "42-x"}});
}

TEST_F(AssumeRoleTest, TheTrustMayAskForTheSessionsNameAndTheRolesTags) {
  role_with("deployer", trust(account_root, R"(,"Condition":{"StringLike":{"sts:RoleSessionName":"${aws:username}-*"},)"
                                            R"("StringEquals":{"aws:ResourceTag/stage":"test"}})"));
  use(user_with("alice", allow("sts:*")));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "alice-1"}}),
              StartsWith("403 AccessDenied"));
  must("TagRole", {{"RoleName", "deployer"}, {"Tags.member.1.Key", "stage"}, {"Tags.member.1.Value", "test"}});
  assume({{"RoleArn", deployer}, {"RoleSessionName", "alice-1"}});
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "bob-1"}}),
              StartsWith("403 AccessDenied"));
}

TEST_F(AssumeRoleTest, SessionPoliciesOnlyTakeAway) {
  role_with("deployer", trust(account_root),
            document(R"({"Effect":"Allow","Action":["logs:*","ecs:*"],"Resource":"*"})"));
  const std::string arn = policy("list", allow("ecs:List*"));
  use(user_with("alice", allow("sts:*")));
  const Answer answer = sts_must(
      "AssumeRole",
      {{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"Policy", allow_logs}, {"PolicyArns.member.1.arn", arn}});
  EXPECT_EQ(answer.text("PackedPolicySize"), "7");
  const std::string key = answer.text("AccessKeyId");
  EXPECT_EQ(effect(key, "logs:PutLogEvents"), policy::Effect::allowed);
  EXPECT_EQ(effect(key, "ecs:ListTasks"), policy::Effect::allowed);
  EXPECT_EQ(effect(key, "ecs:RunTask"), policy::Effect::implicit_deny);
  EXPECT_EQ(effect(key, "ecr:ListImages"), policy::Effect::implicit_deny);
  use_root();
  must("DeletePolicy", {{"PolicyArn", arn}});
  EXPECT_EQ(effect(key, "ecs:ListTasks"), policy::Effect::implicit_deny);
  EXPECT_EQ(effect(key, "logs:PutLogEvents"), policy::Effect::allowed);
}

TEST_F(AssumeRoleTest, SessionPoliciesThatAreAllGoneAllowNothing) {
  role_with("deployer", trust(account_root), allow_all);
  const std::string arn = policy("list", allow("ecs:List*"));
  use(user_with("alice", allow("sts:*")));
  const std::string key = assume({{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"PolicyArns.member.1.arn", arn}});
  EXPECT_EQ(effect(key, "ecs:ListTasks"), policy::Effect::allowed);
  use_root();
  must("DeletePolicy", {{"PolicyArn", arn}});
  EXPECT_EQ(effect(key, "ecs:ListTasks"), policy::Effect::implicit_deny);
  EXPECT_EQ(effect(key, "ecs:RunTask"), policy::Effect::implicit_deny);
}

TEST_F(AssumeRoleTest, RefusesSessionPoliciesThatCannotBe) {
  role_with("deployer", trust(account_root));
  use(user_with("alice", allow("sts:*")));
  const auto refused = [&](std::string_view name, std::string_view value) {
    return sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {name, value}});
  };
  EXPECT_THAT(refused("Policy", "{"), StartsWith("400 MalformedPolicyDocument"));
  EXPECT_THAT(refused("Policy", trust_ecs), StartsWith("400 MalformedPolicyDocument"));
  EXPECT_THAT(refused("PolicyArns.member.1.arn", "arn:aws:iam::123456789012:policy/missing"),
              StartsWith("400 ValidationError"));
  EXPECT_THAT(refused("Policy", allow("logs:*", "arn:aws:logs:*:*:" + std::string(2048, 'x'))),
              StartsWith("400 PackedPolicyTooLarge: Packed policy consumes 106% of allotted space"));
}

TEST_F(AssumeRoleTest, TagsNeedTheRightToTagAndBecomePrincipalTags) {
  role_with("deployer", trust(account_root, R"(,"Condition":{"StringEqualsIfExists":{"aws:RequestTag/team":"a"}})"));
  role_with("untaggable",
            document(R"({"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"})"));
  use(user_with("alice", allow("sts:*")));
  const auto tagged = [&](std::string_view role, std::string_view value) {
    return sts(
        "AssumeRole",
        {{"RoleArn", role}, {"RoleSessionName", "ci"}, {"Tags.member.1.Key", "team"}, {"Tags.member.1.Value", value}});
  };
  const Answer answer = tagged(deployer, "a");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("PackedPolicySize"), "1");
  EXPECT_EQ(sessions->find(answer.text("AccessKeyId"))->tags, (std::map<std::string, std::string>{{"team", "a"}}));
  EXPECT_EQ(tagged(deployer, "b").code, "AccessDenied");
  const Answer refused = tagged("arn:aws:iam::123456789012:role/untaggable", "a");
  EXPECT_THAT(refused.text("Message"), HasSubstr("is not authorized to perform: sts:TagSession"));
}

TEST_F(AssumeRoleTest, RefusesTagsThatCannotBe) {
  role_with("deployer", trust(account_root));
  use(user_with("alice", allow("sts:*")));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer},
                                         {"RoleSessionName", "ci"},
                                         {"Tags.member.1.Key", "a"},
                                         {"Tags.member.1.Value", ""},
                                         {"Tags.member.2.Key", "A"},
                                         {"Tags.member.2.Value", ""}}),
              HasSubstr("is there twice"));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer},
                                         {"RoleSessionName", "ci"},
                                         {"Tags.member.1.Key", "aws:x"},
                                         {"Tags.member.1.Value", ""}}),
              HasSubstr("reserved"));
  EXPECT_THAT(sts_refused("AssumeRole",
                          {{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"TransitiveTagKeys.member.1", "x"}}),
              HasSubstr("'x' is not among the tags"));
}

TEST_F(AssumeRoleTest, TransitiveTagsAndTheSourceIdentityStayThroughAChain) {
  role_with("first", trust(account_root), allow("sts:*"));
  role_with("deployer", trust(account_root));
  use(user_with("alice", allow("sts:*")));
  use(assume({{"RoleArn", "arn:aws:iam::123456789012:role/first"},
              {"RoleSessionName", "ci"},
              {"Tags.member.1.Key", "team"},
              {"Tags.member.1.Value", "a"},
              {"Tags.member.2.Key", "own"},
              {"Tags.member.2.Value", "b"},
              {"TransitiveTagKeys.member.1", "team"},
              {"SourceIdentity", "alice"}}));
  const Answer second = sts_must("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
  EXPECT_EQ(second.text("SourceIdentity"), "alice");
  const auto session = sessions->find(second.text("AccessKeyId"));
  EXPECT_EQ(session->tags, (std::map<std::string, std::string>{{"team", "a"}}));
  EXPECT_EQ(session->transitive_tag_keys, std::vector<std::string>{"team"});
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer},
                                         {"RoleSessionName", "ci"},
                                         {"Tags.member.1.Key", "Team"},
                                         {"Tags.member.1.Value", "b"}}),
              StartsWith("400 InvalidParameterValue"));
  EXPECT_THAT(sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"SourceIdentity", "bob"}}),
              StartsWith("403 AccessDenied"));
}

TEST_F(AssumeRoleTest, ASourceIdentityNeedsARightOfItsOwn) {
  role_with("deployer", document(R"({"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:AssumeRole"})"));
  use(user_with("alice", allow("sts:*")));
  EXPECT_THAT(
      sts_refused("AssumeRole", {{"RoleArn", deployer}, {"RoleSessionName", "ci"}, {"SourceIdentity", "alice"}}),
      HasSubstr("is not authorized to perform: sts:SetSourceIdentity"));
}

TEST_F(AssumeRoleTest, ASessionDiesWithItsRole) {
  role_with("deployer", trust(account_root));
  use(user_with("alice", allow("sts:*")));
  const std::string key = assume({{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
  EXPECT_TRUE(keys->find(key));
  use_root();
  must("DeleteRole", {{"RoleName", "deployer"}});
  EXPECT_FALSE(keys->find(key));
  EXPECT_FALSE(subject_of_key(*directory->state(), *sessions, key));
  // Another one of the same name is another role.
  role_with("deployer", trust(account_root), allow_all);
  EXPECT_FALSE(keys->find(key));
  EXPECT_FALSE(subject_of_key(*directory->state(), *sessions, key));
}

// How AWS's console ends the sessions of a role that were given out before.
TEST_F(AssumeRoleTest, ADenyOfOlderTokensEndsTheSessionsBeforeIt) {
  role_with("deployer", trust(account_root), allow("ecs:*"));
  const std::string alice = user_with("alice", allow("sts:*"));
  use(alice);
  const std::string older = assume({{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
  clock.advance(std::chrono::minutes(2));
  use_root();
  must("PutRolePolicy", {{"RoleName", "deployer"},
                         {"PolicyName", "AWSRevokeOlderSessions"},
                         {"PolicyDocument",
                          document(R"({"Effect":"Deny","Action":"*","Resource":"*",)"
                                   R"("Condition":{"DateLessThan":{"aws:TokenIssueTime":"2025-06-15T15:07:40Z"}}})")}});
  use(alice);
  const std::string newer = assume({{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
  Subjects subjects(*directory, *sessions);
  const AccessControl access(*directory, *sessions, subjects, *sealer);
  use(older);
  EXPECT_THAT(access.authorize(context, {{"ecs:RunTask", "*", {}}}).error().message,
              HasSubstr("explicit deny in an identity-based policy: inline policy AWSRevokeOlderSessions"));
  use(newer);
  EXPECT_TRUE(access.authorize(context, {{"ecs:RunTask", "*", {}}}));
}

TEST_F(AssumeRoleTest, OneJudgementGivesTheRefusalForBoth) {
  use(user_with("alice", allow("logs:*")));
  Subjects subjects(*directory, *sessions);
  const AccessControl access(*directory, *sessions, subjects, *sealer);
  std::string encoded = "of another call";
  EXPECT_TRUE(access.authorize_encoded(context, {{"logs:GetLogEvents", "*", {}}}, encoded));
  EXPECT_EQ(encoded, "");
  const auto refused = access.authorize_encoded(context, {{"ecs:RunTask", "arn:aws:ecs:x", {}}}, encoded);
  EXPECT_EQ(refused.error().message, access.authorize(context, {{"ecs:RunTask", "arn:aws:ecs:x", {}}}).error().message);
  const Result<std::string> decoded = decode_authorization_message(*sealer, encoded);
  ASSERT_TRUE(decoded);
  EXPECT_THAT(*decoded, AllOf(HasSubstr("ecs:RunTask"), HasSubstr("arn:aws:ecs:x")));
}

TEST_F(AssumeRoleTest, AKeyIsUsedWhereItIsIdentified) {
  role_with("deployer", trust(account_root), allow("ecs:*"));
  const std::string alice = user_with("alice", allow("sts:*"));
  use(alice);
  const std::string session = assume({{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
  EXPECT_FALSE(directory->last_used(alice));
  aws::Verifier verifier(*keys);
  // GetCallerIdentity, for which no policy is asked.
  const auto verify = [&](std::string_view id, std::string_view secret, std::string_view token) {
    http::RequestHead head;
    head.method = "POST";
    head.path = head.target = "/";
    head.headers.add("Host", "localhost");
    aws::sign(head.headers, "POST", "/", "", {std::string(id), std::string(secret), std::string(token)}, "eu-west-1",
              "sts", clock.now());
    return verifier.verify(head, "", clock.now(), {});
  };
  EXPECT_FALSE(verify(alice, "wrong", ""));
  EXPECT_FALSE(directory->last_used(alice)) << "a name is no use";
  EXPECT_TRUE(verify(alice, keys->find(alice)->secret, ""));
  EXPECT_EQ(directory->last_used(alice)->service, "sts");
  EXPECT_EQ(directory->last_used(alice)->region, "eu-west-1");
  const std::string role_id = directory->state()->role("deployer")->id;
  EXPECT_FALSE(directory->last_used(role_id));
  EXPECT_TRUE(verify(session, keys->find(session)->secret, keys->find(session)->session_token));
  EXPECT_EQ(directory->last_used(role_id)->region, "eu-west-1");
}

// A registry's repository whose policy is asked for with every request.
class RepositoryPolicy final : public aws::ResourceFacts {
 public:
  std::map<std::string, std::string> tags_of(std::string_view) const override { return {}; }
  std::string policy_of(std::string_view) const override { return text; }
  std::string text;
};

TEST_F(AssumeRoleTest, AChangedResourcePolicyCountsAtOnce) {
  use(user_with("alice", allow("logs:*")));
  Subjects subjects(*directory, *sessions);
  AccessControl access(*directory, *sessions, subjects, *sealer);
  RepositoryPolicy facts;
  access.facts_of("ecr", facts);
  const auto may = [&] {
    return bool(access.authorize(context, {{"ecr:PutImage", "arn:aws:ecr:x:123456789012:repository/a", {}}}));
  };
  EXPECT_FALSE(may());
  facts.text = document(R"({"Effect":"Allow","Principal":"*","Action":"ecr:*"})");
  EXPECT_TRUE(may());
  EXPECT_TRUE(may());
  facts.text = document(R"({"Effect":"Deny","Principal":"*","Action":"ecr:*"})");
  EXPECT_FALSE(may());
  facts.text = "damaged";
  EXPECT_FALSE(may());
}

TEST_F(AssumeRoleTest, SubjectsAreMadeOnceAndAgainWhenIamChanges) {
  role_with("deployer", trust(account_root), allow("ecs:*"));
  use(user_with("alice", allow("sts:*")));
  const std::string key = assume({{"RoleArn", deployer}, {"RoleSessionName", "ci"}});
  Subjects subjects(*directory, *sessions);
  const auto first = *subjects.of_key(key);
  EXPECT_EQ(*subjects.of_key(key), first);
  EXPECT_EQ(first->identity.size(), 1U);
  use_root();
  must("DeleteRolePolicy", {{"RoleName", "deployer"}, {"PolicyName", "own"}});
  EXPECT_EQ((*subjects.of_key(key))->identity.size(), 0U);
  EXPECT_FALSE(subjects.of_key("AKIAUNKNOWN"));
}

}  // namespace
}  // namespace kaapi::identity
