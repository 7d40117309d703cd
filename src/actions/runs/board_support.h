#pragma once
// A board in memory for tests, with facts that say what they are told to.

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "actions/runs/board.h"
#include "actions/runs/commit_workflows.h"
#include "actions/runs/github_context.h"

namespace kaapi::actions::runs {

class FakeFacts final : public Facts {
 public:
  Protection rules;     // of every environment
  std::string refused;  // why no ref may deploy; empty: all may

  Result<expression::Value> variables(std::string_view) const override {
    return expression::Value(expression::Object());
  }
  Result<Protection> protection(std::string_view, std::string_view) const override { return rules; }
  std::optional<std::string> refusal(const Protection&, std::string_view, std::string_view, bool) const override {
    return refused.empty() ? std::nullopt : std::optional(refused);
  }
};

struct BoardHouse {
  FakeFacts facts;
  BoardSettings settings;
  Board board{facts, settings};
  Time now = from_millis(1'750'000'000'000);
  std::int64_t next_run = 1;

  // After settings were changed.
  void reset() {
    board.~Board();
    new (&board) Board(facts, settings);
  }

  // A run of `text` that ada pushed; more files by their names.
  std::int64_t add(std::string text, std::vector<std::pair<std::string, std::string>> more = {},
                   const std::string& repository = "kaapi/demo") {
    std::map<std::string, std::string, std::less<>> texts;
    texts[".github/workflows/a.yml"] = std::move(text);
    for (auto& [name, other] : more) texts[".github/workflows/" + name] = std::move(other);
    const auto files = std::make_shared<const RunFiles>(parse_files(std::move(texts)));
    EXPECT_EQ(files->parsed.size(), files->texts.size()) << "the workflow has faults";
    Run run;
    run.id = next_run++;
    run.number = run.id;
    run.repository = repository;
    run.workflow_path = ".github/workflows/a.yml";
    run.workflow_name = "A";
    run.event_name = "push";
    run.ref = "refs/heads/main";
    run.actor = run.triggering_actor = "ada";
    run.actor_arn = run.triggering_arn = "arn:ada";
    run.created = now;
    run.github = github_context(run, {74, 65}, "12", {}, "http://127.0.0.1:4566");
    const std::int64_t id = run.id;
    board.add(std::move(run), files, now);
    return id;
  }
  Run& find(std::int64_t run) { return board.find(run)->run; }
  Job& job(std::int64_t run, std::string_view name) {
    for (Job& job : find(run).jobs) {
      if (job.name == name && !job.superseded) return job;
    }
    static Job none;
    ADD_FAILURE() << "there is no job " << name;
    return none;
  }
  // The next job that a runner "r" with the label "a" gets.
  std::optional<std::int64_t> acquire() {
    const Board::Place place = board.acquire({"r", {"a"}, {}, {}}, now);
    return place.job == nullptr ? std::nullopt : std::optional(place.job->id);
  }
  // Runs the job to its end, when it must be acquired first as the next of any.
  void finish(std::int64_t run, std::string_view name, const std::string& conclusion = "success",
              json::object outputs = {}, const std::string& reason = "") {
    while (job(run, name).status == Status::queued && acquire()) {
    }
    Completion completion;
    completion.conclusion = conclusion;
    completion.outputs = std::move(outputs);
    completion.reason = reason;
    EXPECT_TRUE(board.complete_job(job(run, name).id, completion, now)) << name;
  }
  void pass(Duration by) {
    now += by;
    board.tick(now);
  }
};

}  // namespace kaapi::actions::runs
