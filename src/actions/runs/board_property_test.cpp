// Random orders of events: no job starts twice, no group is held twice, no limit is exceeded, every run ends.

#include <fmt/format.h>

#include <random>
#include <set>

#include "actions/runs/board_support.h"

namespace kaapi::actions::runs {
namespace {

constexpr std::size_t max_running = 5;

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed) {
    house_.settings.max_running_jobs = max_running;
    house_.facts.rules.reviewers = {"arn:bea"};
    house_.reset();
  }

  void run() {
    for (int step = 0; step < 300; ++step) {
      act();
      check();
      house_.now += std::chrono::milliseconds(pick(5'000));
    }
    // Now everything goes well: all must end.
    for (int rounds = 0; rounds < 2'000 && !all_over(); ++rounds) {
      house_.board.review(pick_run(), "", "arn:bea", {"arn:bea"}, true, "", house_.now);
      take();
      while (!running_.empty()) end("success");
      check();
      house_.pass(std::chrono::seconds(30));
    }
    EXPECT_TRUE(all_over());
    for (const auto& [id, active] : house_.board.active()) {
      EXPECT_TRUE(active.run.conclusion.has_value());
      for (const Job& job : active.run.jobs) EXPECT_TRUE(job.over()) << active.run.id << " " << job.name;
    }
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }
  bool chance(std::size_t percent) { return pick(100) < percent; }
  std::int64_t pick_run() {
    return house_.next_run == 1 ? 0
                                : 1 + static_cast<std::int64_t>(pick(static_cast<std::size_t>(house_.next_run - 1)));
  }

  std::string workflow() {
    std::string text = "on: push\n";
    if (chance(40)) text += fmt::format("concurrency: {{group: g{}, cancel-in-progress: {}}}\n", pick(2), chance(50));
    text += "jobs:\n";
    const std::size_t jobs = 1 + pick(4);
    for (std::size_t i = 0; i < jobs; ++i) {
      text += fmt::format("  j{}:\n    runs-on: a\n    steps: [{{run: x}}]\n", i);
      if (i > 0 && chance(60)) text += fmt::format("    needs: j{}\n", pick(i));
      if (chance(20)) text += "    if: always()\n";
      if (chance(30))
        text += fmt::format("    concurrency: {{group: g{}, cancel-in-progress: {}}}\n", pick(4), chance(30));
      if (chance(30))
        text += fmt::format("    strategy: {{max-parallel: {}, matrix: {{v: [1, 2, 3]}}}}\n", 1 + pick(3));
      if (chance(15)) text += "    environment: production\n";
      if (chance(15)) text += "    continue-on-error: true\n";
    }
    if (chance(30)) text += "  call:\n    uses: ./.github/workflows/b.yml\n";
    return text;
  }

  void act() {
    switch (pick(12)) {
      case 0:
      case 1:
        house_.add(workflow(), {{"b.yml", "on: workflow_call\njobs:\n  k: {runs-on: a, steps: [{run: x}]}\n"}});
        break;
      case 2:
        if (chance(40)) house_.board.cancel_run(pick_run(), "cancelled", house_.now);
        break;
      case 3:
        house_.board.review(pick_run(), "", "arn:bea", {"arn:bea"}, chance(80), "", house_.now);
        break;
      case 4:
        house_.pass(std::chrono::seconds(pick(90)));
        break;
      case 5:
        house_.board.report({"r", {"a"}, {running_.begin(), running_.end()}}, house_.now);
        break;
      case 6:
      case 7:
      case 8:
        end(chance(70) ? "success" : chance(70) ? "failure" : "cancelled");
        break;
      default:
        take();
    }
  }

  void take() {
    while (const auto job = house_.acquire()) {
      // The same id again only when the runner never began with it.
      EXPECT_TRUE(begun_.count(*job) == 0) << "job " << *job << " starts twice";
      running_.insert(*job);
      if (chance(85)) {
        house_.board.heard(*job, 0, house_.now);
        begun_.insert(*job);
      }
      if (chance(50)) break;
    }
  }

  void end(const std::string& conclusion) {
    if (running_.empty()) return;
    auto job = running_.begin();
    std::advance(job, static_cast<std::ptrdiff_t>(pick(running_.size())));
    Completion completion;
    completion.conclusion = conclusion;
    house_.board.complete_job(*job, completion, house_.now);
    running_.erase(job);
  }

  void check() {
    std::set<std::string> held, waiting;
    std::size_t running = 0;
    const auto look = [&](const GroupPlace& place, std::int64_t id) {
      if (place.state == GroupPlace::State::holding) {
        EXPECT_TRUE(held.insert(place.name).second) << place.name << " is held twice, also in run " << id;
      }
      if (place.state == GroupPlace::State::waiting) {
        EXPECT_TRUE(waiting.insert(place.name).second) << "two wait for " << place.name << ", also in run " << id;
      }
    };
    for (const auto& [id, active] : house_.board.active()) {
      look(active.run.group, id);
      std::map<std::string, std::int64_t> parallel;
      for (const Job& job : active.run.jobs) {
        look(job.group, id);
        EXPECT_FALSE(job.reason.empty()) << job.name;
        if (job.superseded || job.is_call || job.over()) continue;
        if (job.status == Status::in_progress) ++running;
        if (job.status != Status::in_progress && job.status != Status::queued) continue;
        if (job.max_parallel > 0) {
          EXPECT_LE(++parallel[job.scope + job.key], job.max_parallel) << job.name;
        }
        EXPECT_TRUE(job.group.name.empty() || job.group.state == GroupPlace::State::holding ||
                    job.group.name == active.run.group.name)
            << job.name;
      }
      EXPECT_FALSE(active.run.over() && active.run.group.state != GroupPlace::State::none);
    }
    EXPECT_LE(running, max_running);
    for (const std::string& name : waiting) EXPECT_TRUE(held.count(name) > 0) << name << " is free, and one waits";
  }

  bool all_over() const {
    for (const auto& [id, active] : house_.board.active()) {
      if (!active.run.over()) return false;
    }
    return true;
  }

  std::mt19937_64 random_;
  BoardHouse house_;
  std::set<std::int64_t> running_;  // what the runner has
  std::set<std::int64_t> begun_;
};

TEST(BoardProperty, RandomOrdersOfEventsKeepTheRules) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Simulation(seed).run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace kaapi::actions::runs
