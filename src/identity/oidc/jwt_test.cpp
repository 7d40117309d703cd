#include "identity/oidc/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "identity/oidc/test_issuer.h"

namespace kaapi::identity::oidc {
namespace {

using testing::HasSubstr;

constexpr std::string_view good_header = R"({"alg":"RS256","kid":"k1"})";
constexpr std::string_view good_payload =
    R"({"iss":"https://issuer.test","sub":"repo:octo/app:ref:refs/heads/main","aud":"sts.amazonaws.com",)"
    R"("exp":1750000300,"nbf":1749999990,"iat":1750000000,"repository":"octo/app","nested":{"a":[1,"b"]}})";

std::string unsigned_token(std::string_view header, std::string_view payload) {
  return base64url_encode(header) + "." + base64url_encode(payload) + "." + base64url_encode("some bytes");
}

std::string refusal_of(const std::string& text) {
  const Result<Jwt> token = parse_jwt(text);
  return token ? "accepted" : token.error().message;
}
std::string header_refusal(std::string_view header) {
  return refusal_of(unsigned_token(header, good_payload));
}
std::string payload_refusal(std::string_view payload) {
  return refusal_of(unsigned_token(good_header, payload));
}

TEST(Jwt, ReadsWhatATokenClaims) {
  const Result<Jwt> token = parse_jwt(unsigned_token(good_header, good_payload));
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->algorithm, Algorithm::rs256);
  EXPECT_EQ(token->kid, "k1");
  EXPECT_EQ(token->issuer, "https://issuer.test");
  EXPECT_EQ(token->subject, "repo:octo/app:ref:refs/heads/main");
  EXPECT_THAT(token->audiences, testing::ElementsAre("sts.amazonaws.com"));
  EXPECT_EQ(token->authorized_party, std::nullopt);
  EXPECT_EQ(token->expires_at_s, 1750000300);
  EXPECT_EQ(token->not_before_s, 1749999990);
  EXPECT_EQ(token->issued_at_s, 1750000000);
  EXPECT_EQ(token->signature, "some bytes");
  EXPECT_EQ(token->signed_text, base64url_encode(good_header) + "." + base64url_encode(good_payload));
  EXPECT_EQ(token->claims.at("repository"), "octo/app");
}

TEST(Jwt, ReadsSeveralAudiencesAndTheAuthorizedParty) {
  const Result<Jwt> token = parse_jwt(
      unsigned_token(R"({"alg":"ES256","kid":"k1","typ":"JWT"})",
                     R"({"iss":"https://i.test","sub":"s","aud":["a","b"],"azp":"client","exp":1750000300})"));
  ASSERT_TRUE(token) << token.error().message;
  EXPECT_EQ(token->algorithm, Algorithm::es256);
  EXPECT_THAT(token->audiences, testing::ElementsAre("a", "b"));
  EXPECT_EQ(token->authorized_party, "client");
  EXPECT_EQ(token->issued_at_s, std::nullopt);
}

TEST(Jwt, RefusesEveryOtherAlgorithm) {
  for (const std::string_view name :
       {"none", "None", "NONE", "", "HS256", "HS384", "HS512", "RS384", "PS256", "ES384", "EdDSA", "rs256"}) {
    EXPECT_THAT(header_refusal(fmt::format(R"({{"alg":"{}","kid":"k1"}})", name)), HasSubstr("none of RS256 and ES256"))
        << name;
  }
  EXPECT_THAT(header_refusal(R"({"kid":"k1"})"), HasSubstr("names no algorithm"));
  EXPECT_THAT(header_refusal(R"({"kid":"k1","alg":["RS256"]})"), HasSubstr("names no algorithm"));
}

TEST(Jwt, RefusesAKeyInsideTheToken) {
  for (const std::string_view name : {"jwk", "jku", "x5u", "x5c"}) {
    EXPECT_THAT(header_refusal(fmt::format(R"({{"alg":"RS256","kid":"k1","{}":"https://evil.test"}})", name)),
                HasSubstr(fmt::format("brings its own key ({})", name)));
  }
}

TEST(Jwt, RefusesExtensionsAndTokensWithoutAKeysName) {
  EXPECT_THAT(header_refusal(R"({"alg":"RS256","kid":"k1","crit":["exp"]})"), HasSubstr("crit"));
  EXPECT_THAT(header_refusal(R"({"alg":"RS256","kid":"k1","b64":false})"), HasSubstr("b64"));
  EXPECT_THAT(header_refusal(R"({"alg":"RS256"})"), HasSubstr("names no key"));
  EXPECT_THAT(header_refusal(R"({"alg":"RS256","kid":""})"), HasSubstr("names no key"));
  EXPECT_THAT(header_refusal(R"({"alg":"RS256","kid":7})"), HasSubstr("names no key"));
}

TEST(Jwt, RefusesTheSameMemberTwiceAtAnyLevel) {
  EXPECT_THAT(header_refusal(R"({"alg":"none","alg":"RS256","kid":"k1"})"), HasSubstr("header holds the member 'alg'"));
  EXPECT_THAT(payload_refusal(R"({"iss":"https://i.test","sub":"a","sub":"b","aud":"x","exp":1750000300})"),
              HasSubstr("payload holds the member 'sub' twice"));
  // The same name behind an escape, and deep inside.
  EXPECT_THAT(payload_refusal(R"({"iss":"https://i.test","sub":"a","s\u0075b":"b","aud":"x","exp":1750000300})"),
              HasSubstr("'sub' twice"));
  EXPECT_THAT(payload_refusal(R"({"iss":"https://i.test","sub":"a","aud":"x","exp":1,"o":[{"p":{"q":1,"q":2}}]})"),
              HasSubstr("'q' twice"));
  // Beside each other is not twice.
  EXPECT_EQ(payload_refusal(R"({"iss":"https://i.test","sub":"a","aud":"x","exp":1,"o":[{"q":1},{"q":2}]})"),
            "accepted");
}

TEST(Jwt, RefusesWhatIsNoToken) {
  const std::string good = unsigned_token(good_header, good_payload);
  EXPECT_EQ(refusal_of(good), "accepted");
  EXPECT_THAT(refusal_of(""), HasSubstr("not a valid JWT"));
  EXPECT_THAT(refusal_of("a.b"), HasSubstr("not a valid JWT"));
  EXPECT_THAT(refusal_of(good + ".x"), HasSubstr("not a valid JWT"));
  EXPECT_THAT(refusal_of(" " + good), HasSubstr("no base64url"));
  EXPECT_THAT(refusal_of(good + "="), HasSubstr("signature is no base64url"));
  EXPECT_THAT(refusal_of(good + "\n"), HasSubstr("signature is no base64url"));
  EXPECT_THAT(refusal_of(good.substr(0, good.rfind('.') + 1)), HasSubstr("signature is no base64url"));
  EXPECT_THAT(header_refusal("[]"), HasSubstr("is no JSON object"));
  EXPECT_THAT(header_refusal("{"), HasSubstr("no well-formed JSON"));
  EXPECT_THAT(payload_refusal("{} x"), HasSubstr("no well-formed JSON"));
  EXPECT_THAT(payload_refusal("{\"iss\":\"\xff\"}"), HasSubstr("no well-formed JSON"));
  std::string deep = R"({"iss":"https://i.test","sub":"a","aud":"x","exp":1,"o":)";
  deep += std::string(40, '[') + std::string(40, ']') + "}";
  EXPECT_THAT(payload_refusal(deep), HasSubstr("no well-formed JSON"));
}

TEST(Jwt, RefusesMoreThanTwentyKilobytes) {
  std::string payload(good_payload);
  payload.insert(1, R"("padding":")" + std::string(16'000, 'x') + R"(",)");
  EXPECT_THAT(payload_refusal(payload), HasSubstr("longer than 20000 bytes"));
}

TEST(Jwt, RefusesTokensThatLackAClaim) {
  EXPECT_EQ(payload_refusal(R"({"sub":"a","aud":"x","exp":1})"), "Missing a required claim: iss");
  EXPECT_EQ(payload_refusal(R"({"iss":"https://i.test","aud":"x","exp":1})"), "Missing a required claim: sub");
  EXPECT_EQ(payload_refusal(R"({"iss":"https://i.test","sub":"a","exp":1})"), "Missing a required claim: aud");
  EXPECT_EQ(payload_refusal(R"({"iss":"https://i.test","sub":"a","aud":"x"})"), "Missing a required claim: exp");
}

TEST(Jwt, RefusesClaimsOfAnotherType) {
  const auto with = [](std::string_view member) {
    return payload_refusal(fmt::format(R"({{"iss":"https://i.test","sub":"a",{}}})", member));
  };
  EXPECT_THAT(with(R"("aud":7,"exp":1)"), HasSubstr("aud"));
  EXPECT_THAT(with(R"("aud":[],"exp":1)"), HasSubstr("aud"));
  EXPECT_THAT(with(R"("aud":["a",7],"exp":1)"), HasSubstr("aud"));
  EXPECT_THAT(with(R"("aud":"x","exp":"1")"), HasSubstr("exp"));
  EXPECT_THAT(with(R"("aud":"x","exp":1.5)"), HasSubstr("exp"));
  EXPECT_THAT(with(R"("aud":"x","exp":-1)"), HasSubstr("exp"));
  EXPECT_THAT(with(R"("aud":"x","exp":9223372036854775807)"), HasSubstr("exp"));
  EXPECT_THAT(with(R"("aud":"x","exp":18446744073709551615)"), HasSubstr("exp"));
  EXPECT_THAT(with(R"("aud":"x","exp":1,"nbf":"soon")"), HasSubstr("nbf"));
  EXPECT_THAT(with(R"("aud":"x","exp":1,"iat":null)"), HasSubstr("iat"));
  EXPECT_THAT(with(R"("aud":"x","exp":1,"azp":7)"), HasSubstr("azp"));
  EXPECT_THAT(payload_refusal(R"({"iss":7,"sub":"a","aud":"x","exp":1})"), HasSubstr("iss"));
  EXPECT_THAT(payload_refusal(R"({"iss":"https://i.test","sub":"a\u0001","aud":"x","exp":1})"), HasSubstr("sub"));
}

TEST(Jwt, IsGoodBetweenItsTimesWithAMinuteOfLeeway) {
  const Jwt token = parse_jwt(unsigned_token(good_header, good_payload)).value();
  const auto code_at = [&](std::int64_t seconds) {
    const Result<void> checked = check_time(token, from_millis(seconds * 1000));
    return checked ? std::string("good") : checked.error().code;
  };
  EXPECT_EQ(code_at(1750000000 - 61), "InvalidIdentityToken");  // iat
  EXPECT_EQ(code_at(1750000000 - 60), "good");
  EXPECT_EQ(code_at(1750000300), "good");
  EXPECT_EQ(code_at(1750000300 + 59), "good");
  EXPECT_EQ(code_at(1750000300 + 60), "ExpiredTokenException");
  const Jwt later = parse_jwt(unsigned_token(good_header, R"({"iss":"https://i.test","sub":"a","aud":"x",)"
                                                          R"("exp":1750009999,"nbf":1750001000})"))
                        .value();
  EXPECT_EQ(check_time(later, from_millis(1750000939'000)).error().code, "InvalidIdentityToken");
  EXPECT_TRUE(check_time(later, from_millis(1750000940'000)));
}

TEST(Base64Url, HasOneSpelling) {
  EXPECT_EQ(base64url_decode("_-8"), "\xff\xef");
  EXPECT_EQ(base64url_decode(""), "");
  EXPECT_EQ(base64url_decode("AA"), std::string(1, '\0'));
  EXPECT_EQ(base64url_decode("AB"), std::nullopt);  // bits behind the last byte
  EXPECT_EQ(base64url_decode("AA=="), std::nullopt);
  EXPECT_EQ(base64url_decode("A"), std::nullopt);
  EXPECT_EQ(base64url_decode("/+8"), std::nullopt);
  EXPECT_EQ(base64url_decode("AA A"), std::nullopt);
}

}  // namespace
}  // namespace kaapi::identity::oidc
