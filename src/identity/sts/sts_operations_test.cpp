#include "aws/front_door.h"
#include "identity/sts/authorization_message.h"
#include "identity/sts/sts_test_support.h"
#include "identity/sts/subject.h"

namespace kaapi::identity {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class StsOperationsTest : public StsTest {
 protected:
  StsOperationsTest() { use_root(); }

  // GetCallerIdentity through the front door, signed.
  Answer who_am_i(const aws::Credentials& credentials) {
    http::Request request;
    request.head.method = "POST";
    request.head.target = request.head.path = "/";
    request.head.headers.add("Host", "localhost:4566");
    request.head.headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
    request.body = "Action=GetCallerIdentity&Version=2011-06-15";
    aws::sign(request.head.headers, "POST", "/", request.body, credentials, "eu-west-1", "sts", clock.now());
    aws::FrontDoor door(*dispatcher, *keys, clock, {});
    const http::Response response = door(request);
    Answer answer{response.status, std::get<std::string>(response.body), ""};
    answer.code = answer.text("Code");
    return answer;
  }
  static aws::Credentials credentials(const Answer& answer) {
    return {answer.text("AccessKeyId"), answer.text("SecretAccessKey"), answer.text("SessionToken")};
  }
  policy::Effect effect(std::string_view key, std::string_view action) {
    const policy::Subject subject = subject_of_key(*directory->state(), *sessions, key).value();
    const policy::MapContext nothing;
    return policy::evaluate(subject, {action, "*", nothing}).effect;
  }
};

TEST_F(StsOperationsTest, SaysWhoIsCalling) {
  const aws::Credentials root{test_account.access_key_id, test_account.secret_access_key, ""};
  const Answer answer = who_am_i(root);
  EXPECT_THAT(answer.body,
              HasSubstr("<GetCallerIdentityResult><UserId>123456789012</UserId><Account>123456789012</Account>"
                        "<Arn>arn:aws:iam::123456789012:root</Arn></GetCallerIdentityResult>"));
  EXPECT_EQ(who_am_i({test_account.access_key_id, "another secret", ""}).code, "SignatureDoesNotMatch");
}

TEST_F(StsOperationsTest, ASessionNeedsItsTokenAndItsTime) {
  use(user_with("alice", ""));
  const aws::Credentials session = credentials(sts_must("GetSessionToken", {{"DurationSeconds", "900"}}));
  EXPECT_EQ(who_am_i(session).text("Arn"), "arn:aws:iam::123456789012:user/alice");
  EXPECT_EQ(who_am_i({session.access_key_id, session.secret_access_key, ""}).code, "InvalidClientTokenId");
  EXPECT_EQ(who_am_i({session.access_key_id, session.secret_access_key, "made up"}).code, "InvalidClientTokenId");
  EXPECT_EQ(who_am_i({session.access_key_id, "made up", session.session_token}).code, "SignatureDoesNotMatch");
  clock.advance(std::chrono::seconds(900));
  EXPECT_EQ(who_am_i(session).code, "ExpiredToken");
}

TEST_F(StsOperationsTest, ARevokedSessionIsUnknown) {
  use(user_with("alice", ""));
  const aws::Credentials session = credentials(sts_must("GetSessionToken"));
  EXPECT_EQ(who_am_i(session).status, 200);
  ASSERT_TRUE(sessions->revoke(session.access_key_id));
  EXPECT_EQ(who_am_i(session).code, "InvalidClientTokenId");
}

TEST_F(StsOperationsTest, SessionTokensHaveTheUsersRightsButForIam) {
  const std::string alice = user_with("alice", allow_all);
  use(alice);
  const std::string key = sts_must("GetSessionToken").text("AccessKeyId");
  EXPECT_EQ(sessions->find(key)->expires_at, clock.now() + std::chrono::hours(12));
  EXPECT_EQ(effect(key, "ecs:RunTask"), policy::Effect::allowed);
  EXPECT_EQ(effect(key, "sts:AssumeRole"), policy::Effect::allowed);
  EXPECT_EQ(effect(key, "iam:CreateUser"), policy::Effect::explicit_deny);
  EXPECT_EQ(effect(alice, "iam:CreateUser"), policy::Effect::allowed);
  use(key);
  EXPECT_EQ(sts_refused("GetSessionToken"), "403 AccessDenied: Cannot call GetSessionToken with session credentials");
}

TEST_F(StsOperationsTest, SessionTokensLastFromAQuarterOfAnHourToADayAndAHalf) {
  use(user_with("alice", ""));
  EXPECT_THAT(sts_refused("GetSessionToken", {{"DurationSeconds", "899"}}), StartsWith("400 ValidationError"));
  EXPECT_THAT(sts_refused("GetSessionToken", {{"DurationSeconds", "129601"}}), StartsWith("400 ValidationError"));
  sts_must("GetSessionToken", {{"DurationSeconds", "129600"}});
  // Root's are cut to an hour.
  use_root();
  const std::string key = sts_must("GetSessionToken", {{"DurationSeconds", "129600"}}).text("AccessKeyId");
  EXPECT_EQ(sessions->find(key)->expires_at, clock.now() + std::chrono::hours(1));
  EXPECT_THAT(
      sts_refused("GetSessionToken", {{"SerialNumber", "arn:aws:iam::123456789012:mfa/x"}, {"TokenCode", "123456"}}),
      HasSubstr("MultiFactorAuthentication"));
}

TEST_F(StsOperationsTest, ASessionTokenDiesWithItsUser) {
  const std::string alice = user_with("alice", "");
  use(alice);
  const std::string key = sts_must("GetSessionToken").text("AccessKeyId");
  EXPECT_TRUE(keys->find(key));
  use_root();
  must("DeleteAccessKey", {{"UserName", "alice"}, {"AccessKeyId", alice}});
  must("DeleteUser", {{"UserName", "alice"}});
  EXPECT_FALSE(keys->find(key));
  user("alice");
  EXPECT_FALSE(keys->find(key));
}

TEST_F(StsOperationsTest, RootsSessionsEndWithTheKeyThatAskedForThem) {
  const Answer answer = sts_must("GetSessionToken");
  const std::string key = answer.text("AccessKeyId");
  EXPECT_EQ(who_am_i(credentials(answer)).text("Arn"), "arn:aws:iam::123456789012:root");
  EXPECT_EQ(effect(key, "ecs:RunTask"), policy::Effect::allowed);
  EXPECT_EQ(effect(key, "iam:CreateUser"), policy::Effect::explicit_deny);
  EXPECT_FALSE(keys->find(key)->is_root);
  Account replaced = test_account;
  replaced.access_key_id = "AKIAIOSFODNN7REPLACE";
  keys->replace_root(replaced);
  EXPECT_FALSE(keys->find(key));
  EXPECT_FALSE(keys->find(test_account.access_key_id));
  EXPECT_TRUE(keys->find(replaced.access_key_id)->is_root);
}

TEST_F(StsOperationsTest, AnInactiveKeyIsUnknown) {
  const std::string alice = user_with("alice", "");
  EXPECT_TRUE(keys->find(alice));
  must("UpdateAccessKey", {{"UserName", "alice"}, {"AccessKeyId", alice}, {"Status", "Inactive"}});
  EXPECT_FALSE(keys->find(alice));
}

TEST_F(StsOperationsTest, TellsWhoseAKeyIs) {
  const std::string alice = user_with("alice", "");
  must("UpdateAccessKey", {{"UserName", "alice"}, {"AccessKeyId", alice}, {"Status", "Inactive"}});
  const std::string session = sts_must("GetSessionToken").text("AccessKeyId");
  for (const std::string& key : {alice, session, test_account.access_key_id}) {
    EXPECT_EQ(sts_must("GetAccessKeyInfo", {{"AccessKeyId", key}}).text("Account"), "123456789012");
  }
  EXPECT_THAT(sts_refused("GetAccessKeyInfo", {{"AccessKeyId", "AKIAIOSFODNN7UNKNOWN"}}),
              StartsWith("400 ValidationError"));
}

TEST_F(StsOperationsTest, DecodesItsOwnMessagesOnly) {
  const policy::Subject alice = [&] {
    user_with("alice", allow("ecs:*"));
    return subject_of_user(*directory->state(), "alice").value();
  }();
  const policy::MapContext nothing;
  const policy::Request request{"iam:CreateUser", "arn:aws:iam::123456789012:user/bob", nothing};
  const policy::Decision decision = policy::evaluate(alice, request);
  std::string encoded = encode_authorization_message(*sealer, alice.principal, request, decision);
  EXPECT_LE(encoded.size(), max_encoded_message_bytes);
  EXPECT_THAT(encoded, Not(HasSubstr("alice")));
  const std::string decoded =
      sts_must("DecodeAuthorizationMessage", {{"EncodedMessage", encoded}}).text("DecodedMessage");
  EXPECT_THAT(decoded, HasSubstr("allowed&quot;:false"));
  EXPECT_THAT(decoded, HasSubstr("arn:aws:iam::123456789012:user/alice"));
  encoded[encoded.size() / 2] = encoded[encoded.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_THAT(sts_refused("DecodeAuthorizationMessage", {{"EncodedMessage", encoded}}),
              StartsWith("400 InvalidAuthorizationMessageException"));
  EXPECT_THAT(sts_refused("DecodeAuthorizationMessage", {{"EncodedMessage", "hello"}}),
              StartsWith("400 InvalidAuthorizationMessageException"));
}

TEST_F(StsOperationsTest, ALongMessageIsShortenedToFit) {
  policy::Decision decision;
  for (int i = 0; i < 100; ++i) {
    decision.matched.push_back({"identity", std::string(5000, 'p'), "statement 1", true, {}, {}});
  }
  const policy::MapContext nothing;
  const std::string encoded =
      encode_authorization_message(*sealer, {}, {std::string(9000, 'a'), "*", nothing}, decision);
  EXPECT_LE(encoded.size(), max_encoded_message_bytes);
  EXPECT_TRUE(decode_authorization_message(*sealer, encoded));
}

TEST_F(StsOperationsTest, WithAuthOffEverybodyMayAssumeEveryRole) {
  role_with("deployer", trust_ecs);
  aws::Dispatcher open_door;
  add_sts_operations(open_door, {*directory, *sessions, *keys, issuers, *sealer, false});
  context.access_key_id = "anything";
  http::Request request;
  request.head.method = "POST";
  request.head.target = request.head.path = "/";
  request.head.headers.add("Content-Type", "application/x-www-form-urlencoded");
  request.body =
      "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/deployer&RoleSessionName=ci";
  context.now = clock.now();
  EXPECT_EQ(open_door.call(open_door.route(request, "sts"), context, request).status, 200);
}

}  // namespace
}  // namespace kaapi::identity
