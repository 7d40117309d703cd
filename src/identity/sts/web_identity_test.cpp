#include "identity/sts/sts_test_support.h"
#include "identity/sts/subject.h"

namespace kaapi::identity {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view deployer = "arn:aws:iam::123456789012:role/deployer";
const std::string issuer = "https://token.actions.test";
constexpr std::string_view provider = "arn:aws:iam::123456789012:oidc-provider/token.actions.test";
constexpr std::int64_t now_s = 1'750'000'000;  // as the clock of the test starts

// The conditions of a trust policy for the issuer's tokens.
std::string web_trust(std::string_view condition) {
  return document(fmt::format(R"({{"Effect":"Allow","Principal":{{"Federated":"{}"}},)"
                              R"("Action":["sts:AssumeRoleWithWebIdentity","sts:TagSession"],"Condition":{}}})",
                              provider, condition));
}

class WebIdentityTest : public StsTest {
 protected:
  WebIdentityTest() {
    fetcher.publish(issuer, oidc::key_set({key.jwk("k1")}));
    must("CreateOpenIDConnectProvider", {{"Url", issuer}, {"ClientIDList.member.1", "sts.amazonaws.com"}});
    role_with("deployer",
              web_trust(R"({"StringEquals":{"token.actions.test:aud":"sts.amazonaws.com"},)"
                        R"("StringLike":{"token.actions.test:sub":"repo:octo/app:*"}})"),
              allow("ecs:UpdateService"));
    // Nobody: the request is not signed.
    context.access_key_id = context.principal_arn = context.user_id = "";
    context.is_root = false;
  }

  // A payload with these members instead of, or besides, the usual ones.
  static std::string payload(std::string_view sub = "repo:octo/app:ref:refs/heads/main", std::string_view more = "",
                             std::string_view aud = R"("sts.amazonaws.com")", std::string_view iss = issuer) {
    return fmt::format(R"({{"iss":"{}","sub":"{}","aud":{},"iat":{},"nbf":{},"exp":{}{}}})", iss, sub, aud, now_s,
                       now_s - 5, now_s + 300, more);
  }
  Answer assume(const std::string& token, std::string_view role = deployer) {
    return sts("AssumeRoleWithWebIdentity",
               {{"RoleArn", role}, {"RoleSessionName", "run-1"}, {"WebIdentityToken", token}});
  }
  // "400 InvalidIdentityToken: why", or "200 : ".
  std::string outcome(const std::string& token, std::string_view role = deployer) {
    const Answer answer = assume(token, role);
    return fmt::format("{} {}: {}", answer.status, answer.code, answer.text("Message"));
  }
  void set_trust(std::string_view document) {
    must("UpdateAssumeRolePolicy", {{"RoleName", "deployer"}, {"PolicyDocument", document}});
  }

  // Made once: making an RSA key takes a while.
  inline static const oidc::TestKey key = oidc::TestKey::rsa();
  inline static const oidc::TestKey other_key = oidc::TestKey::rsa();
};

TEST_F(WebIdentityTest, GivesTheRoleToATokenThatItsTrustNames) {
  const Answer answer = assume(key.token("k1", payload()));
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.text("SubjectFromWebIdentityToken"), "repo:octo/app:ref:refs/heads/main");
  EXPECT_EQ(answer.text("Audience"), "sts.amazonaws.com");
  EXPECT_EQ(answer.text("Provider"), provider);
  EXPECT_EQ(answer.text("Arn"), "arn:aws:sts::123456789012:assumed-role/deployer/run-1");
  const auto session = sessions->find(answer.text("AccessKeyId"));
  EXPECT_EQ(session->federated_provider, provider);
  EXPECT_EQ(session->claims.at("token.actions.test:sub"),
            std::vector<std::string>{"repo:octo/app:ref:refs/heads/main"});
  const policy::Subject subject = subject_of_session(*directory->state(), *session).value();
  const policy::MapContext nothing;
  EXPECT_EQ(policy::evaluate(subject, {"ecs:UpdateService", "*", nothing}).effect, policy::Effect::allowed);
  EXPECT_EQ(policy::evaluate(subject, {"ecs:DeleteService", "*", nothing}).effect, policy::Effect::implicit_deny);
}

TEST_F(WebIdentityTest, TakesTokensOfALocalIssuerWithoutANetwork) {
  fetcher.documents.clear();
  issuers.add_local(issuer, [] { return oidc::key_set({key.jwk("k1")}); });
  EXPECT_EQ(outcome(key.token("k1", payload())), "200 : ");
  EXPECT_EQ(fetcher.asked(), 0);
}

TEST_F(WebIdentityTest, TakesES256) {
  const oidc::TestKey ec = oidc::TestKey::ec();
  fetcher.publish(issuer, oidc::key_set({ec.jwk("e1")}));
  EXPECT_EQ(outcome(ec.token("e1", payload())), "200 : ");
}

TEST_F(WebIdentityTest, RefusesTokensWithoutASignature) {
  EXPECT_THAT(
      outcome(oidc::base64url_encode(R"({"alg":"none","kid":"k1"})") + "." + oidc::base64url_encode(payload()) + "."),
      StartsWith("400 InvalidIdentityToken"));
  EXPECT_THAT(outcome(key.sign(R"({"alg":"none","kid":"k1"})", payload())), HasSubstr("none of RS256 and ES256"));
}

TEST_F(WebIdentityTest, RefusesHS256SignedWithThePublicKey) {
  const std::string text =
      oidc::base64url_encode(R"({"alg":"HS256","kid":"k1"})") + "." + oidc::base64url_encode(payload());
  const std::string token = text + "." + oidc::base64url_encode(hmac_sha256(key.jwk("k1"), text));
  EXPECT_THAT(outcome(token), HasSubstr("none of RS256 and ES256"));
}

TEST_F(WebIdentityTest, RefusesAKeyInsideTheToken) {
  const std::string header = fmt::format(R"({{"alg":"RS256","kid":"k1","jwk":{}}})", other_key.jwk("k1"));
  EXPECT_THAT(outcome(other_key.sign(header, payload())), HasSubstr("brings its own key (jwk)"));
  EXPECT_THAT(outcome(other_key.sign(R"({"alg":"RS256","kid":"k1","jku":"https://evil.test/keys"})", payload())),
              HasSubstr("brings its own key (jku)"));
  EXPECT_THAT(outcome(other_key.sign(R"({"alg":"RS256","kid":"k1","x5u":"https://evil.test/cert"})", payload())),
              HasSubstr("brings its own key (x5u)"));
  EXPECT_EQ(fetcher.asked(), 0);
}

TEST_F(WebIdentityTest, RefusesDuplicateClaims) {
  EXPECT_THAT(outcome(key.token("k1", payload("repo:evil/app:x", R"(,"sub":"repo:octo/app:x")"))),
              HasSubstr("holds the member 'sub' twice"));
}

TEST_F(WebIdentityTest, RefusesAnotherIssuersKeyOfTheSameName) {
  const std::string other = "https://other.test";
  fetcher.publish(other, oidc::key_set({other_key.jwk("k1")}));
  use_root();
  must("CreateOpenIDConnectProvider", {{"Url", other}, {"ClientIDList.member.1", "sts.amazonaws.com"}});
  // Signed by the other issuer, in the name of ours.
  EXPECT_THAT(outcome(other_key.token("k1", payload())),
              StartsWith("400 InvalidIdentityToken: The token's signature is not that of key"));
  // In its own name its token is good, and the role's trust names another provider.
  EXPECT_THAT(outcome(other_key.token("k1", payload("repo:octo/app:x", "", R"("sts.amazonaws.com")", other))),
              StartsWith("403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"));
}

TEST_F(WebIdentityTest, RefusesIssuersThatAreNotRegistered) {
  EXPECT_EQ(outcome(key.token("k1", payload("s", "", R"("a")", "https://evil.test"))),
            "400 InvalidIdentityToken: No OpenIDConnect provider found in your account for https://evil.test");
  EXPECT_THAT(outcome(key.token("k1", payload("s", "", R"("a")", "http://token.actions.test"))),
              HasSubstr("No OpenIDConnect provider found"));
  EXPECT_EQ(fetcher.asked(), 0);
}

TEST_F(WebIdentityTest, RefusesTokensOutsideTheirTime) {
  const std::string token = key.token("k1", payload());
  EXPECT_EQ(outcome(token), "200 : ");
  // A token may be used again while it is good, as on AWS; after its end a replay is refused.
  EXPECT_EQ(outcome(token), "200 : ");
  clock.advance(std::chrono::seconds(359));
  EXPECT_EQ(outcome(token), "200 : ");
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(outcome(token), fmt::format("400 ExpiredTokenException: Token expired: current date/time {} must be before "
                                        "the expiration date/time {}",
                                        now_s + 360, now_s + 300));
  clock.set(from_millis((now_s - 61) * 1000));
  EXPECT_THAT(outcome(token), StartsWith("400 InvalidIdentityToken: The token was issued in the future"));
}

TEST_F(WebIdentityTest, RefusesTokensForAnotherAudience) {
  EXPECT_EQ(outcome(key.token("k1", payload("repo:octo/app:x", "", R"("https://github.com/octo")"))),
            fmt::format("400 InvalidIdentityToken: Incorrect token audience: 'https://github.com/octo' is no client id "
                        "of the provider {}",
                        provider));
  EXPECT_EQ(fetcher.asked(), 0);
  EXPECT_EQ(outcome(key.token("k1", payload("repo:octo/app:x", "", R"(["a","sts.amazonaws.com"])"))), "200 : ");
}

TEST_F(WebIdentityTest, TheAuthorizedPartyGoesBeforeTheAudience) {
  EXPECT_THAT(outcome(key.token("k1", payload("repo:octo/app:x", R"(,"azp":"another-client")"))),
              HasSubstr("Incorrect token audience"));
  set_trust(web_trust(R"({"StringEquals":{"token.actions.test:aud":"sts.amazonaws.com",)"
                      R"("token.actions.test:oaud":"api"}})"));
  EXPECT_EQ(outcome(key.token("k1", payload("s", R"(,"azp":"sts.amazonaws.com")", R"("api")"))), "200 : ");
}

TEST_F(WebIdentityTest, AWildcardUnderStringEqualsMatchesNothing) {
  set_trust(web_trust(R"({"StringEquals":{"token.actions.test:sub":"repo:octo/app:*"}})"));
  EXPECT_EQ(outcome(key.token("k1", payload("repo:octo/app:ref:refs/heads/main"))),
            "403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity on resource: "
            "arn:aws:iam::123456789012:role/deployer because no role trust policy allows the "
            "sts:AssumeRoleWithWebIdentity action. The token is of https://token.actions.test for audience "
            "sts.amazonaws.com; its subject is repo:octo/app:ref:refs/heads/main");
}

TEST_F(WebIdentityTest, AMissingClaimUnderForAllValuesHoldsUnlessItMustBeThere) {
  // As AWS documents: ForAllValues is true when there is no value at all.
  set_trust(web_trust(R"({"ForAllValues:StringEquals":{"token.actions.test:environment":["production"]}})"));
  EXPECT_EQ(outcome(key.token("k1", payload())), "200 : ");
  EXPECT_THAT(outcome(key.token("k1", payload("s", R"(,"environment":"staging")"))), StartsWith("403 AccessDenied"));
  set_trust(web_trust(R"({"ForAllValues:StringEquals":{"token.actions.test:environment":["production"]},)"
                      R"("Null":{"token.actions.test:environment":"false"}})"));
  EXPECT_THAT(outcome(key.token("k1", payload())), StartsWith("403 AccessDenied"));
  EXPECT_EQ(outcome(key.token("k1", payload("s", R"(,"environment":"production")"))), "200 : ");
}

TEST_F(WebIdentityTest, AClaimThatIsMissingFailsAPlainCondition) {
  set_trust(web_trust(R"({"StringEquals":{"token.actions.test:environment":"production"}})"));
  EXPECT_THAT(outcome(key.token("k1", payload())), StartsWith("403 AccessDenied"));
}

TEST_F(WebIdentityTest, ATrustThatNamesNoSubjectLetsEveryTokenOfTheIssuerIn) {
  set_trust(web_trust(R"({"StringEquals":{"token.actions.test:aud":"sts.amazonaws.com"}})"));
  EXPECT_EQ(outcome(key.token("k1", payload("repo:somebody/else:x"))), "200 : ");
}

TEST_F(WebIdentityTest, EveryClaimCanBeAConditionKey) {
  set_trust(web_trust(
      R"({"StringEquals":{"token.actions.test:repository_owner":"octo","token.actions.test:run_attempt":"2",)"
      R"("token.actions.test:protected":"true"},"ForAnyValue:StringEquals":{"token.actions.test:amr":"mfa"}})"));
  EXPECT_EQ(outcome(key.token("k1", payload("s", R"(,"repository_owner":"octo","run_attempt":2,"protected":true,)"
                                                 R"("amr":["pwd","mfa"],"object":{"a":1})"))),
            "200 : ");
  EXPECT_THAT(outcome(key.token("k1", payload("s", R"(,"repository_owner":"octo","run_attempt":2,"protected":false,)"
                                                   R"("amr":["pwd","mfa"])"))),
              StartsWith("403 AccessDenied"));
}

// Condition keys are not told apart by case: the second would stand in for the first.
TEST_F(WebIdentityTest, RefusesClaimsThatDifferByCaseAlone) {
  EXPECT_EQ(outcome(key.token("k1", payload("repo:evil/app:x", R"(,"SUB":"repo:octo/app:x")"))),
            "400 InvalidIdentityToken: the token holds two claims that differ from 'SUB' by case at most");
  EXPECT_THAT(outcome(key.token("k1", payload("repo:octo/app:x", R"(,"team":"a","Team":{"b":1})"))),
              StartsWith("400 InvalidIdentityToken"));
  EXPECT_EQ(outcome(key.token("k1", payload("repo:octo/app:x", R"(,"Team":"a")"))), "200 : ");
}

TEST_F(WebIdentityTest, ATokenCanTagTheSession) {
  const std::string tagged = R"(,"https://aws.amazon.com/tags":{"principal_tags":{"team":["a"],"stage":"test"},)"
                             R"("transitive_tag_keys":["team"]})";
  const Answer answer = assume(key.token("k1", payload("repo:octo/app:x", tagged)));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const auto session = sessions->find(answer.text("AccessKeyId"));
  EXPECT_EQ(session->tags, (std::map<std::string, std::string>{{"stage", "test"}, {"team", "a"}}));
  EXPECT_EQ(session->transitive_tag_keys, std::vector<std::string>{"team"});
  EXPECT_THAT(outcome(key.token("k1", payload("repo:octo/app:x", R"(,"https://aws.amazon.com/tags":{"team":"a"})"))),
              StartsWith("400 InvalidIdentityToken"));
  set_trust(document(fmt::format(
      R"({{"Effect":"Allow","Principal":{{"Federated":"{}"}},"Action":"sts:AssumeRoleWithWebIdentity"}})", provider)));
  EXPECT_THAT(outcome(key.token("k1", payload("repo:octo/app:x", tagged))),
              HasSubstr("Not authorized to perform sts:TagSession"));
}

TEST_F(WebIdentityTest, ARoleThatIsNotThereLooksLikeOneThatMayNotBeAssumed) {
  EXPECT_THAT(outcome(key.token("k1", payload()), "arn:aws:iam::123456789012:role/missing"),
              StartsWith("403 AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity"));
}

TEST_F(WebIdentityTest, SaysWhenTheIssuerCannotBeReached) {
  fetcher.documents.clear();
  EXPECT_THAT(outcome(key.token("k1", payload())), StartsWith("400 IDPCommunicationError"));
}

TEST_F(WebIdentityTest, RefusesMoreThanTwentyKilobytes) {
  const std::string token = key.token("k1", payload("repo:octo/app:x", R"(,"x":")" + std::string(16'000, 'x') + "\""));
  ASSERT_GT(token.size(), 20'000U);
  EXPECT_THAT(outcome(token), StartsWith("400 ValidationError"));
  EXPECT_THAT(outcome(token), Not(HasSubstr("xxxxxxxx")));
}

TEST_F(WebIdentityTest, RefusesOAuthTokensAndBadDurations) {
  const std::string token = key.token("k1", payload());
  const auto with = [&](std::string_view name, std::string_view value) {
    return sts_refused(
        "AssumeRoleWithWebIdentity",
        {{"RoleArn", deployer}, {"RoleSessionName", "run-1"}, {"WebIdentityToken", token}, {name, value}});
  };
  EXPECT_THAT(with("ProviderId", "www.amazon.com"), StartsWith("400 ValidationError"));
  EXPECT_THAT(with("DurationSeconds", "3601"), HasSubstr("exceeds the MaxSessionDuration"));
  EXPECT_THAT(with("DurationSeconds", "10"), StartsWith("400 ValidationError"));
  EXPECT_THAT(outcome("not.a.token"), StartsWith("400 InvalidIdentityToken"));
}

TEST_F(WebIdentityTest, RefusesANewlyRegisteredProvidersClientOnceItWasRemoved) {
  use_root();
  must("RemoveClientIDFromOpenIDConnectProvider",
       {{"OpenIDConnectProviderArn", provider}, {"ClientID", "sts.amazonaws.com"}});
  EXPECT_THAT(outcome(key.token("k1", payload())), HasSubstr("Incorrect token audience"));
  must("DeleteOpenIDConnectProvider", {{"OpenIDConnectProviderArn", provider}});
  EXPECT_THAT(outcome(key.token("k1", payload())), HasSubstr("No OpenIDConnect provider found"));
}

}  // namespace
}  // namespace kaapi::identity
