#include "daemon/images.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/test_directory.h"
#include "containers/fake_engine.h"
#include "registry/names.h"

namespace kaapi::daemon {
namespace {

using testing::HasSubstr;

constexpr std::string_view manifest_type = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view account = "123456789012";

TEST(ImageNameTest, TakesNamesApart) {
  const ImageName own = parse_image_name("localhost:4566/team/app:v1");
  EXPECT_EQ(own.host, "localhost:4566");
  EXPECT_EQ(own.path, "team/app");
  EXPECT_EQ(own.reference, "v1");
  EXPECT_EQ(own.repository(), "localhost:4566/team/app");

  const ImageName hub = parse_image_name("docker.io/library/debian");
  EXPECT_EQ(hub.host, "");
  EXPECT_EQ(hub.path, "debian");
  EXPECT_EQ(hub.reference, "latest");
  EXPECT_EQ(hub.repository(), "debian");

  EXPECT_EQ(parse_image_name("team/app").repository(), "team/app");
  const ImageName exact = parse_image_name("quay.io/app:v1@sha256:abc");
  EXPECT_EQ(exact.repository(), "quay.io/app");
  EXPECT_EQ(exact.reference, "sha256:abc");
  EXPECT_TRUE(exact.by_digest());
}

TEST(ImageNameTest, FindsTheRegionOfAnEcrHost) {
  EXPECT_EQ(ecr_region("123456789012.dkr.ecr.eu-west-1.amazonaws.com", account), "eu-west-1");
  EXPECT_EQ(ecr_region("210987654321.dkr.ecr.eu-west-1.amazonaws.com", account), std::nullopt);
  EXPECT_EQ(ecr_region("123456789012.dkr.ecr.amazonaws.com", account), std::nullopt);
  EXPECT_EQ(ecr_region("localhost:4566", account), std::nullopt);
}

class ImagesTest : public testing::Test {
 protected:
  ImagesTest() {
    for (const std::string region : {"us-east-1", "eu-west-1"}) push(region);
  }

  // An image without layers is enough to have a digest.
  void push(const std::string& region) {
    registry::Repository repository;
    repository.region = region;
    repository.name = "team/app";
    repository.created_at = clock_.now();
    ASSERT_TRUE(registry_->catalog().create_repository(repository, {}));
    const std::string content =
        R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"region":")" +
        region + R"("}})";
    const auto manifest = registry::parse_manifest(content, std::string(manifest_type));
    ASSERT_TRUE(manifest) << manifest.error().message;
    ASSERT_TRUE(registry_->catalog().put_manifest({region, "team/app"}, *manifest, content,
                                                  registry::digest_of(content), "v1", clock_.now()));
  }
  std::string digest(const std::string& region) { return registry_->resolve(region, "team/app", "v1").value(); }

  TestDirectory directory_;
  SystemClock clock_;
  SecureIds ids_;
  std::unique_ptr<store::Database> database_ = store::Database::open(":memory:", registry::migrations()).value();
  std::unique_ptr<registry::Registry> registry_ =
      registry::Registry::open({directory_.path(), std::string(account), "us-east-1", "localhost:4566", true},
                               *database_, clock_, ids_)
          .value();
  registry::TokenIssuer tokens_{"secret"};
  containers::FakeEngine engine_{clock_};
  RegistryImages images_{
      *registry_,
      tokens_,
      engine_,
      clock_,
      {std::string(account), "arn:aws:iam::123456789012:root", {"localhost:4566", "127.0.0.1:4566"}, "localhost:4566"}};
};

TEST_F(ImagesTest, OwnNamesArePinnedToTheDigestOfTheTasksRegion) {
  for (const std::string name : {"localhost:4566/team/app:v1", "127.0.0.1:4566/team/app:v1",
                                 "123456789012.dkr.ecr.us-east-1.amazonaws.com/team/app:v1"}) {
    const auto pinned = images_.pin("us-east-1", name);
    ASSERT_TRUE(pinned) << pinned.error().message;
    EXPECT_EQ(pinned->reference, "localhost:4566/team/app@" + digest("us-east-1"));
    EXPECT_EQ(pinned->digest, digest("us-east-1"));
  }
  EXPECT_TRUE(engine_.calls().empty());
  EXPECT_EQ(images_.pin("eu-west-1", "localhost:4566/team/app:v1")->digest, digest("eu-west-1"));
}

TEST_F(ImagesTest, AnImageOfAnotherRegionIsPulledWithThatRegionsToken) {
  const std::string reference = "localhost:4566/team/app@" + digest("eu-west-1");
  engine_.add_remote_image(reference);
  const auto pinned = images_.pin("us-east-1", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1");
  ASSERT_TRUE(pinned) << pinned.error().message;
  EXPECT_EQ(pinned->reference, reference);
  EXPECT_TRUE(engine_.inspect_image(reference));
}

TEST_F(ImagesTest, AMissingOwnImageSaysSo) {
  const auto tag = images_.pin("us-east-1", "localhost:4566/team/app:nope");
  ASSERT_FALSE(tag);
  EXPECT_EQ(tag.error().code, errc::not_found);
  EXPECT_THAT(tag.error().message, HasSubstr("image localhost:4566/team/app:nope not found: "));
  EXPECT_THAT(images_.pin("us-east-1", "localhost:4566/other:v1").error().message,
              HasSubstr("image localhost:4566/other:v1 not found: "));
}

TEST_F(ImagesTest, OwnReferencesGetAPullTokenOfTheRegion) {
  const auto login = images_.login("eu-west-1", "localhost:4566/team/app@sha256:abc");
  ASSERT_TRUE(login);
  EXPECT_EQ(login->user, "AWS");
  const auto token = tokens_.verify(login->password, clock_.now());
  ASSERT_TRUE(token);
  EXPECT_EQ(token->region, "eu-west-1");
  EXPECT_EQ(token->account_id, account);
  EXPECT_TRUE(token->pull_only);
  EXPECT_FALSE(images_.login("eu-west-1", "quay.io/app@sha256:abc"));
}

TEST_F(ImagesTest, ALocalBuildIsPinnedByItsIdAndNobodyIsAsked) {
  // It may have digests of other names: of repositories that it was pushed to.
  engine_.add_image("built:1", {"sha256:1111", {"localhost:4566/team/app@sha256:2222"}, ""});
  const auto pinned = images_.pin("us-east-1", "built:1");
  ASSERT_TRUE(pinned);
  EXPECT_EQ(pinned->reference, "sha256:1111");
  for (const containers::FakeCall& call : engine_.calls()) EXPECT_NE(call.call, "pull");
}

TEST_F(ImagesTest, AForeignTagIsPulledAgainAndPinnedToItsDigest) {
  engine_.add_image("quay.io/app:1", {"sha256:1111", {"quay.io/app@sha256:aaaa"}, ""});
  engine_.add_remote_image("quay.io/app:1", {"sha256:3333", {"quay.io/app@sha256:bbbb"}, ""});
  const auto pinned = images_.pin("us-east-1", "quay.io/app:1");
  ASSERT_TRUE(pinned);
  EXPECT_EQ(pinned->reference, "quay.io/app@sha256:bbbb");
  EXPECT_EQ(pinned->digest, "sha256:bbbb");
}

TEST_F(ImagesTest, WhenThePullFailsTheLocalImageServes) {
  engine_.add_image("quay.io/app:1", {"sha256:1111", {"quay.io/app@sha256:aaaa"}, ""});
  const auto pinned = images_.pin("us-east-1", "quay.io/app:1");
  ASSERT_TRUE(pinned);
  EXPECT_EQ(pinned->reference, "quay.io/app@sha256:aaaa");
}

TEST_F(ImagesTest, AForeignImageThatNobodyHasEndsTheStart) {
  engine_.set_failure([](std::string_view call, const std::string&) -> std::optional<Error> {
    if (call == "pull") return make_error(errc::unavailable, "dial tcp: no such host");
    return std::nullopt;
  });
  const auto pinned = images_.pin("us-east-1", "quay.io/app:1");
  ASSERT_FALSE(pinned);
  EXPECT_EQ(pinned.error().code, errc::not_found);
  EXPECT_THAT(pinned.error().message, HasSubstr("image quay.io/app:1: dial tcp: no such host"));
}

TEST_F(ImagesTest, AnEngineThatDoesNotAnswerIsTriedAgain) {
  engine_.set_failure(
      [](std::string_view, const std::string&) { return make_error(errc::unavailable, "connection refused"); });
  EXPECT_EQ(images_.pin("us-east-1", "quay.io/app:1").error().code, errc::unavailable);
}

}  // namespace
}  // namespace kaapi::daemon
