// The ECR operations on what is set on a repository, and those that push through the API.
#include "registry/operations_fixture.h"

#include "registry/facts.h"

namespace kaapi::registry {
namespace {

constexpr std::string_view app_arn = "arn:aws:ecr:eu-north-1:123456789012:repository/app";

class SettingsTest : public OperationsTest {
 protected:
  // The tags of a repository as "k=v,".
  std::string tags(std::string_view arn = app_arn) {
    const Outcome listed = call("ListTagsForResource", fmt::format(R"({{"resourceArn":"{}"}})", arn));
    if (listed.status != 200) return listed.type();
    std::string text;
    for (const json::value& tag : find_member(listed.body, "tags")->as_array()) {
      text += string_member(tag, "Key") + "=" + string_member(tag, "Value") + ",";
    }
    return text;
  }
  Outcome tag(const std::string& list, std::string_view arn = app_arn) {
    return call("TagResource", fmt::format(R"({{"resourceArn":"{}","tags":[{}]}})", arn, list));
  }
  Outcome about_app(const std::string& operation, const std::string& more = "") {
    return call(operation, R"({"repositoryName":"app")" + (more.empty() ? "" : "," + more) + "}");
  }
  json::value app() { return first(call("DescribeRepositories", R"({"repositoryNames":["app"]})"), "repositories"); }
  static std::string quoted(const std::string& text) { return json::serialize(json::value(text)); }
  static std::string keep(int count) {
    return fmt::format(
        R"({{"rules":[{{"rulePriority":1,"selection":{{"tagStatus":"any","countType":"imageCountMoreThan",)"
        R"("countNumber":{}}},"action":{{"type":"expire"}}}}]}})",
        count);
  }
};

TEST_F(SettingsTest, TagsARepository) {
  EXPECT_EQ(tags(), "");
  EXPECT_EQ(tag(R"({"Key":"team","Value":"a"},{"Key":"stage","Value":"x"})").status, 200);
  EXPECT_EQ(tag(R"({"Key":"team","Value":"b"})").status, 200);
  EXPECT_EQ(tags(), "stage=x,team=b,");
  EXPECT_EQ(call("UntagResource", fmt::format(R"({{"resourceArn":"{}","tagKeys":["stage","none"]}})", app_arn)).status,
            200);
  EXPECT_EQ(tags(), "team=b,");
  start();
  EXPECT_EQ(registry_->catalog().resource_tags({std::string(region), "app"})->at("team"), "b");
}

TEST_F(SettingsTest, RefusesTagsAsEcrDoes) {
  EXPECT_EQ(tag(R"({"Key":"aws:x","Value":"a"})").type(), "InvalidTagParameterException");
  EXPECT_EQ(tag(R"({"Key":"k","Value":"a"},{"Key":"k","Value":"b"})").type(), "InvalidTagParameterException");
  EXPECT_EQ(tag("", "arn:aws:ecr:eu-north-1:123456789012:repository/none").type(), "RepositoryNotFoundException");
  for (const char* arn :
       {"app", "arn:aws:ecr:eu-north-1:123456789012:app", "arn:aws:ecr:eu-north-1:999999999999:repository/app",
        "arn:aws:ecr:us-east-1:123456789012:repository/app", "arn:aws:ecr:eu-north-1:123456789012:repository/A"}) {
    EXPECT_EQ(tags(arn), "InvalidParameterException") << arn;
  }
  std::string many;
  for (int i = 0; i < 51; ++i) many += fmt::format(R"({}{{"Key":"k{}","Value":"v"}})", i == 0 ? "" : ",", i);
  EXPECT_EQ(tag(many).type(), "TooManyTagsException");
  EXPECT_EQ(tags(), "");
}

TEST_F(SettingsTest, ScanningAndMutabilityAreShownAsTheyWereSet) {
  const auto scans = [&] { return bool_member(*find_member(app(), "imageScanningConfiguration"), "scanOnPush"); };
  EXPECT_EQ(about_app("PutImageScanningConfiguration", R"("imageScanningConfiguration":{"scanOnPush":true})").status,
            200);
  EXPECT_TRUE(scans());
  const Outcome off =
      about_app("PutImageScanningConfiguration", R"("imageScanningConfiguration":{"scanOnPush":false})");
  EXPECT_FALSE(bool_member(*find_member(off.body, "imageScanningConfiguration"), "scanOnPush", true));
  EXPECT_FALSE(scans());
  EXPECT_EQ(string_member(about_app("PutImageTagMutability", R"("imageTagMutability":"IMMUTABLE")").body,
                          "imageTagMutability"),
            "IMMUTABLE");
  EXPECT_EQ(string_member(app(), "imageTagMutability"), "IMMUTABLE");
  push_image("app", "v1", "one");
  push_blob("app", "two");
  EXPECT_EQ(send("PUT", "/v2/app/manifests/v1", image_manifest("{}", "two")).code(), "TAG_INVALID");
  EXPECT_EQ(about_app("PutImageTagMutability", R"("imageTagMutability":"IMMUTABLE_WITH_EXCLUSION")").type(),
            "InvalidParameterException");
}

TEST_F(SettingsTest, KeepsARepositoryPolicy) {
  const std::string text = R"({"Version":"2012-10-17","Statement":[]})";
  const Outcome none = about_app("GetRepositoryPolicy");
  EXPECT_EQ(none.type(), "RepositoryPolicyNotFoundException");
  EXPECT_EQ(
      none.message(),
      "Repository policy does not exist for the repository with name 'app' in the registry with id '123456789012'");
  EXPECT_EQ(string_member(about_app("SetRepositoryPolicy", "\"policyText\":" + quoted(text)).body, "policyText"), text);
  EXPECT_EQ(string_member(about_app("GetRepositoryPolicy").body, "policyText"), text);
  EXPECT_EQ(string_member(about_app("DeleteRepositoryPolicy").body, "policyText"), text);
  EXPECT_EQ(about_app("GetRepositoryPolicy").type(), "RepositoryPolicyNotFoundException");
  EXPECT_EQ(about_app("DeleteRepositoryPolicy").type(), "RepositoryPolicyNotFoundException");
}

TEST_F(SettingsTest, ABadRepositoryPolicyIsRefusedWithTheReason) {
  const auto set = [&](const std::string& text) {
    return about_app("SetRepositoryPolicy", "\"policyText\":" + quoted(text));
  };
  EXPECT_EQ(set("{").type(), "InvalidParameterException");
  EXPECT_EQ(set("[]").type(), "InvalidParameterException");
  const Outcome refused = set(R"({"bad":1})");  // which the fixture's validator refuses
  EXPECT_EQ(refused.type(), "InvalidParameterException");
  EXPECT_EQ(
      refused.message(),
      "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided: bad is "
      "bad'");
  EXPECT_EQ(about_app("GetRepositoryPolicy").type(), "RepositoryPolicyNotFoundException");
}

TEST_F(SettingsTest, TellsPoliciesOfItsRepositories) {
  const RepositoryFacts facts(*registry_);
  tag(R"({"Key":"team","Value":"a"})");
  about_app("SetRepositoryPolicy", "\"policyText\":" + quoted("{}"));
  EXPECT_EQ(facts.tags_of(app_arn), (std::map<std::string, std::string>{{"team", "a"}}));
  EXPECT_EQ(facts.policy_of(app_arn), "{}");
  for (const char* arn : {"arn:aws:ecr:eu-north-1:123456789012:repository/none", "arn:aws:ecs:x", "", "*",
                          "arn:aws:ecr:us-east-1:123456789012:repository/app"}) {
    EXPECT_TRUE(facts.tags_of(arn).empty()) << arn;
    EXPECT_EQ(facts.policy_of(arn), "") << arn;
  }
}

TEST_F(SettingsTest, KeepsALifecyclePolicy) {
  const std::string text = keep(5);
  const Outcome none = about_app("GetLifecyclePolicy");
  EXPECT_EQ(none.type(), "LifecyclePolicyNotFoundException");
  EXPECT_EQ(
      none.message(),
      "Lifecycle policy does not exist for the repository with name 'app' in the registry with id '123456789012'");
  EXPECT_EQ(string_member(about_app("PutLifecyclePolicy", "\"lifecyclePolicyText\":" + quoted(text)).body,
                          "lifecyclePolicyText"),
            text);
  const Outcome got = about_app("GetLifecyclePolicy");
  EXPECT_EQ(string_member(got.body, "lifecyclePolicyText"), text);
  EXPECT_NE(find_member(got.body, "lastEvaluatedAt"), nullptr);
  EXPECT_EQ(string_member(about_app("DeleteLifecyclePolicy").body, "lifecyclePolicyText"), text);
  EXPECT_EQ(about_app("DeleteLifecyclePolicy").type(), "LifecyclePolicyNotFoundException");
  const std::string wrong = keep(0);
  EXPECT_EQ(about_app("PutLifecyclePolicy", "\"lifecyclePolicyText\":" + quoted(wrong)).type(),
            "InvalidParameterException");
}

TEST_F(SettingsTest, ALifecyclePolicyExpiresImages) {
  for (const char* tag : {"v1", "v2", "v3"}) {
    push_image("app", tag, tag);
    clock_.advance(std::chrono::hours(1));
  }
  about_app("PutLifecyclePolicy", "\"lifecyclePolicyText\":" + quoted(keep(2)));
  EXPECT_EQ(send("GET", "/v2/app/tags/list").body, R"({"name":"app","tags":["v2","v3"]})");
  push_image("app", "v4", "v4");
  EXPECT_EQ(send("GET", "/v2/app/tags/list").body, R"({"name":"app","tags":["v2","v3","v4"]})");
  ASSERT_TRUE(registry_->collect_garbage());  // the daily one
  EXPECT_EQ(send("GET", "/v2/app/tags/list").body, R"({"name":"app","tags":["v3","v4"]})");
  EXPECT_EQ(send("GET", "/v2/app/manifests/v1").status, 404);
}

TEST_F(SettingsTest, AnIndexExpiresBeforeItsImages) {
  const std::string child = push_image("app", "", "one");
  const std::string index =
      fmt::format(R"({{"schemaVersion":2,"manifests":[{{"mediaType":"x","digest":"{}","size":5}}]}})", child);
  clock_.advance(std::chrono::hours(1));
  const std::string type = "application/vnd.oci.image.index.v1+json";
  ASSERT_EQ(send("PUT", "/v2/app/manifests/multi", index, {{"Content-Type", type}}).status, 201);
  const std::string untagged =
      R"({"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"sinceImagePushed","countUnit":"days",)"
      R"("countNumber":1},"action":{"type":"expire"}}]})";
  clock_.advance(std::chrono::hours(48));
  about_app("PutLifecyclePolicy", "\"lifecyclePolicyText\":" + quoted(untagged));
  EXPECT_TRUE(registry_->resolve(std::string(region), "app", child));  // the index needs it
  push_image("app", "new", "two");
  about_app("PutLifecyclePolicy", "\"lifecyclePolicyText\":" + quoted(keep(1)));
  EXPECT_FALSE(registry_->resolve(std::string(region), "app", "multi"));
  EXPECT_FALSE(registry_->resolve(std::string(region), "app", child));
}

TEST_F(SettingsTest, PushesAnImageThroughTheApi) {
  const auto upload = [&](const std::string& bytes) {
    const std::string id = string_member(about_app("InitiateLayerUpload").body, "uploadId");
    const Outcome part = about_app(
        "UploadLayerPart", fmt::format(R"("uploadId":"{}","partFirstByte":0,"partLastByte":{},"layerPartBlob":"{}")",
                                       id, bytes.size() - 1, base64_encode(bytes)));
    EXPECT_EQ(part.status, 200) << json::serialize(part.body);
    return about_app("CompleteLayerUpload",
                     fmt::format(R"("uploadId":"{}","layerDigests":["{}"])", id, digest_of(bytes)));
  };
  EXPECT_EQ(string_member(upload("{}").body, "layerDigest"), digest_of("{}"));
  const std::string manifest = image_manifest("{}", "layer");
  const std::string put = "\"imageTag\":\"v1\",\"imageManifest\":" + quoted(manifest);
  EXPECT_EQ(about_app("PutImage", put).type(), "LayersNotFoundException");
  EXPECT_EQ(upload("layer").status, 200);
  EXPECT_EQ(upload("layer").type(), "LayerAlreadyExistsException");
  const Outcome image = about_app("PutImage", put);
  EXPECT_EQ(image.status, 200);
  EXPECT_EQ(string_member(*find_member(*find_member(image.body, "image"), "imageId"), "imageDigest"),
            digest_of(manifest));
  EXPECT_EQ(send("GET", "/v2/app/manifests/v1").body, manifest);
  EXPECT_EQ(about_app("PutImage", put).type(), "ImageAlreadyExistsException");
  // The way to tag an image anew.
  EXPECT_EQ(about_app("PutImage", "\"imageTag\":\"v2\",\"imageManifest\":" + quoted(manifest)).status, 200);
  EXPECT_EQ(about_app("PutImage", "\"imageTag\":\"-\",\"imageManifest\":" + quoted(manifest)).type(),
            "InvalidParameterException");
  EXPECT_EQ(about_app("PutImage", "\"imageManifest\":\"{}\"").type(), "InvalidParameterException");
  EXPECT_EQ(about_app("PutImage",
                      fmt::format("\"imageDigest\":\"{}\",\"imageManifest\":{}", digest_of("x"), quoted(manifest)))
                .type(),
            "ImageDigestDoesNotMatchException");
}

TEST_F(SettingsTest, LayerUploadsSayWhatIsWrong) {
  const std::string id = string_member(about_app("InitiateLayerUpload").body, "uploadId");
  const auto part = [&](const std::string& upload, int first_byte, int last_byte) {
    return about_app("UploadLayerPart",
                     fmt::format(R"("uploadId":"{}","partFirstByte":{},"partLastByte":{},"layerPartBlob":"{}")", upload,
                                 first_byte, last_byte, base64_encode("abc")));
  };
  const auto complete = [&](const std::string& digest) {
    return about_app("CompleteLayerUpload", fmt::format(R"("uploadId":"{}","layerDigests":["{}"])", id, digest)).type();
  };
  EXPECT_EQ(complete(digest_of("")), "EmptyUploadException");
  EXPECT_EQ(part(id, 1, 3).type(), "InvalidLayerPartException");
  EXPECT_EQ(part(id, 0, 3).type(), "InvalidLayerPartException");
  EXPECT_EQ(part("00000000-0000-4000-8000-000000000000", 0, 2).type(), "UploadNotFoundException");
  EXPECT_EQ(int_member(part(id, 0, 2).body, "lastByteReceived"), 2);
  EXPECT_EQ(part(id, 3, 5).status, 200);
  EXPECT_EQ(complete("md5:abc"), "InvalidParameterException");
  EXPECT_EQ(complete(digest_of("abc")), "InvalidLayerException");
  EXPECT_EQ(complete(digest_of("abcabc")), "UploadNotFoundException");  // over with the wrong digest
  const Outcome checked =
      about_app("BatchCheckLayerAvailability",
                fmt::format(R"("layerDigests":["{}","{}","nonsense"])", push_blob("app", "here"), digest_of("gone")));
  EXPECT_EQ(string_member(first(checked, "layers"), "layerAvailability"), "AVAILABLE");
  EXPECT_EQ(int_member(first(checked, "layers"), "layerSize"), 4);
  EXPECT_EQ(string_member(find_member(checked.body, "layers")->as_array().at(1), "layerAvailability"), "UNAVAILABLE");
  EXPECT_EQ(string_member(first(checked, "failures"), "failureCode"), "InvalidLayerDigest");
}

}  // namespace
}  // namespace kaapi::registry
