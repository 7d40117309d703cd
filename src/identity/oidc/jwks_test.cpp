#include "identity/oidc/jwks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "identity/oidc/test_issuer.h"

namespace kaapi::identity::oidc {
namespace {

constexpr std::string_view payload = R"({"iss":"https://issuer.test","sub":"s","aud":"a","exp":1750000300})";

const TestKey& rsa() {
  static const TestKey key = TestKey::rsa();
  return key;
}
const TestKey& ec() {
  static const TestKey key = TestKey::ec();
  return key;
}

bool verifies(const std::string& keys, const std::string& token) {
  return KeySet::parse(keys).value().verifies(parse_jwt(token).value());
}
std::size_t usable(const std::string& keys) {
  return KeySet::parse(keys).value().keys().size();
}

TEST(Jwks, VerifiesBothAlgorithms) {
  const std::string keys = key_set({rsa().jwk("r", R"("use":"sig","alg":"RS256",)"), ec().jwk("e")});
  EXPECT_TRUE(verifies(keys, rsa().token("r", payload)));
  EXPECT_TRUE(verifies(keys, ec().token("e", payload)));
  EXPECT_TRUE(verifies(keys + "\n", ec().token("e", payload)));
}

// The example of RFC 7515, appendix A.3: somebody else's signature, with its key.
TEST(Jwks, VerifiesTheExampleOfTheStandard) {
  Jwt token;
  token.algorithm = Algorithm::es256;
  token.kid = "a3";
  token.signed_text =
      "eyJhbGciOiJFUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVl"
      "fQ";
  token.signature =
      base64url_decode("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q")
          .value();
  const KeySet keys =
      KeySet::parse(
          R"({"keys":[{"kid":"a3","kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
          R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})")
          .value();
  EXPECT_TRUE(keys.verifies(token));
  token.signed_text.back() = 'R';
  EXPECT_FALSE(keys.verifies(token));
}

TEST(Jwks, AChangedTokenDoesNotVerify) {
  const std::string keys = key_set({rsa().jwk("r"), ec().jwk("e")});
  for (const TestKey* key : {&rsa(), &ec()}) {
    const std::string_view kid = key == &rsa() ? "r" : "e";
    Jwt token = parse_jwt(key->token(kid, payload)).value();
    const KeySet set = KeySet::parse(keys).value();
    ASSERT_TRUE(set.verifies(token));
    Jwt changed = token;
    changed.signed_text += "x";
    EXPECT_FALSE(set.verifies(changed));
    changed = token;
    changed.signature.back() = static_cast<char>(changed.signature.back() ^ 1);
    EXPECT_FALSE(set.verifies(changed));
    changed = token;
    changed.signature.pop_back();
    EXPECT_FALSE(set.verifies(changed));
    changed.signature = std::string(64, '\0');
    EXPECT_FALSE(set.verifies(changed));
  }
}

TEST(Jwks, OnlyTheKeyThatTheTokenNamesCounts) {
  const TestKey other = TestKey::ec();
  EXPECT_FALSE(verifies(key_set({ec().jwk("e")}), other.token("e", payload)));
  EXPECT_FALSE(verifies(key_set({ec().jwk("e")}), ec().token("another", payload)));
  // Two keys of one name are told apart by who has signed.
  EXPECT_TRUE(verifies(key_set({other.jwk("e"), ec().jwk("e")}), ec().token("e", payload)));
  // A key of the other kind under the same name.
  EXPECT_FALSE(verifies(key_set({rsa().jwk("e")}), ec().token("e", payload)));
}

TEST(Jwks, LeavesOutWhatCannotBeUsed) {
  EXPECT_EQ(usable(key_set({rsa().jwk("k", R"("use":"enc",)")})), 0U);
  EXPECT_EQ(usable(key_set({rsa().jwk("k", R"("alg":"RS512",)")})), 0U);
  EXPECT_EQ(usable(key_set({rsa().jwk("k", R"("alg":"ES256",)")})), 0U);
  EXPECT_EQ(usable(key_set({rsa().jwk("k", R"("key_ops":["encrypt"],)")})), 0U);
  EXPECT_EQ(usable(key_set({rsa().jwk("k", R"("key_ops":["verify"],)")})), 1U);
  EXPECT_EQ(usable(key_set({R"({"kty":"OKP","crv":"Ed25519","kid":"k","x":"AA"})",
                            R"({"kty":"oct","kid":"k","k":"c2VjcmV0"})", R"({"kty":"EC","kid":"k","crv":"P-384"})",
                            R"({"kty":"RSA","kid":"k","n":"AQAB"})", R"({"kty":"RSA","kid":"k","n":"!","e":"AQAB"})",
                            R"({})", rsa().jwk("good")})),
            1U);
}

TEST(Jwks, LeavesOutWeakAndBrokenKeys) {
  EXPECT_EQ(usable(key_set({TestKey::rsa(1024).jwk("k")})), 0U);
  // An even exponent, an exponent of one, a modulus of zeros.
  std::string jwk = rsa().jwk("k");
  const std::string exponent = R"("e":"AQAB")";
  jwk.replace(jwk.find(exponent), exponent.size(), R"("e":"AQAA")");
  EXPECT_EQ(usable(key_set({jwk})), 0U);
  jwk.replace(jwk.find(R"("e":"AQAA")"), exponent.size(), R"("e":"AQ")");
  EXPECT_EQ(usable(key_set({jwk})), 0U);
  const std::string zeros = base64url_encode(std::string(256, '\0'));
  EXPECT_EQ(usable(key_set({R"({"kty":"RSA","kid":"k","n":")" + zeros + R"(","e":"AQAB"})"})), 0U);
  // A point that is not on the curve.
  const std::string ones = base64url_encode(std::string(32, '\1'));
  EXPECT_EQ(usable(key_set({R"({"kty":"EC","crv":"P-256","kid":"k","x":")" + ones + R"(","y":")" + ones + R"("})"})),
            0U);
}

TEST(Jwks, RefusesWhatIsNoKeySet) {
  EXPECT_EQ(KeySet::parse("").error().code, errc::invalid);
  EXPECT_EQ(KeySet::parse("[]").error().code, errc::invalid);
  EXPECT_EQ(KeySet::parse(R"({"keys":{}})").error().code, errc::invalid);
  EXPECT_EQ(KeySet::parse(R"({"keys":["k"]})").error().code, errc::invalid);
  EXPECT_EQ(KeySet::parse(R"({"keys":[],"keys":[]})").error().code, errc::invalid);
  EXPECT_EQ(KeySet::parse(std::string(max_jwks_bytes + 1, ' ')).error().code, errc::too_large);
  std::string many = R"({"keys":[{})";
  for (std::size_t i = 0; i < max_jwks_keys; ++i) many += ",{}";
  EXPECT_EQ(KeySet::parse(many + "]}").error().code, errc::too_large);
}

}  // namespace
}  // namespace kaapi::identity::oidc
