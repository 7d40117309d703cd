// The ECR operations, called as functions through the dispatcher: JSON in, JSON out.
#include "registry/operations_fixture.h"

namespace kaapi::registry {
namespace {

TEST_F(OperationsTest, CreatesAndDescribesRepositories) {
  const Outcome created = call("CreateRepository", R"({"repositoryName":"team/web","imageTagMutability":"IMMUTABLE",
    "imageScanningConfiguration":{"scanOnPush":true},"tags":[{"Key":"k","Value":"v"}]})");
  ASSERT_EQ(created.status, 200) << json::serialize(created.body);
  const Outcome described = call("DescribeRepositories", R"({"repositoryNames":["team/web"]})");
  const json::value& repository = first(described, "repositories");
  EXPECT_EQ(repository, *find_member(created.body, "repository"));
  EXPECT_EQ(string_member(repository, "repositoryArn"), "arn:aws:ecr:eu-north-1:123456789012:repository/team/web");
  EXPECT_EQ(string_member(repository, "repositoryUri"), "localhost:4566/team/web");
  EXPECT_EQ(string_member(repository, "registryId"), account);
  EXPECT_EQ(string_member(repository, "imageTagMutability"), "IMMUTABLE");
  EXPECT_TRUE(bool_member(*find_member(repository, "imageScanningConfiguration"), "scanOnPush"));
  EXPECT_EQ(string_member(*find_member(repository, "encryptionConfiguration"), "encryptionType"), "AES256");
  EXPECT_EQ(registry_->catalog().resource_tags({std::string(region), "team/web"})->at("k"), "v");
}

TEST_F(OperationsTest, RefusesWhatEcrRefuses) {
  const Outcome again = call("CreateRepository", R"({"repositoryName":"app"})");
  EXPECT_EQ(again.status, 400);
  EXPECT_EQ(again.type(), "RepositoryAlreadyExistsException");
  EXPECT_EQ(again.message(), "The repository with name 'app' already exists in the registry with id '123456789012'");
  const Outcome name = call("CreateRepository", R"({"repositoryName":"Bad Name"})");
  EXPECT_EQ(name.type(), "InvalidParameterException");
  EXPECT_NE(name.message().find("repositoryName"), std::string::npos);
  const Outcome unknown = call("DescribeImages", R"({"repositoryName":"nowhere"})");
  EXPECT_EQ(unknown.type(), "RepositoryNotFoundException");
  EXPECT_EQ(unknown.message(),
            "The repository with name 'nowhere' does not exist in the registry with id '123456789012'");
  EXPECT_EQ(call("DescribeImages", R"({"repositoryName":"app"})", "us-east-1").type(), "RepositoryNotFoundException");
  EXPECT_EQ(call("DescribeImages", R"({"repositoryName":"app","registryId":"999999999999"})").type(),
            "RepositoryNotFoundException");
  EXPECT_EQ(
      call("CreateRepository", R"({"repositoryName":"x1","tags":[{"Key":"k","Value":"1"},{"Key":"k","Value":"2"}]})")
          .type(),
      "InvalidTagParameterException");
  std::string tags;
  for (int i = 0; i < 51; ++i) tags += fmt::format(R"({}{{"Key":"k{}","Value":"v"}})", i == 0 ? "" : ",", i);
  EXPECT_EQ(call("CreateRepository", R"({"repositoryName":"x1","tags":[)" + tags + "]}").type(),
            "TooManyTagsException");
  EXPECT_EQ(call("DescribeRepositories", R"({"repositoryNames":["x1"]})").type(), "RepositoryNotFoundException");
}

TEST_F(OperationsTest, ListsRepositoriesInPages) {
  add_repository("bb");
  add_repository("cc");
  const Outcome page = call("DescribeRepositories", R"({"maxResults":2})");
  EXPECT_EQ(count(page, "repositories"), 2U);
  const std::string token = string_member(page.body, "nextToken");
  const Outcome rest = call("DescribeRepositories", R"({"maxResults":2,"nextToken":")" + token + "\"}");
  EXPECT_EQ(count(rest, "repositories"), 1U);
  EXPECT_EQ(string_member(first(rest, "repositories"), "repositoryName"), "cc");
  EXPECT_EQ(find_member(rest.body, "nextToken"), nullptr);
  EXPECT_EQ(call("DescribeRepositories", R"({"nextToken":"made up"})").type(), "InvalidParameterException");
  EXPECT_EQ(call("DescribeRepositories", R"({"nextToken":")" + token + "\"}", "us-east-1").type(),
            "InvalidParameterException");
}

TEST_F(OperationsTest, TheTokenLogsIn) {
  const Outcome outcome = call("GetAuthorizationToken", "{}");
  const json::value& data = first(outcome, "authorizationData");
  EXPECT_EQ(string_member(data, "proxyEndpoint"), "http://localhost:4566");
  FakeBody empty("");
  EXPECT_EQ(send_as("Basic " + string_member(data, "authorizationToken"), "GET", "/v2/", empty).status, 200);
  EXPECT_TRUE(base64_decode(string_member(data, "authorizationToken"))->starts_with("AWS:"));
}

TEST_F(OperationsTest, DescribesImages) {
  const std::string tagged = push_image("app", "v1", "one");
  push_image("app", "latest", "one");
  const std::string untagged = push_image("app", "", "two!");
  const Outcome all = call("DescribeImages", R"({"repositoryName":"app"})");
  EXPECT_EQ(count(all, "imageDetails"), 2U);
  const Outcome one =
      call("DescribeImages", R"({"repositoryName":"app","imageIds":[{"imageTag":"v1"},{"imageTag":"latest"}]})");
  ASSERT_EQ(count(one, "imageDetails"), 1U);
  const json::value& detail = first(one, "imageDetails");
  EXPECT_EQ(string_member(detail, "imageDigest"), tagged);
  EXPECT_EQ(json::serialize(*find_member(detail, "imageTags")), R"(["latest","v1"])");
  EXPECT_EQ(int_member(detail, "imageSizeInBytes"), 5);
  EXPECT_EQ(string_member(detail, "imageManifestMediaType"), manifest_type);
  EXPECT_EQ(string_member(detail, "artifactMediaType"), "application/vnd.docker.container.image.v1+json");
  const Outcome bare = call("DescribeImages", R"({"repositoryName":"app","filter":{"tagStatus":"UNTAGGED"}})");
  ASSERT_EQ(count(bare, "imageDetails"), 1U);
  EXPECT_EQ(string_member(first(bare, "imageDetails"), "imageDigest"), untagged);
  const Outcome missing = call("DescribeImages", R"({"repositoryName":"app","imageIds":[{"imageTag":"v9"}]})");
  EXPECT_EQ(missing.type(), "ImageNotFoundException");
  EXPECT_EQ(missing.message(),
            "The image with imageId {imageDigest:'null', imageTag:'v9'} does not exist within the repository with name "
            "'app' in "
            "the registry with id '123456789012'");
}

TEST_F(OperationsTest, ListsEveryTagOnceOverPages) {
  push_image("app", "a", "one");
  push_image("app", "b", "one");
  push_image("app", "c", "two");
  push_image("app", "", "three");
  std::string token;
  std::multiset<std::string> tags;
  for (int page = 0; page < 4; ++page) {
    const Outcome outcome = call("ListImages", R"({"repositoryName":"app","maxResults":1)" +
                                                   (token.empty() ? "" : ",\"nextToken\":\"" + token + "\"") + "}");
    ASSERT_EQ(count(outcome, "imageIds"), 1U);
    tags.insert(string_member(first(outcome, "imageIds"), "imageTag"));
    token = string_member(outcome.body, "nextToken");
  }
  EXPECT_EQ(token, "");
  EXPECT_EQ(tags, (std::multiset<std::string>{"", "a", "b", "c"}));
  EXPECT_EQ(count(call("ListImages", R"({"repositoryName":"app","filter":{"tagStatus":"TAGGED"}})"), "imageIds"), 3U);
  EXPECT_EQ(count(call("ListImages", R"({"repositoryName":"app","filter":{"tagStatus":"UNTAGGED"}})"), "imageIds"), 1U);
}

TEST_F(OperationsTest, GetsImagesAndSaysWhichItCannot) {
  const std::string digest = push_image("app", "v1", "one");
  const Outcome got =
      call("BatchGetImage", R"({"repositoryName":"app","imageIds":[{"imageTag":"v1"},{"imageTag":"v2"},{},
    {"imageDigest":"nonsense"},{"imageTag":"v1","imageDigest":")" +
                                digest_of("x") + R"("}]})");
  ASSERT_EQ(count(got, "images"), 1U);
  EXPECT_EQ(string_member(first(got, "images"), "imageManifest"), image_manifest("{}", "one"));
  EXPECT_EQ(string_member(*find_member(first(got, "images"), "imageId"), "imageDigest"), digest);
  std::vector<std::string> codes;
  for (const json::value& failure : find_member(got.body, "failures")->as_array())
    codes.push_back(string_member(failure, "failureCode"));
  EXPECT_EQ(codes, (std::vector<std::string>{"ImageNotFound", "MissingDigestAndTag", "InvalidImageDigest",
                                             "ImageTagDoesNotMatchDigest"}));
  EXPECT_EQ(call("BatchGetImage", R"({"repositoryName":"app","imageIds":[]})").type(), "InvalidParameterException");
}

TEST_F(OperationsTest, DeletesByTagAndByDigest) {
  const std::string digest = push_image("app", "v1", "one");
  push_image("app", "v2", "one");
  call("BatchDeleteImage", R"({"repositoryName":"app","imageIds":[{"imageTag":"v1"}]})");
  EXPECT_EQ(*registry_->resolve(std::string(region), "app", "v2"), digest);
  call("BatchDeleteImage", R"({"repositoryName":"app","imageIds":[{"imageTag":"v2"}]})");
  EXPECT_FALSE(registry_->resolve(std::string(region), "app", digest));  // gone with its last tag
  push_image("app", "v1", "one");
  push_image("app", "v2", "one");
  const Outcome both =
      call("BatchDeleteImage", R"({"repositoryName":"app","imageIds":[{"imageDigest":")" + digest + R"("}]})");
  EXPECT_EQ(count(both, "imageIds"), 2U);
  const Outcome again =
      call("BatchDeleteImage", R"({"repositoryName":"app","imageIds":[{"imageDigest":")" + digest + R"("}]})");
  EXPECT_EQ(string_member(first(again, "failures"), "failureCode"), "ImageNotFound");
}

TEST_F(OperationsTest, AnIndexKeepsItsImages) {
  const std::string child = push_image("app", "only", "one");
  const std::string index =
      fmt::format(R"({{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{}","size":5}}]}})", child);
  ASSERT_EQ(send("PUT", "/v2/app/manifests/multi", index, {{"Content-Type", "application/vnd.oci.image.index.v1+json"}})
                .status,
            201);
  const Outcome refused =
      call("BatchDeleteImage", R"({"repositoryName":"app","imageIds":[{"imageDigest":")" + child + R"("}]})");
  EXPECT_EQ(string_member(first(refused, "failures"), "failureCode"), "ImageReferencedByManifestList");
  call("BatchDeleteImage", R"({"repositoryName":"app","imageIds":[{"imageTag":"only"}]})");
  EXPECT_TRUE(registry_->resolve(std::string(region), "app", child));  // untagged, but still part of the index
  const Outcome multi = call("DescribeImages", R"({"repositoryName":"app","imageIds":[{"imageTag":"multi"}]})");
  EXPECT_EQ(int_member(first(multi, "imageDetails"), "imageSizeInBytes"), 5);
}

TEST_F(OperationsTest, DeletesRepositoriesWithTheirBlobs) {
  push_image("app", "v1", "one");
  add_repository("other");
  push_image("other", "v1", "two");  // shares the config
  const Outcome full = call("DeleteRepository", R"({"repositoryName":"app"})");
  EXPECT_EQ(full.type(), "RepositoryNotEmptyException");
  EXPECT_EQ(full.message(),
            "The repository with name 'app' in registry with id '123456789012' cannot be deleted because it still "
            "contains images");
  const std::string location = send("POST", "/v2/app/blobs/uploads/").header("Location");
  EXPECT_EQ(files_in("blobs"), 3U);
  EXPECT_EQ(call("DeleteRepository", R"({"repositoryName":"app","force":true})").status, 200);
  EXPECT_EQ(files_in("blobs"), 2U);
  EXPECT_EQ(files_in("uploads"), 0U);
  EXPECT_EQ(send("PATCH", location, "x").code(), "NAME_UNKNOWN");
  EXPECT_EQ(call("DescribeRepositories", R"({"repositoryNames":["app"]})").type(), "RepositoryNotFoundException");
  EXPECT_EQ(send("GET", "/v2/other/blobs/" + digest_of("{}")).status, 200);
}

}  // namespace
}  // namespace kaapi::registry
