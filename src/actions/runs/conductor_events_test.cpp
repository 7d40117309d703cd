// Events that come later than a push, and what they tell.

#include <gmock/gmock.h>

#include "actions/runs/github_context.h"
#include "actions/runs/test_support.h"

namespace kaapi::actions::runs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::UnorderedElementsAre;

std::string job_of(std::string_view name, std::string_view on) {
  return fmt::format("name: {}\non: {}\njobs: {{a: {{runs-on: ubuntu-latest, steps: [{{run: make}}]}}}}\n", name, on);
}

class ConductorEvents : public testing::Test {
 protected:
  void SetUp() override { house.open(); }
  Conductor& conductor() { return *house.conductor; }
  // Their names, the oldest first.
  std::vector<std::string> runs() {
    std::vector<std::string> names;
    for (const runs::Run& run : conductor().list({"kaapi/demo", "", "", "", INT64_MAX, 50}).value()) {
      names.insert(names.begin(), run.workflow_name);
    }
    return names;
  }
  // A run of CD, which B and C follow, has ended, and there is room for one run.
  void end_what_two_follow() {
    house.board.max_active_runs = 1;
    house.open();
    const std::string after = "{workflow_run: {workflows: [CD], types: [completed]}}";
    house.push(house.source.add(
        1, {{"a.yml", job_of("CD", "push")}, {"b.yml", job_of("B", after)}, {"c.yml", job_of("C", after)}}));
    conductor().run_due();
    house.complete(house.acquire().value());
  }
  // One minute later than the last look.
  void later() {
    house.clock.advance(event_retry);
    conductor().run_due();
  }

  House house;
};

TEST_F(ConductorEvents, EachLineOfAScheduleThatIsDueStartsARun) {
  constexpr std::chrono::minutes half_an_hour{30};
  house.clock.advance(std::chrono::hours(1) - house.clock.now().time_since_epoch() % std::chrono::hours(1));
  house.push(house.source.add(
      1, {{"a.yml", job_of("CD", "{schedule: [{cron: '0 * * * *'}, {cron: '*/30 * * * *'}, {cron: '5 0 1 1 *'}]}")}}));
  const auto fired = [&] {
    house.clock.advance(half_an_hour);
    conductor().run_due();
    conductor().run_due();
    std::vector<std::string> lines;
    while (const auto job = house.acquire()) {
      lines.emplace_back(job->event.at("schedule").as_string());
      EXPECT_TRUE(house.complete(*job));
    }
    return lines;
  };
  EXPECT_THAT(fired(), ElementsAre("*/30 * * * *"));
  EXPECT_THAT(fired(), ElementsAre("0 * * * *", "*/30 * * * *"));
}

TEST_F(ConductorEvents, AWorkflowRunBeginsWithItsFirstJob) {
  const std::string two =
      "name: CD\non: push\njobs:\n  a: {runs-on: ubuntu-latest, steps: [{run: make}]}\n"
      "  b: {runs-on: ubuntu-latest, steps: [{run: make}]}\n";
  house.push(house.source.add(
      1, {{"a.yml", two}, {"b.yml", job_of("Beside", "{workflow_run: {workflows: [CD], types: [in_progress]}}")}}));
  conductor().run_due();
  EXPECT_THAT(runs(), ElementsAre("CD"));
  EXPECT_TRUE(house.acquire());
  house.clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(house.acquire());
  conductor().run_due();
  EXPECT_THAT(runs(), ElementsAre("CD", "Beside"));
  const json::value event = house.acquire().value().event;
  EXPECT_EQ(event.at("action"), json::value("in_progress"));
  EXPECT_EQ(event.at("workflow_run").at("status"), json::value("in_progress"));
}

TEST_F(ConductorEvents, AWorkflowRunThatCannotBeMadeIsTriedAgain) {
  end_what_two_follow();
  house.source.broken = true;
  conductor().run_due();
  later();
  EXPECT_THAT(runs(), ElementsAre("CD"));
  house.source.broken = false;
  conductor().run_due();
  EXPECT_THAT(runs(), ElementsAre("CD")) << "not before its time";
  later();
  EXPECT_THAT(runs(), ElementsAre("CD", "B")) << "there is no room for more";
  later();
  EXPECT_THAT(runs(), ElementsAre("CD", "B"));
  house.complete(house.acquire().value());
  later();
  EXPECT_THAT(runs(), ElementsAre("CD", "B", "C")) << "and each once";
  house.complete(house.acquire().value());
  later();
  house.open();
  later();
  EXPECT_THAT(runs(), SizeIs(3));
}

TEST_F(ConductorEvents, AWorkflowRunThatWasHalfMadeBeforeARestartIsMadeOnce) {
  end_what_two_follow();
  conductor().run_due();
  EXPECT_THAT(runs(), ElementsAre("CD", "B")) << "there is no room for more";
  house.open();
  house.complete(house.acquire().value());
  conductor().run_due();
  later();
  EXPECT_THAT(runs(), ElementsAre("CD", "B", "C"));
}

TEST_F(ConductorEvents, ADispatchTellsWhatItStartedAlsoWhenNotAllOfIt) {
  const std::string bad =
      "name: Bad\nrun-name: ${{ fromJSON('{') }}\non: repository_dispatch\n"
      "jobs: {a: {runs-on: x, steps: [{run: y}]}}\n";
  house.source.add(1, {{"a.yml", job_of("Good", "repository_dispatch")}, {"b.yml", bad}});
  const auto some = conductor().dispatch_event("kaapi/demo", "go", json::object(), House::ada());
  ASSERT_TRUE(some) << some.error().message;
  EXPECT_THAT(some->lines, UnorderedElementsAre("Good #1 started: kaapi run watch 1",
                                                HasSubstr("Bad could not be started: run-name cannot be evaluated")));
  EXPECT_THAT(some->runs, SizeIs(1));
  house.source.add(2, {{"b.yml", bad}});
  EXPECT_FALSE(conductor().dispatch_event("kaapi/demo", "go", json::object(), House::ada()));
}

TEST_F(ConductorEvents, AGroupHasOneHolderAfterARestart) {
  // The older run's job comes to the group later than the newer run's.
  const std::string slow =
      "name: Slow\non: push\njobs:\n  build: {runs-on: ubuntu-latest, steps: [{run: make}]}\n"
      "  put: {needs: build, concurrency: live, runs-on: ubuntu-latest, steps: [{run: make}]}\n";
  const std::string fast =
      "name: Fast\non: push\njobs:\n  put: {concurrency: live, runs-on: ubuntu-latest, steps: [{run: make}]}\n";
  house.push(house.source.add(1, {{"a.yml", slow}}));
  house.push(house.source.add(2, {{"a.yml", fast}}));
  EXPECT_TRUE(house.complete(house.acquire().value()));
  const JobMessage holder = house.acquire().value();
  EXPECT_EQ(holder.run_id, 2);
  house.open();
  EXPECT_EQ(job_named(house.run(1), "put").status, Status::pending);
  EXPECT_FALSE(house.acquire());
  EXPECT_TRUE(house.complete(holder));
  EXPECT_EQ(house.acquire().value().run_id, 1);
}

TEST_F(ConductorEvents, PayloadsTellWhoAndWhat) {
  const std::string after = "{workflow_run: {workflows: [CD], types: [requested]}}";
  const std::string sha =
      house.source.add(1, {{"a.yml", job_of("CD", "{push: , workflow_dispatch: , repository_dispatch: }")},
                           {"b.yml", job_of("After", after)}});
  house.push(sha);
  conductor().run_due();
  const json::value pushed = house.acquire().value().event, followed = house.acquire().value().event;
  EXPECT_EQ(pushed.at("compare"),
            json::value(fmt::format("http://127.0.0.1:4566/kaapi/demo/compare/{:.12}...{:.12}", commit_id(0), sha)));
  EXPECT_EQ(pushed.at("head_commit").at("author").at("name"), json::value("Ada"));
  EXPECT_EQ(pushed.at("head_commit").at("committer").at("name"), json::value("Charles"));
  const json::value& run = followed.at("workflow_run");
  EXPECT_EQ(run.at("head_commit").at("id"), json::value(sha));
  EXPECT_EQ(run.at("head_repository").at("full_name"), json::value("kaapi/demo"));
  EXPECT_EQ(run.at("html_url"), json::value("http://127.0.0.1:4566/kaapi/demo/actions/runs/1"));
  EXPECT_EQ(run.at("workflow_id"), followed.at("workflow").at("id"));
  EXPECT_GT(run.at("workflow_id").as_int64(), 0);
  ASSERT_TRUE(conductor().start_run({"kaapi/demo", "a.yml", "", {}, House::ada()}));
  ASSERT_TRUE(conductor().dispatch_event("kaapi/demo", "go", json::object(), House::ada()));
  for (const json::value& event : {pushed, followed, house.acquire().value().event, house.acquire().value().event}) {
    EXPECT_EQ(event.at("sender").at("login"), json::value("ada"));
  }
}

TEST_F(ConductorEvents, AllOldRunsGoAndNotAFewAnHour) {
  const std::string none = "name: CD\non: push\njobs: {a: {if: false, runs-on: x, steps: [{run: y}]}}\n";
  const std::string sha = house.source.add(1, {{"a.yml", none}});
  for (int i = 0; i < 201; ++i) house.push(sha);
  house.clock.advance(std::chrono::days(91));
  conductor().run_due();
  EXPECT_THAT(runs(), SizeIs(1));
  conductor().run_due();
  EXPECT_THAT(runs(), SizeIs(0));
}

}  // namespace
}  // namespace kaapi::actions::runs
