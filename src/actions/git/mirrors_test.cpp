#include "actions/git/mirrors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "actions/git/git_http.h"
#include "actions/git/test_repository.h"
#include "http/server.h"

namespace kaapi::actions::git {
namespace {

class Listener final : public PushListener {
 public:
  PushReport pushed(const PushEvent& event) override {
    const std::lock_guard lock(mutex);
    events.push_back(event);
    told.notify_all();
    return {{"CD #1 started"}, {}};
  }
  void default_branch_changed(const std::string& repository) override {
    const std::lock_guard lock(mutex);
    changed.push_back(repository);
  }
  bool wait_for(std::size_t count) {
    std::unique_lock lock(mutex);
    return told.wait_for(lock, std::chrono::seconds(20), [&] { return events.size() >= count; });
  }
  std::mutex mutex;
  std::condition_variable told;
  std::vector<PushEvent> events;
  std::vector<std::string> changed;
};

// "there" is served over HTTP without authentication, and mirrored into "here".
class MirrorsTest : public ::testing::Test {
 protected:
  MirrorsTest() {
    server.route_stream("/git/",
                        [this](const http::RequestHead& head, http::BodyReader& body) { return git(head, body); });
    EXPECT_TRUE(server.start());
    EXPECT_TRUE(there.repositories->create("team/shop"));
  }
  ~MirrorsTest() override {
    mirrors.stop();
    server.stop(std::chrono::milliseconds(100));
  }
  // Past HTTP, so without hooks.
  void push(const std::string& what) {
    const Ran pushed = clone.git({"push", "--quiet", "--force", there.repositories->directory("team/shop"), what});
    ASSERT_EQ(pushed.exit_code, 0) << pushed.text;
  }
  MirrorSpec spec() {
    return {"team/copy",
            fmt::format("http://127.0.0.1:{}/git/team/shop.git", server.port()),
            std::chrono::hours(1),
            true,
            "",
            ""};
  }
  http::Response deliver(const std::string& body, const std::string& signature, const std::string& event = "push") {
    http::Request request;
    request.head.method = "POST";
    request.head.path = "/git-webhook/team/copy";
    request.head.headers.add("X-GitHub-Event", event);
    request.head.headers.add("X-Hub-Signature-256", signature);
    request.body = body;
    return mirrors.webhook(request);
  }
  static std::string signature(const std::string& secret, const std::string& body) {
    return "sha256=" + to_hex(hmac_sha256(secret, body));
  }

  TestRepositories here, there;
  SecureIds ids;
  AccessTokens tokens{*there.database, there.clock, ids};
  Gate gate{{"123456789012", "us-east-1", false}, tokens, nullptr, nullptr, there.clock, ids};
  Pushes their_pushes{*there.repositories, gate, nullptr, ids};
  GitHttp git{*there.repositories, gate, their_pushes, [] { return std::string(); }};
  http::Server server{http::ServerConfig{}};
  Listener listener;
  Pushes pushes{*here.repositories, gate, &listener, ids};
  store::Sealer sealer{store::Sealer::open(here.directory.file("key")).value()};
  Mirrors mirrors{*here.repositories, pushes, sealer, here.clock, ids};
  Clone clone{there.directory.file("clone")};
};

TEST_F(MirrorsTest, TellOfChangesButNotOfTheFirstFetch) {
  clone.commit("a", "1");
  push("main:trunk");
  ASSERT_TRUE(mirrors.set(spec()));
  const auto first = mirrors.fetch("team/copy");
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->size(), 1U);
  EXPECT_EQ(listener.events.size(), 0U);
  EXPECT_EQ(here.repositories->default_branch("team/copy").value(), "trunk");
  EXPECT_TRUE(mirrors.fetch("team/copy")->empty());
  const std::string sha = clone.commit("a", "2");
  push("main:trunk");
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  ASSERT_EQ(listener.events.size(), 1U);
  EXPECT_EQ(listener.events.front().actor, "mirror");
  EXPECT_EQ(listener.events.front().updates.front().after, sha);
  EXPECT_FALSE(listener.events.front().updates.front().forced);
  EXPECT_EQ(here.repositories->find("team/copy")->mirror_of, spec().url);
  EXPECT_EQ(mirrors.find("team/copy")->error, "");
}

TEST_F(MirrorsTest, ShowWhatTheLastChangeStarted) {
  clone.commit("a", "1");
  push("main");
  ASSERT_TRUE(mirrors.set(spec()));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  EXPECT_TRUE(mirrors.find("team/copy")->report.empty());
  clone.commit("a", "2");
  push("main");
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  EXPECT_EQ(mirrors.find("team/copy")->report, std::vector<std::string>{"CD #1 started"});
}

TEST_F(MirrorsTest, TheDefaultBranchIsThatOfTheOtherSide) {
  clone.commit("a", "1");
  push("main");
  push("main:trunk");
  ASSERT_TRUE(there.repositories->set_default_branch("team/shop", "trunk"));
  ASSERT_TRUE(mirrors.set(spec()));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  EXPECT_EQ(here.repositories->default_branch("team/copy").value(), "trunk");
  EXPECT_TRUE(here.repositories->is_protected("team/copy", "refs/heads/trunk"));
  EXPECT_FALSE(listener.changed.empty()) << "its schedules hold from the first fetch on";
  // What somebody sets here stays until the other side changes.
  ASSERT_TRUE(here.repositories->set_default_branch("team/copy", "main"));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  EXPECT_EQ(here.repositories->default_branch("team/copy").value(), "main");
  push("main:next");
  ASSERT_TRUE(there.repositories->set_default_branch("team/shop", "next"));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  EXPECT_EQ(here.repositories->default_branch("team/copy").value(), "next");
  EXPECT_TRUE(here.repositories->is_protected("team/copy", "refs/heads/next")) << "like each before";
}

TEST_F(MirrorsTest, RefsThatCannotBeNamedStartNothing) {
  clone.commit("a", "1");
  push("main");
  ASSERT_TRUE(mirrors.set(spec()));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  push("main:refs/heads/caf\xE9");
  push("main:refs/tags/v1");
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  ASSERT_EQ(listener.events.size(), 1U);
  ASSERT_EQ(listener.events[0].updates.size(), 1U);
  EXPECT_EQ(listener.events[0].updates[0].ref, "refs/tags/v1");
  EXPECT_TRUE(mirrors.fetch("team/copy")->empty());
}

TEST_F(MirrorsTest, OldFaultsOfAHistoryAreTaken) {
  clone.commit("a", "1");
  const std::string tree(trim(clone.git({"rev-parse", "HEAD^{tree}"}).text));
  const std::string text =
      fmt::format("tree {}\nauthor A <a@x> 1100000000 -7\ncommitter A <a@x> 1100000000 -7\n\nold\n", tree);
  const Result<Finished> made = git::run(
      {{"git", "hash-object", "-t", "commit", "-w", "--literally", "--stdin"}, environment(), clone.path()}, text);
  ASSERT_EQ(made->exit_code, 0) << made->errors;
  push(fmt::format("{}:refs/heads/main", trim(made->output)));
  ASSERT_TRUE(mirrors.set(spec()));
  const auto fetched = mirrors.fetch("team/copy");
  EXPECT_TRUE(fetched) << fetched.error().message;
}

// A remote that answers nothing while it lives.
class SlowRemote {
 public:
  SlowRemote() {
    server_.route("/", 0, [this](const http::Request&) {
      std::unique_lock lock(mutex_);
      asked_ = true;
      changed_.notify_all();
      changed_.wait(lock, [this] { return free_; });
      return http::Response::text(404, "");
    });
    EXPECT_TRUE(server_.start());
  }
  ~SlowRemote() {
    {
      const std::lock_guard lock(mutex_);
      free_ = true;
    }
    changed_.notify_all();
    server_.stop(std::chrono::milliseconds(100));
  }
  SlowRemote(const SlowRemote&) = delete;
  SlowRemote& operator=(const SlowRemote&) = delete;
  std::string url() const { return fmt::format("http://127.0.0.1:{}/x.git", server_.port()); }
  bool wait_until_asked() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [this] { return asked_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
  bool free_ = false;
  http::Server server_{http::ServerConfig{}};
};

TEST_F(MirrorsTest, ASlowRemoteHoldsUpNoOther) {
  SlowRemote slow;
  clone.commit("a", "1");
  push("main");
  ASSERT_TRUE(mirrors.set(spec()));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  MirrorSpec other = spec();
  other.repository = "team/slow";
  other.url = slow.url();
  ASSERT_TRUE(mirrors.set(other));
  mirrors.start();
  EXPECT_TRUE(slow.wait_until_asked());
  clone.commit("a", "2");
  push("main");
  ASSERT_TRUE(mirrors.set(spec()));
  EXPECT_TRUE(listener.wait_for(1));
  mirrors.stop();
}

TEST_F(MirrorsTest, SetAnewAFetchInProgressGivesWay) {
  SlowRemote slow;
  clone.commit("a", "1");
  push("main");
  mirrors.start();
  MirrorSpec wrong = spec();
  wrong.url = slow.url();
  ASSERT_TRUE(mirrors.set(wrong));
  ASSERT_TRUE(slow.wait_until_asked());
  ASSERT_TRUE(mirrors.set(spec()));
  mirrors.wait_for_outcome("team/copy");
  const std::optional<Mirror> mirror = mirrors.find("team/copy");
  EXPECT_EQ(mirror->error, "") << "of the slow one";
  EXPECT_TRUE(mirror->fetched_at);
  EXPECT_EQ(here.repositories->refs("team/copy")->count("refs/heads/main"), 1U);
  mirrors.stop();
  EXPECT_TRUE(listener.events.empty()) << "the first fetch of this remote";
}

TEST_F(MirrorsTest, WebhookFetches) {
  clone.commit("a", "1");
  push("main");
  const Result<std::string> secret = mirrors.set(spec());
  ASSERT_TRUE(secret);
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  const std::string sha = clone.commit("a", "2");
  push("main");
  mirrors.start();
  ASSERT_TRUE(listener.wait_for(1)) << "what has changed before a start is fetched at it";
  clone.commit("a", "3");
  push("main");
  const std::string body = R"({"ref":"refs/heads/main"})";
  EXPECT_EQ(deliver(body, signature("wrong", body)).status, 401);
  EXPECT_EQ(deliver(body, "").status, 401);
  EXPECT_EQ(deliver(body + " ", signature(*secret, body)).status, 401);
  EXPECT_EQ(deliver(body, signature(*secret, body), "ping").status, 200);
  EXPECT_EQ(deliver(body, signature(*secret, body)).status, 202);
  EXPECT_TRUE(listener.wait_for(2));
  ASSERT_TRUE(mirrors.remove("team/copy"));
  EXPECT_EQ(deliver(body, signature(*secret, body)).status, 401);
}

TEST_F(MirrorsTest, WhatWasFetchedButNotToldIsToldAtTheNextFetch) {
  clone.commit("a", "1");
  push("main");
  ASSERT_TRUE(mirrors.set(spec()));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  const std::string sha = clone.commit("a", "2");
  push("main");
  // As if the platform had ended between git's end and the telling.
  const std::string url = spec().url;
  ASSERT_EQ(run_git(here.repositories->directory("team/copy"), {"fetch", "--quiet", url, "+refs/heads/*:refs/heads/*"})
                .exit_code,
            0);
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  ASSERT_EQ(listener.events.size(), 1U);
  EXPECT_EQ(listener.events.front().updates.front().after, sha);
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  EXPECT_EQ(listener.events.size(), 1U) << "told once";
}

TEST_F(MirrorsTest, OneWithAWebhookAloneIsFetchedAtAStart) {
  clone.commit("a", "1");
  push("main");
  MirrorSpec hooked = spec();
  hooked.every = std::chrono::seconds(0);
  ASSERT_TRUE(mirrors.set(hooked));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  // Announced while nobody listened.
  clone.commit("a", "2");
  push("main");
  Mirrors after{*here.repositories, pushes, sealer, here.clock, ids};
  after.start();
  EXPECT_TRUE(listener.wait_for(1));
  after.stop();
}

TEST_F(MirrorsTest, ReplaceNoRepositoryOfSomebodys) {
  clone.commit("a", "1");
  ASSERT_TRUE(here.repositories->create("team/copy"));
  ASSERT_EQ(clone.git({"push", "--quiet", here.repositories->directory("team/copy"), "main"}).exit_code, 0);
  const Result<std::string> set = mirrors.set(spec());
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code, errc::conflict);
  EXPECT_NE(set.error().message.find("branches and tags of its own"), std::string::npos);
}

TEST_F(MirrorsTest, StoppedTheyCanBeSetAgainUntilSomebodyPushes) {
  const std::string sha = clone.commit("a", "1");
  push("main");
  push("main:refs/tags/v1");
  ASSERT_TRUE(mirrors.set(spec()));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  ASSERT_TRUE(mirrors.remove("team/copy"));
  MirrorSpec other = spec();
  other.url += "x";
  const Result<std::string> elsewhere = mirrors.set(other);
  EXPECT_EQ(elsewhere.error().code, errc::conflict);
  EXPECT_NE(elsewhere.error().message.find("it was a mirror of " + spec().url + ", and can be one of that again; else"),
            std::string::npos)
      << elsewhere.error().message;
  clone.commit("a", "2");
  push("main");
  ASSERT_TRUE(mirrors.set(spec())) << "what happens there is no matter";
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  EXPECT_TRUE(listener.events.empty()) << "a first fetch";
  ASSERT_TRUE(mirrors.remove("team/copy"));
  const std::string copy = here.repositories->directory("team/copy");
  ASSERT_EQ(clone.git({"push", "--quiet", copy, sha + ":refs/heads/mine"}).exit_code, 0);
  const Result<std::string> pushed = mirrors.set(spec());
  EXPECT_EQ(pushed.error().code, errc::conflict);
  EXPECT_NE(pushed.error().message.find("when what was pushed since is undone (refs/heads/mine)"), std::string::npos)
      << pushed.error().message;
  ASSERT_EQ(clone.git({"push", "--quiet", copy, ":refs/heads/mine"}).exit_code, 0);
  EXPECT_TRUE(mirrors.set(spec()));
}

TEST_F(MirrorsTest, ARepositoryOfAFormerMirrorsNameIsNone) {
  clone.commit("a", "1");
  push("main");
  ASSERT_TRUE(mirrors.set(spec()));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  ASSERT_TRUE(mirrors.remove("team/copy"));
  ASSERT_TRUE(here.repositories->remove("team/copy"));
  ASSERT_TRUE(here.repositories->create("team/copy"));
  ASSERT_EQ(clone.git({"push", "--quiet", here.repositories->directory("team/copy"), "main"}).exit_code, 0);
  EXPECT_EQ(mirrors.set(spec()).error().code, errc::conflict);
}

TEST_F(MirrorsTest, StoppedWhileTheyAreFetchedNothingComesLater) {
  SlowRemote slow;
  mirrors.start();
  MirrorSpec wrong = spec();
  wrong.url = slow.url();
  ASSERT_TRUE(mirrors.set(wrong));
  ASSERT_TRUE(slow.wait_until_asked());
  ASSERT_TRUE(mirrors.remove("team/copy"));
  EXPECT_FALSE(mirrors.find("team/copy"));
  EXPECT_EQ(mirrors.fetch("team/copy").error().code, errc::not_found);
}

TEST_F(MirrorsTest, SetAgainTheSameUrlTheyGoOn) {
  clone.commit("a", "1");
  push("main");
  ASSERT_TRUE(mirrors.set(spec()));
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  ASSERT_TRUE(mirrors.set(spec()));
  clone.commit("a", "2");
  push("main");
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  EXPECT_EQ(listener.events.size(), 1U) << "not a first fetch again";
}

TEST_F(MirrorsTest, SayWhyTheyAreBehind) {
  MirrorSpec wrong = spec();
  wrong.url += "x";
  ASSERT_TRUE(mirrors.set(wrong));
  EXPECT_EQ(mirrors.fetch("team/copy").error().code, errc::unavailable);
  EXPECT_NE(mirrors.find("team/copy")->error.find("cannot be fetched"), std::string::npos);
  EXPECT_EQ(mirrors.fetch("team/none").error().code, errc::not_found);
}

TEST_F(MirrorsTest, TellWhetherAPasswordIsMissingOrWrong) {
  http::Server locked{http::ServerConfig{}};
  locked.route("/", 0, [](const http::Request&) {
    http::Response response = http::Response::text(401, "");
    response.headers.add("WWW-Authenticate", "Basic realm=\"there\"");
    return response;
  });
  ASSERT_TRUE(locked.start());
  MirrorSpec secret = spec();
  secret.url = fmt::format("http://127.0.0.1:{}/x.git", locked.port());
  ASSERT_TRUE(mirrors.set(secret));
  const std::string missing = mirrors.fetch("team/copy").error().message;
  EXPECT_NE(missing.find("x.git cannot be fetched: it asks for a user name and password"), std::string::npos)
      << missing;
  secret.username = "me";
  secret.password = "wrong";
  ASSERT_TRUE(mirrors.set(secret));
  const std::string refused = mirrors.fetch("team/copy").error().message;
  EXPECT_NE(refused.find("x.git cannot be fetched: the user name or password was refused"), std::string::npos)
      << refused;
  locked.stop(std::chrono::milliseconds(100));
}

TEST_F(MirrorsTest, AFetchThatFailedIsATryButNoFetch) {
  MirrorSpec wrong = spec();
  wrong.url += "x";
  ASSERT_TRUE(mirrors.set(wrong));
  EXPECT_FALSE(mirrors.find("team/copy")->tried_at);
  ASSERT_FALSE(mirrors.fetch("team/copy"));
  EXPECT_EQ(mirrors.find("team/copy")->tried_at, here.clock.now());
  EXPECT_FALSE(mirrors.find("team/copy")->fetched_at) << "none went well";
  ASSERT_TRUE(mirrors.set(spec()));
  EXPECT_EQ(mirrors.find("team/copy")->error, "") << "of another remote";
  ASSERT_TRUE(mirrors.fetch("team/copy"));
  const Time good = here.clock.now();
  EXPECT_EQ(mirrors.find("team/copy")->fetched_at, good);
  here.clock.advance(std::chrono::hours(1));
  ASSERT_TRUE(there.repositories->remove("team/shop"));
  ASSERT_FALSE(mirrors.fetch("team/copy"));
  EXPECT_EQ(mirrors.find("team/copy")->fetched_at, good);
  EXPECT_EQ(mirrors.find("team/copy")->tried_at, here.clock.now());
  ASSERT_TRUE(mirrors.set(spec()));
  EXPECT_EQ(mirrors.find("team/copy")->fetched_at, good) << "the same remote";
  EXPECT_FALSE(mirrors.find("team/copy")->tried_at);
}

TEST(MirrorRules, RefuseWhatCannotBeMirrored) {
  const MirrorSpec good{"team/copy", "https://example.com/team/shop.git", std::chrono::minutes(5), false, "", ""};
  EXPECT_TRUE(check_mirror(good));
  for (const char* url : {"file:///etc", "ssh://git@example.com/x", "/data/git/other.git", "ext::sh -c id", "https://",
                          "https://me:secret@example.com/x", "https://example.com/a b", "-upload-pack=x"}) {
    MirrorSpec bad = good;
    bad.url = url;
    EXPECT_FALSE(check_mirror(bad)) << url;
  }
  MirrorSpec never = good;
  never.every = std::chrono::seconds(0);
  EXPECT_FALSE(check_mirror(never));
  never.every = std::chrono::seconds(1);
  EXPECT_FALSE(check_mirror(never));
}

TEST(MirrorRules, ChangedRefsAreBranchesAndTags) {
  const std::string a(40, 'a');
  const std::string b(40, 'b');
  const std::map<std::string, std::string> before = {
      {"refs/heads/gone", a}, {"refs/heads/same", a}, {"refs/tags/v1", a}};
  const std::map<std::string, std::string> after = {
      {"refs/heads/same", a}, {"refs/tags/v1", b}, {"refs/pull/1/head", a}};
  const std::vector<RefUpdate> updates = changed_refs(before, after);
  ASSERT_EQ(updates.size(), 2U);
  EXPECT_EQ(updates[0].ref, "refs/tags/v1");
  EXPECT_EQ(updates[0].before, a);
  EXPECT_EQ(updates[1].ref, "refs/heads/gone");
  EXPECT_EQ(updates[1].after, no_commit);
}

}  // namespace
}  // namespace kaapi::actions::git
