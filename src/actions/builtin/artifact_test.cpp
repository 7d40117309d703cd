// actions/upload-artifact and actions/download-artifact.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "actions/builtin/test_storage.h"

namespace kaapi::actions {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Key;
using testing::Not;
namespace fs = std::filesystem;

class ArtifactTest : public testing::Test {
 protected:
  ArtifactTest() { host.server = "http://127.0.0.1:4566"; }

  // Empty: success.
  std::string run(std::string_view name, std::map<std::string, std::string> inputs) {
    host.next_step(std::move(inputs));
    const ActionResult result = find_builtin(name)->main(host);
    return result ? "" : result.error().message;
  }
  std::string upload(std::map<std::string, std::string> inputs) {
    return run("actions/upload-artifact", std::move(inputs));
  }
  std::string download(std::map<std::string, std::string> inputs) {
    return run("actions/download-artifact", std::move(inputs));
  }
  std::string merge(std::map<std::string, std::string> inputs) {
    return run("actions/upload-artifact/merge", std::move(inputs));
  }
  // An artifact for each name, with a file of that name and one that all of them have.
  void upload_each(const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      host.write(fmt::format("up-{0}/{0}.txt", name), name);
      host.write(fmt::format("up-{}/last", name), name);
      ASSERT_EQ(upload({{"name", name}, {"path", fmt::format("up-{}", name)}}), "") << host.text;
    }
  }
  // Files below a folder of the workspace.
  std::vector<std::string> files(const std::string& folder) const {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(host.in_workspace(folder))) {
      if (entry.is_regular_file()) all.push_back(entry.path().lexically_relative(host.in_workspace(folder)).string());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  TestHost host;
  TestStorage storage{host};
};

TEST_F(ArtifactTest, WhatIsUploadedIsDownloaded) {
  host.write("dist/app.js", "app");
  host.write("dist/css/a.css", "css");
  host.write("dist/.env", "secret");
  ASSERT_EQ(upload({{"name", "web app"}, {"path", "dist"}, {"retention-days", "3"}}), "") << host.text;
  EXPECT_EQ(host.requests.back(), "PUT artifacts/web%20app?overwrite=false&retention_days=3");
  EXPECT_EQ(host.outputs["artifact-id"], "100");
  EXPECT_EQ(host.outputs["artifact-digest"], to_hex(sha256(storage.artifacts["web app"])));
  EXPECT_EQ(host.outputs["artifact-url"], "http://127.0.0.1:4566/kaapi/app/actions/runs/12/artifacts/100");
  ASSERT_EQ(download({{"name", "web app"}, {"path", "got/it"}}), "") << host.text;
  EXPECT_THAT(files("got/it"), ElementsAre("app.js", "css/a.css"));
  EXPECT_EQ(TestHost::content(host.in_workspace("got/it/css/a.css")), "css");
  EXPECT_EQ(host.outputs["download-path"], host.in_workspace("got/it"));
  EXPECT_TRUE(fs::is_empty(host.temp()));
}

TEST_F(ArtifactTest, NamesBeginBelowWhatThePathsHaveInCommon) {
  host.write("out/a/one.txt", "1");
  host.write("out/b/two.txt", "2");
  host.write("out/b/.hidden", "3");
  ASSERT_EQ(upload({{"name", "single"}, {"path", "out/a/one.txt"}}), "");
  ASSERT_EQ(upload({{"name", "two"}, {"path", "out/a/one.txt\nout/b\n"}}), "");
  ASSERT_EQ(upload({{"name", "glob"}, {"path", "out/**/*.txt\n!out/b/**"}}), "");
  ASSERT_EQ(upload({{"name", "hidden"}, {"path", "out/b"}, {"include-hidden-files", "true"}}), "");
  ASSERT_EQ(download({{"path", "all"}}), "");
  EXPECT_THAT(files("all"), ElementsAre("glob/a/one.txt", "hidden/.hidden", "hidden/two.txt", "single/one.txt",
                                        "two/a/one.txt", "two/b/two.txt"));
}

TEST_F(ArtifactTest, NothingFound) {
  EXPECT_EQ(upload({{"path", "none"}}), "");
  EXPECT_THAT(host.text, HasSubstr("::warning::No files were found with the provided path: none."));
  EXPECT_EQ(upload({{"path", "none"}, {"if-no-files-found", "ignore"}}), "");
  EXPECT_THAT(host.text, Not(HasSubstr("::warning::")));
  EXPECT_THAT(upload({{"path", "none"}, {"if-no-files-found", "error"}}), HasSubstr("No artifacts will be uploaded"));
  EXPECT_THAT(upload({{"path", "x"}, {"if-no-files-found", "panic"}}), HasSubstr("warn, error or ignore"));
  EXPECT_THAT(storage.artifacts, IsEmpty());
}

TEST_F(ArtifactTest, ANameIsTakenOnceUnlessItIsOverwritten) {
  host.write("a", "1");
  ASSERT_EQ(upload({{"path", "a"}}), "");
  host.requests.clear();
  EXPECT_THAT(upload({{"path", "a"}}), HasSubstr("there is an artifact 'artifact' in this run already"));
  EXPECT_THAT(upload({{"path", "a"}}), HasSubstr("${{ matrix.NAME }}"));
  EXPECT_THAT(host.requests, Not(Contains(HasSubstr("PUT"))));
  host.write("a", "2");
  ASSERT_EQ(upload({{"path", "a"}, {"overwrite", "true"}}), "");
  ASSERT_EQ(download({{"name", "artifact"}, {"path", "got"}}), "");
  EXPECT_EQ(TestHost::content(host.in_workspace("got/a")), "2");
}

// As when the answer to the first sending was lost.
TEST_F(ArtifactTest, WhatWasSentTwiceIsThereOnce) {
  const auto honest = host.on_put;
  host.on_put = [&](const std::string& path, const std::string& body) {
    honest(path, body);
    return honest(path, body);
  };
  host.write("a", "1");
  EXPECT_EQ(upload({{"path", "a"}}), "") << host.text;
  EXPECT_EQ(storage.artifacts.size(), 1U);
  EXPECT_FALSE(host.outputs["artifact-id"].empty());
  host.on_put = [&](const std::string& path, const std::string& body) {
    honest(path, "another job was faster");
    return honest(path, body);
  };
  EXPECT_THAT(upload({{"name", "b"}, {"path", "a"}}), HasSubstr("there is an artifact 'b' in this run already"));
}

TEST_F(ArtifactTest, PatternsIdsAndMerging) {
  for (const char* name : {"part-1", "part-2", "other"}) {
    host.write(fmt::format("up/{}.txt", name), name);
    ASSERT_EQ(upload({{"name", name}, {"path", fmt::format("up/{}.txt", name)}}), "");
  }
  ASSERT_EQ(download({{"pattern", "part-*"}, {"path", "apart"}}), "");
  EXPECT_THAT(files("apart"), ElementsAre("part-1/part-1.txt", "part-2/part-2.txt"));
  ASSERT_EQ(download({{"pattern", "part-*"}, {"path", "merged"}, {"merge-multiple", "true"}}), "");
  EXPECT_THAT(files("merged"), ElementsAre("part-1.txt", "part-2.txt"));
  ASSERT_EQ(download({{"artifact-ids", "101"}, {"path", "by-id"}}), "");
  EXPECT_THAT(files("by-id"), ElementsAre("part-1.txt"));
  ASSERT_EQ(download({{"pattern", "no-*"}, {"path", "none"}}), "");
  EXPECT_THAT(host.text, HasSubstr("Total of 0 artifact(s) downloaded"));
}

TEST_F(ArtifactTest, SaysWhatIsNotThere) {
  host.write("a", "1");
  ASSERT_EQ(upload({{"name", "one"}, {"path", "a"}}), "");
  EXPECT_THAT(download({{"name", "two"}}), HasSubstr("Artifact 'two' not found; this run has 'one'"));
  EXPECT_THAT(download({{"name", "one"}, {"run-id", "99"}}), HasSubstr("there is no such run"));
  EXPECT_THAT(download({{"name", "one"}, {"run-id", "last"}}), HasSubstr("the number of a run, not 'last'"));
  EXPECT_THAT(download({{"name", "one"}, {"repository", "kaapi/other"}}),
              testing::AllOf(HasSubstr("'kaapi/other'"), HasSubstr("this is run 12 of kaapi/app")));
  EXPECT_EQ(download({{"name", "one"}, {"run-id", "12"}, {"repository", "kaapi/app"}}), "");
  EXPECT_THAT(download({{"name", "one"}, {"artifact-ids", "1"}}), HasSubstr("cannot be used together"));
  EXPECT_THAT(upload({{"name", "a/b"}, {"path", "a"}}), HasSubstr("the artifact name 'a/b' is not valid"));
  EXPECT_THAT(upload({{"path", "a"}, {"compression-level", "10"}}), HasSubstr("from 0 to 9"));
  EXPECT_THAT(upload({{"path", "a"}, {"retention-days", "401"}}), HasSubstr("from 0 to 400"));
  storage.fails_with = 507;
  EXPECT_EQ(upload({{"name", "three"}, {"path", "a"}}), "the disk is full");
}

TEST_F(ArtifactTest, WhatCameOtherwiseThanItWasStoredIsRefused) {
  host.write("a", "1");
  ASSERT_EQ(upload({{"name", "one"}, {"path", "a"}}), "");
  const auto honest = host.on_get;
  host.on_get = [&](const std::string& path) {
    ActionHost::Answer answer = honest(path);
    if (path == "artifacts/one") answer.body += "x";
    return answer;
  };
  EXPECT_THAT(download({{"name", "one"}, {"path", "got"}}), HasSubstr("what came is not what was uploaded"));
  EXPECT_FALSE(fs::exists(host.in_workspace("got/a")));
}

TEST_F(ArtifactTest, ThoseOfAnotherRunComeByItsNumber) {
  host.write("a", "1");
  ASSERT_EQ(upload({{"name", "web app"}, {"path", "a"}}), "");
  storage.other_runs["11"] = std::exchange(storage.artifacts, {});
  const std::map<std::string, std::string> of_11 = {
      {"run-id", "11"}, {"github-token", "any"}, {"repository", "Kaapi/App"}, {"path", "got"}};
  const auto with = [&](std::map<std::string, std::string> inputs) {
    inputs.insert(of_11.begin(), of_11.end());
    return download(std::move(inputs));
  };
  ASSERT_EQ(with({{"name", "web app"}}), "") << host.text;
  EXPECT_EQ(host.requests.back(), "GET artifacts/web%20app?run=11");
  EXPECT_THAT(files("got"), ElementsAre("a"));
  ASSERT_EQ(with({{"pattern", "web*"}, {"path", "all"}}), "") << host.text;
  EXPECT_THAT(files("all"), ElementsAre("web app/a"));
  EXPECT_THAT(with({{"name", "two"}}), HasSubstr("Artifact 'two' not found; run 11 has 'web app'"));
  host.on_get = [](const std::string&) {
    return ActionHost::Answer{403, {}, R"({"message":"add `permissions: actions: read`"})"};
  };
  EXPECT_EQ(with({{"name", "web app"}}), "add `permissions: actions: read`");
}

TEST_F(ArtifactTest, SeveralAreMergedIntoOne) {
  upload_each({"other", "part-1", "part-2"});
  ASSERT_EQ(merge({{"name", "all parts"}, {"pattern", "part-*"}, {"retention-days", "3"}}), "") << host.text;
  EXPECT_EQ(host.requests.back(), "PUT artifacts/all%20parts?overwrite=false&retention_days=3");
  EXPECT_THAT(host.text, HasSubstr("The 2 artifact(s) have been successfully merged!"));
  EXPECT_EQ(host.outputs["artifact-id"], "100");
  EXPECT_EQ(host.outputs["artifact-digest"], to_hex(sha256(storage.artifacts["all parts"])));
  EXPECT_EQ(host.outputs["artifact-url"], "http://127.0.0.1:4566/kaapi/app/actions/runs/12/artifacts/100");
  EXPECT_TRUE(fs::is_empty(host.temp()));
  EXPECT_EQ(storage.artifacts.size(), 4U) << "they stay";
  ASSERT_EQ(download({{"name", "all parts"}, {"path", "got"}}), "");
  EXPECT_THAT(files("got"), ElementsAre("last", "part-1.txt", "part-2.txt"));
  EXPECT_EQ(TestHost::content(host.in_workspace("got/last")), "part-2") << "the later in order of names";
}

TEST_F(ArtifactTest, MergedOnesAreInFoldersAndGoWhenAsked) {
  upload_each({"part-1", "part-2"});
  ASSERT_EQ(merge({{"separate-directories", "true"}, {"delete-merged", "true"}}), "") << host.text;
  EXPECT_THAT(host.requests, testing::IsSupersetOf({"DELETE artifacts/part-1", "DELETE artifacts/part-2"}));
  EXPECT_THAT(host.text, HasSubstr("The 2 artifact(s) have been deleted"));
  EXPECT_THAT(storage.artifacts, ElementsAre(Key("merged-artifacts")));
  ASSERT_EQ(download({{"name", "merged-artifacts"}, {"path", "got"}}), "");
  EXPECT_THAT(files("got"), ElementsAre("part-1/last", "part-1/part-1.txt", "part-2/last", "part-2/part-2.txt"));
}

TEST_F(ArtifactTest, HiddenFilesAreMergedWhenAsked) {
  host.write("a/.env", "secret");
  ASSERT_EQ(upload({{"name", "one"}, {"path", "a"}, {"include-hidden-files", "true"}}), "");
  EXPECT_THAT(merge({{"name", "two"}}), HasSubstr("include-hidden-files: true"));
  ASSERT_EQ(merge({{"name", "two"}, {"include-hidden-files", "true"}}), "") << host.text;
  ASSERT_EQ(download({{"name", "two"}, {"path", "got"}}), "");
  EXPECT_THAT(files("got"), ElementsAre(".env"));
}

TEST_F(ArtifactTest, MergingSaysWhatIsWrong) {
  EXPECT_EQ(merge({}), "No artifacts found matching pattern '*'; this run has none so far");
  upload_each({"one"});
  EXPECT_EQ(merge({{"pattern", "part-*"}}), "No artifacts found matching pattern 'part-*'; this run has 'one'");
  EXPECT_THAT(merge({{"name", "a/b"}}), HasSubstr("the artifact name 'a/b' is not valid"));
  EXPECT_THAT(merge({{"delete-merged", "yes"}}), HasSubstr("'delete-merged' is true or false"));
  host.requests.clear();
  EXPECT_EQ(merge({{"name", "one"}}), "there is an artifact 'one' in this run already: choose another name");
  EXPECT_THAT(host.requests, ElementsAre("GET artifacts")) << "before anything is fetched";
}

TEST_F(ArtifactTest, WhatWasNotStoredMergedIsNotDeleted) {
  upload_each({"one", "two"});
  const auto honest = std::exchange(host.on_put, [](const std::string&, const std::string&) {
    return ActionHost::Answer{507, {}, R"({"message":"the disk is full"})"};
  });
  EXPECT_EQ(merge({{"delete-merged", "true"}}), "the disk is full");
  EXPECT_EQ(storage.artifacts.size(), 2U);
  EXPECT_TRUE(fs::is_empty(host.temp()));
  host.on_put = honest;
  host.on_delete = [](const std::string&) { return ActionHost::Answer{503, {}, R"({"message":"not now"})"}; };
  EXPECT_EQ(merge({{"delete-merged", "true"}}),
            "'one' is merged into 'merged-artifacts', but could not be deleted: not now");
}

TEST_F(ArtifactTest, CancellingEndsThem) {
  host.write("a", "1");
  host.is_cancelled = true;
  EXPECT_THAT(upload({{"path", "a"}}), HasSubstr("cancelled"));
}

}  // namespace
}  // namespace kaapi::actions
