#include "cli/git_hook.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <istream>
#include <ostream>

#include "actions/git/git.h"
#include "actions/git/hook_api.h"
#include "base/text.h"
#include "cli/follow.h"
#include "cli/table.h"

namespace kaapi::cli {
namespace {

namespace git = actions::git;
using actions::RefUpdate;

// The platform parses workflow files meanwhile.
constexpr std::chrono::minutes answer_timeout{2};
constexpr std::size_t max_hook_input_bytes = 1024 * 1024;
constexpr std::int64_t max_push_options = 100;

int fail(std::string_view message, std::ostream& err) {
  err << "kaapi: " << message << "\n";
  return exit_failure;
}

// Everything that git told; nullopt past the limit.
std::optional<std::string> read_all(std::istream& input, std::size_t max_bytes) {
  std::string text;
  for (std::string line; std::getline(input, line);) {
    text += line + "\n";
    if (text.size() > max_bytes) return std::nullopt;
  }
  return text;
}

// Inside the hook's environment, where objects that are not accepted yet can be seen.
Result<git::Finished> run_git(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "git");
  git::Command command{std::move(arguments), {}, ""};
  for (char** variable = environ; *variable != nullptr; ++variable) command.environment.emplace_back(*variable);
  return git::run(command);
}

bool is_forced(const std::string& before, const std::string& after) {
  const Result<git::Finished> finished = run_git({"merge-base", "--is-ancestor", before, after});
  return !finished || finished->exit_code != 0;
}

// Whether commits that no ref has yet change workflow files. What cannot be looked at counts as a change. All parents
// of a merge are followed: git would else leave out a side whose changes the merge undoes, and its commits come along.
bool change_workflows(const std::vector<RefUpdate>& updates) {
  std::vector<std::string> arguments = {"rev-list", "--max-count=1", "--full-history"};
  for (const RefUpdate& update : updates) {
    if (update.after != git::no_commit) arguments.push_back(update.after);
  }
  if (arguments.size() == 3) return false;
  arguments.insert(arguments.end(), {"--not", "--all", "--", ".github/workflows"});
  const Result<git::Finished> finished = run_git(std::move(arguments));
  return !finished || finished->exit_code != 0 || !finished->output.empty();
}

Result<std::vector<RefUpdate>> read_updates(std::istream& input) {
  const std::optional<std::string> text = read_all(input, max_hook_input_bytes);
  if (!text) return git::too_many_refs();
  std::vector<RefUpdate> updates;
  for (const std::string& line : split(*text, '\n')) {
    const std::vector<std::string> words = split(line, ' ');
    if (words.size() != 3) continue;
    if (updates.size() == git::max_push_refs) return git::too_many_refs();
    updates.push_back({words[2], words[0], words[1], false});
  }
  return updates;
}

// What the platform cannot see before it takes the push.
void compare(std::vector<RefUpdate>& updates, bool by_job) {
  const bool workflows = by_job && change_workflows(updates);
  for (RefUpdate& update : updates) {
    const bool both = update.before != git::no_commit && update.after != git::no_commit;
    update.forced = both && is_forced(update.before, update.after);
    update.changes_workflows = workflows && update.after != git::no_commit;
  }
}

// Asks the platform, as the push's own hook.
class Platform {
 public:
  static Result<Platform> find(const Surroundings& surroundings) {
    Platform platform;
    platform.endpoint = surroundings.variable(git::hook_url_variable).value_or("");
    platform.token_ = surroundings.variable(git::hook_token_variable).value_or("");
    if (!platform.endpoint.empty() && !platform.token_.empty()) return platform;
    return make_error(errc::invalid,
                      "this repository is pushed to through the platform, http://HOST:PORT/git/OWNER/NAME.git");
  }

  Result<json::value> ask(const std::string& what, const json::value& body) const {
    const Result<http::Endpoint> peer = peer_of(endpoint);
    if (!peer) return peer.error();
    http::Client client(*peer);
    http::ClientRequest request;
    request.method = "POST";
    request.target = std::string(git::hook_path) + what;
    request.headers.add("Authorization", "Bearer " + token_);
    request.headers.add("Content-Type", "application/json");
    request.body = json::serialize(body);
    const Result<http::ClientResponse> answer = client.send(request, answer_timeout);
    if (!answer) return answer.error();
    if (answer->status == 204) return json::value(nullptr);
    Result<json::value> value = parse_json(answer->body);
    if (answer->status == 200) return value;
    const std::string said = value ? string_member(*value, "message") : std::string();
    return make_error(errc::unavailable, said.empty() ? fmt::format("it answered with {}", answer->status) : said);
  }

  std::string endpoint;

 private:
  std::string token_;
};

// Of refs that the platform could not be asked about.
bool names_are_good(const std::vector<RefUpdate>& updates, std::ostream& err) {
  bool good = true;
  for (const RefUpdate& update : updates) {
    const std::string fault = git::ref_fault(update.ref);
    if (fault.empty()) continue;
    good = false;
    fail(harmless(fault), err);
  }
  return good;
}

int pre_receive(const Platform& platform, std::vector<RefUpdate> updates, bool by_job, std::ostream& err) {
  if (!names_are_good(updates, err)) return exit_failure;
  compare(updates, by_job);
  const Result<json::value> answer = platform.ask("pre-receive", json::object{{"updates", git::updates_json(updates)}});
  if (!answer) {
    return fail(fmt::format("the platform cannot be asked whether this push may be, so nothing was changed: {}",
                            harmless(answer.error().message)),
                err);
  }
  const json::value* refusals = find_member(*answer, "refusals");
  if (refusals == nullptr || !refusals->is_array())
    return fail("the platform's answer to this push cannot be read", err);
  for (const json::value& one : refusals->as_array()) {
    fail(harmless(fmt::format("{}: {}", string_member(one, "ref"), string_member(one, "why"))), err);
  }
  return refusals->as_array().empty() ? exit_success : exit_failure;
}

std::vector<std::string> push_options(const Surroundings& surroundings) {
  const auto count = parse_number(surroundings.variable("GIT_PUSH_OPTION_COUNT").value_or("0")).value_or(0);
  std::vector<std::string> options;
  for (std::int64_t i = 0; i < std::min(count, max_push_options); ++i) {
    options.push_back(surroundings.variable(fmt::format("GIT_PUSH_OPTION_{}", i).c_str()).value_or(""));
  }
  return options;
}

void add_failure(std::vector<git::RefFailure>& failures, const std::string& ref, const std::string& why) {
  for (git::RefFailure& one : failures) {
    if (one.ref != ref) continue;
    one.why += "; " + why;
    return;
  }
  failures.push_back({ref, why});
}

// Follows each run to its end. Refs whose runs ended badly.
std::vector<git::RefFailure> follow_all(const Platform& platform, const std::vector<actions::WatchedRun>& runs,
                                        std::ostream& out) {
  std::vector<git::RefFailure> failures;
  for (const actions::WatchedRun& run : runs) {
    FollowPrinter printer(out);
    const Result<void> followed = follow_run(platform.endpoint, run.path, run.token, printer, max_push_wait);
    std::string why;
    if (!followed) {
      why = fmt::format("{} could not be followed to its end: {}", run.name, followed.error().message);
    } else if (printer.exit_code() != exit_success) {
      why = fmt::format("{} ended with {}", run.name, printer.conclusion());
    }
    if (!why.empty()) add_failure(failures, run.ref, harmless(why));
  }
  return failures;
}

int post_receive(const Platform& platform, const std::vector<RefUpdate>& updates, const Surroundings& surroundings,
                 std::ostream& out, std::ostream& err) {
  const Result<json::value> answer =
      platform.ask("post-receive", json::object{{"updates", git::updates_json(updates)}});
  const Result<actions::PushReport> report =
      answer ? git::push_report_from(*answer) : Result<actions::PushReport>(answer.error());
  if (!report) {
    return fail(fmt::format("the push is done, but the platform does not tell what it started: {}",
                            harmless(report.error().message)),
                err);
  }
  for (const std::string& line : report->lines) out << harmless(line) << "\n";
  out.flush();
  bool wait = false;
  for (const std::string& option : push_options(surroundings)) {
    if (option == "wait") {
      wait = true;
    } else {
      fail(fmt::format("the push option '{}' is not known, and nothing was done about it; there is: wait",
                       harmless(option)),
           err);
    }
  }
  const auto failures = wait ? follow_all(platform, report->runs, out) : std::vector<git::RefFailure>();
  if (failures.empty()) return exit_success;
  if (platform.ask("failed", git::to_json(failures))) return exit_failure;
  for (const git::RefFailure& one : failures) fail(one.why, err);
  return exit_failure;
}

}  // namespace

int run_git_hook(const std::string& hook, const Surroundings& surroundings, std::istream& input, std::ostream& out,
                 std::ostream& err) {
  const Result<Platform> platform = Platform::find(surroundings);
  if (!platform) return fail(platform.error().message, err);
  const Result<std::vector<RefUpdate>> updates = read_updates(input);
  if (!updates) return fail(updates.error().message, err);
  if (hook != "pre-receive") return post_receive(*platform, *updates, surroundings, out, err);
  return pre_receive(*platform, *updates, surroundings.variable(git::hook_job_variable).has_value(), err);
}

}  // namespace kaapi::cli
