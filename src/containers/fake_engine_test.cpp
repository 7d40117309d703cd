// What a test can make a FakeEngine do. That it behaves like an engine is conformance_test.cpp's part.

#include "containers/fake_engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kaapi::containers {
namespace {

using ::testing::ElementsAre;

class Fake : public ::testing::Test {
 protected:
  Fake() { engine_.add_image("app:1"); }

  std::string run(const std::string& name) {
    ContainerSpec spec;
    spec.name = name;
    spec.image = "app:1";
    spec.labels["app"] = "a";
    const std::string id = engine_.create(spec).value();
    EXPECT_TRUE(engine_.start(id));
    return id;
  }
  void watch() {
    subscription_ = engine_.watch({{"app", "a"}}, [this](const Event& event) { kinds_.push_back(event.kind); });
  }

  ManualClock clock_;
  FakeEngine engine_{clock_, {FakeEngineConfig::Delivery::manual, 40000}};
  std::vector<EventKind> kinds_;
  std::unique_ptr<Subscription> subscription_;
};

TEST_F(Fake, DeliversOnlyWhenAsked) {
  watch();
  engine_.exit(run("web"), 1);
  EXPECT_TRUE(kinds_.empty());
  EXPECT_EQ(engine_.undelivered(), 2U);
  EXPECT_EQ(engine_.deliver(1), 1U);
  EXPECT_THAT(kinds_, ElementsAre(EventKind::start));
  EXPECT_EQ(engine_.deliver(), 1U);
  EXPECT_THAT(kinds_, ElementsAre(EventKind::start, EventKind::die));
}

TEST_F(Fake, LosesAndDoublesEvents) {
  watch();
  engine_.set_event_filter([](const Event& event) { return event.kind == EventKind::start ? 0 : 2; });
  engine_.exit(run("web"), 1);
  engine_.deliver();
  EXPECT_THAT(kinds_, ElementsAre(EventKind::die, EventKind::die));
}

TEST_F(Fake, ForgetsUndeliveredEventsWhenInterrupted) {
  watch();
  run("web");
  engine_.disconnect_events();
  engine_.deliver();
  EXPECT_THAT(kinds_, ElementsAre(EventKind::reconnected));
}

TEST_F(Fake, FailsBeforeOrAfterTheEffect) {
  const std::string id = run("web");
  engine_.set_failure([](std::string_view call, const std::string&) {
    return call == "signal" ? std::optional(make_error(errc::timed_out, "slow")) : std::nullopt;
  });
  EXPECT_EQ(engine_.signal(id, "SIGKILL").error().code, errc::timed_out);
  EXPECT_EQ(engine_.running_count(), 1U);
  engine_.set_failure({});
  engine_.set_answer_loss([](std::string_view, const std::string&) { return make_error(errc::timed_out, "lost"); });
  EXPECT_EQ(engine_.signal(id, "SIGKILL").error().code, errc::timed_out);
  EXPECT_EQ(engine_.running_count(), 0U);
  const auto calls = engine_.calls();
  ASSERT_EQ(calls.size(), 4U);
  EXPECT_EQ(calls.front().call, "create");
  EXPECT_EQ(calls.front().subject, "web");
  EXPECT_EQ(calls.back().subject, id);
}

TEST_F(Fake, ContainersMayIgnoreSignalsAndEndAtOnce) {
  engine_.set_signal([](const Container&, std::string_view) -> std::optional<int> { return std::nullopt; });
  const std::string stubborn = run("stubborn");
  EXPECT_TRUE(engine_.signal(stubborn, "SIGTERM"));
  EXPECT_EQ(engine_.running_count(), 1U);
  EXPECT_TRUE(engine_.signal(stubborn, "SIGKILL"));
  EXPECT_EQ(engine_.inspect(stubborn).value().exit_code, 137);
  engine_.set_start([](const Container&) { return std::optional(5); });
  EXPECT_EQ(engine_.inspect(run("brief")).value().exit_code, 5);
}

TEST_F(Fake, RestartsWithAndWithoutItsContainers) {
  const std::string id = run("web");
  std::optional<Result<void>> end;
  const auto follow = engine_.follow_output(
      id, 0, [](const OutputLine&) {}, [&](Result<void> result) { end = result; });
  engine_.restart_engine(true);
  engine_.deliver();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->error().code, errc::unavailable);
  EXPECT_EQ(engine_.running_count(), 1U);
  engine_.restart_engine(false);
  EXPECT_EQ(engine_.inspect(id).value().exit_code, 137);
}

TEST_F(Fake, PullsWhatTheRegistryHasNow) {
  const Image first =
      engine_.add_remote_image("localhost:1/app:latest", Image{"sha256:a1", {"localhost:1/app@sha256:d1"}, ""});
  EXPECT_EQ(engine_.pull("localhost:1/app", {}).value().id, first.id);
  engine_.add_remote_image("localhost:1/app:latest", Image{"sha256:a2", {"localhost:1/app@sha256:d2"}, ""});
  EXPECT_EQ(engine_.inspect_image("localhost:1/app:latest").value().id, "sha256:a1");
  EXPECT_EQ(engine_.pull("localhost:1/app:latest", {}).value().id, "sha256:a2");
  EXPECT_EQ(engine_.pull("localhost:1/app@sha256:d1", {}).value().id, "sha256:a1");
  EXPECT_EQ(engine_.pull("localhost:1/other", {}).error().code, errc::not_found);
  engine_.require_login("localhost:1/app:latest", {"AWS", "secret"});
  EXPECT_EQ(engine_.pull("localhost:1/app:latest", {}).error().code, access_denied);
  EXPECT_TRUE(engine_.pull("localhost:1/app:latest", RegistryLogin{"AWS", "secret"}));
}

}  // namespace
}  // namespace kaapi::containers
