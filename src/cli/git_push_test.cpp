// Real git against a real server: clone, fetch and push with their hooks.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "actions/git/git_http.h"
#include "actions/git/hook_api.h"
#include "actions/git/test_repository.h"
#include "http/server.h"

namespace kaapi::actions::git {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What the test's thread and the server's threads share.
template <class T>
class Shared {
 public:
  Shared& operator=(T value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    return *this;
  }
  T get() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }
  template <class Item>
  void add(Item item) {
    const std::lock_guard lock(mutex_);
    value_.push_back(std::move(item));
  }

 private:
  mutable std::mutex mutex_;
  T value_{};
};

// ann may everything that `allowed` says; root all.
class Keys final : public aws::KeyStore {
 public:
  std::optional<aws::AccessKey> find(std::string_view id) const override {
    aws::AccessKey key;
    key.account_id = "123456789012";
    key.secret = "secret/of+" + std::string(id);
    if (id == "AKIAROOT") {
      key.principal_arn = "arn:aws:iam::123456789012:root";
      key.is_root = true;
    } else if (id == "AKIAANN") {
      key.principal_arn = "arn:aws:iam::123456789012:user/ann";
      key.user_id = "AIDAANN";
    } else if (id == "ASIAANN" || id == "ASIAOLD") {
      key.principal_arn = "arn:aws:sts::123456789012:assumed-role/deploy/ann";
      key.session_token = "token";
      key.expires_at = from_millis(id == "ASIAOLD" ? 0 : 4'000'000'000'000);
    } else {
      return std::nullopt;
    }
    return key;
  }
  void used(std::string_view id, std::string_view service, std::string_view region) const override {
    uses.add(fmt::format("{} {} {}", id, service, region));
  }
  mutable Shared<std::vector<std::string>> uses;
};

class Rights final : public aws::Authorizer {
 public:
  std::string arn_of(const aws::CallContext&, std::string_view, std::string_view name) const override {
    return std::string(name);
  }
  Result<std::string> authorize(const aws::CallContext& context,
                                const std::vector<aws::Access>& accesses) const override {
    const auto ref = accesses.front().conditions.find("kaapi:ref");
    const std::string asked = fmt::format("{} {}{}", accesses.front().action, accesses.front().resource,
                                          ref == accesses.front().conditions.end() ? "" : " " + ref->second.front());
    const std::vector<std::string> list = allowed.get();
    for (const std::string& one : list) {
      if (asked.starts_with(one)) return std::string("allowed by the test");
    }
    return make_error(aws::access_denied,
                      fmt::format("{} is not authorized to perform: {}", context.principal_arn, asked));
  }
  Shared<std::vector<std::string>> allowed;
};

class Listener final : public PushListener {
 public:
  PushReport pushed(const PushEvent& event) override {
    events.add(event);
    return report.get();
  }
  PushEvent last() const { return events.get().back(); }

  Shared<std::vector<PushEvent>> events;
  Shared<PushReport> report;
};

class GitPush : public ::testing::Test {
 protected:
  GitPush() : all(std::filesystem::read_symlink("/proc/self/exe").string()) {
    server.route_stream("/git/",
                        [this](const http::RequestHead& head, http::BodyReader& body) { return git(head, body); });
    server.route_stream(
        "/git-hook/", [this](const http::RequestHead& head, http::BodyReader& body) { return hooks(head, body); },
        true);
    server.route("/runner/v1/runs/", 0, [](const http::Request& request) {
      const bool good = request.head.path.find("/7/") != std::string::npos;
      http::Response response;
      response.body = http::ProducedBody{[good](http::BodyWriter& writer) {
        return writer
            .write(fmt::format("{}\n{}\n", R"({"kind":"log","job_id":1,"text":"building\n"})",
                               good ? R"({"kind":"end","name":"CD #7","conclusion":"success"})"
                                    : R"({"kind":"end","name":"CD #8","conclusion":"failure"})"))
            .has_value();
      }};
      return response;
    });
    EXPECT_TRUE(server.start());
  }
  ~GitPush() override { server.stop(std::chrono::milliseconds(100)); }

  std::string url(const std::string& login, const std::string& repository = "team/shop") const {
    return fmt::format("http://{}{}127.0.0.1:{}/git/{}.git", login, login.empty() ? "" : "@", server.port(),
                       repository);
  }
  const std::string root = "AKIAROOT:secret%2Fof%2BAKIAROOT";
  const std::string ann = "AKIAANN:secret%2Fof%2BAKIAANN";

  TestRepositories all;
  Repositories& repositories = *all.repositories;
  SecureIds ids;
  Keys keys;
  Rights rights;
  Listener listener;
  Shared<std::optional<GitCaller>> job;
  AccessTokens tokens{*all.database, all.clock, ids};
  http::Server server{http::ServerConfig{}};
  Gate gate{
      {"123456789012", "us-east-1", true},
      tokens,
      &keys,
      &rights,
      all.clock,
      ids,
      [this](std::string_view, std::string_view password) { return password == "job" ? job.get() : std::nullopt; }};
  Pushes pushes{repositories, gate, &listener, ids};
  GitHttp git{repositories, gate, pushes, [this] { return fmt::format("http://127.0.0.1:{}", server.port()); }};
  HookApi hooks{pushes};
  Clone clone{all.directory.file("clone")};
};

TEST_F(GitPush, FirstPushMakesTheRepositoryAndIsTold) {
  const std::string sha = clone.commit("a", "1");
  listener.report = PushReport{{"CD staging #12: started; watch it with: kaapi run watch 12"}, {}};
  const Ran pushed = clone.git({"push", url(root), "main"});
  ASSERT_EQ(pushed.exit_code, 0) << pushed.text;
  EXPECT_THAT(pushed.text, HasSubstr("remote: CD staging #12: started"));
  ASSERT_EQ(listener.events.get().size(), 1U);
  const PushEvent event = listener.last();
  EXPECT_EQ(event.repository, "team/shop");
  EXPECT_EQ(event.actor, "root");
  EXPECT_EQ(keys.uses.get().front(), "AKIAROOT kaapi us-east-1") << "git counts as a use of the key";
  ASSERT_EQ(event.updates.size(), 1U);
  EXPECT_EQ(event.updates.front().ref, "refs/heads/main");
  EXPECT_EQ(event.updates.front().before, no_commit);
  EXPECT_EQ(event.updates.front().after, sha);
  const std::string copy = all.directory.file("copy");
  const Ran cloned = run_git("/", {"clone", url(root), copy});
  ASSERT_EQ(cloned.exit_code, 0) << cloned.text;
  EXPECT_TRUE(std::filesystem::exists(copy + "/a"));
}

TEST_F(GitPush, AsksForCredentialsAndSaysWhich) {
  ASSERT_TRUE(repositories.create("team/shop"));
  for (const char* login : {"", "AKIAROOT:wrong", "AKIANONE:secret", "x-access-token:wrong",
                            "ASIAANN:secret%2Fof%2BASIAANN", "ASIAOLD:secret%2Fof%2BASIAOLD%2Ftoken"}) {
    const Ran cloned = run_git("/", {"clone", url(login), all.directory.file("none")});
    EXPECT_NE(cloned.exit_code, 0) << login;
    EXPECT_THAT(cloned.text, ::testing::AnyOf(HasSubstr("Authentication failed"), HasSubstr("could not read Username")))
        << login;
  }
  rights.allowed = std::vector<std::string>{"kaapi:GitPull"};
  EXPECT_EQ(run_git("/", {"ls-remote", url("ASIAANN:secret%2Fof%2BASIAANN%2Ftoken")}).exit_code, 0);
}

TEST_F(GitPush, AccessTokensAreWorthWhatTheirKeyIs) {
  ASSERT_TRUE(repositories.create("team/shop"));
  AccessToken wanted;
  wanted.access_key_id = "AKIAANN";
  wanted.principal_arn = "arn:aws:iam::123456789012:user/ann";
  wanted.expires_at = all.clock.now() + std::chrono::hours(1);
  const auto made = tokens.create(wanted);
  ASSERT_TRUE(made);
  const std::string login = "anybody:" + made->secret;
  EXPECT_NE(run_git("/", {"ls-remote", url(login)}).exit_code, 0);
  rights.allowed = std::vector<std::string>{"kaapi:GitPull"};
  EXPECT_EQ(run_git("/", {"ls-remote", url(login)}).exit_code, 0);
  EXPECT_TRUE(tokens.list(wanted.principal_arn)->front().last_used_at);
  EXPECT_FALSE(tokens.remove(made->token.id, "arn:aws:iam::123456789012:user/bob"));
  ASSERT_TRUE(tokens.remove(made->token.id, wanted.principal_arn));
  EXPECT_NE(run_git("/", {"ls-remote", url(login)}).exit_code, 0);
  const auto other = tokens.create(wanted);
  ASSERT_TRUE(other);
  all.clock.advance(std::chrono::hours(2));
  EXPECT_NE(run_git("/", {"ls-remote", url("anybody:" + other->secret)}).exit_code, 0);
}

TEST_F(GitPush, WhoMayNotReadDoesNotLearnWhatThereIs) {
  ASSERT_TRUE(repositories.create("team/shop"));
  const Ran there = run_git("/", {"ls-remote", url(ann)});
  Ran missing = run_git("/", {"ls-remote", url(ann, "team/none")});
  EXPECT_NE(there.exit_code, 0);
  std::string same = missing.text;
  for (std::size_t at = same.find("team/none"); at != std::string::npos; at = same.find("team/none"))
    same.replace(at, 9, "team/shop");
  EXPECT_EQ(same, there.text);
  clone.commit("a", "1");
  EXPECT_NE(clone.git({"push", url(ann, "team/none"), "main"}).exit_code, 0);
  EXPECT_FALSE(repositories.find("team/none"));
  rights.allowed = std::vector<std::string>{
      "kaapi:CreateRepository arn:aws:kaapi:us-east-1:123456789012:repository/team/none", "kaapi:GitPush"};
  const Ran made = clone.git({"push", url(ann, "team/none"), "main"});
  EXPECT_EQ(made.exit_code, 0) << made.text;
  EXPECT_TRUE(repositories.find("team/none"));
}

TEST_F(GitPush, RightsAreAskedForEachRef) {
  ASSERT_TRUE(repositories.create("team/shop"));
  clone.commit("a", "1");
  const std::string arn = "arn:aws:kaapi:us-east-1:123456789012:repository/team/shop";
  rights.allowed = std::vector<std::string>{"kaapi:GitPull " + arn, "kaapi:GitPush " + arn + " refs/heads/feature/"};
  const Ran refused = clone.git({"push", url(ann), "main"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.text,
              HasSubstr("remote: kaapi: refs/heads/main: arn:aws:iam::123456789012:user/ann is not authorized"));
  const Ran pushed = clone.git({"push", url(ann), "main:feature/x"});
  EXPECT_EQ(pushed.exit_code, 0) << pushed.text;
  EXPECT_EQ(repositories.refs("team/shop")->size(), 1U);
  EXPECT_EQ(listener.events.get().size(), 1U);
  EXPECT_EQ(listener.last().actor_id, "AIDAANN") << "IAM's, as the name may be used again";
}

TEST_F(GitPush, ProtectedRefsAreNotForcedNorDeleted) {
  clone.commit("a", "1");
  ASSERT_EQ(clone.git({"tag", "v1"}).exit_code, 0);
  clone.commit("a", "2");
  ASSERT_EQ(clone.git({"push", url(root), "main", "main:other", "v1"}).exit_code, 0);
  const auto before = repositories.refs("team/shop").value();
  ASSERT_EQ(clone.git({"reset", "--hard", "--quiet", "HEAD~1"}).exit_code, 0);
  const Ran forced = clone.git({"push", "--force", url(root), "main"});
  EXPECT_NE(forced.exit_code, 0);
  EXPECT_THAT(forced.text, HasSubstr("refs/heads/main: the branch is protected by the rule 'main': no force push"));
  EXPECT_NE(clone.git({"push", url(root), ":v1"}).exit_code, 0);
  EXPECT_EQ(repositories.refs("team/shop").value(), before);
  EXPECT_EQ(clone.git({"push", "--force", url(root), "main:other"}).exit_code, 0);
  EXPECT_TRUE(listener.last().updates.front().forced);
  EXPECT_EQ(clone.git({"push", url(root), ":other"}).exit_code, 0);
}

TEST_F(GitPush, JobsSeeTheirRepositoryOnly) {
  clone.commit("a", "1");
  ASSERT_EQ(clone.git({"push", url(root), "main"}).exit_code, 0);
  ASSERT_TRUE(repositories.create("team/other"));
  const GitCaller build{"build", "arn:aws:kaapi:us-east-1:123456789012:repository/team/shop/run/1", "team/shop", false,
                        false};
  job = build;
  const std::string login = "x-access-token:job";
  EXPECT_NE(run_git("/", {"ls-remote", url(login)}).exit_code, 0) << "permissions: {}";
  job = GitCaller{build.actor, build.arn, build.repository, true, false};
  EXPECT_EQ(run_git("/", {"ls-remote", url(login)}).exit_code, 0);
  EXPECT_NE(run_git("/", {"ls-remote", url(login, "team/other")}).exit_code, 0);
  const Ran refused = clone.git({"push", url(login), "main:x"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_EQ(repositories.refs("team/shop")->size(), 1U);
  job = GitCaller{build.actor, build.arn, build.repository, true, true};
  EXPECT_EQ(clone.git({"push", url(login), "main:x"}).exit_code, 0);
  EXPECT_EQ(listener.last().actor, "build");
  EXPECT_TRUE(listener.last().by_job);
}

TEST_F(GitPush, JobsPushNoProtectedRefsAndNoWorkflowFiles) {
  clone.commit("a", "1");
  ASSERT_EQ(clone.git({"push", url(root), "main"}).exit_code, 0);
  job = GitCaller{"build", "arn:aws:kaapi:us-east-1:123456789012:repository/team/shop/run/1", "team/shop", true, true};
  const std::string login = "x-access-token:job";
  clone.commit("a", "2");
  EXPECT_THAT(clone.git({"push", url(login), "main"}).text, HasSubstr("is not among those who may push it"));
  EXPECT_EQ(clone.git({"push", url(login), "main:x"}).exit_code, 0);
  std::filesystem::create_directories(clone.path() + "/.github/workflows");
  clone.commit(".github/workflows/cd.yml", "on: push");
  const Ran refused = clone.git({"push", url(login), "main:y"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.text, HasSubstr("a job cannot change files below .github/workflows"));
  ASSERT_EQ(clone.git({"push", url(root), "main"}).exit_code, 0);
  clone.commit("a", "3");
  EXPECT_EQ(clone.git({"push", url(login), "main:y"}).exit_code, 0) << "they came with somebody else's push";
}

TEST_F(GitPush, AMergeHidesNoWorkflowFilesOfAJob) {
  clone.commit("a", "1");
  ASSERT_EQ(clone.git({"push", url(root), "main"}).exit_code, 0);
  job = GitCaller{"build", "arn:aws:kaapi:us-east-1:123456789012:repository/team/shop/run/1", "team/shop", true, true};
  clone.git({"checkout", "--quiet", "-b", "side"});
  clone.commit(".github/workflows/cd.yml", "on: push");
  clone.git({"checkout", "--quiet", "main"});
  // The tree stays that of its first parent, so git's simplified history holds the first parent only.
  ASSERT_EQ(clone.git({"merge", "--quiet", "--no-ff", "-s", "ours", "-m", "nothing", "side"}).exit_code, 0);
  const Ran refused = clone.git({"push", url("x-access-token:job"), "main:x"});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.text, HasSubstr("a job cannot change files below .github/workflows"));
  EXPECT_EQ(clone.git({"push", url(root), "main:x"}).exit_code, 0) << "a person may";
}

TEST_F(GitPush, AFirstPushThatIsRefusedLeavesNoRepository) {
  clone.commit("a", "1");
  EXPECT_NE(clone.git({"push", url(root), "main:refs/notes/x"}).exit_code, 0);
  EXPECT_FALSE(repositories.find("team/shop"));
  ASSERT_TRUE(repositories.create("team/shop"));
  EXPECT_NE(clone.git({"push", url(root), "main:refs/notes/x"}).exit_code, 0);
  EXPECT_TRUE(repositories.find("team/shop")) << "this push has not made it";
}

TEST_F(GitPush, ARefThatCannotBeTakenIsNamed) {
  clone.commit("a", "1");
  ASSERT_EQ(clone.git({"push", url(root), "main"}).exit_code, 0);
  const std::string part(200, 'b');
  const Ran refused = clone.git({"push", url(root), fmt::format("main:refs/heads/{}/{}", part, part)});
  EXPECT_NE(refused.exit_code, 0);
  EXPECT_THAT(refused.text, HasSubstr("the name of this ref has 412 bytes, and 255 are the most: give it a shorter"));
  const Ran latin = clone.git({"push", url(root), "main:refs/heads/caf\xE9"});
  EXPECT_NE(latin.exit_code, 0);
  EXPECT_THAT(latin.text, HasSubstr("the name of this ref is no UTF-8"));
  std::vector<std::string> push = {"push", url(root)};
  for (std::size_t i = 0; i <= max_push_refs; ++i) push.push_back(fmt::format("main:refs/heads/b{}", i));
  const Ran all_at_once = clone.git(push);
  EXPECT_NE(all_at_once.exit_code, 0);
  EXPECT_THAT(all_at_once.text, HasSubstr("push at most 1000 at once, naming them"));
}

TEST_F(GitPush, WaitsForRunsAndFailsWithThem) {
  clone.commit("a", "1");
  listener.report = PushReport{{}, {{7, "CD #7", "/runner/v1/runs/7/follow", "t"}}};
  const Ran good = clone.git({"push", "-o", "wait", url(root), "main"});
  EXPECT_EQ(good.exit_code, 0) << good.text;
  EXPECT_THAT(good.text, HasSubstr("remote: building"));
  EXPECT_THAT(good.text, HasSubstr("remote: CD #7: success"));
  listener.report = PushReport{{}, {{8, "CD #8", "/runner/v1/runs/8/follow", "t", "refs/heads/other"}}};
  const Ran quick = clone.git({"push", url(root), "main:quick"});
  EXPECT_EQ(quick.exit_code, 0) << "nobody asked to wait";
  EXPECT_THAT(quick.text, Not(HasSubstr("building")));
  const Ran bad = clone.git({"push", "-o", "wait", url(root), "main:other"});
  EXPECT_EQ(bad.exit_code, 1) << bad.text;
  EXPECT_THAT(bad.text, HasSubstr("! [remote rejected] main -> other (pushed, but CD #8 ended with failure)"));
  EXPECT_THAT(bad.text, HasSubstr("error: failed to push some refs"));
  EXPECT_THAT(bad.text, Not(HasSubstr("sideband")));
  EXPECT_TRUE(repositories.refs("team/shop")->contains("refs/heads/other"));
}

TEST_F(GitPush, OfSeveralRefsOnlyThatFailsWhoseRunDid) {
  clone.commit("a", "1");
  listener.report = PushReport{{},
                               {{7, "CD #7", "/runner/v1/runs/7/follow", "t", "refs/heads/main"},
                                {8, "CD #8", "/runner/v1/runs/8/follow", "t", "refs/heads/other"},
                                {9, "CI #9", "/runner/v1/runs/9/follow", "t", "refs/heads/other"}}};
  const Ran bad = clone.git({"push", "-o", "wait", url(root), "main", "main:other"});
  EXPECT_EQ(bad.exit_code, 1) << bad.text;
  EXPECT_THAT(bad.text, HasSubstr("[new branch]      main -> main"));
  EXPECT_THAT(bad.text, HasSubstr("main -> other (pushed, but CD #8 ended with failure; CI #9 ended with failure)"));
}

TEST_F(GitPush, LargePushesAndDeepHistoriesStream) {
  // 50 MiB that do not compress.
  std::string much(50U * 1024U * 1024U, '\0');
  std::mt19937_64 random(1);
  for (std::size_t i = 0; i + 8 <= much.size(); i += 8) {
    const std::uint64_t value = random();
    std::memcpy(much.data() + i, &value, 8);
  }
  std::ofstream(clone.path() + "/large", std::ios::binary) << much;
  clone.commit("a", "1");
  const Ran pushed = clone.git({"push", url(root), "main"});
  ASSERT_EQ(pushed.exit_code, 0) << pushed.text;
  const std::string copy = all.directory.file("copy");
  const Ran cloned = run_git("/", {"clone", url(root), copy});
  ASSERT_EQ(cloned.exit_code, 0) << cloned.text;
  EXPECT_EQ(std::filesystem::file_size(copy + "/large"), much.size());
  // Fetching into a clone with many commits sends a compressed request.
  for (int i = 0; i < 60; ++i) clone.commit("a", fmt::format("{}", i));
  ASSERT_EQ(clone.git({"push", url(root), "main"}).exit_code, 0);
  const Ran fetched = run_git(copy, {"fetch", url(root), "main"});
  EXPECT_EQ(fetched.exit_code, 0) << fetched.text;
}

TEST_F(GitPush, TellsOfPushesThatWereCutOff) {
  const std::string sha = clone.commit("a", "1");
  ASSERT_TRUE(repositories.create("team/shop"));
  Caller caller;
  caller.actor = "ann";
  caller.context.user_id = "AIDAANN";
  caller.asked = false;
  const std::vector<RefUpdate> updates = {{"refs/heads/main", std::string(no_commit), sha, false},
                                          {"refs/heads/never", std::string(no_commit), sha, false}};
  const auto push = pushes.begin(caller, "team/shop");
  ASSERT_TRUE(pushes.judge(push->token, updates)->empty());
  EXPECT_FALSE(pushes.judge(push->token, updates)) << "once only";
  ASSERT_EQ(clone.git({"push", "--quiet", repositories.directory("team/shop"), "main"}).exit_code, 0);
  // The process that knew of it is gone.
  Pushes next(repositories, gate, &listener, ids);
  next.recover();
  ASSERT_EQ(listener.events.get().size(), 1U);
  ASSERT_EQ(listener.last().updates.size(), 1U);
  EXPECT_EQ(listener.last().updates.front().ref, "refs/heads/main");
  EXPECT_EQ(listener.last().actor_id, "AIDAANN");
  next.recover();
  EXPECT_EQ(listener.events.get().size(), 1U);
  EXPECT_FALSE(next.report(push->token, updates)) << "the token was the old process's";
}

// A peer that sends half of a push and goes.
TEST_F(GitPush, ClientThatGoesLeavesNoProcess) {
  clone.commit("a", "1");
  ASSERT_EQ(clone.git({"push", url(root), "main"}).exit_code, 0);
  const auto count = [&] {
    // Only git's processes of this test name its folder in their environment.
    const Result<Finished> found = run({{"/bin/sh", "-c",
                                         "grep -lsF " + all.directory.path() +
                                             " /proc/[0-9]*/environ | while read f; do d=${f%/environ}; "
                                             "grep -qs '^git' $d/comm && echo $d; done | wc -l"},
                                        {"PATH=/usr/bin:/bin"},
                                        ""});
    return std::string(trim(found->output));
  };
  // curl ends the connection after a second with a body that never comes whole.
  std::ofstream(all.directory.file("body")) << std::string(100'000, 'x');
  const Result<Finished> sent =
      run({{"/bin/sh", "-c",
            fmt::format("(cat {}; sleep 1) | timeout 0.7 curl -s -T - -X POST -H 'Content-Type: "
                        "application/x-git-receive-pack-request' {}/git-receive-pack",
                        all.directory.file("body"), url(root))},
           {"PATH=/usr/bin:/bin"},
           ""});
  ASSERT_TRUE(sent);
  server.stop(std::chrono::milliseconds(5000));
  EXPECT_EQ(count(), "0");
}

}  // namespace
}  // namespace kaapi::actions::git
