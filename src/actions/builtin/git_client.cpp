#include "actions/builtin/git_client.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "actions/builtin/checkout_plan.h"
#include "actions/builtin/inputs.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

// Between attempts to reach a server; together longer than a platform takes to start again.
constexpr std::array<std::chrono::seconds, 4> transfer_pauses = {std::chrono::seconds(1), std::chrono::seconds(3),
                                                                 std::chrono::seconds(8), std::chrono::seconds(15)};

// The last lines say why; "fatal: " is git's, not the reader's.
std::string reason_of(const ProcessResult& result) {
  std::vector<std::string> lines = lines_of(result.errors);
  constexpr std::size_t shown = 6;
  if (lines.size() > shown) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(shown));
  if (lines.empty()) return fmt::format("it ended with exit code {}", result.exit_code);
  return fmt::format("{}", fmt::join(lines, "\n"));
}

Error failed(const std::vector<std::string>& arguments, const ProcessResult& result) {
  return make_error(errc::unavailable, fmt::format("git {} failed: {}", arguments.front(), reason_of(result)));
}

}  // namespace

void GitClient::configure(std::string_view key, std::string_view value) {
  config_.emplace_back(key, value);
}

void GitClient::set_env(std::string_view name, std::string_view value) {
  env_[std::string(name)] = std::string(value);
}

Result<ProcessResult> GitClient::run(std::vector<std::string> arguments) const {
  ProcessSpec spec;
  spec.argv.emplace_back("git");
  spec.argv.insert(spec.argv.end(), std::make_move_iterator(arguments.begin()),
                   std::make_move_iterator(arguments.end()));
  spec.directory = directory_;
  spec.env = env_;
  spec.env.insert_or_assign("GIT_TERMINAL_PROMPT", std::string(1, '0'));
  spec.capture = spec.quiet = true;
  std::int64_t count = parse_number(host_.env("GIT_CONFIG_COUNT").value_or("")).value_or(0);
  for (const auto& [key, value] : config_) {
    spec.env[fmt::format("GIT_CONFIG_KEY_{}", count)] = key;
    spec.env[fmt::format("GIT_CONFIG_VALUE_{}", count)] = value;
    ++count;
  }
  if (count > 0) spec.env["GIT_CONFIG_COUNT"] = fmt::format("{}", count);
  Result<ProcessResult> result = host_.run(spec);
  if (!result && result.error().code == errc::not_found) {
    return make_error(errc::not_found,
                      "there is no git where this job runs: install it on the runner or in the job's container image");
  }
  return result;
}

Result<std::string> GitClient::must(std::vector<std::string> arguments) const {
  const Result<ProcessResult> result = run(arguments);
  if (!result) return result.error();
  if (result->exit_code != 0) return failed(arguments, *result);
  return std::string(trim(result->output));
}

Result<void> GitClient::transfer(const std::vector<std::string>& arguments) const {
  for (std::size_t attempt = 0;; ++attempt) {
    const Result<ProcessResult> result = run(arguments);
    if (!result) return result.error();
    log_lines(host_, result->errors);
    if (result->exit_code == 0) return ok();
    if (attempt == transfer_pauses.size() || !is_transient(result->errors)) return failed(arguments, *result);
    host_.log(fmt::format("The server was not reached; trying again in {} s", transfer_pauses[attempt].count()));
    if (const Result<void> waited = pause(host_, transfer_pauses[attempt]); !waited) return waited;
  }
}

}  // namespace kaapi::actions
