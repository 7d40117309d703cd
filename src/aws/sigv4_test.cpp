#include "aws/sigv4.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aws/wire_time.h"
#include "base/text.h"

namespace kaapi::aws {
namespace {

using testing::HasSubstr;

const Credentials suite_key{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""};
const Time suite_time = *parse_basic_time("20150830T123600Z");

class OneKey final : public KeyStore {
 public:
  std::optional<AccessKey> find(std::string_view access_key_id) const override {
    if (access_key_id != suite_key.access_key_id) return std::nullopt;
    return AccessKey{secret, token, "123456789012", "arn:aws:iam::123456789012:root", "123456789012", true, expires_at};
  }
  std::string secret = suite_key.secret_access_key;
  std::string token;
  std::optional<Time> expires_at;
};

http::RequestHead make_head(std::string_view method, std::string_view target) {
  http::RequestHead head;
  head.method = method;
  head.target = target;
  head.path = target.substr(0, target.find('?'));
  head.query = head.path.size() < target.size() ? target.substr(head.path.size() + 1) : "";
  return head;
}

// One example of AWS's published Signature Version 4 test suite.
struct SuiteCase {
  std::string name;
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;  // besides host and x-amz-date
  std::string signed_headers;
  std::string body;
  std::string signature;
};
void PrintTo(const SuiteCase& suite_case, std::ostream* out) {
  *out << suite_case.name;
}

class Sigv4Suite : public testing::TestWithParam<SuiteCase> {};

TEST_P(Sigv4Suite, SignatureIsThePublishedOneAndVerifies) {
  const SuiteCase& example = GetParam();
  http::RequestHead head = make_head(example.method, example.target);
  head.headers.add("Host", "example.amazonaws.com");
  for (const auto& [name, value] : example.headers) head.headers.add(name, value);
  head.headers.add("X-Amz-Date", "20150830T123600Z");

  const std::string scope = "20150830/us-east-1/service/aws4_request";
  const std::string canonical = canonical_request(head.method, head.path, head.query,
                                                  canonical_headers(head.headers, example.signed_headers).value(),
                                                  example.signed_headers, hex(sha256_digest(example.body)));
  const HmacKey key = signing_key(suite_key.secret_access_key, "20150830", "us-east-1", "service");
  EXPECT_EQ(hex(key.sign(string_to_sign("20150830T123600Z", scope, canonical))), example.signature) << canonical;

  head.headers.add("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + scope + ", SignedHeaders=" +
                                        example.signed_headers + ", Signature=" + example.signature);
  const OneKey keys;
  Verifier verifier(keys);
  VerifyOptions options;
  options.service = "service";
  const Result<Caller> caller = verifier.verify(head, example.body, suite_time, options);
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ(caller->region, "us-east-1");
}

INSTANTIATE_TEST_SUITE_P(
    Published, Sigv4Suite,
    testing::Values(SuiteCase{"get_vanilla",
                              "GET",
                              "/",
                              {},
                              "host;x-amz-date",
                              "",
                              "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
                    SuiteCase{"get_vanilla_query_order_key_case",
                              "GET",
                              "/?Param2=value2&Param1=value1",
                              {},
                              "host;x-amz-date",
                              "",
                              "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
                    SuiteCase{"get_relative",
                              "GET",
                              "/example/..",
                              {},
                              "host;x-amz-date",
                              "",
                              "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
                    SuiteCase{"get_slashes",
                              "GET",
                              "//",
                              {},
                              "host;x-amz-date",
                              "",
                              "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
                    SuiteCase{"get_header_value_trim",
                              "GET",
                              "/",
                              {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
                              "host;my-header1;my-header2;x-amz-date",
                              "",
                              "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
                    SuiteCase{"get_header_key_duplicate",
                              "GET",
                              "/",
                              {{"My-Header1", "value2"}, {"My-Header1", "value2"}, {"My-Header1", "value1"}},
                              "host;my-header1;x-amz-date",
                              "",
                              "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
                    SuiteCase{"post_vanilla",
                              "POST",
                              "/",
                              {},
                              "host;x-amz-date",
                              "",
                              "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
                    SuiteCase{"post_x_www_form_urlencoded",
                              "POST",
                              "/",
                              {{"Content-Type", "application/x-www-form-urlencoded"}},
                              "content-type;host;x-amz-date",
                              "Param1=value1",
                              "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"}),
    [](const testing::TestParamInfo<SuiteCase>& example) { return example.param.name; });

// The worked example of the AWS General Reference (IAM ListUsers).
TEST(Sigv4, SigningKeyOfTheGeneralReference) {
  http::Headers headers;
  headers.add("Host", "iam.amazonaws.com");
  headers.add("Content-Type", "application/x-www-form-urlencoded; charset=utf-8");
  sign(headers, "GET", "/?Action=ListUsers&Version=2010-05-08", "", suite_key, "us-east-1", "iam", suite_time);
  EXPECT_EQ(headers.find("Authorization"),
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

TEST(Sigv4, HmacIsRfc4231s) {
  EXPECT_EQ(hex(HmacKey("Jefe").sign("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  // A key longer than a block.
  EXPECT_EQ(hex(HmacKey(std::string(131, '\xaa')).sign("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(hex(sha256_digest("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sigv4, CanonicalPath) {
  EXPECT_EQ(canonical_path(""), "/");
  EXPECT_EQ(canonical_path("/a/./b/../c/"), "/a/c/");
  EXPECT_EQ(canonical_path("/../../a"), "/a");
  EXPECT_EQ(canonical_path("/a%20b"), "/a%2520b");
}

TEST(Sigv4, CanonicalQuery) {
  EXPECT_EQ(canonical_query("b=2&a=2&a=1&c"), "a=1&a=2&b=2&c=");
  EXPECT_EQ(canonical_query("x=%7e%2f&y=~"), "x=~%2F&y=~");
  EXPECT_EQ(canonical_query("bad=%zz"), "bad=%25zz");
}

TEST(Sigv4, CanonicalHeadersNeedEveryListedHeader) {
  http::Headers headers;
  headers.add("Host", "a");
  EXPECT_EQ(canonical_headers(headers, "host"), "host:a\n");
  EXPECT_FALSE(canonical_headers(headers, "host;x-amz-date"));
  EXPECT_FALSE(canonical_headers(headers, "host;;x"));
  std::string many = "host";
  for (std::size_t i = 0; i < max_signed_headers; ++i) many += ";host";
  EXPECT_FALSE(canonical_headers(headers, many));
}

TEST(Sigv4, BrokenAuthorizationHeadersAreRefusedWithAReason) {
  const std::string good =
      "AWS4-HMAC-SHA256 Credential=A/20150830/r/s/aws4_request, SignedHeaders=host, Signature=" + std::string(64, 'a');
  EXPECT_TRUE(parse_authorization(good));
  const auto without = [&](std::string_view part, std::string_view replacement) {
    std::string text = good;
    text.replace(text.find(part), part.size(), replacement);
    const auto parsed = parse_authorization(text);
    return parsed ? std::string("accepted") : parsed.error().message;
  };
  EXPECT_THAT(without("AWS4-HMAC-SHA256 ", "Basic "), HasSubstr("algorithm"));
  EXPECT_THAT(without("Credential", "Credentials"), HasSubstr("requires 'Credential'"));
  EXPECT_THAT(without("SignedHeaders=host", "SignedHeaders="), HasSubstr("requires 'SignedHeaders'"));
  EXPECT_THAT(without("Signature", "Sig"), HasSubstr("requires 'Signature'"));
  EXPECT_THAT(without("aaaa", "AAAA"), HasSubstr("hex digits"));
  EXPECT_THAT(without("/aws4_request", ""), HasSubstr("5 slash-delimited"));
  EXPECT_THAT(without("A/2015", "/2015"), HasSubstr("5 slash-delimited"));
  EXPECT_THAT(without("20150830", "2015083x"), HasSubstr("date"));
  EXPECT_THAT(without("/r/", "/../"), HasSubstr("region"));
  EXPECT_FALSE(parse_authorization(std::string(max_authorization_bytes + 1, 'A')));
  EXPECT_FALSE(parse_authorization(""));
}

class VerifierTest : public testing::Test {
 protected:
  VerifierTest() {
    head_ = make_head("POST", "/");
    head_.headers.add("Host", "localhost:4566");
    head_.headers.add("Content-Type", "application/x-amz-json-1.1");
    head_.headers.add("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.ListClusters");
    options_.service = "ecs";
  }
  void sign_it(const Credentials& credentials = suite_key) {
    sign(head_.headers, "POST", "/", body_, credentials, "us-east-1", "ecs", suite_time);
  }
  Result<Caller> verify(Time now = suite_time) { return verifier_.verify(head_, body_, now, options_); }
  std::string code(Time now = suite_time) {
    const Result<Caller> caller = verify(now);
    return caller ? "accepted" : fmt::format("{} {}", caller.error().status, caller.error().code);
  }

  http::RequestHead head_;
  std::string body_ = "{}";
  VerifyOptions options_;
  OneKey keys_;
  Verifier verifier_{keys_};
};

TEST_F(VerifierTest, AcceptsWhatSignSigned) {
  sign_it();
  const Result<Caller> caller = verify();
  ASSERT_TRUE(caller) << caller.error().message;
  EXPECT_EQ(caller->key.account_id, "123456789012");
  EXPECT_EQ(caller->access_key_id, "AKIDEXAMPLE");
  EXPECT_EQ(caller->region, "us-east-1");
  EXPECT_EQ(code(), "accepted");  // from the cached key
}

TEST_F(VerifierTest, EveryRefusalHasItsProtocolsNameAndStatus) {
  EXPECT_EQ(code(), "400 MissingAuthenticationTokenException");
  head_.headers.set("Authorization", "Bearer x");
  EXPECT_EQ(code(), "400 IncompleteSignatureException");
  sign_it({"AKIDOTHER", "x", ""});
  EXPECT_EQ(code(), "400 UnrecognizedClientException");
  sign_it({"AKIDEXAMPLE", "x", ""});
  EXPECT_EQ(code(), "400 InvalidSignatureException");

  options_.protocol = Protocol::query;
  EXPECT_EQ(code(), "403 SignatureDoesNotMatch");
  sign_it({"AKIDOTHER", "x", ""});
  EXPECT_EQ(code(), "403 InvalidClientTokenId");
  head_.headers.set("Authorization", "Bearer x");
  EXPECT_EQ(code(), "400 IncompleteSignature");
  head_.headers = {};
  EXPECT_EQ(code(), "403 MissingAuthenticationToken");
}

TEST_F(VerifierTest, AnyChangeBreaksTheSignature) {
  sign_it();
  body_ = "{ }";
  EXPECT_EQ(code(), "400 InvalidSignatureException");
  body_ = "{}";
  head_.headers.set("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.DeleteCluster");
  EXPECT_EQ(code(), "400 InvalidSignatureException");
  sign_it();
  head_.query = "a=b";
  EXPECT_EQ(code(), "400 InvalidSignatureException");
  head_.query = "";
  head_.method = "GET";
  EXPECT_EQ(code(), "400 InvalidSignatureException");
}

TEST_F(VerifierTest, TheClockMayDifferByFiveMinutes) {
  sign_it();
  EXPECT_EQ(code(suite_time + max_clock_skew), "accepted");
  EXPECT_EQ(code(suite_time - max_clock_skew), "accepted");
  const Result<Caller> late = verify(suite_time + max_clock_skew + Duration(1));
  EXPECT_EQ(late.error().message,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123600Z (20150830T124100Z - 5 min.)");
  const Result<Caller> early = verify(suite_time - max_clock_skew - std::chrono::seconds(1));
  EXPECT_EQ(
      early.error().message,
      "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)");
}

TEST_F(VerifierTest, TheScopesDateAndServiceMustBeTheRequests) {
  sign_it();
  options_.service = "ecr";
  EXPECT_EQ(verify().error().message, "Credential should be scoped to correct service: 'ecr'.");
  options_.service = "ecs";
  head_.headers.set("X-Amz-Date", "20150831T123600Z");
  EXPECT_THAT(verify().error().message, HasSubstr("Date in Credential scope does not match"));
  head_.headers.set("X-Amz-Date", "yesterday");
  EXPECT_EQ(code(), "400 IncompleteSignatureException");
}

TEST_F(VerifierTest, HostAndAmzHeadersMustBeSigned) {
  sign_it();
  head_.headers.add("X-Amz-Extra", "1");
  EXPECT_EQ(verify().error().message, "'x-amz-extra' must be a 'SignedHeader' in the AWS Authorization.");
  http::Headers headers = head_.headers;
  head_.headers = {};
  head_.headers.add("X-Amz-Date", "20150830T123600Z");
  sign(head_.headers, "POST", "/", body_, suite_key, "us-east-1", "ecs", suite_time);
  EXPECT_EQ(verify().error().message, "'host' must be a 'SignedHeader' in the AWS Authorization.");
}

TEST_F(VerifierTest, TheBodysHashIsChecked) {
  head_.headers.add("X-Amz-Content-Sha256", hex(sha256_digest("other")));
  sign_it();
  EXPECT_THAT(verify().error().message, HasSubstr("x-amz-content-sha256"));
  head_.headers.set("X-Amz-Content-Sha256", hex(sha256_digest(body_)));
  sign_it();
  EXPECT_EQ(code(), "accepted");
}

TEST_F(VerifierTest, UnsignedPayloadOnlyWhereItIsAllowed) {
  const std::string signed_headers = "host;x-amz-content-sha256;x-amz-date;x-amz-target";
  head_.headers.add("X-Amz-Content-Sha256", std::string(unsigned_payload));
  head_.headers.add("X-Amz-Date", "20150830T123600Z");
  const std::string scope = "20150830/us-east-1/ecs/aws4_request";
  const std::string canonical = canonical_request(
      "POST", "/", "", canonical_headers(head_.headers, signed_headers).value(), signed_headers, unsigned_payload);
  const std::string signature = hex(signing_key(suite_key.secret_access_key, "20150830", "us-east-1", "ecs")
                                        .sign(string_to_sign("20150830T123600Z", scope, canonical)));
  head_.headers.add("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" + scope +
                                         ",SignedHeaders=" + signed_headers + ",Signature=" + signature);
  EXPECT_EQ(code(), "400 InvalidSignatureException");
  options_.allow_unsigned_payload = true;
  EXPECT_EQ(code(), "accepted");
}

TEST_F(VerifierTest, ASessionsTokenMustBeTheKeys) {
  sign_it();
  keys_.token = "session";
  EXPECT_EQ(code(), "400 UnrecognizedClientException");
  Credentials session = suite_key;
  session.session_token = "session";
  sign_it(session);
  EXPECT_EQ(code(), "accepted");
  keys_.token = "";
  EXPECT_EQ(code(), "400 UnrecognizedClientException");
}

TEST_F(VerifierTest, AChangedSecretIsNotServedFromTheCache) {
  sign_it();
  EXPECT_EQ(code(), "accepted");
  keys_.secret = "another secret";
  EXPECT_EQ(code(), "400 InvalidSignatureException");
}

TEST(WireTime, ReadsAndWrites) {
  EXPECT_EQ(format_basic_time(suite_time), "20150830T123600Z");
  EXPECT_EQ(parse_wire_time("2015-08-30T12:36:00Z"), suite_time);
  EXPECT_EQ(parse_wire_time("2015-08-30T12:36:00.25Z"), suite_time + Duration(250));
  for (const std::string_view bad : {"", "2015-08-30T12:36:00", "2015-13-30T12:36:00Z", "2015-08-30T12:36:00.Z",
                                     "2015-08-3aT12:36:00Z", "2015-02-30T12:36:00Z", "2015-08-30T24:36:00Z"}) {
    EXPECT_FALSE(parse_wire_time(bad)) << bad;
  }
  for (const std::string_view bad : {"", "20150830T123600", "20150830 123600Z", "20151330T123600Z"}) {
    EXPECT_FALSE(parse_basic_time(bad)) << bad;
  }
}

// URLs made by botocore's SigV4QueryAuth with the suite's key at the suite's time.
constexpr std::string_view presigned_start =
    "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIDEXAMPLE%"
    "2F20150830%2F"
    "us-east-1%2Fsts%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host";
constexpr std::string_view presigned_end =
    "&X-Amz-Signature=212c098c1dc1e00e3afe061d2a9b666867a3284d88cf9f0020bc8e59e040ae9b";
constexpr std::string_view presigned_session_end =
    "&X-Amz-Security-Token=tok%2Fen%2B1%3D&X-Amz-Signature="
    "278ddc91bbc14de51f1abbcaaa5e6c76d7c732eb4954759876e4e40394e18935";

class PresignedTest : public VerifierTest {
 protected:
  PresignedTest() {
    head_ = make_head("GET", "/");
    head_.headers.add("Host", "localhost:4566");
    head_.query = fmt::format("{}{}", presigned_start, presigned_end);
    body_.clear();
    options_ = {Protocol::query, "sts", false};
  }
  void replace(std::string_view part, std::string_view by) {
    const std::size_t at = head_.query.find(part);
    ASSERT_NE(at, std::string::npos);
    head_.query.replace(at, part.size(), by);
  }
};

TEST_F(PresignedTest, AcceptsWhatBotocoreSigned) {
  EXPECT_EQ(code(), "accepted");
  EXPECT_EQ(verify()->region, "us-east-1");
  keys_.token = "tok/en+1=";
  EXPECT_EQ(code(), "403 InvalidClientTokenId");
  head_.query = fmt::format("{}{}", presigned_start, presigned_session_end);
  EXPECT_EQ(code(), "accepted");
}

TEST_F(PresignedTest, IsGoodForItsLifetimeAndNoLonger) {
  EXPECT_EQ(code(suite_time + std::chrono::seconds(60)), "accepted");
  EXPECT_EQ(code(suite_time + std::chrono::seconds(61)), "400 RequestExpired");
  EXPECT_EQ(code(suite_time - std::chrono::minutes(5)), "accepted");
  EXPECT_EQ(code(suite_time - std::chrono::minutes(6)), "403 SignatureDoesNotMatch");
}

TEST_F(PresignedTest, AnyChangeBreaksTheSignature) {
  const std::string good = head_.query;
  for (const auto& [part, by] : {std::pair("GetCallerIdentity", "AssumeRole"), std::pair("Expires=60", "Expires=600"),
                                 std::pair("=host&", "=host&x=&"), std::pair("Version", "Versiom")}) {
    head_.query = good;
    replace(part, by);
    EXPECT_EQ(code(), "403 SignatureDoesNotMatch") << part;
  }
  head_.query = good;
  body_ = "Action=AssumeRole";
  EXPECT_EQ(code(), "403 SignatureDoesNotMatch");
}

TEST_F(PresignedTest, SaysWhichParameterIsMissingTwiceOrOutOfRange) {
  const std::string good = head_.query;
  for (const auto& [part, by, word] :
       {std::tuple("&X-Amz-Expires=60", "", "X-Amz-Expires"),
        std::tuple("Expires=60", "Expires=0", "between 1 and 604800"),
        std::tuple("Expires=60", "Expires=604801", "between 1 and 604800"),
        std::tuple("&X-Amz-Date", "&X-Amz-Date=20150830T123600Z&X-Amz-Date", "X-Amz-Date"),
        std::tuple("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256", "SigV4A"), std::tuple("HMAC", "HMAK", "algorithm")}) {
    head_.query = good;
    replace(part, by);
    EXPECT_EQ(code(), "400 IncompleteSignature") << by;
    EXPECT_THAT(verify().error().message, HasSubstr(word));
  }
}

TEST_F(VerifierTest, ASessionThatIsOverIsToldOnlyToWhoKnowsItsSecret) {
  keys_.token = "token";
  keys_.expires_at = suite_time;
  sign_it({"AKIDEXAMPLE", suite_key.secret_access_key, "token"});
  EXPECT_EQ(code(), "400 ExpiredTokenException");
  options_.protocol = Protocol::query;
  EXPECT_EQ(code(), "403 ExpiredToken");
  sign_it({"AKIDEXAMPLE", "guess", "token"});
  EXPECT_EQ(code(), "403 SignatureDoesNotMatch");
}

TEST(ParseAuthorization, RefusesSigV4AByName) {
  const Result<Authorization> parsed =
      parse_authorization("AWS4-ECDSA-P256-SHA256 Credential=A/20150830/iam/aws4_request");
  EXPECT_THAT(parsed.error().message, HasSubstr("SigV4A (AWS4-ECDSA-P256-SHA256) is not supported"));
}

}  // namespace
}  // namespace kaapi::aws
