// The command line of settings.h: options, help and examples.

#include <unistd.h>

#include <memory>

#include "cli/checks.h"
#include "cli/settings.h"

namespace kaapi::cli {
namespace {

constexpr const char* set_help = R"help(Examples:
  kaapi env set AWS_RESOURCE_PREFIX=shop --env AWS_ENV_VARS
  kaapi env set COLOUR=blue GREETING="good morning" --repo team/shop

Jobs read them as ${{ vars.NAME }}; those of an environment go before the repository's. Everybody who may list them sees
the values: what is secret goes to kaapi secret set.)help";

constexpr const char* list_help = R"help(Examples:
  kaapi env list                      variables of the repository, and its environments
  kaapi env list --env production     variables of an environment
  kaapi env list --json | jq -r '.variables[] | .name + "=" + .value')help";

constexpr const char* rm_help = R"help(Example:
  kaapi env rm COLOUR GREETING --env production)help";

constexpr const char* create_help = R"help(Examples:
  kaapi env create staging
  kaapi env create production --branch main --branch 'release/*' --tag 'v*' --wait 10m \
      --reviewer arn:aws:iam::123456789012:user/ann --prevent-self-review
  kaapi env create production --branch main --replace      change the protection of one that exists

A job with `environment: production` gets its variables and secrets only when a reviewer has said yes (kaapi run
approve), the wait is over, and the ref that it runs for is one of those that may deploy.)help";

constexpr const char* show_help = R"help(Examples:
  kaapi env show production
  kaapi env show production --json)help";

constexpr const char* delete_help = R"help(Example:
  kaapi env delete staging

Its variables and secrets go with it, and so does its protection.)help";

constexpr const char* secret_set_help = R"help(Examples:
  kaapi secret set DATABASE_PASSWORD                      asks for the value
  kaapi secret set DEPLOY_KEY --env production < key.pem
  openssl rand -hex 32 | kaapi secret set SESSION_KEY

The value comes from the standard input (without one line break at its end), is stored encrypted and never shown again.
Jobs read it as ${{ secrets.NAME }}; their logs show *** in its place.)help";

constexpr const char* secret_list_help = R"help(Examples:
  kaapi secret list
  kaapi secret list --env production --json)help";

constexpr const char* secret_rm_help = R"help(Example:
  kaapi secret rm DEPLOY_KEY --env production)help";

// One command being described. Its values live as long as what CLI11 keeps of it.
template <class Command>
struct Described {
  CLI::App* app;
  std::shared_ptr<Command> command;
};

// `Command` is one of SettingsOptions.
template <class Command>
Described<Command> describe(CLI::App& group, const char* name, const char* about, const char* help,
                            const std::string& data_dir) {
  CLI::App* app = group.add_subcommand(name, about);
  auto command = std::make_shared<Command>();
  command->data_dir = data_dir;
  app->add_option("--repo", command->repository,
                  "The repository (default: the one that a git remote here names, or the only one)")
      ->type_name("[OWNER/]NAME");
  app->add_option("--data", command->data_dir, "The data directory (default: $KAAPI_DATA, or as shown)")
      ->type_name("DIR")
      ->capture_default_str();
  app->add_option("--endpoint", command->endpoint, "Ask here")->type_name("URL");
  app->add_option("--region", command->region, "Ask for this region")->type_name("REGION");
  app->footer(help);
  return {app, command};
}

template <class Command>
void add_environment_option(const Described<Command>& described) {
  described.app
      ->add_option("--env", described.command->environment, "Of this environment, not of the repository itself")
      ->type_name("ENVIRONMENT");
}

template <class Command>
void add_environment_name(const Described<Command>& described) {
  described.app->add_option("environment", described.command->environment, "Its name")->required();
}

// `run(command, surroundings, out, err)` when it is asked for. --data of the group above counts too.
template <class Command, class Run>
void run_by(const Described<Command>& described, ChosenCommand& chosen, Run run) {
  described.app->callback([app = described.app, command = described.command, &chosen, run] {
    const CLI::App* group = app->get_parent();
    const CLI::Option* above = group == nullptr ? nullptr : group->get_option_no_throw("--data");
    command->data_dir_given = app->count("--data") > 0;
    if (!command->data_dir_given && above != nullptr && above->count() > 0) {
      command->data_dir = above->as<std::string>();
      command->data_dir_given = true;
    }
    chosen = [command, run](const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
      return run(*command, surroundings, out, err);
    };
  });
}

void add_create(CLI::App& env, const std::string& data_dir, ChosenCommand& chosen) {
  const auto create = describe<CreateEnvironmentCommand>(env, "create", "Make an environment, with its protection",
                                                         create_help, data_dir);
  CreateEnvironmentCommand& command = *create.command;
  add_environment_name(create);
  create.app->add_option("--reviewer", command.reviewers, "One of these users and roles must approve each job")
      ->type_name("ARN");
  create.app
      ->add_option_function<std::string>(
          "--wait", [&command](const std::string& text) { command.wait = parse_duration(text).value(); },
          "Jobs wait so long, at most 30d")
      ->check(checked_by(parse_duration))
      ->type_name("30m|1h|2d");
  CLI::Option* branches =
      create.app->add_option("--branch", command.branches, "Branches that may deploy")->type_name("PATTERN");
  CLI::Option* tags = create.app->add_option("--tag", command.tags, "Tags that may deploy")->type_name("PATTERN");
  create.app->add_flag("--protected-only", command.protected_only, "Only protected branches and tags may deploy")
      ->excludes(branches)
      ->excludes(tags);
  create.app->add_flag("--prevent-self-review", command.prevent_self_review,
                       "Who started a run may not approve its jobs");
  create.app->add_flag("--replace", command.replace, "Change the protection of one that exists");
  create.app->add_flag("--json", command.json, "Print one JSON document");
  run_by(create, chosen, run_create_environment);
}

void add_env_commands(CLI::App& env, const std::string& data_dir, ChosenCommand& chosen) {
  env.require_subcommand(0, 1);
  const auto set = describe<SetVariablesCommand>(env, "set", "Set variables for jobs", set_help, data_dir);
  set.app->add_option("assignments", set.command->assignments, "What to set")->required()->type_name("NAME=VALUE");
  add_environment_option(set);
  run_by(set, chosen, run_set_variables);

  const auto list = describe<ListSettingsCommand>(env, "list", "List variables and environments", list_help, data_dir);
  add_environment_option(list);
  list.app->add_flag("--json", list.command->json, "Print one JSON document");
  run_by(list, chosen, run_list_settings);

  const auto remove = describe<RemoveSettingsCommand>(env, "rm", "Remove variables", rm_help, data_dir);
  remove.app->add_option("names", remove.command->names, "What to remove")->required()->type_name("NAME");
  add_environment_option(remove);
  run_by(remove, chosen, run_remove_variables);

  add_create(env, data_dir, chosen);

  const auto show =
      describe<ListSettingsCommand>(env, "show", "Show an environment and what it holds", show_help, data_dir);
  add_environment_name(show);
  show.app->add_flag("--json", show.command->json, "Print one JSON document");
  run_by(show, chosen, run_show_environment);

  const auto erase =
      describe<SettingsOptions>(env, "delete", "Delete an environment and what it holds", delete_help, data_dir);
  add_environment_name(erase);
  run_by(erase, chosen, run_delete_environment);
}

void add_secret_commands(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen) {
  CLI::App* group = program.add_subcommand("secret", "Manage the secrets of a repository's jobs");
  group->require_subcommand(1);
  const auto set = describe<SetSecretCommand>(*group, "set", "Set a secret; its value comes from the standard input",
                                              secret_set_help, data_dir);
  set.app->add_option("name", set.command->name, "Its name")->required();
  add_environment_option(set);
  run_by(set, chosen,
         [](const SetSecretCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
           return run_set_secret(command, surroundings, STDIN_FILENO, out, err);
         });

  const auto list =
      describe<ListSettingsCommand>(*group, "list", "List the names of secrets", secret_list_help, data_dir);
  add_environment_option(list);
  list.app->add_flag("--json", list.command->json, "Print one JSON document");
  run_by(list, chosen, run_list_secrets);

  const auto remove = describe<RemoveSettingsCommand>(*group, "rm", "Remove secrets", secret_rm_help, data_dir);
  remove.app->add_option("names", remove.command->names, "What to remove")->required()->type_name("NAME");
  add_environment_option(remove);
  run_by(remove, chosen, run_remove_secrets);
}

}  // namespace

void add_settings_commands(CLI::App& program, CLI::App& env, const std::string& data_dir, ChosenCommand& chosen) {
  add_env_commands(env, data_dir, chosen);
  add_secret_commands(program, data_dir, chosen);
}

}  // namespace kaapi::cli
