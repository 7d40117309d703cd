// Blobs, uploads and what a crash does to them.
#include <sys/stat.h>

#include <thread>

#include "registry/api_call.h"
#include "registry/registry_fixture.h"

namespace kaapi::registry {
namespace {

std::string noise(std::size_t bytes, unsigned seed) {
  SeededIds ids(seed);
  std::string text;
  while (text.size() < bytes) text += ids.hex(16);
  text.resize(bytes);
  return text;
}

class BlobTest : public RegistryTest {
 protected:
  std::string start_upload() { return send("POST", "/v2/app/blobs/uploads/").header("Location"); }
};

TEST_F(BlobTest, StreamsLargeBlobsAcrossManyBuffers) {
  for (const std::size_t bytes : {0U, 1U, 262'143U, 262'144U, 262'145U, 5'000'000U}) {
    const std::string content = noise(bytes, 7);
    const std::string digest = push_blob("app", content);
    const Answer got = send("GET", "/v2/app/blobs/" + digest);
    EXPECT_EQ(got.status, 200);
    EXPECT_EQ(got.body, content);
    EXPECT_EQ(got.header("Docker-Content-Digest"), digest);
    const Answer head = send("HEAD", "/v2/app/blobs/" + digest);
    EXPECT_EQ(head.announced, bytes);
    EXPECT_EQ(head.body, "");
  }
  EXPECT_EQ(files_in("uploads"), 0U);
}

TEST_F(BlobTest, PushesAsDockerDoes) {
  const std::string content = noise(700'000, 1);
  const Answer started = send("POST", "/v2/app/blobs/uploads/");
  EXPECT_EQ(started.status, 202);
  EXPECT_EQ(started.header("Range"), "0-0");
  const std::string location = started.header("Location");
  const Answer patched = send("PATCH", location, content);
  EXPECT_EQ(patched.status, 202);
  EXPECT_EQ(patched.header("Range"), "0-699999");
  const Answer put = send("PUT", location + "?digest=" + percent_encode(digest_of(content)));
  EXPECT_EQ(put.status, 201);
  EXPECT_EQ(put.header("Location"), "/v2/app/blobs/" + digest_of(content));
  EXPECT_EQ(send("GET", put.header("Location")).body, content);
  EXPECT_EQ(send("PATCH", location, "more").code(), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(BlobTest, TakesChunksInOrderOnly) {
  const std::string location = start_upload();
  EXPECT_EQ(send("PATCH", location, "hello", {{"Content-Range", "0-4"}}).status, 202);
  const Answer gap = send("PATCH", location, "world", {{"Content-Range", "6-10"}});
  EXPECT_EQ(gap.status, 416);
  EXPECT_EQ(gap.header("Range"), "0-4");
  EXPECT_EQ(gap.header("Location"), location);
  EXPECT_EQ(send("PATCH", location, "x", {{"Content-Range", "five"}}).code(), "BLOB_UPLOAD_INVALID");
  const Answer status = send("GET", location);
  EXPECT_EQ(status.status, 204);
  EXPECT_EQ(status.header("Range"), "0-4");
  EXPECT_EQ(send("PATCH", location, "world", {{"Content-Range", "5-9"}}).status, 202);
  EXPECT_EQ(send("PUT", location + "?digest=" + digest_of("helloworld!"), "!", {{"Content-Range", "10-10"}}).status,
            201);
}

TEST_F(BlobTest, RefusesAWrongDigestAndForgetsTheUpload) {
  const std::string location = start_upload();
  send("PATCH", location, "hello");
  EXPECT_EQ(send("PUT", location + "?digest=sha256:1234").code(), "DIGEST_INVALID");
  EXPECT_EQ(send("GET", location).status, 204);  // a malformed digest costs nothing
  const Answer put = send("PUT", location + "?digest=" + digest_of("other"));
  EXPECT_EQ(put.status, 400);
  EXPECT_EQ(put.code(), "DIGEST_INVALID");
  EXPECT_EQ(send("GET", location).code(), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(send("POST", "/v2/app/blobs/uploads/?digest=" + digest_of("other"), "hello").code(), "DIGEST_INVALID");
  EXPECT_EQ(files_in("uploads"), 0U);
  EXPECT_EQ(files_in("blobs"), 0U);
}

TEST_F(BlobTest, CancelsUploads) {
  const std::string location = start_upload();
  EXPECT_EQ(send("DELETE", location).status, 204);
  EXPECT_EQ(send("DELETE", location).code(), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(files_in("uploads"), 0U);
}

TEST_F(BlobTest, AnUploadBelongsToItsRepository) {
  add_repository("other");
  const std::string location = start_upload();
  const std::string id = location.substr(location.rfind('/') + 1);
  EXPECT_EQ(send("PATCH", "/v2/other/blobs/uploads/" + id, "x").code(), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(send("PATCH", "/v2/app/blobs/uploads/..%2Fregistry.db", "x").status, 404);
  EXPECT_EQ(send("PATCH", "/v2/app/blobs/uploads/..", "x").code(), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(BlobTest, AClientThatGoesAwayCanResume) {
  const std::string content = noise(600'000, 3);
  const std::string location = start_upload();
  FakeBody half(content.substr(0, 400'000), 60'000, true);
  EXPECT_GE(send_as("Basic " + base64_encode("AWS:" + password()), "PATCH", location, half).status, 400);
  EXPECT_EQ(send("GET", location).header("Range"), "0-399999");
  EXPECT_EQ(send("PATCH", location, content.substr(400'000)).status, 202);
  EXPECT_EQ(send("PUT", location + "?digest=" + digest_of(content)).status, 201);
}

TEST_F(BlobTest, AfterACrashUploadsGoOnAndLeftoversAreGone) {
  const std::string content = noise(600'000, 4);
  const std::string location = start_upload();
  send("PATCH", location, content.substr(0, 300'000));
  const std::string blob = push_blob("app", "stays");
  std::ofstream(directory_ + "/registry/uploads/left-by-a-crash") << "half a blob";
  start();
  EXPECT_EQ(files_in("uploads"), 1U);
  EXPECT_EQ(send("GET", "/v2/app/blobs/" + blob).body, "stays");
  EXPECT_EQ(send("GET", location).header("Range"), "0-299999");
  EXPECT_EQ(send("PATCH", location, content.substr(300'000)).status, 202);
  EXPECT_EQ(send("PUT", location + "?digest=" + digest_of(content)).status, 201);
}

TEST_F(BlobTest, ATruncatedUploadIsResumedFromWhatIsThere) {
  const std::string location = start_upload();
  send("PATCH", location, "0123456789");
  const std::string file = directory_ + "/registry/uploads/" + location.substr(location.rfind('/') + 1);
  std::filesystem::resize_file(file, 4);
  start();
  EXPECT_EQ(send("GET", location).header("Range"), "0-3");
  EXPECT_EQ(send("PUT", location + "?digest=" + digest_of("0123456789"), "456789").status, 201);
}

TEST_F(BlobTest, ATruncatedBlobIsRefusedAndHealedByAPush) {
  const std::string digest = push_blob("app", "content");
  const std::string hex = digest.substr(7);
  std::filesystem::resize_file(directory_ + "/registry/blobs/sha256/" + hex.substr(0, 2) + "/" + hex, 3);
  EXPECT_EQ(send("GET", "/v2/app/blobs/" + digest).status, 500);
  push_blob("app", "content");
  EXPECT_EQ(send("GET", "/v2/app/blobs/" + digest).body, "content");
}

TEST_F(BlobTest, ExpiredUploadsAreCollected) {
  const std::string location = start_upload();
  clock_.set(SystemClock().now() + upload_lifetime + Duration(1000));
  ASSERT_TRUE(registry_->collect_garbage());
  EXPECT_EQ(send("GET", location).code(), "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(files_in("uploads"), 0U);
}

TEST_F(BlobTest, AnswersRanges) {
  const std::string path = "/v2/app/blobs/" + push_blob("app", "0123456789");
  const auto part = [&](const std::string& range) { return send("GET", path, "", {{"Range", range}}); };
  EXPECT_EQ(part("bytes=2-4").body, "234");
  EXPECT_EQ(part("bytes=2-4").status, 206);
  EXPECT_EQ(part("bytes=2-4").header("Content-Range"), "bytes 2-4/10");
  EXPECT_EQ(part("bytes=7-").body, "789");
  EXPECT_EQ(part("bytes=-2").body, "89");
  EXPECT_EQ(part("bytes=8-100").body, "89");
  EXPECT_EQ(part("bytes=10-").status, 416);
  EXPECT_EQ(part("bytes=10-").header("Content-Range"), "bytes */10");
  EXPECT_EQ(part("bytes=a-b").status, 200);
  EXPECT_EQ(part("bytes=0-1,3-4").status, 200);
}

TEST_F(BlobTest, IsReadableOnlyThroughARepositoryThatHasIt) {
  add_repository("team/other");
  const std::string digest = push_blob("app", "secret");
  EXPECT_EQ(send("GET", "/v2/team/other/blobs/" + digest).code(), "BLOB_UNKNOWN");
  const Answer mounted = send("POST", "/v2/team/other/blobs/uploads/?mount=" + digest + "&from=app");
  EXPECT_EQ(mounted.status, 201);
  EXPECT_EQ(send("GET", mounted.header("Location")).body, "secret");
  const Answer unmounted = send("POST", "/v2/team/other/blobs/uploads/?mount=" + digest_of("none") + "&from=app");
  EXPECT_EQ(unmounted.status, 202);
  EXPECT_NE(unmounted.header("Location"), "");
}

TEST_F(BlobTest, ManyPushesAtOnce) {
  constexpr unsigned pushers = 8;
  std::vector<std::thread> threads;
  std::vector<int> statuses(pushers);
  for (unsigned i = 0; i < pushers; ++i) {
    threads.emplace_back([&, i] {
      // Every second one pushes the same content.
      const std::string content = noise(1'500'000, i % 2 == 0 ? 100 : i);
      const std::string location = start_upload();
      send("PATCH", location, content);
      statuses[i] = send("PUT", location + "?digest=" + digest_of(content)).status;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(statuses, std::vector<int>(pushers, 201));
  EXPECT_EQ(files_in("blobs"), 1U + pushers / 2);
  EXPECT_EQ(files_in("uploads"), 0U);
}

TEST_F(BlobTest, PushesSurviveACollectorThatNeverRests) {
  std::atomic<bool> done = false;
  std::thread collector([&] {
    while (!done) EXPECT_TRUE(registry_->collect_garbage());
  });
  for (unsigned i = 0; i < 30; ++i) push_image("app", "tag" + std::to_string(i), noise(1000, i));
  done = true;
  collector.join();
  for (unsigned i = 0; i < 30; ++i) EXPECT_EQ(send("GET", "/v2/app/blobs/" + digest_of(noise(1000, i))).status, 200);
}

TEST_F(BlobTest, GarbageIsWhatNoManifestRefersTo) {
  push_image("app", "v1", "layer");
  push_blob("app", "forgotten");
  std::filesystem::create_directories(directory_ + "/registry/blobs/sha256/aa");
  std::ofstream(directory_ + "/registry/blobs/sha256/aa/" + std::string(64, 'a')) << "left between file and row";
  ASSERT_TRUE(registry_->collect_garbage());
  EXPECT_EQ(files_in("blobs"), 4U);  // nothing is old enough
  clock_.advance(unreferenced_blob_lifetime + Duration(1000));
  EXPECT_EQ(send("HEAD", "/v2/app/blobs/" + digest_of("forgotten")).status, 200);  // a pusher is about to use it
  ASSERT_TRUE(registry_->collect_garbage());
  EXPECT_EQ(files_in("blobs"), 3U);
  clock_.advance(unreferenced_blob_lifetime + Duration(1000));
  ASSERT_TRUE(registry_->collect_garbage());
  EXPECT_EQ(files_in("blobs"), 2U);
  EXPECT_EQ(send("GET", "/v2/app/blobs/" + digest_of("forgotten")).code(), "BLOB_UNKNOWN");
  EXPECT_EQ(send("GET", "/v2/app/blobs/" + digest_of("layer")).body, "layer");
}

TEST_F(BlobTest, UploadsAreBounded) {
  const std::string folder = directory_ + "/registry/uploads/";
  for (std::int64_t i = 0; i < max_open_uploads; ++i) {
    ASSERT_TRUE(registry_->catalog().start_upload({std::string(region), "app"}, std::to_string(i), clock_.now()));
    std::ofstream(folder + std::to_string(i)) << "x";
  }
  const Answer refused = send("POST", "/v2/app/blobs/uploads/");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.code(), "TOOMANYREQUESTS");
  EXPECT_EQ(files_in("uploads"), static_cast<std::size_t>(max_open_uploads));
  // Those that nobody touched for a day make room.
  clock_.set(SystemClock().now() + upload_lifetime + Duration(1000));
  EXPECT_EQ(send("POST", "/v2/app/blobs/uploads/").status, 202);
  EXPECT_EQ(files_in("uploads"), 1U);
}

TEST(RouteTest, NamesMayHoldSlashesAndEndpointWords) {
  const Route blob = parse_route("/v2/a/blobs/b/manifests/latest");
  EXPECT_EQ(blob.endpoint, Endpoint::manifest);
  EXPECT_EQ(blob.name, "a/blobs/b");
  EXPECT_EQ(blob.reference, "latest");
  EXPECT_EQ(parse_route("/v2/").endpoint, Endpoint::base);
  EXPECT_EQ(parse_route("/v2/a/b/blobs/uploads").endpoint, Endpoint::start_upload);
  EXPECT_EQ(parse_route("/v2/a/b/blobs/uploads/").name, "a/b");
  EXPECT_EQ(parse_route("/v2/a/blobs/uploads/some-id").endpoint, Endpoint::upload);
  EXPECT_EQ(parse_route("/v2/a/tags/list").endpoint, Endpoint::tags);
  for (const char* path : {"/v2/a", "/v2/manifests/x", "/v2//", "/v2/a/%zz/manifests/x", "/v2/a/b/c"}) {
    EXPECT_EQ(parse_route(path).endpoint, Endpoint::unknown) << path;
  }
}

}  // namespace
}  // namespace kaapi::registry
