#include "identity/oidc/keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "identity/oidc/test_issuer.h"

namespace kaapi::identity::oidc {
namespace {

using testing::HasSubstr;

const std::string issuer = "https://issuer.test/path";

class KeysTest : public testing::Test {
 protected:
  Jwt token(const TestKey& key, std::string_view kid, const std::string& from = issuer) {
    return parse_jwt(key.token(kid, R"({"iss":")" + from + R"(","sub":"s","aud":"a","exp":1750000300})")).value();
  }
  std::string code(const Jwt& token) {
    const Result<void> verified = keys_.verify(token);
    return verified ? "good" : verified.error().code;
  }

  const TestKey first_ = TestKey::ec();
  const TestKey second_ = TestKey::ec();
  FakeFetcher fetcher_;
  ManualClock clock_;
  IssuerKeys keys_{fetcher_, clock_};
};

TEST_F(KeysTest, FetchesOnceAndKeeps) {
  fetcher_.publish(issuer, key_set({first_.jwk("1")}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code(token(first_, "1")), "good");
  EXPECT_EQ(fetcher_.asked(), 2);  // the configuration and the keys
  EXPECT_EQ(code(token(second_, "1")), "InvalidIdentityToken");
  EXPECT_EQ(fetcher_.asked(), 2);
}

TEST_F(KeysTest, AnUnknownKeyIsFetchedAtABoundedRate) {
  fetcher_.publish(issuer, key_set({first_.jwk("1")}));
  EXPECT_EQ(code(token(first_, "1")), "good");
  fetcher_.publish(issuer, key_set({first_.jwk("1"), second_.jwk("2")}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code(token(second_, "2")), "InvalidIdentityToken");
  EXPECT_EQ(fetcher_.asked(), 2);
  clock_.advance(unknown_key_interval);
  EXPECT_EQ(code(token(second_, "2")), "good");
  EXPECT_EQ(fetcher_.asked(), 4);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(code(token(second_, "made up")), "InvalidIdentityToken");
  EXPECT_EQ(fetcher_.asked(), 4);
}

TEST_F(KeysTest, AKeyIsHonouredOnlyWhileItIsPublished) {
  fetcher_.publish(issuer, key_set({first_.jwk("1")}));
  EXPECT_EQ(code(token(first_, "1")), "good");
  fetcher_.publish(issuer, key_set({second_.jwk("2")}));
  clock_.advance(max_keys_age);
  EXPECT_EQ(code(token(first_, "1")), "InvalidIdentityToken");
  EXPECT_EQ(code(token(second_, "2")), "good");
  // Nor when nobody can say whether it still is.
  fetcher_.documents.clear();
  clock_.advance(max_keys_age);
  EXPECT_EQ(code(token(second_, "2")), "IDPCommunicationError");
}

TEST_F(KeysTest, AFailureAfterAnUnknownKeyTakesNoGoodKeyAway) {
  fetcher_.publish(issuer, key_set({first_.jwk("1")}));
  EXPECT_EQ(code(token(first_, "1")), "good");
  fetcher_.documents.clear();
  clock_.advance(unknown_key_interval);
  EXPECT_EQ(code(token(second_, "made up")), "IDPCommunicationError");
  EXPECT_EQ(code(token(first_, "1")), "good");
}

TEST_F(KeysTest, AFailureIsRememberedForAMoment) {
  EXPECT_EQ(code(token(first_, "1")), "IDPCommunicationError");
  EXPECT_EQ(code(token(first_, "1")), "IDPCommunicationError");
  EXPECT_EQ(fetcher_.asked(), 1);
  EXPECT_THAT(keys_.verify(token(first_, "1")).error().message, HasSubstr("nobody answers"));
  fetcher_.publish(issuer, key_set({first_.jwk("1")}));
  clock_.advance(failure_kept);
  EXPECT_EQ(code(token(first_, "1")), "good");
}

TEST_F(KeysTest, AnotherIssuersKeyOfTheSameNameIsAnotherKey) {
  fetcher_.publish(issuer, key_set({first_.jwk("1")}));
  const std::string other = "https://other.test";
  fetcher_.documents[other + "/.well-known/openid-configuration"] =
      R"({"issuer":"https://other.test","jwks_uri":"https://other.test/jwks"})";
  fetcher_.documents[other + "/jwks"] = key_set({second_.jwk("1")});
  EXPECT_EQ(code(token(first_, "1")), "good");
  EXPECT_EQ(code(token(second_, "1", other)), "good");
  EXPECT_EQ(code(token(second_, "1")), "InvalidIdentityToken");
  EXPECT_EQ(code(token(first_, "1", other)), "InvalidIdentityToken");
}

TEST_F(KeysTest, TheConfigurationMustBeTheIssuersOwn) {
  fetcher_.publish(issuer, key_set({first_.jwk("1")}));
  std::string& configuration = fetcher_.documents[issuer + "/.well-known/openid-configuration"];
  const std::string good = configuration;
  const auto message = [&](std::string text) {
    configuration = std::move(text);
    clock_.advance(failure_kept);
    const Result<void> verified = keys_.verify(token(first_, "1"));
    return verified ? "good" : verified.error().message;
  };
  EXPECT_THAT(message(R"({"issuer":"https://other.test","jwks_uri":"https://other.test/jwks"})"),
              HasSubstr("of another issuer"));
  EXPECT_THAT(message(R"({"issuer":")" + issuer + R"(","jwks_uri":"http://keys.issuer.test/jwks"})"),
              HasSubstr("no https URL"));
  EXPECT_THAT(message(R"({"issuer":")" + issuer + R"("})"), HasSubstr("no https URL"));
  EXPECT_THAT(message("<html>"), HasSubstr("no well-formed JSON"));
  EXPECT_EQ(message(good), "good");
}

TEST_F(KeysTest, OnlyHttpsIssuersAreAsked) {
  EXPECT_EQ(code(token(first_, "1", "http://issuer.test")), "IDPCommunicationError");
  EXPECT_EQ(code(token(first_, "1", "file:///etc/passwd")), "IDPCommunicationError");
  EXPECT_EQ(fetcher_.asked(), 0);
}

TEST_F(KeysTest, ALocalIssuerNeedsNoNetworkAndIsAskedEachTime) {
  std::string published = key_set({first_.jwk("1")});
  keys_.add_local(issuer, [&] { return published; });
  EXPECT_EQ(code(token(first_, "1")), "good");
  published = key_set({second_.jwk("2")});
  EXPECT_EQ(code(token(first_, "1")), "InvalidIdentityToken");
  EXPECT_EQ(code(token(second_, "2")), "good");
  EXPECT_EQ(fetcher_.asked(), 0);
}

// Holds every question until it is let go.
class SlowFetcher final : public Fetcher {
 public:
  Result<std::string> get(const std::string&) override {
    if (asked_.fetch_add(1) == 0) started.set_value();
    go.wait();
    return make_error(errc::unavailable, "too late");
  }
  int asked() const { return asked_; }

  std::promise<void> started;
  std::promise<void> released;
  std::shared_future<void> go = released.get_future().share();

 private:
  std::atomic<int> asked_{0};
};

TEST_F(KeysTest, OneAsksAndTheOthersWaitButNotAll) {
  SlowFetcher slow;
  IssuerKeys keys(slow, clock_);
  const Jwt asked = token(first_, "1");
  const Jwt elsewhere = token(first_, "1", "https://elsewhere.test");
  const auto ask = [&](const Jwt& what) {
    return std::async(std::launch::async, [&keys, &what] { return keys.verify(what).error().message; });
  };
  std::vector<std::future<std::string>> waiting;
  waiting.push_back(ask(asked));
  slow.started.get_future().wait();
  // More than may wait: those beyond are refused while the issuer is still silent.
  constexpr std::size_t asking = max_waiting_for_issuers + 3;
  for (std::size_t i = 1; i < asking; ++i) waiting.push_back(ask(i % 2 == 0 ? asked : elsewhere));
  const auto refused = [&] {
    std::size_t count = 0;
    for (const auto& answer : waiting) {
      count += answer.wait_for(std::chrono::milliseconds(1)) == std::future_status::ready ? 1U : 0U;
    }
    return count;
  };
  while (refused() < asking - max_waiting_for_issuers) std::this_thread::yield();
  slow.released.set_value();
  std::size_t turned_away = 0;
  for (auto& answer : waiting) turned_away += answer.get().find("too many requests") != std::string::npos ? 1U : 0U;
  EXPECT_EQ(turned_away, asking - max_waiting_for_issuers);
  EXPECT_LE(slow.asked(), 2);  // once for each issuer
}

}  // namespace
}  // namespace kaapi::identity::oidc
