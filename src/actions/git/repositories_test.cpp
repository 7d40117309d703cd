#include "actions/git/repositories.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "actions/git/test_repository.h"

namespace kaapi::actions::git {
namespace {

class RepositoriesTest : public ::testing::Test {
 protected:
  // What the clone has is pushed past HTTP.
  void push(const std::string& what) {
    const Ran pushed = clone.git({"push", "--quiet", "--force", repositories.directory("team/shop"), what});
    ASSERT_EQ(pushed.exit_code, 0) << pushed.text;
  }

  TestRepositories all;
  Repositories& repositories = *all.repositories;
  Clone clone{all.directory.file("clone")};
};

TEST_F(RepositoriesTest, AreMadeListedAndDeleted) {
  const Result<Repository> made = repositories.create("team/shop");
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->name, "team/shop");
  EXPECT_EQ(made->default_branch, "main");
  EXPECT_EQ(made->rules, default_rules());
  EXPECT_EQ(repositories.create("team/shop").error().code, errc::conflict);
  EXPECT_EQ(repositories.create("shop").error().code, errc::invalid);
  const Result<Repository> other = repositories.create("team/api", "trunk");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->owner_id, made->owner_id);
  EXPECT_EQ(other->default_branch, "trunk");
  EXPECT_TRUE(repositories.is_protected("team/api", "refs/heads/trunk")) << "like main";
  EXPECT_EQ(repositories.list("", 10)->size(), 2U);
  EXPECT_EQ(repositories.list("team/api", 10)->front().name, "team/shop");
  ASSERT_TRUE(repositories.remove("team/shop"));
  EXPECT_FALSE(std::filesystem::exists(repositories.directory("team/shop")));
  EXPECT_EQ(repositories.find("team/shop").error().code, errc::not_found);
  EXPECT_EQ(repositories.remove("team/shop").error().code, errc::not_found);
  EXPECT_GT(repositories.create("team/shop")->id, made->id);
  const RepositoryIds again = repositories.ids("team/shop").value();
  EXPECT_GT(again.repository, made->id) << "tokens of its jobs are not those of the one that was deleted";
  EXPECT_EQ(again.owner, made->owner_id);
  EXPECT_EQ(repositories.ids("team/none").error().code, errc::not_found);
}

TEST_F(RepositoriesTest, KeepRulesOfProtection) {
  ASSERT_TRUE(repositories.create("team/shop"));
  EXPECT_TRUE(repositories.is_protected("team/shop", "refs/tags/v1"));
  const std::vector<Rule> rules = {{Rule::Kind::branch, "release/*", {}}};
  EXPECT_EQ(repositories.protect("team/shop", rules)->rules, rules);
  EXPECT_FALSE(repositories.is_protected("team/shop", "refs/heads/main"));
  EXPECT_TRUE(repositories.is_protected("team/shop", "refs/heads/release/1"));
  EXPECT_FALSE(repositories.protect("team/none", rules));
}

TEST_F(RepositoriesTest, GiveWorkflowFilesOfACommit) {
  ASSERT_TRUE(repositories.create("team/shop"));
  clone.commit("README.md", "hello");
  const std::string first = clone.commit(".github/workflows/cd.yml", "on: push\n");
  clone.commit(".github/workflows/ci.yaml", "on: [push]\n");
  clone.commit(".github/workflows/sub/not.yml", "x");
  const std::string last = clone.commit(".github/workflows/notes.txt", "x");
  push("main");
  const auto files = repositories.workflow_files("team/shop", last);
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ(files->front().path, ".github/workflows/cd.yml");
  EXPECT_EQ(files->front().text, "on: push\n");
  EXPECT_EQ(files->back().text, "on: [push]\n");
  EXPECT_EQ(repositories.workflow_files("team/shop", first)->size(), 1U);
  EXPECT_EQ(repositories.workflow_files("team/shop", std::string(40, 'f')).error().code, errc::not_found);
  EXPECT_EQ(repositories.workflow_files("team/shop", "--help").error().code, errc::not_found);
  EXPECT_EQ(repositories.workflow_files("team/none", last).error().code, errc::not_found);
}

TEST_F(RepositoriesTest, AWorkflowFileThatCannotBeReadHasAFault) {
  ASSERT_TRUE(repositories.create("team/shop"));
  clone.commit(".github/workflows/a.yml", std::string(max_workflow_file_bytes + 1, 'x'));
  clone.commit(".github/workflows/caf\xE9.yml", "on: push\n");
  std::filesystem::create_symlink("a.yml", clone.path() + "/.github/workflows/link.yml");
  const std::string last = clone.commit(".github/workflows/z.yml", "on: push\n");
  push("main");
  const auto files = repositories.workflow_files("team/shop", last);
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 4U);
  EXPECT_NE((*files)[0].fault.find("larger than 512 KiB"), std::string::npos);
  EXPECT_NE((*files)[1].fault.find("no UTF-8"), std::string::npos);
  EXPECT_EQ((*files)[1].path, ".github/workflows/caf\xEF\xBF\xBD.yml");
  EXPECT_NE((*files)[2].fault.find("symbolic link"), std::string::npos);
  EXPECT_EQ((*files)[3].fault, "");
  EXPECT_EQ((*files)[3].text, "on: push\n");
}

TEST_F(RepositoriesTest, OfTooManyWorkflowFilesTheFirstAreRead) {
  ASSERT_TRUE(repositories.create("team/shop"));
  std::filesystem::create_directories(clone.path() + "/.github/workflows");
  for (std::size_t i = 100; i < 100 + 2 * max_workflow_files + 5; ++i) {
    ASSERT_TRUE(write_file_atomically(fmt::format("{}/.github/workflows/{}.yml", clone.path(), i), "on: push\n", 0644));
  }
  const std::string last = clone.commit("a", "1");
  push("main");
  const auto files = repositories.workflow_files("team/shop", last);
  ASSERT_TRUE(files) << files.error().message;
  ASSERT_EQ(files->size(), 2 * max_workflow_files);
  EXPECT_EQ((*files)[max_workflow_files - 1].text, "on: push\n");
  EXPECT_NE((*files)[max_workflow_files].fault.find("100 workflow files are the most"), std::string::npos);
  EXPECT_NE(files->back().fault.find("it and 5 more"), std::string::npos);
}

TEST_F(RepositoriesTest, GiveChangedPaths) {
  ASSERT_TRUE(repositories.create("team/shop"));
  const std::string first = clone.commit("a", "1");
  clone.commit("b/c d", "2");
  const std::string last = clone.commit("a", "3");
  push("main");
  using Paths = std::vector<std::string>;
  EXPECT_EQ(repositories.changed("team/shop", first, last, {}, 10)->value(), (Paths{"a", "b/c d"}));
  EXPECT_EQ(repositories.changed("team/shop", std::string(no_commit), last, {}, 10)->value(), (Paths{"a", "b/c d"}));
  EXPECT_EQ(repositories.changed("team/shop", std::string(no_commit), first, {}, 10)->value(), Paths{"a"});
  EXPECT_FALSE(repositories.changed("team/shop", first, last, {}, 1)->has_value());
  EXPECT_EQ(repositories.changed("team/shop", std::string(40, 'f'), last, {}, 10).error().code, errc::not_found);
}

TEST_F(RepositoriesTest, GiveThePathsOfAllNewCommitsOfANewBranch) {
  ASSERT_TRUE(repositories.create("team/shop"));
  clone.commit("a", "1");
  push("main");
  clone.git({"checkout", "--quiet", "-b", "topic"});
  clone.commit("src/b", "2");
  const std::string last = clone.commit("README", "3");
  push("topic");
  using Paths = std::vector<std::string>;
  const std::string none(no_commit);
  EXPECT_EQ(repositories.changed("team/shop", none, last, {}, 10)->value(), (Paths{"README", "src/b"}));
  // A branch where another one is already brings nothing new.
  push("topic:again");
  EXPECT_EQ(repositories.changed("team/shop", none, last, {}, 10)->value(), Paths{"README"});
}

TEST_F(RepositoriesTest, RefsOfOnePushAreNotHeldAgainstEachOther) {
  ASSERT_TRUE(repositories.create("team/shop"));
  const std::string base = clone.commit("a", "1");
  push("main");
  clone.git({"checkout", "--quiet", "-b", "topic"});
  clone.commit("src/b", "2");
  const std::string topic = clone.commit("README", "3");
  clone.git({"checkout", "--quiet", "-b", "stacked"});
  const std::string stacked = clone.commit("c", "4");
  push("topic");
  push("topic:refs/tags/v1");
  push("stacked");
  push("stacked:main");
  using Paths = std::vector<std::string>;
  const std::string none(no_commit);
  const std::vector<RefUpdate> together = {{"refs/heads/topic", none, topic},
                                           {"refs/tags/v1", none, topic},
                                           {"refs/heads/stacked", none, stacked},
                                           {"refs/heads/main", base, stacked}};
  EXPECT_EQ(repositories.changed("team/shop", none, topic, together, 10)->value(), (Paths{"README", "src/b"}));
  EXPECT_EQ(repositories.changed("team/shop", none, stacked, together, 10)->value(), (Paths{"README", "c", "src/b"}));
  EXPECT_EQ(repositories.new_commits("team/shop", none, stacked, together, 10)->size(), 3U);
  // Where a branch was before is nothing new.
  EXPECT_EQ(repositories.changed("team/shop", none, base, together, 10)->value(), Paths{"a"});
  EXPECT_TRUE(repositories.new_commits("team/shop", none, base, together, 10)->empty());
}

TEST_F(RepositoriesTest, GiveTheWholeTreeOfTheFirstBranch) {
  ASSERT_TRUE(repositories.create("team/shop"));
  clone.commit("a", "1");
  const std::string last = clone.commit("b", "2");
  push("main");
  EXPECT_EQ(repositories.changed("team/shop", std::string(no_commit), last, {}, 10)->value(),
            (std::vector<std::string>{"a", "b"}));
}

TEST_F(RepositoriesTest, GiveTextWhateverCommitsHold) {
  ASSERT_TRUE(repositories.create("team/shop"));
  ASSERT_EQ(clone.git({"config", "i18n.commitEncoding", "none"}).exit_code, 0);
  const std::string sha = clone.commit("a", "1", "caf\xE9");
  push("main");
  const Result<Commit> commit = repositories.commit("team/shop", sha);
  ASSERT_TRUE(commit) << commit.error().message;
  EXPECT_EQ(commit->message, "caf\xEF\xBF\xBD");
  EXPECT_FALSE(is_ref("refs/heads/caf\xE9"));
  EXPECT_TRUE(is_ref("refs/heads/caf\xC3\xA9"));
}

TEST_F(RepositoriesTest, GiveCommitsAndResolveRefs) {
  ASSERT_TRUE(repositories.create("team/shop"));
  const std::string sha = clone.commit("a", "1", "Subject\n\nBody of it");
  ASSERT_EQ(clone.git({"tag", "-m", "one", "v1"}).exit_code, 0);
  push("main");
  push("v1");
  const Result<Commit> commit = repositories.commit("team/shop", sha);
  ASSERT_TRUE(commit) << commit.error().message;
  EXPECT_EQ(commit->message, "Subject\n\nBody of it");
  EXPECT_EQ(commit->author_name, "Ann");
  EXPECT_EQ(commit->author_email, "ann@example.com");
  EXPECT_GT(to_millis(commit->time), 0);
  for (const auto& [given, full] : std::map<std::string, std::string>{
           {"main", "refs/heads/main"}, {"refs/heads/main", "refs/heads/main"}, {"v1", "refs/tags/v1"}, {sha, ""}}) {
    const Result<Source::Resolved> resolved = repositories.resolve("team/shop", given);
    ASSERT_TRUE(resolved) << given;
    EXPECT_EQ(resolved->ref, full);
    EXPECT_EQ(resolved->sha, sha) << "also of a tag that is an object";
  }
  for (const char* none :
       {"other", "--help", "refs/heads/other", "HEAD~1", "ffffffffffffffffffffffffffffffffffffffff"}) {
    EXPECT_EQ(repositories.resolve("team/shop", none).error().code, errc::not_found) << none;
  }
}

TEST_F(RepositoriesTest, GiveTheCommitsThatAPushBrought) {
  ASSERT_TRUE(repositories.create("team/shop"));
  const std::string first = clone.commit("a", "1", "one");
  clone.commit("a", "2", "two\n\nlines\n\nof it");
  const std::string last = clone.commit("a", "3", "three");
  push("main");
  const auto messages = [&](std::string_view before, std::string_view after, std::size_t limit = 10) {
    std::vector<std::string> texts;
    const auto commits = repositories.new_commits("team/shop", before, after, {}, limit);
    EXPECT_TRUE(commits) << commits.error().message;
    for (const Commit& commit : commits.value()) texts.push_back(commit.message);
    return texts;
  };
  using Texts = std::vector<std::string>;
  EXPECT_EQ(messages(first, last), (Texts{"two\n\nlines\n\nof it", "three"}));
  EXPECT_EQ(messages(first, last, 1), Texts{"three"});
  EXPECT_EQ(messages(last, first), Texts()) << "a branch that was set back";
  EXPECT_EQ(messages(no_commit, last).size(), 3U) << "the first branch";
  const Commit newest = repositories.new_commits("team/shop", first, last, {}, 10)->back();
  EXPECT_EQ(newest.sha, last);
  EXPECT_EQ(newest.author_email, "ann@example.com");
  clone.git({"checkout", "--quiet", "-b", "topic"});
  const std::string topic = clone.commit("b", "4", "four");
  push("topic");
  EXPECT_EQ(messages(no_commit, topic), Texts{"four"});
  push("topic:again");
  EXPECT_EQ(messages(no_commit, topic), Texts()) << "a new branch where another one is";
  EXPECT_EQ(repositories.new_commits("team/shop", std::string(40, 'f'), last, {}, 10).error().code, errc::not_found);
  EXPECT_EQ(repositories.new_commits("team/shop", first, no_commit, {}, 10).error().code, errc::not_found);
  EXPECT_EQ(repositories.new_commits("team/shop", "--help", last, {}, 10).error().code, errc::not_found);
}

TEST_F(RepositoriesTest, TheDefaultBranchIsNamedShortOrWhole) {
  ASSERT_TRUE(repositories.create("team/shop", "refs/heads/trunk"));
  EXPECT_EQ(repositories.default_branch("team/shop").value(), "trunk");
  ASSERT_TRUE(repositories.set_default_branch("team/shop", "refs/heads/main"));
  EXPECT_EQ(repositories.default_branch("team/shop").value(), "main");
  for (const char* none : {"refs/tags/v1", "refs/heads/refs/heads/main", "refs/heads/", "refs/main", "a b", ""}) {
    EXPECT_EQ(repositories.set_default_branch("team/shop", none).error().code, errc::invalid) << none;
  }
  EXPECT_EQ(repositories.create("team/other", "refs/tags/v1").error().code, errc::invalid);
}

TEST_F(RepositoriesTest, ABranchThatIsNotThereIsNoDefault) {
  ASSERT_TRUE(repositories.create("team/shop"));
  ASSERT_TRUE(repositories.set_default_branch("team/shop", "trunk")) << "nothing is there yet";
  clone.commit("a", "1");
  for (const char* branch : {"a", "b", "c", "d", "e", "f", "main"}) push(fmt::format("main:refs/heads/{}", branch));
  const Result<Repository> refused = repositories.set_default_branch("team/shop", "release");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, errc::not_found);
  EXPECT_NE(refused.error().message.find("(a, b, c, d, e and 2 more)"), std::string::npos) << refused.error().message;
  EXPECT_EQ(repositories.default_branch("team/shop").value(), "trunk");
  ASSERT_TRUE(repositories.set_default_branch("team/shop", "refs/heads/f"));
  EXPECT_EQ(repositories.default_branch("team/shop").value(), "f");
}

TEST_F(RepositoriesTest, EveryNextDefaultBranchIsProtectedToo) {
  ASSERT_TRUE(repositories.create("team/shop"));
  for (const char* branch : {"a", "release+1", "b"}) {
    const Result<Repository> changed = repositories.set_default_branch("team/shop", branch);
    ASSERT_TRUE(changed) << changed.error().message;
    EXPECT_TRUE(repositories.is_protected("team/shop", fmt::format("refs/heads/{}", branch))) << branch;
  }
  const std::size_t rules = repositories.find("team/shop")->rules.size();
  EXPECT_EQ(repositories.set_default_branch("team/shop", "a")->rules.size(), rules) << "it is protected already";
}

TEST_F(RepositoriesTest, ADefaultBranchWithoutItsOwnRuleHandsNoneOn) {
  ASSERT_TRUE(repositories.create("team/shop"));
  const std::vector<Rule> pushers = {{Rule::Kind::branch, "main", {"arn:x"}}, {Rule::Kind::tag, "v*", {}}};
  for (const std::vector<Rule>& rules : {std::vector<Rule>(), pushers}) {
    ASSERT_TRUE(repositories.protect("team/shop", rules));
    EXPECT_EQ(repositories.set_default_branch("team/shop", "a")->rules, rules);
    ASSERT_TRUE(repositories.set_default_branch("team/shop", "main"));
  }
}

TEST_F(RepositoriesTest, HeadFollowsTheFirstBranch) {
  ASSERT_TRUE(repositories.create("team/shop"));
  const std::string sha = clone.commit("a", "1");
  push("main:trunk");
  repositories.adopt_default_branch("team/shop", {{"refs/heads/trunk", std::string(no_commit), sha, false}});
  EXPECT_EQ(repositories.default_branch("team/shop").value(), "trunk");
  EXPECT_TRUE(repositories.is_protected("team/shop", "refs/heads/trunk"));
  push("main:main");
  repositories.adopt_default_branch("team/shop", {{"refs/heads/main", std::string(no_commit), sha, false}});
  EXPECT_EQ(repositories.default_branch("team/shop").value(), "trunk");
}

}  // namespace
}  // namespace kaapi::actions::git
