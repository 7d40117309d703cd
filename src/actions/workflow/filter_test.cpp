// Glob patterns and cron schedules.

#include <fmt/format.h>
#include <fnmatch.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "actions/workflow/cron.h"
#include "actions/workflow/glob.h"

namespace kaapi::actions::workflow {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  const Result<Glob> glob = Glob::prepare(pattern);
  EXPECT_TRUE(glob) << pattern;
  return glob && glob->matches(text);
}

struct Row {
  std::string_view pattern;
  std::vector<std::string_view> yes, no;
};

// The cheat sheet of GitHub's documentation, and what lies beside its rows.
TEST(Globs, FollowTheCheatSheet) {
  const Row rows[] = {
      {"feature/*", {"feature/my-branch", "feature/"}, {"feature/a/b", "feature", "xfeature/a"}},
      {"feature/**", {"feature/beta-a/my-branch", "feature/a"}, {"feature", "features/a"}},
      {"main", {"main"}, {"main2", "Main", ""}},
      {"releases/mona-the-octocat", {"releases/mona-the-octocat"}, {"releases/mona"}},
      {"*", {"main", "releases"}, {"all/the/branches"}},
      {"**", {"all/the/branches", "every/tag", "", "a"}, {}},
      {"*feature", {"mona-feature", "feature", "ver-10-feature"}, {"a/feature", "feature2"}},
      {"v2*", {"v2", "v2.0", "v2.9"}, {"v1", "v2/0"}},
      {"v[12].[0-9]+.[0-9]+", {"v1.10.1", "v2.0.0"}, {"v3.0.0", "v1.0", "v1..0", "v1.0.0-rc"}},
      {"**/README.md", {"README.md", "js/README.md", "a/b/README.md"}, {"xREADME.md", "README.md/x"}},
      {"*.jsx?", {"page.js", "page.jsx"}, {"page.jsxx", "a/page.js"}},
      {"*.js", {"app.js", "index.js"}, {"js/index.js", "app.jsx"}},
      {"**.js", {"index.js", "js/index.js", "src/js/app.js"}, {"index.jsx"}},
      {"docs/*", {"docs/README.md", "docs/file.txt"}, {"docs/a/b.md", "a/docs/b"}},
      {"docs/**", {"docs/README.md", "docs/mona/octocat.txt"}, {"docs", "a/docs/b"}},
      {"docs/**/*.md",
       {"docs/README.md", "docs/mona/hello-world.md", "docs/a/markdown/file.md"},
       {"docs/a.txt", "a.md"}},
      {"**/docs/**", {"docs/hello.md", "dir/docs/my-file.txt", "space/docs/plan/space.doc"}, {"docs", "xdocs/a"}},
      {"**/*src/**", {"a/src/app.js", "my-src/code/js/app.js"}, {"src2/a", "src"}},
      {"**/*-post.md", {"my-post.md", "path/their-post.md"}, {"post.md"}},
      {"**/migrate-*.sql", {"migrate-10909.sql", "db/migrate-v1.0.sql"}, {"db/sept/migrate.sql"}},
      {"v*", {"v1.0.0", "v", "version"}, {"1.0", "release/v1"}},
      {"[a-c]x", {"ax", "cx"}, {"dx", "x"}},
      {"a\\*b", {"a*b"}, {"axb"}},
      {"a+b", {"ab", "aaab"}, {"b", "a+b"}},
  };
  for (const Row& row : rows) {
    for (const std::string_view text : row.yes) EXPECT_TRUE(matches(row.pattern, text)) << row.pattern << " " << text;
    for (const std::string_view text : row.no) EXPECT_FALSE(matches(row.pattern, text)) << row.pattern << " " << text;
  }
}

TEST(Globs, TheLastPatternThatMatchesDecides) {
  PatternList list;
  for (const char* text : {"releases/**", "!releases/**-alpha", "releases/1-alpha"}) {
    list.patterns.push_back(Glob::prepare(text).value());
  }
  EXPECT_TRUE(list.matches("releases/10"));
  EXPECT_FALSE(list.matches("releases/10-alpha"));
  EXPECT_TRUE(list.matches("releases/1-alpha"));
  EXPECT_FALSE(list.matches("main"));
}

TEST(Globs, MalformedOnesAreRefused) {
  std::vector<std::string> malformed = {"[a", "[]", "[z-a]", "?a", "+", "*?", "!", ""};
  malformed.emplace_back(max_pattern_bytes + 1, 'a');
  for (const std::string& text : malformed) {
    EXPECT_FALSE(Glob::prepare(text)) << text;
  }
}

// Rows of Ruby's documentation of File.fnmatch, with FNM_PATHNAME.
TEST(Globs, OfDeploymentBranchesAreFnmatch) {
  const Row rows[] = {
      {"release/*", {"release/1", "release/"}, {"release/1/2", "release"}},
      {"release/*/*", {"release/1/2"}, {"release/1"}},
      {"v?", {"v1", "vv"}, {"v", "v10", "v/"}},
      {"a+b", {"a+b"}, {"aab"}},
      {"[!0-9]*", {"main", "!"}, {"1main", "/"}},
      {"[^m]ain", {"rain"}, {"main"}},
      {"a[.-0]b", {"a.b", "a0b"}, {"a/b"}},
      {"**/foo", {"foo", "a/foo", "a/b/foo"}, {"afoo"}},
      {"a/**/b", {"a/b", "a/x/b", "a/x/y/b"}, {"a/bb"}},
      {"release/**", {"release/1"}, {"release/1/2"}},
      {"\\*", {"*"}, {"a"}},
      {"!main", {"!main"}, {"other"}},
  };
  for (const Row& row : rows) {
    const Result<Glob> glob = Glob::prepare_fnmatch(row.pattern);
    ASSERT_TRUE(glob) << row.pattern;
    EXPECT_FALSE(glob->negated());
    for (const std::string_view text : row.yes) EXPECT_TRUE(glob->matches(text)) << row.pattern << " " << text;
    for (const std::string_view text : row.no) EXPECT_FALSE(glob->matches(text)) << row.pattern << " " << text;
  }
  for (const char* text : {"", "[a", "[]"}) EXPECT_FALSE(Glob::prepare_fnmatch(text)) << text;
}

TEST(Globs, OfDeploymentBranchesAgreeWithTheCLibrary) {
  std::mt19937 engine(20'261'130);
  const auto number = [&](std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(engine);
  };
  int compared = 0, matched = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string pattern, text;
    for (std::size_t n = 1 + number(6); n > 0; --n) pattern += "ab*?/["[number(6)];
    if (pattern.find('[') != std::string::npos) pattern += "b]";
    for (std::size_t n = number(7); n > 0; --n) text += "ab/"[number(3)];
    const Result<Glob> glob = Glob::prepare_fnmatch(pattern);
    // The C library has no **/, and reads a [ with a slash behind it as itself.
    if (!glob || pattern.find("**/") != std::string::npos) continue;
    if (const auto set = pattern.find('['); set != std::string::npos && pattern.find('/', set) != std::string::npos)
      continue;
    ++compared;
    const bool expected = ::fnmatch(pattern.c_str(), text.c_str(), FNM_PATHNAME) == 0;
    matched += expected ? 1 : 0;
    EXPECT_EQ(glob->matches(text), expected) << pattern << " " << text;
  }
  EXPECT_GT(compared, 10'000);
  EXPECT_GT(matched, 500);
}

// Backtracking, as the rules say it, for patterns without sets and escapes.
bool naive(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.starts_with("**")) {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (naive(pattern.substr(2), text.substr(i))) return true;
    }
    return false;
  }
  if (pattern[0] == '*') {
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (naive(pattern.substr(1), text.substr(i))) return true;
      if (i < text.size() && text[i] == '/') return false;
    }
    return false;
  }
  const bool hit = !text.empty() && text[0] == pattern[0];
  if (pattern.size() > 1 && pattern[1] == '?') {
    return naive(pattern.substr(2), text) || (hit && naive(pattern.substr(2), text.substr(1)));
  }
  if (pattern.size() > 1 && pattern[1] == '+') {
    return hit && (naive(pattern.substr(2), text.substr(1)) || naive(pattern, text.substr(1)));
  }
  return hit && naive(pattern.substr(1), text.substr(1));
}

TEST(Globs, AgreeWithTheNaiveMatcher) {
  std::mt19937 engine(20'260'701);
  const auto number = [&](std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(engine);
  };
  int compared = 0, matched = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string pattern, text;
    for (std::size_t n = 1 + number(6); n > 0; --n) pattern += "ab*?+/"[number(6)];
    for (std::size_t n = number(7); n > 0; --n) text += "ab/"[number(3)];
    const Result<Glob> glob = Glob::prepare(pattern);
    // A directory wildcard has a rule of its own, and *** is ** and *.
    if (!glob || pattern.find("**/") != std::string::npos) continue;
    ++compared;
    matched += glob->matches(text) ? 1 : 0;
    EXPECT_EQ(glob->matches(text), naive(pattern, text)) << pattern << " " << text;
  }
  EXPECT_GT(compared, 5'000);
  EXPECT_GT(matched, 200);
}

TEST(Globs, LongTextsTakeNoTimeToSpeakOf) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern += "*a";
  std::string text(2'000, 'a');
  text += 'b';
  EXPECT_FALSE(matches(pattern, text));
}

std::string next_of(std::string_view cron, std::string_view after) {
  int y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  EXPECT_EQ(std::sscanf(std::string(after).c_str(), "%d-%d-%dT%d:%d:%d", &y, &mo, &d, &h, &mi, &s), 6);
  const auto day = std::chrono::sys_days(std::chrono::year(y) / mo / d);
  const Time time = std::chrono::time_point_cast<Duration>(day + std::chrono::hours(h) + std::chrono::minutes(mi) +
                                                           std::chrono::seconds(s));
  const Result<Cron> parsed = Cron::parse(cron);
  if (!parsed) return parsed.error().message;
  const std::optional<Time> next = parsed->next(time);
  return next ? format_time(*next) : "never";
}

TEST(Crons, TellWhenTheyFireNext) {
  const std::array rows = {
      std::array{"* * * * *", "2026-07-01T09:30:00", "2026-07-01T09:31:00.000Z"},
      std::array{"* * * * *", "2026-07-01T09:30:59", "2026-07-01T09:31:00.000Z"},
      std::array{"30 5 * * *", "2026-07-01T05:30:00", "2026-07-02T05:30:00.000Z"},
      std::array{"30 5 * * *", "2026-07-01T05:29:59", "2026-07-01T05:30:00.000Z"},
      std::array{"30 5,17 * * *", "2026-07-01T06:00:00", "2026-07-01T17:30:00.000Z"},
      std::array{"*/15 * * * *", "2026-07-01T09:46:00", "2026-07-01T10:00:00.000Z"},
      std::array{"20/15 * * * *", "2026-07-01T09:00:00", "2026-07-01T09:20:00.000Z"},
      std::array{"0 4-6 * * *", "2026-07-01T06:00:00", "2026-07-02T04:00:00.000Z"},
      std::array{"30 5 * * 1,3", "2026-07-01T05:30:00", "2026-07-06T05:30:00.000Z"},
      std::array{"30 5 * * MON-FRI", "2026-07-03T05:30:00", "2026-07-06T05:30:00.000Z"},
      std::array{"0 0 1 JAN *", "2026-07-01T00:00:00", "2027-01-01T00:00:00.000Z"},
      std::array{"0 0 29 2 *", "2026-07-01T00:00:00", "2028-02-29T00:00:00.000Z"},
      std::array{"0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00.000Z"},
      std::array{"0 0 31 * *", "2026-04-01T00:00:00", "2026-05-31T00:00:00.000Z"},
      std::array{"0 0 30 2 *", "2026-07-01T00:00:00", "never"},
      std::array{"0 0 13 * 5", "2026-07-01T00:00:00", "2026-07-03T00:00:00.000Z"},
      std::array{"59 23 31 12 *", "2026-12-31T23:59:00", "2027-12-31T23:59:00.000Z"},
  };
  for (const auto& [cron, after, expected] : rows) EXPECT_EQ(next_of(cron, after), expected) << cron << " " << after;
}

TEST(Crons, MalformedOnesAreRefused) {
  for (const char* text : {"", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *",
                           "* * * 13 *", "* * * * 7", "5-1 * * * *", "*/0 * * * *", "a * * * *", "1, * * * *",
                           "@hourly", "-1 * * * *", "1-2-3 * * * *", "*/ * * * *", "* * * foo *"}) {
    EXPECT_FALSE(Cron::parse(text)) << text;
  }
}

}  // namespace
}  // namespace kaapi::actions::workflow
