#include "cli/iam.h"

#include <fmt/format.h>

#include <map>
#include <ostream>

#include "aws/gen/platform.h"
#include "aws/gen/sts.h"
#include "cli/target.h"
#include "identity/account.h"

namespace kaapi::cli {
namespace {

namespace platform = aws::platform;

// "KEY=VALUE" texts, in the order in which keys came first. Error: `Invalid`.
Result<std::vector<platform::ContextEntry>> context_of(const std::vector<std::string>& texts) {
  std::vector<platform::ContextEntry> entries;
  std::map<std::string, std::size_t> places;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return make_error(errc::invalid,
                        fmt::format("--context '{}' must be KEY=VALUE, like aws:SourceIp=10.0.0.1", text));
    }
    const std::string key = text.substr(0, equals);
    const auto [place, is_new] = places.try_emplace(key, entries.size());
    if (is_new) entries.push_back({key, {}});
    entries[place->second].values.push_back(text.substr(equals + 1));
  }
  return entries;
}

Result<platform::ExplainDecisionResponse> ask(aws::Client& client, const WhyCommand& command,
                                              const std::vector<platform::ContextEntry>& context) {
  platform::ExplainDecisionRequest request;
  request.principalArn = command.principal;
  if (request.principalArn.empty()) {
    const auto caller = client.call<aws::sts::GetCallerIdentity>({});
    if (!caller) return caller.error();
    request.principalArn = caller->Arn.value_or("");
  }
  request.action = command.action;
  request.resource = command.resource;
  if (!context.empty()) request.context = context;
  return client.call<platform::ExplainDecision>(request);
}

void print(const platform::ExplainDecisionResponse& answer, std::ostream& out) {
  std::size_t number = 0;
  for (const std::string& step : answer.steps.value_or(std::vector<std::string>())) {
    out << fmt::format("{:>3}. {}\n", ++number, step);
  }
  for (const std::string& key : answer.missingContextKeys.value_or(std::vector<std::string>())) {
    out << fmt::format("     (no value for {}: give one with --context {}=VALUE)\n", key, key);
  }
  out << fmt::format("{}: {}\n", answer.decision == "allowed" ? "ALLOWED" : "DENIED", answer.reason.value_or(""));
}

}  // namespace

int run_why(const WhyCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
  const auto context = context_of(command.context);
  if (!context) {
    fail(context.error().message, err);
    return exit_usage;
  }
  const Result<Target> target = find_target(command, surroundings);
  if (!target) return fail(target.error().message, err);
  aws::Client client = client_of(*target);
  const auto answer = ask(client, command, *context);
  if (!answer) return fail(explained(answer.error(), *target), err);
  if (command.json) {
    out << aws::to_json(*answer) << "\n";
  } else {
    print(*answer, out);
  }
  return answer->decision == "allowed" ? exit_success : exit_denied;
}

int run_rotate_root(const RotateRootCommand& command, const Surroundings& surroundings, std::ostream& out,
                    std::ostream& err) {
  TargetOptions own = command;
  // The root key is the data directory's, whoever the environment says one is.
  own.data_dir_given = true;
  const Result<Target> target = find_target(own, surroundings);
  const bool runs = target || target.error().code != errc::unavailable;
  if (!target && runs) return fail(target.error().message, err);
  std::string key_id;
  if (!runs) {
    SecureIds ids;
    const Result<identity::Account> rotated = identity::rotate_root_key(command.data_dir, ids);
    if (!rotated) return fail(rotated.error().message, err);
    key_id = rotated->access_key_id;
  } else {
    aws::Client client = client_of(*target);
    const auto answer = client.call<platform::RotateRootKey>({});
    if (!answer) return fail(explained(answer.error(), *target), err);
    key_id = answer->accessKeyId.value_or("");
  }
  out << fmt::format(
      "The root key is now {}; the old one is refused from now on, and so are docker logins made with it.\n"
      "Shells that use it: eval \"$(kaapi env)\"\n",
      key_id);
  return exit_success;
}

}  // namespace kaapi::cli
