// The runners of a platform.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ostream>

#include "actions/protocol/runner_api.h"
#include "aws/gen/runs.h"
#include "cli/render.h"
#include "cli/run.h"
#include "cli/table.h"
#include "cli/target.h"

namespace kaapi::cli {
namespace {

namespace wire = aws::runs;
using Texts = std::vector<std::string>;

// Who is there and has nothing to do asks for work again after acquire_wait.
constexpr std::chrono::seconds away_after = actions::acquire_wait + std::chrono::seconds(25);

Cell state_of(const wire::Runner& runner, Time now) {
  const Texts jobs = runner.jobs.value_or(Texts());
  if (!jobs.empty()) return Cell(fmt::format("at job {}", fmt::join(jobs, ", ")), Tone::busy);
  const bool away = runner.heardAt && *runner.heardAt + away_after < now;
  return away ? Cell("away", Tone::bad) : Cell("idle", Tone::faint);
}

}  // namespace

int run_list_runners(const RunOptions& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err) {
  const Result<Target> target = find_target(command, surroundings);
  if (!target) return fail(target.error().message, err);
  aws::Client client = client_of(*target);
  const auto answer = client.call<wire::ListRunners>({});
  if (!answer) return fail(explained(answer.error(), *target), err);
  if (command.json) {
    out << aws::to_json(*answer) << "\n";
    return exit_success;
  }
  const Time now = SystemClock().now();
  std::vector<Row> rows;
  for (const wire::Runner& one : answer->runners.value_or(std::vector<wire::Runner>())) {
    rows.push_back({Cell(one.name.value_or(std::string()), Tone::strong),
                    Cell(fmt::format("{}", fmt::join(one.labels.value_or(Texts()), ", "))), state_of(one, now),
                    Cell(one.heardAt ? age(*one.heardAt, now) : std::string(), Tone::faint, true)});
  }
  if (rows.empty()) out << "No runner has asked for work since the platform started; see kaapi runner --help\n";
  out << table(rows, 0, surroundings.is_terminal);
  return exit_success;
}

namespace {

int take_back(const RunnerTokenCommand& command, const Target& target, std::ostream& out, std::ostream& err) {
  aws::Client client = client_of(target);
  const auto answer = client.call<wire::DeleteRunnerToken>({command.name});
  if (!answer) return fail(explained(answer.error(), target), err);
  if (command.json) {
    out << aws::to_json(*answer) << "\n";
  } else {
    out << fmt::format("The runner token {} is worth nothing any more\n", command.name);
  }
  return exit_success;
}

}  // namespace

int run_runner_token(const RunnerTokenCommand& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err) {
  const Result<Target> target = find_target(command, surroundings);
  if (!target) return fail(target.error().message, err);
  if (command.take_back) return take_back(command, *target, out, err);
  aws::Client client = client_of(*target);
  const auto answer = client.call<wire::CreateRunnerToken>({command.name});
  if (!answer) return fail(explained(answer.error(), *target), err);
  if (command.json) {
    out << aws::to_json(*answer) << "\n";
  } else {
    out << answer->token.value_or(std::string()) << "\n";
  }
  return exit_success;
}

int run_list_runner_tokens(const RunOptions& command, const Surroundings& surroundings, std::ostream& out,
                           std::ostream& err) {
  const Result<Target> target = find_target(command, surroundings);
  if (!target) return fail(target.error().message, err);
  aws::Client client = client_of(*target);
  const auto answer = client.call<wire::ListRunnerTokens>({});
  if (!answer) return fail(explained(answer.error(), *target), err);
  if (command.json) {
    out << aws::to_json(*answer) << "\n";
    return exit_success;
  }
  const auto when = [](const std::optional<Time>& time) { return time ? format_time(*time) : std::string("-"); };
  std::vector<Row> rows{{Cell("NAME"), Cell("CREATED BY"), Cell("CREATED"), Cell("LAST USED")}};
  for (const wire::RunnerToken& one : answer->tokens.value_or(std::vector<wire::RunnerToken>())) {
    rows.push_back({Cell(one.name.value_or(std::string()), Tone::strong), Cell(one.createdBy.value_or(std::string())),
                    Cell(when(one.createdAt)), Cell(when(one.lastUsedAt))});
  }
  if (rows.size() == 1) {
    out << "No runner tokens. Make one: kaapi run token NAME\n";
  } else {
    out << table(rows, 0, surroundings.is_terminal);
  }
  return exit_success;
}

}  // namespace kaapi::cli
