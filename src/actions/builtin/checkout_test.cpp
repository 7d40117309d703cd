// actions/checkout: its decisions as tables, and the action on real repositories.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "actions/builtin/checkout_plan.h"
#include "actions/builtin/test_host.h"

namespace kaapi::actions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const std::string some_commit(40, 'a');

TEST(CheckoutPlan, SourcesAreNeighboursOnThePlatform) {
  const auto url = [](std::string_view wanted, std::string_view server = "") {
    const auto source = checkout_source(wanted, "kaapi/app", "/git/kaapi/app.git", "http://h:1", server);
    return source ? fmt::format("{}{}{}", source->url, source->own ? " own" : "", source->platform ? " here" : "")
                  : source.error().message;
  };
  EXPECT_EQ(url(""), "http://h:1/git/kaapi/app.git own here");
  EXPECT_EQ(url("Kaapi/App"), "http://h:1/git/kaapi/app.git own here");
  EXPECT_EQ(url("kaapi/lib"), "http://h:1/git/kaapi/lib.git here");
  EXPECT_EQ(url("o/n", "https://git.test/"), "https://git.test/o/n");
  EXPECT_THAT(url("../../etc"), HasSubstr("OWNER/NAME"));
  EXPECT_THAT(url("a/.."), HasSubstr("OWNER/NAME"));
  EXPECT_THAT(url("app"), HasSubstr("OWNER/NAME"));
}

TEST(CheckoutPlan, TheEventsCommitHoldsForTheOwnRepositoryOnly) {
  const auto target = [](std::string_view wanted, bool own) {
    const CheckoutTarget made = checkout_target(wanted, own, "refs/heads/main", some_commit);
    return made.ref + "@" + made.commit;
  };
  EXPECT_EQ(target("", true), "refs/heads/main@" + some_commit);
  EXPECT_EQ(target("", false), "@");
  EXPECT_EQ(target("dev", true), "dev@");
  EXPECT_EQ(target(some_commit, true), "@" + some_commit);
}

TEST(CheckoutPlan, FetchesWhatIsAskedFor) {
  EXPECT_THAT(refspecs({"refs/heads/main", some_commit}, 1, false),
              ElementsAre("+" + some_commit + ":refs/remotes/origin/main"));
  EXPECT_THAT(refspecs({"refs/heads/main", ""}, 1, true),
              ElementsAre("+refs/tags/*:refs/tags/*", "+refs/heads/main:refs/remotes/origin/main"));
  EXPECT_THAT(refspecs({"refs/tags/v1", some_commit}, 1, false), ElementsAre("+refs/tags/v1:refs/tags/v1"));
  EXPECT_THAT(refspecs({"refs/pull/3/merge", ""}, 1, false),
              ElementsAre("+refs/pull/3/merge:refs/remotes/pull/3/merge"));
  EXPECT_THAT(refspecs({"", some_commit}, 1, false), ElementsAre(some_commit));
  EXPECT_THAT(refspecs({"refs/heads/main", ""}, 0, false),
              ElementsAre("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"));
}

TEST(CheckoutPlan, ABranchStaysABranchAndATagIsDetached) {
  EXPECT_THAT(checkout_arguments({"refs/heads/a/b", ""}), ElementsAre("-B", "a/b", "refs/remotes/origin/a/b"));
  EXPECT_THAT(checkout_arguments({"refs/heads/main", some_commit}), ElementsAre("-B", "main", some_commit));
  EXPECT_THAT(checkout_arguments({"refs/tags/v1", ""}), ElementsAre("--detach", "refs/tags/v1"));
}

TEST(CheckoutPlan, ShortNamesMeanABranchBeforeATag) {
  EXPECT_EQ(choose_ref("v1", "1\trefs/tags/v1\n2\trefs/heads/v1\n"), "refs/heads/v1");
  EXPECT_EQ(choose_ref("v1", "1\trefs/tags/v1\n1\trefs/tags/v1^{}"), "refs/tags/v1");
  EXPECT_EQ(choose_ref("v1", "1\trefs/heads/x/refs/heads/v1"), std::nullopt);
  EXPECT_EQ(head_ref("ref: refs/heads/trunk\tHEAD\n1\tHEAD"), "refs/heads/trunk");
  EXPECT_EQ(head_ref(""), std::nullopt);
}

class CheckoutTest : public testing::Test {
 protected:
  CheckoutTest() {
    host.server = "file://" + host.file("server");
    origin("git/kaapi/app.git");
    first = commit("src", "one");
    sh("git tag -a v1 -m 'first' && git push -q origin v1");
    second = commit("src", "two");
    sh("git checkout -q -b feature/x && git commit -q --allow-empty -m feature && git push -q origin feature/x");
    at(second);
  }

  // A bare repository of the server and a clone to change it with.
  void origin(const std::string& path) {
    sh(fmt::format("mkdir -p {0} {1} && git init -q --bare -b main {0} && git init -q -b main {1} && cd {1} && "
                   "git remote add origin {0}",
                   host.file("server/" + path), host.file("work")),
       "/");
  }
  std::string commit(const std::string& name, const std::string& content) {
    return sh(
        fmt::format("echo {0} > {1} && git add . && git commit -q -m '{0}' && git push -q origin HEAD:main && "
                    "git rev-parse HEAD",
                    content, name));
  }
  std::string sh(const std::string& script, const std::string& directory = "") {
    ProcessSpec spec;
    spec.argv = {"sh", "-ec", script};
    spec.directory = directory.empty() ? host.file("work") : directory;
    spec.env = {{"GIT_AUTHOR_NAME", "a"},
                {"GIT_AUTHOR_EMAIL", "a@test"},
                {"GIT_COMMITTER_NAME", "a"},
                {"GIT_COMMITTER_EMAIL", "a@test"}};
    spec.capture = true;
    const auto result = host.run(spec);
    EXPECT_EQ(result->exit_code, 0) << script << "\n" << host.text;
    return std::string(trim(result->output));
  }
  std::string in_checkout(const std::string& script, const std::string& folder = "") {
    return sh(script, host.in_workspace(folder));
  }
  // The event's commit.
  void at(const std::string& sha, const std::string& ref = "refs/heads/main") {
    host.message().contexts["github"] = json::object{{"ref", ref}, {"sha", sha}};
  }
  std::string run(std::map<std::string, std::string> inputs = {}) {
    host.next_step(std::move(inputs));
    const ActionResult result = find_builtin("actions/checkout")->main(host);
    return result ? "" : result.error().message;
  }

  TestHost host;
  std::string first, second;
};

TEST_F(CheckoutTest, ChecksOutTheEventsCommitOnItsBranch) {
  ASSERT_EQ(run(), "") << host.text;
  EXPECT_EQ(in_checkout("cat src; git rev-parse HEAD; git branch --show-current; git rev-list --count HEAD"),
            fmt::format("two\n{}\nmain\n1", second));
  EXPECT_EQ(host.outputs["commit"], second);
  EXPECT_EQ(host.outputs["ref"], "refs/heads/main");
  // An older commit of the same branch, over what is there.
  host.write("untracked", "x");
  at(first);
  ASSERT_EQ(run(), "") << host.text;
  EXPECT_EQ(in_checkout("cat src; ls"), "one\nsrc");
}

TEST_F(CheckoutTest, ChecksOutTagsBranchesAndCommits) {
  at(first, "refs/tags/v1");
  ASSERT_EQ(run(), "") << host.text;
  EXPECT_EQ(in_checkout("git describe --exact-match; git cat-file -t v1; cat src"), "v1\ntag\none");
  ASSERT_EQ(run({{"ref", "feature/x"}}), "") << host.text;
  EXPECT_EQ(in_checkout("git branch --show-current; git log -1 --format=%s"), "feature/x\nfeature");
  EXPECT_EQ(host.outputs["ref"], "feature/x");
  ASSERT_EQ(run({{"ref", first}}), "") << host.text;
  EXPECT_EQ(host.outputs["commit"], first);
  EXPECT_EQ(host.outputs["ref"], first);
  ASSERT_EQ(run({{"ref", "v1"}, {"fetch-depth", "0"}}), "") << host.text;
  EXPECT_EQ(host.outputs["ref"], "v1");
  EXPECT_EQ(in_checkout("git rev-parse v1^{commit} origin/main"), first + "\n" + second);
  EXPECT_THAT(run({{"ref", "nope"}}), HasSubstr("kaapi/app has no branch or tag named 'nope'"));
}

TEST_F(CheckoutTest, AMovedTagStillGivesTheEventsCommit) {
  sh(fmt::format("git tag -f -a v1 -m moved {} && git push -q -f origin v1", second));
  at(first, "refs/tags/v1");
  ASSERT_EQ(run(), "") << host.text;
  EXPECT_EQ(host.outputs["commit"], first);
}

TEST_F(CheckoutTest, HistoryTagsAndSparseness) {
  ASSERT_EQ(run({{"fetch-depth", "0"}}), "") << host.text;
  EXPECT_EQ(in_checkout("git rev-list --count HEAD; git tag; git rev-parse -q --verify origin/feature/x >/dev/null"),
            "2\nv1");
  sh("mkdir -p docs lib && echo d > docs/d && echo l > lib/l && git checkout -q main && git add . && "
     "git commit -q -m dirs && git push -q origin main");
  ASSERT_EQ(run({{"ref", "main"}, {"sparse-checkout", "docs\n"}, {"path", "sparse"}, {"fetch-tags", "true"}}), "")
      << host.text;
  EXPECT_EQ(in_checkout("ls; git tag", "sparse"), "docs\nsrc\nv1");
}

TEST_F(CheckoutTest, AnotherRepositoryInAFolderOfItsOwn) {
  ASSERT_EQ(run(), "");
  sh(fmt::format("rm -rf {}", host.file("work")), "/");
  origin("git/kaapi/lib.git");
  commit("lib", "three");
  ASSERT_EQ(run({{"repository", "kaapi/lib"}, {"path", "third/lib"}}), "") << host.text;
  EXPECT_EQ(in_checkout("cat src third/lib/lib"), "two\nthree");
  EXPECT_THAT(run({{"repository", "kaapi/none"}, {"path", "third/none"}}), HasSubstr("git ls-remote failed"));
  EXPECT_THAT(run({{"path", "../outside"}}), HasSubstr("'path' is a folder below the workspace"));
  host.mounts = {{"/__w", host.workspace()}};
  ASSERT_EQ(run({{"path", "/__w/named"}}), "") << host.text;
  EXPECT_EQ(in_checkout("cat src", "named"), "two");
}

TEST_F(CheckoutTest, SubmodulesOfTheSameServer) {
  sh(fmt::format("rm -rf {}", host.file("work")), "/");
  origin("git/kaapi/lib.git");
  commit("lib", "three");
  sh(fmt::format("rm -rf {0} && git clone -q {1} {0} && cd {0} && git -c protocol.file.allow=always submodule --quiet "
                 "add ../lib.git lib && git commit -q -m sub && git push -q origin HEAD:main",
                 host.file("work"), host.file("server/git/kaapi/app.git")),
     "/");
  host.variables["GIT_CONFIG_COUNT"] = "1";
  host.variables["GIT_CONFIG_KEY_0"] = "protocol.file.allow";
  host.variables["GIT_CONFIG_VALUE_0"] = "always";
  ASSERT_EQ(run({{"ref", "main"}, {"submodules", "recursive"}}), "") << host.text;
  EXPECT_EQ(in_checkout("cat lib/lib"), "three");
}

TEST_F(CheckoutTest, TheTokenIsKeptForLaterStepsUntilTheEnd) {
  ASSERT_EQ(run(), "");
  const std::string key = "http.file://" + host.file("server") + "/.extraheader";
  const std::string header = "AUTHORIZATION: basic " + base64_encode("x-access-token:job-token-of-the-test");
  EXPECT_EQ(in_checkout("git config --get " + key), header);
  EXPECT_EQ(in_checkout("stat -c %a .git/kaapi-credentials.config"), "600");
  EXPECT_TRUE(host.masks.contains("job-token-of-the-test"));
  EXPECT_TRUE(host.never_an_argument("job-token-of-the-test"));
  EXPECT_TRUE(host.never_an_argument(base64_encode("x-access-token:job-token-of-the-test")));
  EXPECT_THAT(host.text, Not(HasSubstr("job-token")));
  ASSERT_TRUE(find_builtin("actions/checkout")->post(host));
  EXPECT_EQ(in_checkout("git config --get " + key + " || echo gone"), "gone");

  ASSERT_EQ(run({{"persist-credentials", "false"}}), "");
  EXPECT_EQ(in_checkout("git config --get " + key + " || echo none"), "none");
}

TEST_F(CheckoutTest, TheTokenIsKeptForContainersToo) {
  host.mounts["http://172.18.0.1:4566"] = "file://" + host.file("server");
  host.mounts["/__w"] = host.workspace();
  ASSERT_EQ(run(), "") << host.text;
  EXPECT_EQ(in_checkout("git config --get-urlmatch http.extraheader http://172.18.0.1:4566/git/kaapi/app.git"),
            "AUTHORIZATION: basic " + base64_encode("x-access-token:job-token-of-the-test"));
}

TEST_F(CheckoutTest, SaysWhatIsWrongWithAnInput) {
  EXPECT_EQ(run({{"clean", "yes"}}), "the input 'clean' is true or false, not 'yes'");
  EXPECT_THAT(run({{"fetch-depth", "-1"}}), HasSubstr("'fetch-depth' is a whole number from 0"));
  EXPECT_THAT(run({{"submodules", "maybe"}}), HasSubstr("true, false or recursive"));
  if (sh("git lfs version >/dev/null 2>&1 && echo there || echo none") == "none") {
    EXPECT_THAT(run({{"lfs", "true"}}), HasSubstr("no git-lfs"));
  }
  run({{"ssh-key", "k"}});
  EXPECT_THAT(host.text, HasSubstr("::warning::The input 'ssh-key' has no effect"));
}

TEST(FindBuiltin, NamesCompareWithoutCase) {
  EXPECT_EQ(find_builtin("Actions/Checkout")->name, "actions/checkout");
  EXPECT_EQ(find_builtin("actions/setup-node"), nullptr);
}

}  // namespace
}  // namespace kaapi::actions
