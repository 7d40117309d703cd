// actions/cache and its two halves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "actions/builtin/cache_plan.h"
#include "actions/builtin/test_storage.h"

namespace kaapi::actions {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::SizeIs;
namespace fs = std::filesystem;

class CacheTest : public testing::Test {
 protected:
  // Empty: success. The post step sees what the step has kept.
  std::string run(std::map<std::string, std::string> inputs, std::string_view name = "actions/cache") {
    host.next_step(std::move(inputs));
    const ActionResult result = find_builtin(name)->main(host);
    return result ? "" : result.error().message;
  }
  bool post() {
    host.text.clear();
    return static_cast<bool>(find_builtin("actions/cache")->post(host));
  }
  void next_job() const {
    for (const std::string& folder : {host.workspace(), host.file("home")}) {
      fs::remove_all(folder);
      fs::create_directories(folder);
    }
  }

  TestHost host;
  TestStorage storage{host};
  const std::string path = "node_modules\n~/.cache/tool\n!**/*.log\n";
};

TEST_F(CacheTest, SavesAfterAMissAndRestoresInTheNextJob) {
  ASSERT_EQ(run({{"path", path}, {"key", "npm-1"}}), "") << host.text;
  EXPECT_THAT(host.text, HasSubstr("Cache not found for input keys: npm-1"));
  EXPECT_EQ(host.outputs["cache-primary-key"], "npm-1");
  EXPECT_FALSE(host.outputs.contains("cache-hit"));
  host.write("node_modules/a/index.js", "a");
  host.write("node_modules/debug.log", "noise");
  fs::create_directories(host.file("home/.cache/tool/x"));
  ASSERT_TRUE(post());
  EXPECT_THAT(host.text, HasSubstr("Cache saved with key: npm-1"));
  ASSERT_THAT(storage.caches, SizeIs(1));

  next_job();
  ASSERT_EQ(run({{"path", path}, {"key", "npm-1"}}), "") << host.text;
  EXPECT_EQ(host.outputs["cache-hit"], "true");
  EXPECT_EQ(host.outputs["cache-matched-key"], "npm-1");
  EXPECT_EQ(TestHost::content(host.in_workspace("node_modules/a/index.js")), "a");
  EXPECT_FALSE(fs::exists(host.in_workspace("node_modules/debug.log")));
  EXPECT_TRUE(fs::is_directory(host.file("home/.cache/tool/x")));
  ASSERT_TRUE(post());
  EXPECT_THAT(host.text, HasSubstr("Cache hit occurred on the primary key npm-1, not saving cache."));
  EXPECT_THAT(storage.caches, SizeIs(1));
  EXPECT_TRUE(fs::is_empty(host.temp()));
}

TEST_F(CacheTest, ARestoreKeyIsAHitOfAnotherKey) {
  host.write("node_modules/a", "old");
  ASSERT_EQ(run({{"path", path}, {"key", "npm-1"}}, "actions/cache/save"), "");
  next_job();
  ASSERT_EQ(run({{"path", path}, {"key", "npm-2"}, {"restore-keys", "other-\nnpm-\n"}}), "");
  EXPECT_EQ(host.outputs["cache-hit"], "false");
  EXPECT_EQ(host.outputs["cache-matched-key"], "npm-1");
  EXPECT_EQ(TestHost::content(host.in_workspace("node_modules/a")), "old");
  ASSERT_TRUE(post());
  EXPECT_EQ(storage.caches.back().key, "npm-2");
  // Other paths are another cache.
  ASSERT_EQ(run({{"path", "node_modules"}, {"key", "npm-2"}}), "");
  EXPECT_THAT(host.text, HasSubstr("Cache not found"));
}

TEST_F(CacheTest, LookupOnlyFetchesNothing) {
  host.write("node_modules/a", "a");
  ASSERT_EQ(run({{"path", path}, {"key", "npm-1"}}, "actions/cache/save"), "");
  next_job();
  ASSERT_EQ(run({{"path", path}, {"key", "NPM-1"}, {"restore-keys", "npm"}, {"lookup-only", "true"}},
                "actions/cache/restore"),
            "");
  EXPECT_EQ(host.outputs["cache-hit"], "true");  // as in the original, case does not count
  EXPECT_FALSE(fs::exists(host.in_workspace("node_modules")));
  EXPECT_THAT(host.requests.back(), HasSubstr("&lookup=true"));
}

TEST_F(CacheTest, AMissFailsOnlyWhenThatIsAsked) {
  EXPECT_THAT(run({{"path", "x"}, {"key", "k"}, {"fail-on-cache-miss", "true"}}),
              HasSubstr("Exiting as fail-on-cache-miss is set. Input key: k"));
  storage.fails_with = 500;
  EXPECT_EQ(run({{"path", "x"}, {"key", "k"}}), "");
  EXPECT_THAT(host.text, HasSubstr("::warning::Failed to restore: the disk is full"));
  host.write("x", "x");
  EXPECT_TRUE(post());
  EXPECT_THAT(host.text, HasSubstr("::warning::Failed to save: the disk is full"));
  host.on_get = {};
  EXPECT_EQ(run({{"path", "x"}, {"key", "k"}}), "");
  EXPECT_THAT(host.text, HasSubstr("::warning::Failed to restore: nobody answers"));
}

TEST_F(CacheTest, ADamagedOrForeignCacheIsAMiss) {
  storage.caches.push_back({"k", cache_version({"x"}), "no archive"});
  EXPECT_EQ(run({{"path", "x"}, {"key", "k"}}), "");
  EXPECT_THAT(host.text, HasSubstr("Failed to restore: the archive cannot be read"));
  // It holds another folder than the input names.
  storage.caches.clear();
  host.write("y/file", "y");
  ASSERT_EQ(run({{"path", "y"}, {"key", "k"}}, "actions/cache/save"), "");
  storage.caches.back().version = cache_version({"x"});
  next_job();
  EXPECT_EQ(run({{"path", "x"}, {"key", "k"}}), "");
  EXPECT_THAT(host.text, HasSubstr("'w/y', which is outside of what the input 'path' names"));
  EXPECT_FALSE(host.outputs.contains("cache-hit"));
  EXPECT_FALSE(fs::exists(host.in_workspace("y")));
}

TEST_F(CacheTest, SaveSaysWhatItDidNotDo) {
  EXPECT_EQ(run({{"path", "none"}, {"key", "k"}}, "actions/cache/save"), "");
  EXPECT_THAT(host.text, HasSubstr("Path(s) specified in the action for caching do(es) not exist"));
  host.write("x", "x");
  EXPECT_EQ(run({{"path", "x"}, {"key", "k"}}, "actions/cache/save"), "");
  host.requests.clear();
  EXPECT_EQ(run({{"path", "x"}, {"key", "k"}}, "actions/cache/save"), "");
  EXPECT_THAT(host.text, HasSubstr("there is a cache with the key k already"));
  EXPECT_THAT(host.requests, Not(Contains(HasSubstr("PUT"))));
  EXPECT_THAT(storage.caches, SizeIs(1));
}

TEST_F(CacheTest, KeysThatCannotBeAreRefused) {
  EXPECT_THAT(run({{"path", "x"}, {"key", "a,b"}}), HasSubstr("a,b cannot contain commas"));
  EXPECT_THAT(run({{"path", "x"}, {"key", std::string(513, 'k')}}), HasSubstr("larger than 512 characters"));
  EXPECT_THAT(run({{"path", "x"}, {"key", "k"}, {"restore-keys", "0\n1\n2\n3\n4\n5\n6\n7\n8\n9"}}),
              HasSubstr("maximum of 10"));
  EXPECT_THAT(run({{"path", "!x"}, {"key", "k"}}), HasSubstr("'path' names nothing"));
}

TEST_F(CacheTest, SavesOnlyOnSuccess) {
  EXPECT_TRUE(find_builtin("actions/cache")->post_on_success_only);
  EXPECT_FALSE(find_builtin("actions/cache/restore")->post);
  EXPECT_FALSE(find_builtin("actions/cache/save")->post);
}

TEST(CachePlan, NamesAreOfThisJobsFolders) {
  EXPECT_EQ(cache_name("/w", "/h", "/w"), "w");
  EXPECT_EQ(cache_name("/w", "/h", "/w/a/b"), "w/a/b");
  EXPECT_EQ(cache_name("/w", "/h", "/h/.c"), "h/.c");
  EXPECT_EQ(cache_name("/w", "/h", "/wide"), "a/wide");
  const CachePlaces places("/w2", "/h2", {"/w2/a", "/h2/.c", "/opt/x"});
  EXPECT_EQ(places.place_of("w/a/b").value(), "/w2/a/b");
  EXPECT_EQ(places.place_of("h/.c/").value(), "/h2/.c");
  EXPECT_EQ(places.place_of("a/opt/x/y").value(), "/opt/x/y");
  for (const char* name : {"w/ab", "w/a/../c", "w", "a/etc/passwd", "/opt/x", "z/a", "", "a/opt/x/../../etc"}) {
    EXPECT_FALSE(places.place_of(name)) << name;
  }
}

TEST_F(CacheTest, InAContainerTheHomeIsTheSameHome) {
  const std::string of_container = "/github/home/.m2\n";
  host.mounts = {{"/__w", host.workspace()}, {"/github/home", host.file("home")}};
  host.variables["HOME"] = "/github/home";
  ASSERT_EQ(run({{"path", of_container}, {"key", "m2"}}), "") << host.text;
  fs::create_directories(host.file("home/.m2/x"));
  ASSERT_TRUE(post());
  EXPECT_THAT(host.text, HasSubstr("Cache saved with key: m2"));
  next_job();
  ASSERT_EQ(run({{"path", of_container}, {"key", "m2"}}), "") << host.text;
  EXPECT_TRUE(fs::exists(host.file("home/.m2/x"))) << host.text;
  EXPECT_THAT(run({{"path", "/root/.m2"}, {"key", "m2"}}), HasSubstr("in the container alone"));
}

}  // namespace
}  // namespace kaapi::actions
