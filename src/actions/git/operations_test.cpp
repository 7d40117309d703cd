#include "actions/git/operations.h"

#include <gtest/gtest.h>

#include "actions/git/test_repository.h"
#include "base/json.h"

namespace kaapi::actions::git {
namespace {

// Root's key, and that of a session that ends in an hour.
class Keys final : public aws::KeyStore {
 public:
  explicit Keys(Time end) : end_(end) {}
  std::optional<aws::AccessKey> find(std::string_view id) const override {
    aws::AccessKey key;
    if (id == "ASIA") key.expires_at = end_;
    return key;
  }

 private:
  Time end_;
};

// Nobody but root may anything that is asked here.
class Rights final : public aws::Authorizer {
 public:
  std::string arn_of(const aws::CallContext&, std::string_view, std::string_view name) const override {
    return std::string(name);
  }
  Result<std::string> authorize(const aws::CallContext&, const std::vector<aws::Access>& accesses) const override {
    return make_error(aws::access_denied, "no " + accesses.front().action);
  }
};

class OperationsTest : public ::testing::Test {
 protected:
  OperationsTest() {
    add_operations(dispatcher, {*all.repositories,
                                tokens,
                                mirrors,
                                pushes,
                                gate,
                                keys,
                                all.clock,
                                {"123456789012", "us-east-1", true},
                                [this](const std::string& repository) -> Result<void> {
                                  forgotten.push_back(repository);
                                  if (busy) return make_error(errc::conflict, "run 3 is not over");
                                  return ok();
                                }});
    context.account_id = "123456789012";
    context.region = "us-east-1";
    context.principal_arn = "arn:aws:iam::123456789012:user/ann";
    context.access_key_id = "AKIA";
  }
  json::value call(const std::string& operation, const json::value& request, int expected_status = 200) {
    return call(dispatcher, operation, request, expected_status);
  }
  json::value call(const aws::Dispatcher& to, const std::string& operation, const json::value& request,
                   int expected_status = 200) {
    http::Request wire;
    wire.head.method = "POST";
    wire.head.path = "/";
    wire.head.headers.add("X-Amz-Target", "KaapiGit_20261101." + operation);
    wire.head.headers.add("Content-Type", "application/x-amz-json-1.1");
    wire.body = json::serialize(request);
    const http::Response response = to.call(to.route(wire, "kaapi"), context, wire);
    const std::string& body = std::get<std::string>(response.body);
    EXPECT_EQ(response.status, expected_status) << body;
    return parse_json(body.empty() ? "{}" : body).value();
  }
  static std::string text(const json::value& value, std::string_view pointer) {
    boost::system::error_code missing;
    const json::value* found = value.find_pointer(pointer, missing);
    return found != nullptr && found->is_string() ? std::string(std::string_view(found->as_string())) : std::string();
  }

  TestRepositories all;
  SecureIds ids;
  Keys keys{all.clock.now() + std::chrono::hours(1)};
  AccessTokens tokens{*all.database, all.clock, ids};
  Gate gate{{"123456789012", "us-east-1", false}, tokens, nullptr, nullptr, all.clock, ids};
  Pushes pushes{*all.repositories, gate, nullptr, ids};
  store::Sealer sealer{store::Sealer::open(all.directory.file("key")).value()};
  std::vector<std::string> forgotten;
  bool busy = false;
  Mirrors mirrors{*all.repositories, pushes, sealer, all.clock, ids};
  aws::Dispatcher dispatcher;
  aws::CallContext context;
};

TEST_F(OperationsTest, Repositories) {
  const json::value made = call("CreateRepository", {{"repository", "team/shop"}});
  EXPECT_EQ(text(made, "/details/arn"), "arn:aws:kaapi:us-east-1:123456789012:repository/team/shop");
  EXPECT_EQ(text(made, "/details/clonePath"), "/git/team/shop.git");
  EXPECT_EQ(text(call("CreateRepository", {{"repository", "team/shop"}}, 400), "/__type"),
            "RepositoryAlreadyExistsException");
  EXPECT_EQ(text(call("CreateRepository", {{"repository", "shop"}}, 400), "/__type"), "ValidationException");
  call("CreateRepository", {{"repository", "team/api"}});
  const json::value first = call("ListRepositories", {{"maxResults", 1}});
  EXPECT_EQ(text(first, "/repositories/0/repository"), "team/api");
  const json::value second = call("ListRepositories", {{"nextToken", text(first, "/nextToken")}});
  EXPECT_EQ(text(second, "/repositories/0/repository"), "team/shop");
  EXPECT_EQ(text(second, "/nextToken"), "");
  const json::array rules = {json::object{{"kind", "tag"}, {"pattern", "r*"}, {"pushers", json::array{"arn:x"}}}};
  const json::value ruled = call("PutRepositoryProtection", {{"repository", "team/shop"}, {"rules", rules}});
  EXPECT_EQ(text(ruled, "/details/rules/0/pushers/0"), "arn:x");
  busy = true;
  EXPECT_EQ(text(call("DeleteRepository", {{"repository", "team/shop"}}, 400), "/message"), "run 3 is not over");
  EXPECT_EQ(text(call("DescribeRepository", {{"repository", "team/shop"}}), "/details/repository"), "team/shop");
  busy = false;
  call("DeleteRepository", {{"repository", "team/shop"}});
  EXPECT_EQ(forgotten, std::vector<std::string>(2, "team/shop"));
  EXPECT_EQ(text(call("DescribeRepository", {{"repository", "team/shop"}}, 400), "/__type"),
            "RepositoryNotFoundException");
}

TEST_F(OperationsTest, SetTheDefaultBranch) {
  call("CreateRepository", {{"repository", "team/shop"}});
  const json::value changed = call("PutDefaultBranch", {{"repository", "team/shop"}, {"defaultBranch", "release/2"}});
  EXPECT_EQ(text(changed, "/details/defaultBranch"), "release/2");
  EXPECT_EQ(text(changed, "/details/rules/2/pattern"), "release/2") << "protected like main";
  EXPECT_EQ(text(call("PutDefaultBranch", {{"repository", "team/shop"}, {"defaultBranch", "a b"}}, 400), "/message"),
            "'a b' is no name of a branch: give one like main or refs/heads/main");
  EXPECT_EQ(text(call("PutDefaultBranch", {{"repository", "team/none"}, {"defaultBranch", "main"}}, 400), "/__type"),
            "RepositoryNotFoundException");
}

TEST_F(OperationsTest, TheDefaultBranchIsOneThatIsThere) {
  call("CreateRepository", {{"repository", "team/shop"}});
  const Clone clone(all.directory.file("clone"));
  clone.commit("a", "1");
  ASSERT_EQ(clone.git({"push", "--quiet", all.repositories->directory("team/shop"), "main"}).exit_code, 0);
  const json::value refused = call("PutDefaultBranch", {{"repository", "team/shop"}, {"defaultBranch", "mian"}}, 400);
  EXPECT_EQ(text(refused, "/__type"), "ValidationException") << "the repository is there";
  EXPECT_EQ(text(refused, "/message"), "team/shop has no branch mian: push it first, or name one that is there (main)");
}

TEST_F(OperationsTest, ReplayAPush) {
  call("CreateRepository", {{"repository", "team/shop"}});
  const Clone clone(all.directory.file("clone"));
  clone.commit("a", "1");
  ASSERT_EQ(clone.git({"push", "--quiet", all.repositories->directory("team/shop"), "main"}).exit_code, 0);
  EXPECT_TRUE(call("ReplayPush", {{"repository", "team/shop"}, {"ref", "main"}}).at("lines").as_array().empty());
  EXPECT_EQ(text(call("ReplayPush", {{"repository", "team/shop"}, {"ref", "none"}}, 400), "/message"),
            "team/shop has no branch, tag or commit 'none'");
  EXPECT_EQ(text(call("ReplayPush", {{"repository", "team/none"}, {"ref", "main"}}, 400), "/__type"),
            "RepositoryNotFoundException");
}

TEST_F(OperationsTest, LiveInOneRegion) {
  context.region = "eu-central-1";
  EXPECT_EQ(text(call("CreateRepository", {{"repository", "team/shop"}}, 400), "/__type"), "ValidationException");
  EXPECT_FALSE(all.repositories->find("team/shop"));
}

TEST_F(OperationsTest, AccessTokensAreOnesOwn) {
  const json::value made = call("CreateAccessToken", {{"name", "laptop"}});
  EXPECT_TRUE(tokens.find(text(made, "/secret")));
  const std::string id = text(made, "/accessToken/tokenId");
  EXPECT_EQ(text(call("ListAccessTokens", json::object()), "/accessTokens/0/tokenId"), id);
  context.principal_arn = "arn:aws:iam::123456789012:user/bob";
  EXPECT_EQ(text(call("ListAccessTokens", json::object()), "/accessTokens/0/tokenId"), "");
  call("ListAccessTokens", {{"all", true}}, 400);
  EXPECT_EQ(text(call("DeleteAccessToken", {{"tokenId", id}}, 400), "/__type"), "AccessTokenNotFoundException");
  context.is_root = true;
  EXPECT_EQ(text(call("ListAccessTokens", {{"all", true}}), "/accessTokens/0/tokenId"), id);
  call("DeleteAccessToken", {{"tokenId", id}});
  EXPECT_FALSE(tokens.find(text(made, "/secret")));
}

TEST_F(OperationsTest, ASessionsTokensEndWithIt) {
  context.access_key_id = "ASIA";
  const json::value made = call("CreateAccessToken", {{"name", "laptop"}, {"durationSeconds", 86400}});
  EXPECT_EQ(tokens.list("")->front().expires_at, all.clock.now() + std::chrono::hours(1));
  all.clock.advance(std::chrono::hours(2));
  EXPECT_FALSE(tokens.find(text(made, "/secret")));
}

TEST_F(OperationsTest, WhoMirrorsMayMakeTheRepositoryToo) {
  Rights rights;
  const Gate asking{{"123456789012", "us-east-1", true}, tokens, &keys, &rights, all.clock, ids};
  aws::Dispatcher strict;
  add_operations(strict, {*all.repositories, tokens, mirrors, pushes, asking, keys, all.clock, asking.config(), {}});
  const json::value request = {{"repository", "team/copy"}, {"url", "https://example.com/x.git"}, {"webhook", true}};
  EXPECT_EQ(text(call(strict, "MirrorRepository", request, 400), "/message"), "no kaapi:CreateRepository");
  EXPECT_FALSE(all.repositories->find("team/copy"));
  ASSERT_TRUE(all.repositories->create("team/copy"));
  call(strict, "MirrorRepository", request);
}

TEST_F(OperationsTest, Mirrors) {
  const json::value made =
      call("MirrorRepository", {{"repository", "team/copy"}, {"url", "https://example.com/x.git"}, {"webhook", true}});
  EXPECT_EQ(text(made, "/webhookPath"), "/git-webhook/team/copy");
  EXPECT_EQ(text(made, "/webhookSecret").size(), 40U);
  EXPECT_EQ(text(call("DescribeRepository", {{"repository", "team/copy"}}), "/details/mirror/url"),
            "https://example.com/x.git");
  call("MirrorRepository", {{"repository", "team/copy"}, {"url", "file:///etc"}, {"webhook", true}}, 400);
  call("StopMirroring", {{"repository", "team/copy"}});
  call("StopMirroring", {{"repository", "team/copy"}}, 400);
}

TEST_F(OperationsTest, AMirrorThatCannotBeFetchedSaysSoAtOnce) {
  mirrors.start();
  const json::value made = call(
      "MirrorRepository", {{"repository", "team/copy"}, {"url", "http://127.0.0.1:1/x.git"}, {"everySeconds", 3600}});
  EXPECT_NE(text(made, "/details/mirror/lastError").find("http://127.0.0.1:1/x.git cannot be fetched"),
            std::string::npos)
      << json::serialize(made);
  EXPECT_TRUE(made.at("details").at("mirror").as_object().contains("lastTriedAt"));
  EXPECT_FALSE(made.at("details").at("mirror").as_object().contains("lastFetchedAt"));
}

}  // namespace
}  // namespace kaapi::actions::git
