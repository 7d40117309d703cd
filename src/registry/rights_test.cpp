// Rights at /v2/: which questions a request raises, what a refusal looks like, and what the audit log is told.
#include "registry/rights.h"

#include <map>
#include <set>

#include "registry/operations.h"
#include "registry/registry_fixture.h"

namespace kaapi::registry {
namespace {

constexpr std::string_view app_arn = "arn:aws:ecr:eu-north-1:123456789012:repository/app";

class FakeKeys final : public aws::KeyStore {
 public:
  std::optional<aws::AccessKey> find(std::string_view access_key_id) const override {
    const auto found = keys.find(access_key_id);
    return found == keys.end() ? std::nullopt : std::optional(found->second);
  }
  std::map<std::string, aws::AccessKey, std::less<>> keys;
};

// Allows "ecr:PutImage app": an action and a repository.
class FakeAuthorizer final : public aws::Authorizer {
 public:
  std::string arn_of(const aws::CallContext&, std::string_view, std::string_view name) const override {
    return std::string(name);
  }
  Result<std::string> authorize(const aws::CallContext& context,
                                const std::vector<aws::Access>& accesses) const override {
    for (const aws::Access& access : accesses) {
      const std::string repository = access.resource.substr(access.resource.find('/') + 1);
      asked.push_back(access.action + " " + repository);
      if (allowed.contains(asked.back())) continue;
      return make_error(aws::access_denied,
                        fmt::format("User: {} is not authorized to perform: {} on resource: {}", context.principal_arn,
                                    access.action, access.resource),
                        403);
    }
    return std::string("policy P");
  }
  std::set<std::string> allowed;
  mutable std::vector<std::string> asked;
};

class FakeAudit final : public aws::AuditSink {
 public:
  void record(const aws::CallRecord& record) override {
    records.push_back(fmt::format("{}:{} by {} with {} {}", record.service, record.operation,
                                  record.context->principal_arn, record.context->access_key_id,
                                  record.error ? record.error->code : "because of " + record.reason));
    sources.push_back(record.context->source_ip + " " + record.context->user_agent);
    resources.push_back(record.accesses.empty() ? "" : record.accesses.front().resource);
  }
  std::vector<std::string> records;
  std::vector<std::string> sources;
  std::vector<std::string> resources;
};

class RightsTest : public RegistryTest {
 protected:
  void SetUp() override {
    RegistryTest::SetUp();
    aws::AccessKey user;
    user.account_id = account;
    user.principal_arn = "arn:aws:iam::123456789012:user/ci";
    keys_.keys["AKIACI"] = user;
    aws::AccessKey root = user;
    root.principal_arn = "arn:aws:iam::123456789012:root";
    root.is_root = true;
    keys_.keys["AKIAROOT"] = root;
    guard();
    as_root_ = true;
    manifest_ = image_manifest("{}", "layer");
    push_image("app", "v1", "layer");
    as_root_ = false;
    authorizer_.asked.clear();
    audit_.records.clear();
    audit_.sources.clear();
    audit_.resources.clear();
  }
  void guard() { api_ = std::make_unique<HttpApi>(*registry_, tokens_, &keys_, &authorizer_, &audit_); }

  std::string token_of(const std::string& access_key_id) const {
    Token token;
    token.account_id = account;
    token.region = region;
    token.access_key_id = access_key_id;
    token.expires_at = clock_.now() + token_lifetime;
    return "Basic " + base64_encode("AWS:" + tokens_.issue(token));
  }
  Answer ask(const std::string& method, const std::string& target, std::string body = "", const Fields& fields = {}) {
    authorizer_.asked.clear();
    FakeBody reader(std::move(body));
    return send_as(token_of("AKIACI"), method, target, reader, fields);
  }
  // What the fixture's own requests are sent as.
  std::string authorization() const override { return as_root_ ? token_of("AKIAROOT") : token_of("AKIACI"); }

  void allow(std::set<std::string> allowed) { authorizer_.allowed = std::move(allowed); }
  using Asked = std::vector<std::string>;

  FakeKeys keys_;
  FakeAuthorizer authorizer_;
  FakeAudit audit_;
  bool as_root_ = false;
  std::string manifest_;
};

TEST_F(RightsTest, ARefusalSaysWhichRightWasMissing) {
  const Answer refused = ask("POST", "/v2/app/blobs/uploads/");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.code(), "DENIED");
  EXPECT_EQ(refused.message(),
            "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: ecr:InitiateLayerUpload on "
            "resource: arn:aws:ecr:eu-north-1:123456789012:repository/app");
  EXPECT_EQ(audit_.records, Asked{"ecr:InitiateLayerUpload by arn:aws:iam::123456789012:user/ci with AKIACI "
                                  "AccessDeniedException"});
  EXPECT_EQ(audit_.resources, Asked{std::string(app_arn)});
}

// Nothing is served that no action stands for.
TEST_F(RightsTest, EachRequestAsksForItsActions) {
  struct Case {
    std::string method;
    std::string target;
    Asked asked;
    std::string body{};
  };
  const std::string blob = "/v2/app/blobs/" + digest_of("layer");
  const std::string upload = "/v2/app/blobs/uploads/00000000-0000-4000-8000-000000000000";
  const std::vector<Case> cases = {
      {"GET", "/v2/_catalog", {"ecr:DescribeRepositories *"}},
      {"GET", "/v2/app/tags/list", {"ecr:ListImages app"}},
      {"GET", "/v2/app/manifests/v1", {"ecr:BatchGetImage app"}},
      {"HEAD", "/v2/app/manifests/v1", {"ecr:BatchGetImage app"}},
      {"PUT", "/v2/app/manifests/v1", {"ecr:PutImage app"}, "{}"},
      {"DELETE", "/v2/app/manifests/v1", {"ecr:BatchDeleteImage app"}},
      {"GET", blob, {"ecr:GetDownloadUrlForLayer app"}},
      {"HEAD", blob, {"ecr:BatchCheckLayerAvailability app", "ecr:GetDownloadUrlForLayer app"}},
      {"DELETE", blob, {"ecr:BatchDeleteImage app"}},
      {"POST", "/v2/app/blobs/uploads/", {"ecr:InitiateLayerUpload app"}},
      {"POST", "/v2/app/blobs/uploads/?digest=" + digest_of("x"), {"ecr:InitiateLayerUpload app"}, "x"},
      {"POST", "/v2/app/blobs/uploads/?mount=" + digest_of("x") + "&from=app", {"ecr:InitiateLayerUpload app"}},
      {"PATCH", upload, {"ecr:UploadLayerPart app"}, "x"},
      {"PUT", upload + "?digest=" + digest_of("x"), {"ecr:UploadLayerPart app"}, "x"},
      {"GET", upload, {"ecr:UploadLayerPart app"}},
      {"HEAD", upload, {"ecr:UploadLayerPart app"}},
      {"DELETE", upload, {"ecr:UploadLayerPart app"}},
  };
  for (const Case& each : cases) {
    const Answer answer = ask(each.method, each.target, each.body);
    EXPECT_EQ(answer.status, 403) << each.method << " " << each.target;
    EXPECT_EQ(authorizer_.asked, each.asked) << each.method << " " << each.target;
  }
  EXPECT_EQ(audit_.records.size(), cases.size());
}

TEST_F(RightsTest, APushNeedsWhatAwsSaysAPushNeeds) {
  allow({"ecr:BatchCheckLayerAvailability app", "ecr:InitiateLayerUpload app", "ecr:UploadLayerPart app",
         "ecr:CompleteLayerUpload app", "ecr:PutImage app"});
  const std::string digest = digest_of("fresh");
  EXPECT_EQ(ask("HEAD", "/v2/app/blobs/" + digest).status, 404);
  const std::string location = ask("POST", "/v2/app/blobs/uploads/").header("Location");
  EXPECT_EQ(ask("PATCH", location, "fresh").status, 202);
  EXPECT_EQ(ask("PUT", location + "?digest=" + digest, "", {{"Content-Length", "0"}}).status, 201);
  EXPECT_EQ(ask("PUT", "/v2/app/manifests/v2", manifest_, {{"Content-Type", std::string(manifest_type)}}).status, 201);
  EXPECT_EQ(audit_.records,
            (Asked{"ecr:CompleteLayerUpload by arn:aws:iam::123456789012:user/ci with AKIACI because of policy P",
                   "ecr:PutImage by arn:aws:iam::123456789012:user/ci with AKIACI because of policy P"}));
  EXPECT_EQ(audit_.sources.front(), "192.0.2.7 docker/20.10");
  // It may push, not pull.
  EXPECT_EQ(ask("GET", "/v2/app/manifests/v2").status, 403);
  EXPECT_EQ(ask("GET", "/v2/app/blobs/" + digest).status, 403);
  EXPECT_EQ(ask("HEAD", "/v2/app/blobs/" + digest).status, 200);
}

TEST_F(RightsTest, TheLastRequestOfAnUploadAsksForItsBytesToo) {
  allow({"ecr:InitiateLayerUpload app", "ecr:CompleteLayerUpload app"});
  const std::string location = ask("POST", "/v2/app/blobs/uploads/").header("Location");
  EXPECT_EQ(ask("PUT", location + "?digest=" + digest_of("x"), "x").status, 403);
  EXPECT_EQ(ask("POST", "/v2/app/blobs/uploads/?digest=" + digest_of("x"), "x").status, 403);
  EXPECT_EQ(ask("PUT", location + "?digest=" + digest_of(""), "", {{"Content-Length", "0"}}).status, 201);
}

TEST_F(RightsTest, APullNeedsTwoActions) {
  allow({"ecr:BatchGetImage app", "ecr:GetDownloadUrlForLayer app"});
  EXPECT_EQ(ask("GET", "/v2/app/manifests/v1").status, 200);
  EXPECT_EQ(ask("HEAD", "/v2/app/blobs/" + digest_of("layer")).status, 200);
  EXPECT_EQ(ask("GET", "/v2/app/blobs/" + digest_of("layer")).status, 200);
  EXPECT_EQ(ask("POST", "/v2/app/blobs/uploads/").status, 403);
  EXPECT_EQ(audit_.records.at(0),
            "ecr:BatchGetImage by arn:aws:iam::123456789012:user/ci with AKIACI because of policy P");
  EXPECT_EQ(audit_.records.size(), 2U);  // the manifest and the refusal; not every layer
}

TEST_F(RightsTest, AFailureAfterTheRightIsRecordedAsOne) {
  allow({"ecr:BatchGetImage app"});
  EXPECT_EQ(ask("GET", "/v2/app/manifests/v9").status, 404);
  EXPECT_EQ(audit_.records.at(0),
            "ecr:BatchGetImage by arn:aws:iam::123456789012:user/ci with AKIACI MANIFEST_UNKNOWN");
}

TEST_F(RightsTest, AMountNeedsTheRightToReadTheSource) {
  add_repository("other");
  const std::string target = "/v2/other/blobs/uploads/?mount=" + digest_of("layer") + "&from=app";
  const std::set<std::string> push = {"ecr:InitiateLayerUpload other", "ecr:CompleteLayerUpload other"};
  allow(push);
  EXPECT_EQ(ask("POST", target).status, 202);  // an upload instead, as the specification says
  EXPECT_EQ(audit_.records, Asked{});
  std::set<std::string> some = push;
  some.insert("ecr:GetDownloadUrlForLayer app");
  allow(some);
  EXPECT_EQ(ask("POST", target).status, 202);
  some.insert("ecr:BatchGetImage app");
  allow(some);
  EXPECT_EQ(ask("POST", target).status, 201);
  some.erase("ecr:CompleteLayerUpload other");
  allow(some);
  EXPECT_EQ(ask("POST", target).status, 202);
  EXPECT_EQ(ask("POST", "/v2/other/blobs/uploads/?mount=" + digest_of("layer") + "&from=*").status, 202);
}

TEST_F(RightsTest, EveryValidTokenMayLogIn) {
  EXPECT_EQ(ask("GET", "/v2/").status, 200);
  EXPECT_EQ(authorizer_.asked, Asked{});
  EXPECT_EQ(audit_.records, Asked{});
}

TEST_F(RightsTest, ATokenIsWorthNoMoreThanItsKey) {
  allow({"ecr:BatchGetImage app"});
  EXPECT_EQ(ask("GET", "/v2/app/manifests/v1").status, 200);
  keys_.keys["AKIACI"].expires_at = clock_.now() + std::chrono::seconds(1);
  EXPECT_EQ(ask("GET", "/v2/app/manifests/v1").status, 200);
  clock_.advance(std::chrono::seconds(1));
  const Answer expired = ask("GET", "/v2/app/manifests/v1");
  EXPECT_EQ(expired.status, 401);
  EXPECT_NE(expired.message().find("session"), std::string::npos);
  keys_.keys.erase("AKIACI");  // deleted, inactive or revoked
  const Answer gone = ask("GET", "/v2/");
  EXPECT_EQ(gone.status, 401);
  EXPECT_NE(gone.message().find("AKIACI"), std::string::npos);
  EXPECT_NE(gone.message().find("aws ecr get-login-password"), std::string::npos);
  EXPECT_EQ(audit_.records.back(), "ecr:GetAuthorizationToken by  with AKIACI UNAUTHORIZED");
}

TEST_F(RightsTest, AKeyOfAnotherAccountIsNone) {
  keys_.keys["AKIACI"].account_id = "999999999999";
  EXPECT_EQ(ask("GET", "/v2/").status, 401);
}

TEST_F(RightsTest, ATokenThatNamesNoKeyIsRefused) {
  FakeBody empty("");
  EXPECT_EQ(send_as(token_of(""), "GET", "/v2/app/manifests/v1", empty).status, 401);
}

TEST_F(RightsTest, RequestsWithoutCredentialsAreNotRecorded) {
  FakeBody empty("");
  EXPECT_EQ(send_as("", "GET", "/v2/", empty).status, 401);
  EXPECT_EQ(audit_.records, Asked{});
  EXPECT_EQ(send_as("Basic " + base64_encode("AWS:guess"), "GET", "/v2/", empty).status, 401);
  EXPECT_EQ(audit_.records.size(), 1U);
}

TEST_F(RightsTest, TheRootIsAskedNothing) {
  as_root_ = true;
  push_image("app", "v3", "more");
  EXPECT_EQ(send("GET", "/v2/app/manifests/v3").status, 200);
  EXPECT_EQ(authorizer_.asked, Asked{});
  EXPECT_EQ(audit_.records.back(),
            "ecr:BatchGetImage by arn:aws:iam::123456789012:root with AKIAROOT because of the account's root");
}

TEST_F(RightsTest, ThePlatformPullsForItselfAndNothingElse) {
  const std::string pull = "Basic " + base64_encode("AWS:" + password(region, true));
  FakeBody empty("");
  EXPECT_EQ(send_as(pull, "GET", "/v2/app/manifests/v1", empty).status, 200);
  EXPECT_EQ(send_as(pull, "GET", "/v2/app/blobs/" + digest_of("layer"), empty).status, 200);
  EXPECT_EQ(authorizer_.asked, Asked{});
  EXPECT_EQ(send_as(pull, "POST", "/v2/app/blobs/uploads/", empty).code(), "DENIED");
  EXPECT_EQ(send_as(pull, "DELETE", "/v2/app/manifests/v1", empty).code(), "DENIED");
}

TEST_F(RightsTest, WithoutAuthenticationNobodyIsAsked) {
  auth_ = false;
  start();
  guard();
  FakeBody empty("");
  EXPECT_EQ(send_as("", "GET", "/v2/app/manifests/v1", empty).status, 200);
  EXPECT_EQ(send_as(token_of("AKIAGONE"), "DELETE", "/v2/app/manifests/v1", empty).status, 202);
  EXPECT_EQ(authorizer_.asked, Asked{});
  EXPECT_EQ(audit_.records.size(), 2U);
}

TEST_F(RightsTest, TheTokenNotesTheKeyThatAskedForIt) {
  aws::Dispatcher dispatcher;
  add_operations(dispatcher, *registry_, tokens_);
  http::Request request;
  request.head.method = "POST";
  request.head.headers.add("X-Amz-Target", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken");
  request.body = "{}";
  aws::CallContext context;
  context.account_id = account;
  context.region = region;
  context.access_key_id = "AKIACI";
  context.now = clock_.now();
  const http::Response response = dispatcher.call(dispatcher.route(request, "ecr"), context, request);
  const json::value answer = *parse_json(std::get<std::string>(response.body));
  const std::string token =
      string_member(find_member(answer, "authorizationData")->as_array().at(0), "authorizationToken");
  allow({"ecr:ListImages app"});
  FakeBody empty("");
  EXPECT_EQ(send_as("Basic " + token, "GET", "/v2/app/tags/list", empty).status, 200);
  EXPECT_EQ(send_as("Basic " + token, "GET", "/v2/app/manifests/v1", empty).status, 403);
}

}  // namespace
}  // namespace kaapi::registry
