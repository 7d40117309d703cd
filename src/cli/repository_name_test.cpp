#include "cli/repository_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kaapi::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view endpoint = "http://127.0.0.1:4566";

Result<std::vector<std::string>> nobody_asks() {
  ADD_FAILURE() << "the platform need not be asked";
  return std::vector<std::string>();
}

TEST(RepositoryName, AShortNameBelongsToTheDefaultOwner) {
  EXPECT_EQ(full_repository_name("shop").value(), "kaapi/shop");
  EXPECT_EQ(full_repository_name("team/shop.git").value(), "team/shop");
  EXPECT_EQ(full_repository_name("team/a.b_c-d").value(), "team/a.b_c-d");
}

TEST(RepositoryName, RefusesWhatIsNoName) {
  const std::string long_name(max_repository_part_bytes + 1, 'a');
  for (const std::string_view wrong :
       {"", "/", "a/", "/a", "a/b/c", "..", "a/..", "-x", ".git", "a b", "a/b\n", long_name.c_str()}) {
    EXPECT_EQ(full_repository_name(wrong).error().code, errc::invalid) << wrong;
  }
}

TEST(RepositoryName, RemotesOfThePlatformCount) {
  EXPECT_THAT(repositories_in_remotes("hub\thttps://github.com/git/team.git (fetch)\n"
                                      "here\thttp://AKIA:secret@localhost:4566/git/team/shop.git (fetch)\n"
                                      "here\thttp://AKIA:secret@localhost:4566/git/team/shop.git (push)\n"
                                      "other\thttp://127.0.0.1:4567/git/team/other.git (push)\n"
                                      "odd\tgit@127.0.0.1:git/team/odd.git (push)\n",
                                      endpoint),
              ElementsAre("team/shop"));
  EXPECT_THAT(repositories_in_remotes("origin\thttp://127.0.0.1:4566/git/a.git (fetch)\n", ""), IsEmpty());
  EXPECT_THAT(repositories_in_remotes("origin\thttps://kaapi.example/git/a (fetch)\n", "https://KAAPI.example:443/"),
              ElementsAre("kaapi/a"));
}

TEST(RepositoryName, OriginGoesBeforeOtherRemotes) {
  const std::string_view remotes =
      "backup\thttp://127.0.0.1:4566/git/b.git (fetch)\norigin\thttp://127.0.0.1:4566/git/a.git (fetch)\n";
  EXPECT_EQ(choose_repository("", remotes, endpoint, nobody_asks).value(), "kaapi/a");
}

TEST(RepositoryName, WhatIsGivenGoesBeforeAll) {
  EXPECT_EQ(choose_repository("b", "origin\thttp://127.0.0.1:4566/git/a.git (fetch)\n", endpoint, nobody_asks).value(),
            "kaapi/b");
}

TEST(RepositoryName, SeveralRemotesAreNoAnswer) {
  const auto chosen = choose_repository("",
                                        "x\thttp://127.0.0.1:4566/git/a.git (fetch)\n"
                                        "y\thttp://127.0.0.1:4566/git/b.git (fetch)\n",
                                        endpoint, nobody_asks);
  ASSERT_FALSE(chosen);
  EXPECT_THAT(chosen.error().message, HasSubstr("kaapi/a, kaapi/b"));
  EXPECT_THAT(chosen.error().message, HasSubstr("--repo"));
}

TEST(RepositoryName, TheOnlyOneThereIsMeant) {
  using Names = std::vector<std::string>;
  const auto choose = [](Names names) {
    return choose_repository("", "", endpoint, [&]() -> Result<Names> { return names; });
  };
  EXPECT_EQ(choose({"team/shop"}).value(), "team/shop");
  EXPECT_EQ(choose({}).error().code, errc::not_found);
  EXPECT_THAT(choose({"a/a", "a/b", "a/c", "a/d", "a/e", "a/f", "a/g"}).error().message, HasSubstr("a/e and 2 more"));
}

}  // namespace
}  // namespace kaapi::cli
