#include "identity/sts/sessions.h"

#include "identity/sts/sts_test_support.h"

namespace kaapi::identity {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class SessionsTest : public StsTest {
 protected:
  Session asked(std::string_view role_id = "AROA1", std::string_view owner = "") {
    Session session;
    session.role_name = "deployer";
    session.role_id = role_id;
    session.session_name = "ci";
    session.expires_at = clock.now() + std::chrono::hours(1);
    session.owner = owner;
    return session;
  }
  std::string stored() {
    return *database->read([](store::Session& rows) -> Result<std::string> {
      std::string all;
      store::Statement found = rows.query("SELECT doc FROM entity WHERE kind = 'session'");
      while (found.step()) all += found.text(0);
      return all;
    });
  }
};

TEST_F(SessionsTest, GivesOutAKeyASecretAndAToken) {
  const auto session = *sessions->create(asked());
  EXPECT_THAT(session->access_key_id, MatchesRegex("ASIA[A-Z2-7]{16}"));
  EXPECT_EQ(session->secret_access_key.size(), 40U);
  EXPECT_EQ(session->token.size(), 128U);
  EXPECT_EQ(session->issued_at, clock.now());
  EXPECT_EQ(sessions->find(session->access_key_id), session);
  EXPECT_EQ(sessions->find("ASIA"), nullptr);
  const auto second = *sessions->create(asked());
  EXPECT_NE(second->secret_access_key, session->secret_access_key);
  EXPECT_NE(second->token, session->token);
}

TEST_F(SessionsTest, OutlivesARestartWithEverything) {
  Session session = asked("AROA1", "task-1");
  session.kind = SessionKind::web_identity;
  session.policies = {{"arn:aws:iam::aws:policy/ReadOnlyAccess", "", nullptr},
                      {"", std::string(allow_logs), policy::parse(allow_logs, policy::Kind::identity).value()}};
  session.tags = {{"team", "a b"}, {"Stage", ""}};
  session.transitive_tag_keys = {"team"};
  session.source_identity = "alice";
  session.federated_provider = "arn:aws:iam::123456789012:oidc-provider/issuer.test";
  session.claims = {{"issuer.test:sub", {"s"}}, {"issuer.test:amr", {"a", "b"}}};
  const auto made = *sessions->create(std::move(session));
  open_sts();
  const auto found = sessions->find(made->access_key_id);
  ASSERT_NE(found, nullptr);
  EXPECT_NE(found, made);
  EXPECT_EQ(found->secret_access_key, made->secret_access_key);
  EXPECT_EQ(found->token, made->token);
  EXPECT_EQ(found->issued_at, made->issued_at);
  EXPECT_EQ(found->expires_at, made->expires_at);
  EXPECT_EQ(found->kind, SessionKind::web_identity);
  EXPECT_EQ(found->role_name, "deployer");
  EXPECT_EQ(found->role_id, "AROA1");
  EXPECT_EQ(found->session_name, "ci");
  ASSERT_EQ(found->policies.size(), 2U);
  EXPECT_EQ(found->policies[0].arn, "arn:aws:iam::aws:policy/ReadOnlyAccess");
  EXPECT_EQ(found->policies[1].text, allow_logs);
  EXPECT_NE(found->policies[1].document, nullptr);
  EXPECT_EQ(found->tags, made->tags);
  EXPECT_EQ(found->transitive_tag_keys, made->transitive_tag_keys);
  EXPECT_EQ(found->source_identity, "alice");
  EXPECT_EQ(found->federated_provider, made->federated_provider);
  EXPECT_EQ(found->claims, made->claims);
  EXPECT_EQ(found->owner, "task-1");
}

TEST_F(SessionsTest, KeepsNeitherSecretNorTokenInTheOpen) {
  const auto session = *sessions->create(asked());
  EXPECT_THAT(stored(), HasSubstr("deployer"));
  EXPECT_THAT(stored(), Not(HasSubstr(session->secret_access_key)));
  EXPECT_THAT(stored(), Not(HasSubstr(session->token)));
}

TEST_F(SessionsTest, ASealedSecretDoesNotOpenUnderAnotherKeysName) {
  const auto session = *sessions->create(asked());
  (void)database->write([&](store::Session& rows) -> Result<void> {
    rows.run("UPDATE entity SET key = 'ASIAANOTHER' WHERE kind = 'session'");
    return ok();
  });
  EXPECT_EQ(Sessions::open(*database, *sealer, clock, ids).error().code, errc::damaged);
}

TEST_F(SessionsTest, ARevokedSessionIsGoneForGood) {
  const auto session = *sessions->create(asked());
  EXPECT_TRUE(sessions->revoke(session->access_key_id));
  EXPECT_EQ(sessions->find(session->access_key_id), nullptr);
  open_sts();
  EXPECT_EQ(sessions->find(session->access_key_id), nullptr);
  EXPECT_TRUE(sessions->revoke("ASIAUNKNOWN"));
}

TEST_F(SessionsTest, AnOwnersSessionsEndTogether) {
  const auto first = *sessions->create(asked("AROA1", "task-1"));
  const auto second = *sessions->create(asked("AROA1", "task-1"));
  const auto other = *sessions->create(asked("AROA1", "task-2"));
  EXPECT_TRUE(sessions->revoke_owner("task-1"));
  EXPECT_EQ(sessions->find(first->access_key_id), nullptr);
  EXPECT_EQ(sessions->find(second->access_key_id), nullptr);
  EXPECT_NE(sessions->find(other->access_key_id), nullptr);
  open_sts();
  EXPECT_EQ(sessions->size(), 1U);
  EXPECT_TRUE(sessions->revoke_owner("task-1"));
}

TEST_F(SessionsTest, AnExpiredSessionIsRememberedForAWhileAndThenRemoved) {
  const auto session = *sessions->create(asked());
  clock.advance(std::chrono::hours(1));
  (void)*sessions->create(asked());
  EXPECT_NE(sessions->find(session->access_key_id), nullptr);
  clock.advance(expired_session_kept);
  (void)*sessions->create(asked());
  EXPECT_EQ(sessions->find(session->access_key_id), nullptr);
  EXPECT_THAT(stored(), Not(HasSubstr(to_hex(session->access_key_id))));
  open_sts();
  EXPECT_EQ(sessions->find(session->access_key_id), nullptr);
  EXPECT_EQ(sessions->size(), 2U);
}

TEST_F(SessionsTest, OneRoleCannotTakeTheRoomOfAllOthers) {
  for (std::size_t i = 0; i < max_sessions_of_one; ++i) ASSERT_TRUE(sessions->create(asked()));
  const auto refused = sessions->create(asked());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "LimitExceeded");
  EXPECT_TRUE(sessions->create(asked("AROA2")));
  // Those that have expired make room, though they are still remembered.
  clock.advance(std::chrono::hours(1));
  EXPECT_TRUE(sessions->create(asked()));
  EXPECT_EQ(sessions->size(), 1U);
}

TEST_F(SessionsTest, ThereIsALimitForAllTogether) {
  for (std::size_t i = 0; i < max_sessions; ++i) {
    ASSERT_TRUE(sessions->create(asked(fmt::format("AROA{}", i / max_sessions_of_one))));
  }
  EXPECT_EQ(sessions->create(asked("AROANEW")).error().code, "LimitExceeded");
}

}  // namespace
}  // namespace kaapi::identity
