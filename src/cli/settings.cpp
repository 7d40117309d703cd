#include "cli/settings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ostream>

#include "actions/settings/names.h"
#include "aws/gen/settings.h"
#include "base/text.h"
#include "cli/repository_name.h"
#include "cli/secret_input.h"
#include "cli/table.h"
#include "cli/target.h"

namespace kaapi::cli {
namespace {

namespace limits = actions::settings;
namespace wire = aws::settings;
using Texts = std::vector<std::string>;

std::optional<std::string> given(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

// "team/shop", or "production of team/shop".
std::string place_of(const std::string& repository, const std::string& environment) {
  return environment.empty() ? repository : fmt::format("the environment {} of {}", environment, repository);
}

// Finds whom to ask and about which repository, then calls `ask(client, repository) -> Result<int>`, whose number is
// the exit code.
template <class Ask>
int with_repository(const SettingsOptions& options, const Surroundings& surroundings, std::ostream& err,
                    const Ask& ask) {
  const Result<Target> target = find_target(options, surroundings);
  if (!target) return fail(target.error().message, err);
  aws::Client client = client_of(*target);
  const Result<std::string> repository = repository_of(options.repository, *target, client);
  if (!repository) {
    fail(repository.error().message, err);
    return repository.error().code == errc::invalid ? exit_usage : exit_failure;
  }
  const Result<int> outcome = ask(client, *repository);
  if (!outcome) return fail(explained(outcome.error(), *target), err);
  return *outcome;
}

// Whether a request can hold it, and the platform takes it.
Result<void> check_value(std::string_view kind, std::string_view name, std::string_view value) {
  if (const std::optional<std::size_t> broken = find_broken_utf8(value)) {
    return make_error(errc::invalid,
                      fmt::format("the value of the {} {} is no UTF-8 text (not from its byte {} on, counted from 0); "
                                  "encode it, for example with base64",
                                  kind, name, *broken));
  }
  return limits::check_value(kind, name, value);
}

Result<void> check_assignment(std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return make_error(errc::invalid, fmt::format("'{}' must be NAME=VALUE, like COLOUR=blue", harmless(assignment)));
  }
  const std::string_view name = assignment.substr(0, equals);
  const Result<std::string> kept = limits::checked_name("variable", name);
  if (!kept) return make_error(kept.error().code, harmless(kept.error().message));
  return check_value("variable", name, assignment.substr(equals + 1));
}

Result<std::optional<wire::Environment>> find_environment(aws::Client& client, const std::string& repository,
                                                          const std::string& name) {
  const auto all = client.call<wire::ListEnvironments>({repository});
  if (!all) return all.error();
  for (const wire::Environment& one : all->environments.value_or(std::vector<wire::Environment>())) {
    if (one.name == name) return std::optional(one);
  }
  return std::optional<wire::Environment>();
}

std::string protection_in_words(const wire::Environment& environment) {
  Texts parts;
  const Texts reviewers = environment.reviewers.value_or(Texts());
  if (!reviewers.empty()) {
    parts.push_back(fmt::format("approval by {}{}", fmt::join(reviewers, " or "),
                                environment.preventSelfReview.value_or(false) ? ", not by who started the run" : ""));
  }
  if (const auto minutes = environment.waitMinutes.value_or(0); minutes > 0) {
    parts.push_back(fmt::format("a wait of {} min", minutes));
  }
  const Texts branches = environment.branches.value_or(Texts());
  const Texts tags = environment.tags.value_or(Texts());
  if (!branches.empty()) parts.push_back(fmt::format("branches {}", fmt::join(branches, ", ")));
  if (!tags.empty()) parts.push_back(fmt::format("tags {}", fmt::join(tags, ", ")));
  if (environment.protectedOnly.value_or(false)) parts.push_back("protected branches and tags only");
  return parts.empty() ? "none" : fmt::format("{}", fmt::join(parts, "; "));
}

void print_variables(const std::vector<wire::Variable>& variables, const Surroundings& surroundings,
                     std::ostream& out) {
  std::vector<Row> rows;
  rows.push_back({{"VARIABLE", Tone::faint}, {"VALUE", Tone::faint}});
  for (const wire::Variable& one : variables) rows.push_back({{one.name}, {one.value}});
  out << table(rows, 0, surroundings.is_terminal);
}

void print_secrets(const std::vector<wire::Secret>& secrets, const Surroundings& surroundings, std::ostream& out) {
  std::vector<Row> rows;
  rows.push_back({{"SECRET", Tone::faint}, {"SET AT", Tone::faint}});
  for (const wire::Secret& one : secrets) {
    rows.push_back({{one.name}, {one.updatedAt ? format_time(*one.updatedAt) : std::string()}});
  }
  out << table(rows, 0, surroundings.is_terminal);
}

void print_environments(const std::vector<wire::Environment>& environments, const Surroundings& surroundings,
                        std::ostream& out) {
  std::vector<Row> rows;
  rows.push_back({{"ENVIRONMENT", Tone::faint}, {"PROTECTION", Tone::faint}});
  for (const wire::Environment& one : environments) rows.push_back({{one.name}, {protection_in_words(one)}});
  out << table(rows, 0, surroundings.is_terminal);
}

bool same_protection(const wire::Environment& there, const wire::PutEnvironmentRequest& asked) {
  return there.reviewers.value_or(Texts()) == asked.reviewers && there.branches.value_or(Texts()) == asked.branches &&
         there.tags.value_or(Texts()) == asked.tags && there.waitMinutes.value_or(0) == asked.waitMinutes &&
         there.preventSelfReview.value_or(false) == asked.preventSelfReview &&
         there.protectedOnly.value_or(false) == asked.protectedOnly;
}

wire::PutEnvironmentRequest request_of(const CreateEnvironmentCommand& command, const std::string& repository) {
  wire::PutEnvironmentRequest request;
  request.repository = repository;
  request.environment = command.environment;
  request.reviewers = command.reviewers;
  request.waitMinutes = static_cast<std::int32_t>(std::chrono::ceil<std::chrono::minutes>(command.wait).count());
  request.branches = command.branches;
  request.tags = command.tags;
  request.preventSelfReview = command.prevent_self_review;
  request.protectedOnly = command.protected_only;
  return request;
}

}  // namespace

int run_set_variables(const SetVariablesCommand& command, const Surroundings& surroundings, std::ostream& out,
                      std::ostream& err) {
  // All of them before the first is set.
  for (const std::string& assignment : command.assignments) {
    if (const Result<void> checked = check_assignment(assignment); !checked) {
      fail(checked.error().message, err);
      return exit_usage;
    }
  }
  return with_repository(
      command, surroundings, err, [&](aws::Client& client, const std::string& repository) -> Result<int> {
        for (const std::string& assignment : command.assignments) {
          const std::size_t equals = assignment.find('=');
          wire::PutVariableRequest request;
          request.repository = repository;
          request.environment = given(command.environment);
          request.name = assignment.substr(0, equals);
          request.value = assignment.substr(equals + 1);
          const auto put = client.call<wire::PutVariable>(request);
          if (!put) return put.error();
          out << fmt::format("Set the variable {} of {}.\n", request.name, place_of(repository, command.environment));
        }
        return exit_success;
      });
}

int run_list_settings(const ListSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                      std::ostream& err) {
  return with_repository(
      command, surroundings, err, [&](aws::Client& client, const std::string& repository) -> Result<int> {
        const auto variables = client.call<wire::ListVariables>({repository, given(command.environment)});
        if (!variables) return variables.error();
        const auto shown = variables->variables.value_or(std::vector<wire::Variable>());
        Result<wire::ListEnvironmentsResponse> environments = wire::ListEnvironmentsResponse{};
        if (command.environment.empty()) environments = client.call<wire::ListEnvironments>({repository});
        if (!environments) return environments.error();
        if (command.json) {
          json::value document = parse_json(aws::to_json(*variables)).value();
          if (environments->environments) {
            const json::value others = parse_json(aws::to_json(*environments)).value();
            document.as_object()["environments"] = others.at("environments");
          }
          out << json::serialize(document) << "\n";
          return exit_success;
        }
        const std::string place = place_of(repository, command.environment);
        if (shown.empty()) {
          out << fmt::format("No variables in {}; set one with: kaapi env set NAME=VALUE\n", place);
        } else {
          print_variables(shown, surroundings, out);
        }
        const auto known = environments->environments.value_or(std::vector<wire::Environment>());
        if (!known.empty()) {
          out << "\n";
          print_environments(known, surroundings, out);
        }
        return exit_success;
      });
}

int run_remove_variables(const RemoveSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                         std::ostream& err) {
  return with_repository(
      command, surroundings, err, [&](aws::Client& client, const std::string& repository) -> Result<int> {
        for (const std::string& name : command.names) {
          wire::DeleteVariableRequest request;
          request.repository = repository;
          request.environment = given(command.environment);
          request.name = name;
          const auto deleted = client.call<wire::DeleteVariable>(request);
          if (!deleted) return deleted.error();
          out << fmt::format("Removed the variable {} of {}.\n", name, place_of(repository, command.environment));
        }
        return exit_success;
      });
}

int run_create_environment(const CreateEnvironmentCommand& command, const Surroundings& surroundings, std::ostream& out,
                           std::ostream& err) {
  return with_repository(
      command, surroundings, err, [&](aws::Client& client, const std::string& repository) -> Result<int> {
        const wire::PutEnvironmentRequest request = request_of(command, repository);
        const auto there = find_environment(client, repository, command.environment);
        if (!there) return there.error();
        const bool same = *there && same_protection(**there, request);
        if (*there && !same && !command.replace) {
          return fail(fmt::format("the environment {} of {} exists and has another protection ({}); to change it, say "
                                  "--replace",
                                  command.environment, repository, protection_in_words(**there)),
                      err);
        }
        wire::Environment shown;
        if (same) {
          shown = **there;
        } else {
          const auto put = client.call<wire::PutEnvironment>(request);
          if (!put) return put.error();
          shown = put->environment.value_or(wire::Environment{});
        }
        if (command.json) {
          out << aws::to_json(shown) << "\n";
        } else {
          out << fmt::format("The environment {} of {} {}. Protection: {}\n", command.environment, repository,
                             same     ? "is there already"
                             : *there ? "has changed"
                                      : "is made",
                             protection_in_words(shown));
        }
        return exit_success;
      });
}

int run_show_environment(const ListSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                         std::ostream& err) {
  return with_repository(
      command, surroundings, err, [&](aws::Client& client, const std::string& repository) -> Result<int> {
        const auto there = find_environment(client, repository, command.environment);
        if (!there) return there.error();
        if (!*there) {
          return fail(fmt::format("{} has no environment {}; kaapi env list shows those there are", repository,
                                  command.environment),
                      err);
        }
        const auto variables = client.call<wire::ListVariables>({repository, command.environment});
        if (!variables) return variables.error();
        const auto secrets = client.call<wire::ListSecrets>({repository, command.environment});
        if (!secrets) return secrets.error();
        if (command.json) {
          json::value document = parse_json(aws::to_json(**there)).value();
          document.as_object()["variables"] = parse_json(aws::to_json(*variables)).value().at("variables");
          document.as_object()["secrets"] = parse_json(aws::to_json(*secrets)).value().at("secrets");
          out << json::serialize(document) << "\n";
          return exit_success;
        }
        out << fmt::format("Environment {} of {}\nProtection: {}\n\n", harmless((*there)->name), repository,
                           harmless(protection_in_words(**there)));
        print_variables(variables->variables.value_or(std::vector<wire::Variable>()), surroundings, out);
        out << "\n";
        print_secrets(secrets->secrets.value_or(std::vector<wire::Secret>()), surroundings, out);
        return exit_success;
      });
}

int run_delete_environment(const SettingsOptions& command, const Surroundings& surroundings, std::ostream& out,
                           std::ostream& err) {
  return with_repository(command, surroundings, err,
                         [&](aws::Client& client, const std::string& repository) -> Result<int> {
                           const auto deleted = client.call<wire::DeleteEnvironment>({repository, command.environment});
                           if (!deleted) return deleted.error();
                           out << fmt::format("The environment {} of {} is gone, with its variables and secrets.\n",
                                              command.environment, repository);
                           return exit_success;
                         });
}

int run_set_secret(const SetSecretCommand& command, const Surroundings& surroundings, int input, std::ostream& out,
                   std::ostream& err) {
  if (const Result<std::string> kept = limits::checked_name("secret", command.name); !kept) {
    fail(harmless(kept.error().message), err);
    return exit_usage;
  }
  return with_repository(command, surroundings, err,
                         [&](aws::Client& client, const std::string& repository) -> Result<int> {
                           const std::string place = place_of(repository, command.environment);
                           const SecretQuestion question{
                               fmt::format("Value of the secret {} of {} (it will not show): ", command.name, place),
                               "value", "kaapi secret set NAME < FILE", limits::max_value_bytes};
                           Result<std::string> value = read_secret(input, question, err);
                           if (!value) return fail(value.error().message, err);
                           const Result<void> checked = check_value("secret", command.name, *value);
                           if (!checked) return checked.error();
                           wire::PutSecretRequest request;
                           request.repository = repository;
                           request.environment = given(command.environment);
                           request.name = command.name;
                           request.value = std::move(*value);
                           const auto put = client.call<wire::PutSecret>(request);
                           if (!put) return put.error();
                           out << fmt::format("Set the secret {} of {}.\n", command.name, place);
                           return exit_success;
                         });
}

int run_list_secrets(const ListSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err) {
  return with_repository(
      command, surroundings, err, [&](aws::Client& client, const std::string& repository) -> Result<int> {
        const auto secrets = client.call<wire::ListSecrets>({repository, given(command.environment)});
        if (!secrets) return secrets.error();
        const auto shown = secrets->secrets.value_or(std::vector<wire::Secret>());
        if (command.json) {
          out << aws::to_json(*secrets) << "\n";
        } else if (shown.empty()) {
          out << fmt::format("No secrets in {}; set one with: kaapi secret set NAME\n",
                             place_of(repository, command.environment));
        } else {
          print_secrets(shown, surroundings, out);
        }
        return exit_success;
      });
}

int run_remove_secrets(const RemoveSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                       std::ostream& err) {
  return with_repository(
      command, surroundings, err, [&](aws::Client& client, const std::string& repository) -> Result<int> {
        for (const std::string& name : command.names) {
          wire::DeleteSecretRequest request;
          request.repository = repository;
          request.environment = given(command.environment);
          request.name = name;
          const auto deleted = client.call<wire::DeleteSecret>(request);
          if (!deleted) return deleted.error();
          out << fmt::format("Removed the secret {} of {}.\n", name, place_of(repository, command.environment));
        }
        return exit_success;
      });
}

}  // namespace kaapi::cli
