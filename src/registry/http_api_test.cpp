// Authentication, manifests, tags, errors; and the pure parts: names, manifests, tokens.
#include <sys/stat.h>

#include "registry/manifest.h"
#include "registry/registry_fixture.h"

namespace kaapi::registry {
namespace {

class HttpApiTest : public RegistryTest {
 protected:
  Answer with(const std::string& authorization, const std::string& target = "/v2/", const std::string& method = "GET") {
    FakeBody empty("");
    return send_as(authorization, method, target, empty);
  }
  Answer with_password(const std::string& user, const std::string& secret, const std::string& target = "/v2/",
                       const std::string& method = "GET") {
    return with("Basic " + base64_encode(user + ":" + secret), target, method);
  }
  Answer put_manifest(const std::string& reference, const std::string& manifest, const std::string& type) {
    return send("PUT", "/v2/app/manifests/" + reference, manifest, {{"Content-Type", type}});
  }
};

TEST_F(HttpApiTest, ChecksThePassword) {
  const Answer none = with("");
  EXPECT_EQ(none.status, 401);
  EXPECT_EQ(none.code(), "UNAUTHORIZED");
  EXPECT_EQ(none.header("WWW-Authenticate"), "Basic realm=\"http://localhost:4566/\",service=\"ecr.amazonaws.com\"");
  EXPECT_EQ(none.header("Docker-Distribution-Api-Version"), "registry/2.0");
  EXPECT_NE(none.message().find("aws ecr get-login-password"), std::string::npos);
  EXPECT_EQ(with_password("AWS", password()).status, 200);
  EXPECT_EQ(with_password("root", password()).status, 401);
  EXPECT_EQ(with_password("AWS", "guess").status, 401);
  std::string forged = password();
  forged.back() = forged.back() == '0' ? '1' : '0';
  EXPECT_EQ(with_password("AWS", forged).status, 401);
  EXPECT_EQ(with_password("AWS", password()).status, 200);
  EXPECT_EQ(with("Bearer " + password()).status, 401);
  EXPECT_EQ(with("Basic ###").status, 401);
}

TEST_F(HttpApiTest, ATokenExpiresAfterTwelveHours) {
  const std::string token = password();
  clock_.advance(std::chrono::hours(12) - Duration(1));
  EXPECT_EQ(with_password("AWS", token).status, 200);
  clock_.advance(Duration(1));
  const Answer late = with_password("AWS", token);
  EXPECT_EQ(late.status, 401);
  EXPECT_NE(late.message().find("expired"), std::string::npos);
}

TEST_F(HttpApiTest, TheTokenDecidesTheRegion) {
  push_image("app", "v1", "here");
  add_repository("app", "MUTABLE", "us-east-1");
  EXPECT_EQ(with_password("AWS", password(), "/v2/app/tags/list").body, R"({"name":"app","tags":["v1"]})");
  EXPECT_EQ(with_password("AWS", password("us-east-1"), "/v2/app/tags/list").body, R"({"name":"app","tags":[]})");
  EXPECT_EQ(with_password("AWS", password("ap-south-1"), "/v2/app/tags/list").code(), "NAME_UNKNOWN");
}

TEST_F(HttpApiTest, APullTokenCannotPush) {
  push_image("app", "v1", "layer");
  EXPECT_EQ(with_password("AWS", password(region, true), "/v2/app/manifests/v1").status, 200);
  EXPECT_EQ(with_password("AWS", password(region, true), "/v2/app/blobs/uploads/", "POST").code(), "DENIED");
}

TEST_F(HttpApiTest, WithoutAuthenticationTheDefaultRegionIsMeant) {
  push_image("app", "v1", "layer");
  auth_ = false;
  start();
  EXPECT_EQ(with("", "/v2/app/manifests/v1").status, 200);
  EXPECT_EQ(with_password("AWS", password("us-east-1"), "/v2/app/manifests/v1").code(), "NAME_UNKNOWN");
}

TEST_F(HttpApiTest, PushesAndPullsAnImage) {
  const std::string digest = push_image("app", "v1", "layer");
  const Answer by_tag = send("GET", "/v2/app/manifests/v1");
  EXPECT_EQ(by_tag.status, 200);
  EXPECT_EQ(by_tag.body, image_manifest("{}", "layer"));
  EXPECT_EQ(by_tag.header("Content-Type"), manifest_type);
  EXPECT_EQ(by_tag.header("Docker-Content-Digest"), digest);
  EXPECT_EQ(send("GET", "/v2/app/manifests/" + digest).body, by_tag.body);
  const Answer head = send("HEAD", "/v2/app/manifests/v1");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.announced, by_tag.body.size());
  EXPECT_EQ(send("GET", "/v2/app/manifests/v2").code(), "MANIFEST_UNKNOWN");
  start();
  EXPECT_EQ(send("GET", "/v2/app/manifests/v1").body, by_tag.body);
}

TEST_F(HttpApiTest, ARepositoryMustHaveBeenCreated) {
  const Answer push = send("POST", "/v2/nowhere/blobs/uploads/");
  EXPECT_EQ(push.status, 404);
  EXPECT_EQ(push.code(), "NAME_UNKNOWN");
  EXPECT_EQ(push.message(), "The repository with name 'nowhere' does not exist in the registry with id '123456789012'");
  EXPECT_EQ(send("POST", "/v2/Upper/blobs/uploads/").code(), "NAME_INVALID");
}

TEST_F(HttpApiTest, WhatAManifestRefersToMustBeThere) {
  const std::string manifest = image_manifest("{}", "layer");
  push_blob("app", "{}");
  const Answer put = put_manifest("v1", manifest, std::string(manifest_type));
  EXPECT_EQ(put.status, 404);
  EXPECT_EQ(put.code(), "MANIFEST_BLOB_UNKNOWN");
  EXPECT_NE(put.message().find(digest_of("layer")), std::string::npos);
  EXPECT_EQ(send("GET", "/v2/app/manifests/v1").code(), "MANIFEST_UNKNOWN");
  // A blob of another repository does not count.
  add_repository("other");
  push_blob("other", "layer");
  EXPECT_EQ(put_manifest("v1", manifest, std::string(manifest_type)).code(), "MANIFEST_BLOB_UNKNOWN");
}

TEST_F(HttpApiTest, IndexesReferToImages) {
  const std::string child = push_image("app", "", "layer");
  const std::string type = "application/vnd.oci.image.index.v1+json";
  const auto index = [](const std::string& digest) {
    return fmt::format(R"({{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{}","size":5}}]}})", digest);
  };
  EXPECT_EQ(put_manifest("multi", index(digest_of("nothing")), type).code(), "MANIFEST_BLOB_UNKNOWN");
  EXPECT_EQ(put_manifest("multi", index(child), type).status, 201);
  EXPECT_EQ(send("GET", "/v2/app/manifests/multi").header("Content-Type"), type);
  EXPECT_EQ(send("DELETE", "/v2/app/manifests/" + child).status, 405);
  EXPECT_EQ(send("DELETE", "/v2/app/manifests/" + digest_of(index(child))).status, 202);
  EXPECT_EQ(send("DELETE", "/v2/app/manifests/" + child).status, 202);
}

TEST_F(HttpApiTest, RefusesBrokenManifests) {
  const std::string type(manifest_type);
  EXPECT_EQ(put_manifest("v1", "{", type).code(), "MANIFEST_INVALID");
  EXPECT_EQ(put_manifest("v1", "{}", type).code(), "MANIFEST_INVALID");
  EXPECT_EQ(put_manifest("-v1", "{}", type).code(), "TAG_INVALID");
  push_image("app", "v1", "layer");
  EXPECT_EQ(put_manifest(digest_of("x"), image_manifest("{}", "layer"), type).code(), "DIGEST_INVALID");
  const Answer big = put_manifest("v1", std::string(max_manifest_bytes + 1, ' '), type);
  EXPECT_EQ(big.status, 413);
  EXPECT_EQ(big.code(), "SIZE_INVALID");
}

TEST_F(HttpApiTest, ImmutableTagsStay) {
  add_repository("fixed", "IMMUTABLE");
  const std::string digest = push_image("fixed", "v1", "one");
  EXPECT_EQ(push_image("fixed", "v1", "one"), digest);  // the same again is no change
  push_blob("fixed", "two");
  const Answer moved = send("PUT", "/v2/fixed/manifests/v1", image_manifest("{}", "two"));
  EXPECT_EQ(moved.status, 400);
  EXPECT_EQ(moved.code(), "TAG_INVALID");
  EXPECT_EQ(moved.message(),
            "The image tag 'v1' already exists in the 'fixed' repository and cannot be overwritten because the "
            "repository is immutable.");
  EXPECT_EQ(*registry_->resolve(std::string(region), "fixed", "v1"), digest);
}

TEST_F(HttpApiTest, DeletesTagsAndImages) {
  const std::string digest = push_image("app", "v1", "layer");
  push_image("app", "v2", "layer");
  EXPECT_EQ(send("DELETE", "/v2/app/blobs/" + digest_of("layer")).code(), "UNSUPPORTED");
  EXPECT_EQ(send("DELETE", "/v2/app/manifests/v1").status, 202);
  EXPECT_EQ(send("GET", "/v2/app/manifests/v1").status, 404);
  EXPECT_EQ(send("GET", "/v2/app/manifests/v2").status, 200);
  EXPECT_EQ(send("DELETE", "/v2/app/manifests/" + digest).status, 202);
  EXPECT_EQ(send("GET", "/v2/app/tags/list").body, R"({"name":"app","tags":[]})");
  EXPECT_EQ(send("DELETE", "/v2/app/manifests/" + digest).code(), "MANIFEST_UNKNOWN");
  EXPECT_EQ(send("DELETE", "/v2/app/blobs/" + digest_of("layer")).status, 202);
}

TEST_F(HttpApiTest, ListsInPages) {
  for (const char* tag : {"c", "a", "b"}) push_image("app", tag, "layer");
  const Answer first = send("GET", "/v2/app/tags/list?n=2");
  EXPECT_EQ(first.body, R"({"name":"app","tags":["a","b"]})");
  EXPECT_EQ(first.header("Link"), "</v2/app/tags/list?n=2&last=b>; rel=\"next\"");
  const Answer second = send("GET", "/v2/app/tags/list?n=2&last=b");
  EXPECT_EQ(second.body, R"({"name":"app","tags":["c"]})");
  EXPECT_EQ(second.header("Link"), "");
  EXPECT_EQ(send("GET", "/v2/app/tags/list?n=0").body, R"({"name":"app","tags":[]})");
  EXPECT_EQ(send("GET", "/v2/app/tags/list?n=many").code(), "PAGINATION_NUMBER_INVALID");
  add_repository("team/web");
  EXPECT_EQ(send("GET", "/v2/_catalog").body, R"({"repositories":["app","team/web"]})");
}

TEST_F(HttpApiTest, RefusesOtherMethodsAndPaths) {
  EXPECT_EQ(send("POST", "/v2/app/manifests/v1").status, 405);
  EXPECT_EQ(send("PUT", "/v2/app/tags/list").status, 405);
  EXPECT_EQ(send("GET", "/v2/app/blobs/uploads/").status, 405);
  EXPECT_EQ(send("GET", "/v2/app/nothing/x").status, 404);
  EXPECT_EQ(send("GET", "/v2/app/blobs/md5:1234").code(), "DIGEST_INVALID");
}

TEST_F(HttpApiTest, ResolvesForTheDeployer) {
  const std::string digest = push_image("app", "v1", "layer");
  EXPECT_EQ(*registry_->resolve(std::string(region), "app", "v1"), digest);
  EXPECT_EQ(*registry_->resolve(std::string(region), "app", digest), digest);
  EXPECT_EQ(registry_->resolve(std::string(region), "app", "v2").error().message,
            "The image with imageId {imageDigest:'null', imageTag:'v2'} does not exist within the repository with name "
            "'app' in "
            "the registry with id '123456789012'");
  EXPECT_EQ(registry_->resolve("us-east-1", "app", "v1").error().code, "RepositoryNotFoundException");
}

TEST(NamesTest, FollowEcr) {
  for (const char* name : {"ab", "a/b", "team/web-app", "a.b_c-d/0"}) EXPECT_TRUE(valid_repository_name(name)) << name;
  for (const char* name : {"", "a", "A/b", "a//b", "/ab", "ab/", "a..b", "a-", "-a", "a b", "ab:c", "a/_b"}) {
    EXPECT_FALSE(valid_repository_name(name)) << name;
  }
  EXPECT_TRUE(valid_repository_name(std::string(256, 'a')));
  EXPECT_FALSE(valid_repository_name(std::string(257, 'a')));
  EXPECT_TRUE(valid_tag("v1.0-rc_2"));
  EXPECT_FALSE(valid_tag(".v1"));
  EXPECT_FALSE(valid_tag(std::string(129, 'a')));
  EXPECT_TRUE(valid_digest(digest_of("")));
  EXPECT_FALSE(valid_digest("sha256:" + std::string(64, 'A')));
  EXPECT_FALSE(valid_digest("sha256:" + std::string(63, 'a') + "/"));
}

TEST(ManifestTest, ForeignLayersNeedNotBePushed) {
  const std::string digest = digest_of("x");
  const auto parsed = parse_manifest(
      fmt::format(
          R"({{"schemaVersion":2,"config":{{"mediaType":"c","digest":"{0}","size":2}},"layers":[)"
          R"({{"mediaType":"application/vnd.docker.image.rootfs.foreign.diff.tar.gzip","digest":"{0}","size":40,"urls":["u"]}}]}})",
          digest),
      "application/vnd.docker.distribution.manifest.v2+json; charset=utf-8");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->blobs, std::vector<std::string>{digest});
  EXPECT_EQ(parsed->image_bytes, 42U);
  EXPECT_EQ(parsed->artifact_media_type, "c");
}

TEST(ManifestTest, NamesWhatIsWrong) {
  const auto message = [](std::string_view content, std::string_view type) {
    return parse_manifest(content, type).error().message;
  };
  const std::string_view oci = "application/vnd.oci.image.manifest.v1+json";
  EXPECT_NE(message(R"({"schemaVersion":1})", oci).find("schemaVersion"), std::string::npos);
  EXPECT_NE(message(R"({"schemaVersion":2})", "").find("Content-Type"), std::string::npos);
  EXPECT_NE(message(R"({"schemaVersion":2})", "text/plain").find("text/plain"), std::string::npos);
  EXPECT_NE(message(R"({"schemaVersion":2})", oci).find("config"), std::string::npos);
  EXPECT_NE(message(R"({"schemaVersion":2,"mediaType":"other"})", oci).find("other"), std::string::npos);
  EXPECT_NE(
      message(fmt::format(R"({{"schemaVersion":2,"config":{{"digest":"{}","size":1}},"layers":[{{"digest":"x"}}]}})",
                          digest_of("")),
              oci)
          .find("layers[0].digest"),
      std::string::npos);
}

TEST(TokenTest, KeepsItsSecretInAPrivateFile) {
  const std::string path = testing::TempDir() + "kaapi_token_secret";
  std::filesystem::remove(path);
  SecureIds ids;
  const Time now = from_millis(1'750'000'000'000);
  Token token{"123456789012", "eu-north-1", "arn", false, now + token_lifetime};
  const std::string password = TokenIssuer::open(path, ids)->issue(token);
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  const Result<Token> verified = TokenIssuer::open(path, ids)->verify(password, now);
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->region, "eu-north-1");
  EXPECT_EQ(verified->principal, "arn");
  EXPECT_EQ(password.find(':'), std::string::npos);
  EXPECT_FALSE(TokenIssuer("another secret").verify(password, now));
  std::ofstream(path) << "short";
  EXPECT_EQ(TokenIssuer::open(path, ids).error().code, errc::damaged);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace kaapi::registry
