// Which files the lines of a `path` input mean.
#include "actions/builtin/file_search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "actions/builtin/test_host.h"

namespace kaapi::actions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

class FileSearchTest : public testing::Test {
 protected:
  FileSearchTest() { search.follow_links = true; }

  PathPatterns patterns(const std::vector<std::string>& lines) const {
    return PathPatterns::prepare(host.workspace(), host.file("home"), lines).value();
  }
  // Relative to the workspace.
  std::vector<std::string> found(const std::vector<std::string>& lines) const {
    std::vector<std::string> names;
    for (const std::string& path : find_files(patterns(lines), search).value()) {
      names.push_back(fs::path(path).lexically_relative(host.workspace()).string());
    }
    return names;
  }

  TestHost host;
  FileSearch search;
};

TEST_F(FileSearchTest, AFolderMeansAllBelowIt) {
  host.write("dist/a.js", "a");
  host.write("dist/deep/er/b.js", "b");
  host.write("src/c.js", "c");
  EXPECT_THAT(found({"dist"}), ElementsAre("dist/a.js", "dist/deep/er/b.js"));
  EXPECT_THAT(found({"./dist/"}), ElementsAre("dist/a.js", "dist/deep/er/b.js"));
  EXPECT_THAT(found({host.in_workspace("dist/a.js")}), ElementsAre("dist/a.js"));
  EXPECT_THAT(found({"src/../dist/deep"}), ElementsAre("dist/deep/er/b.js"));
  EXPECT_THAT(found({"none", "# comment"}), IsEmpty());
}

TEST_F(FileSearchTest, WildcardsStayInTheirSegment) {
  host.write("a.txt", "");
  host.write("b.md", "");
  host.write("one/c.txt", "");
  host.write("one/two/d.txt", "");
  EXPECT_THAT(found({"*.txt"}), ElementsAre("a.txt"));
  EXPECT_THAT(found({"*/*.txt"}), ElementsAre("one/c.txt"));
  EXPECT_THAT(found({"**/*.txt"}), ElementsAre("a.txt", "one/c.txt", "one/two/d.txt"));
  EXPECT_THAT(found({"one/**"}), ElementsAre("one/c.txt", "one/two/d.txt"));
  EXPECT_THAT(found({"**/two/**/d.*"}), ElementsAre("one/two/d.txt"));
  EXPECT_THAT(found({"?.[mt]*"}), ElementsAre("a.txt", "b.md"));
  host.write("odd[1]/x", "");
  EXPECT_THAT(found({"odd\\[1\\]"}), ElementsAre("odd[1]/x"));
}

TEST_F(FileSearchTest, TheLastLineThatFitsDecides) {
  host.write("out/a", "");
  host.write("out/tmp/b", "");
  host.write("out/tmp/keep/c", "");
  EXPECT_THAT(found({"out", "!out/tmp"}), ElementsAre("out/a"));
  EXPECT_THAT(found({"out", "!out/tmp", "out/tmp/keep"}), ElementsAre("out/a", "out/tmp/keep/c"));
  EXPECT_THAT(found({"out", "!**/b"}), ElementsAre("out/a", "out/tmp/keep/c"));
  EXPECT_THAT(found({"!out/tmp", "out"}), ElementsAre("out/a", "out/tmp/b", "out/tmp/keep/c"));
}

TEST_F(FileSearchTest, HiddenFilesAndLinks) {
  host.write("out/.env", "");
  host.write("out/.git/config", "");
  host.write("out/a", "");
  host.write("real/x", "");
  fs::create_directory_symlink(host.in_workspace("real"), host.in_workspace("out/link"));
  fs::create_directory_symlink(host.in_workspace("out"), host.in_workspace("out/round"));
  fs::create_symlink("nowhere", host.in_workspace("out/broken"));
  EXPECT_THAT(found({"out"}), ElementsAre("out/.env", "out/.git/config", "out/a", "out/link/x"));
  search.hidden = false;
  EXPECT_THAT(found({"out"}), ElementsAre("out/a", "out/link/x"));
  search = {};
  search.folders = true;
  EXPECT_THAT(found({"out", "!out/.git"}),
              ElementsAre("out", "out/.env", "out/a", "out/broken", "out/link", "out/round"));
}

TEST_F(FileSearchTest, RootsAndHome) {
  EXPECT_THAT(patterns({"a/b/*.x", "a", "!c", "~/.cache/pip", "d"}).roots(),
              ElementsAre(host.in_workspace("a"), host.file("home/.cache/pip"), host.in_workspace("d")));
  EXPECT_EQ(common_folder({"/w/a/b", "/w/a/c/d"}), "/w/a");
  EXPECT_EQ(common_folder({"/w/ab", "/w/a"}), "/w");
  EXPECT_EQ(common_folder({"/x", "/y"}), "/");
  EXPECT_THAT(PathPatterns::prepare("/w", "/h", {"*/../x"}).error().message, HasSubstr("'..' behind a wildcard"));
}

TEST_F(FileSearchTest, LinesMayNamePlacesAsTheJobsContainerSeesThem) {
  host.mounts = {{"/__w", host.workspace()}, {"/github/home", host.file("home")}};
  host.variables["HOME"] = "/github/home";
  host.write("dist/a.js", "a");
  const auto roots = [&](const std::vector<std::string>& lines) {
    const Result<PathPatterns> made = PathPatterns::prepare(host, lines);
    return made ? made->roots() : std::vector<std::string>{made.error().message};
  };
  EXPECT_THAT(roots({"/__w/dist/*.js", "~/.m2", "src", host.in_workspace("lib")}),
              ElementsAre(host.in_workspace("dist"), host.file("home/.m2"), host.in_workspace("src"),
                          host.in_workspace("lib")));
  EXPECT_THAT(find_files(PathPatterns::prepare(host, {"/__w/**/*.js", "!/__w/src"}).value(), search).value(),
              ElementsAre(host.in_workspace("dist/a.js")));
  for (const char* line : {"/root/.m2", "/**/*.js", "../../root", "!/root"}) {
    EXPECT_THAT(roots({line}), ElementsAre(HasSubstr("in the container alone"))) << line;
  }
}

TEST_F(FileSearchTest, EndsWhenTheStepIsCancelled) {
  host.write("a", "");
  search.cancelled = [] { return true; };
  EXPECT_EQ(find_files(patterns({"a"}), search).error().code, errc::cancelled);
}

}  // namespace
}  // namespace kaapi::actions
