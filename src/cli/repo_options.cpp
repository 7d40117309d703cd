// How `kaapi repo` and `kaapi token` are asked for.

#include <unistd.h>

#include <memory>

#include "cli/checks.h"
#include "cli/repo.h"

namespace kaapi::cli {
namespace {

constexpr const char* create_help = R"help(Examples:
  kaapi repo create shop                    kaapi/shop
  kaapi repo create team/shop --branch trunk

Its default branch and its tags v* are protected against force pushes and deletion; change that with: kaapi repo protect.
Pushing to a repository that does not exist makes it too, for who has the right kaapi:CreateRepository.)help";

constexpr const char* list_help = R"help(Examples:
  kaapi repo list
  kaapi repo list --json | jq -r '.repositories[].repository')help";

constexpr const char* show_help = R"help(Examples:
  kaapi repo show team/shop
  kaapi repo show shop --json | jq .rules)help";

constexpr const char* delete_help = R"help(Example:
  kaapi repo delete team/shop --yes)help";

constexpr const char* protect_help = R"help(Examples:
  kaapi repo protect shop --branch main --branch 'release/**' --tag 'v*'
  kaapi repo protect shop --add --branch production --pusher 'arn:aws:iam::123456789012:user/ann'
  kaapi repo protect shop --none

Patterns are GitHub's: * matches within a name, ** also over slashes. Protected branches are neither forced nor
deleted, protected tags stay where they are; with --pusher only those push them, who also need the right kaapi:GitPush.
Replaces the rules that there are, unless --add.)help";

constexpr const char* default_branch_help = R"help(Example:
  kaapi repo default-branch shop trunk

The branch must be there, unless the repository has none yet.

Schedules, workflow_run and kaapi run start take the workflow files of the default branch, and a clone begins there. Where
nobody has changed the protection of the one before, the new one is protected too. A mirror follows the other side when that
changes its own.)help";

constexpr const char* replay_help = R"help(Examples:
  kaapi repo replay shop main
  kaapi repo replay team/shop v1.2.0

Starts what a push of that branch or tag as it is now would start, again or for the first time: when the platform could not
start it for a day, when a push had more refs than are looked at, or after a secret was set. Filters of branches and tags hold;
filters of paths are not looked at, as nobody knows what was there before.)help";

constexpr const char* mirror_help = R"help(Examples:
  kaapi repo mirror https://github.com/team/shop.git --every 5m
  kaapi repo mirror https://github.com/team/shop.git --webhook
  kaapi repo mirror https://github.com/team/private.git --every 10m --user me < token.txt
  kaapi repo mirror --stop --repo team/shop

Fetches branches and tags; what changes after the first fetch starts runs, as a push would. Ends with 1 when a fetch fails at
once: it is tried again, unless the URL or the password is set anew, or mirroring is stopped. With --webhook the other side says
when: the URL and the secret to set there are printed, the secret this once. After --stop it is a repository like others;
until something is pushed to it, the same URL can be mirrored into it again.)help";

constexpr const char* token_create_help = R"help(Examples:
  kaapi token create laptop
  kaapi token create build-server --expires 365d

A password for git, worth what the access key is worth that makes it: when that goes, so does the token.)help";

constexpr const char* token_list_help = R"help(Examples:
  kaapi token list
  kaapi token list --all        everybody's, for the account's root)help";

constexpr const char* token_rm_help = R"help(Example:
  kaapi token rm k3v7q2m5x4c6z2ab)help";

// One command being described. Its values live as long as what CLI11 keeps of it.
template <class Command>
struct Described {
  CLI::App* app;
  std::shared_ptr<Command> command;
};

template <class Command>
Described<Command> describe(CLI::App& group, const char* name, const char* about, const char* help,
                            const std::string& data_dir) {
  CLI::App* app = group.add_subcommand(name, about);
  auto command = std::make_shared<Command>();
  command->data_dir = data_dir;
  app->add_option("--data", command->data_dir, "The data directory (default: $KAAPI_DATA, or as shown)")
      ->type_name("DIR")
      ->capture_default_str();
  app->add_option("--endpoint", command->endpoint, "Ask here")->type_name("URL");
  app->add_option("--region", command->region, "Ask for this region")->type_name("REGION");
  app->footer(help);
  return {app, command};
}

template <class Command, class Run>
void run_by(const Described<Command>& described, ChosenCommand& chosen, Run run) {
  described.app->callback([app = described.app, command = described.command, &chosen, run] {
    command->data_dir_given = app->count("--data") > 0;
    chosen = [command, run](const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
      return run(*command, surroundings, out, err);
    };
  });
}

template <class Command>
void add_json(const Described<Command>& described) {
  described.app->add_flag("--json", described.command->json, "Print one JSON document");
}

template <class Command>
void add_name(const Described<Command>& described) {
  described.app->add_option("repository", described.command->repository, "Its name; without an owner: kaapi/NAME")
      ->required()
      ->type_name("[OWNER/]NAME");
}

CLI::Option* add_duration(CLI::App& app, const char* name, std::chrono::seconds& into, const char* about) {
  return app
      .add_option_function<std::string>(
          name, [&into](const std::string& text) { into = parse_duration(text).value(); }, about)
      ->check(checked_by(parse_duration))
      ->type_name("30s|5m|1h|2d");
}

void add_mirror(CLI::App& group, const std::string& data_dir, ChosenCommand& chosen) {
  const auto mirror =
      describe<MirrorRepoCommand>(group, "mirror", "Keep a repository like one elsewhere", mirror_help, data_dir);
  MirrorRepoCommand& command = *mirror.command;
  mirror.app->add_option("url", command.url, "Where to fetch from: http:// or https://")->type_name("URL");
  mirror.app->add_option("--repo", command.repository, "Its name here (default: as in the URL)")
      ->type_name("[OWNER/]NAME");
  add_duration(*mirror.app, "--every", command.every, "Fetch so often");
  mirror.app->add_flag("--webhook", command.webhook, "Fetch when the other side's push webhook says so");
  mirror.app->add_option("--user", command.username, "Log in there; the password comes from the standard input")
      ->type_name("NAME");
  mirror.app->add_flag("--stop", command.stop, "Mirror no longer; what it holds stays");
  add_json(mirror);
  run_by(mirror, chosen,
         [](const MirrorRepoCommand& asked, const Surroundings& surroundings, std::ostream& out, std::ostream& err) {
           return run_mirror_repo(asked, surroundings, STDIN_FILENO, out, err);
         });
}

void add_protect(CLI::App& group, const std::string& data_dir, ChosenCommand& chosen) {
  const auto protect = describe<ProtectRepoCommand>(group, "protect", "Say which branches and tags are protected",
                                                    protect_help, data_dir);
  ProtectRepoCommand& command = *protect.command;
  add_name(protect);
  protect.app->add_option("--branch", command.branches, "Branches to protect; repeat for more")->type_name("PATTERN");
  protect.app->add_option("--tag", command.tags, "Tags to protect; repeat for more")->type_name("PATTERN");
  protect.app->add_option("--pusher", command.pushers, "Only they may push them; repeat for more")->type_name("ARN");
  CLI::Option* add = protect.app->add_flag("--add", command.add, "Besides what is protected already");
  protect.app->add_flag("--none", command.none, "Protect nothing")->excludes(add);
  add_json(protect);
  run_by(protect, chosen, run_protect_repo);
}

void add_default_branch(CLI::App& group, const std::string& data_dir, ChosenCommand& chosen) {
  const auto command =
      describe<DefaultBranchCommand>(group, "default-branch", "Set the default branch", default_branch_help, data_dir);
  add_name(command);
  command.app->add_option("branch", command.command->branch, "The branch")->required()->type_name("BRANCH");
  add_json(command);
  run_by(command, chosen, run_default_branch);
}

void add_replay(CLI::App& group, const std::string& data_dir, ChosenCommand& chosen) {
  const auto command =
      describe<ReplayCommand>(group, "replay", "Start what a push of a branch or tag starts", replay_help, data_dir);
  add_name(command);
  command.app->add_option("ref", command.command->ref, "The branch or tag")->required()->type_name("REF");
  add_json(command);
  run_by(command, chosen, run_replay);
}

void add_repo_group(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen) {
  CLI::App* group = program.add_subcommand("repo", "Manage git repositories");
  group->require_subcommand(1);
  const auto create = describe<CreateRepoCommand>(*group, "create", "Make a repository", create_help, data_dir);
  add_name(create);
  create.app->add_option("--branch", create.command->default_branch, "Its default branch (default: main)")
      ->type_name("NAME");
  add_json(create);
  run_by(create, chosen, run_create_repo);
  const auto list = describe<RepoCommand>(*group, "list", "List repositories", list_help, data_dir);
  add_json(list);
  run_by(list, chosen, run_list_repos);
  const auto show =
      describe<RepoCommand>(*group, "show", "Show a repository and what is protected", show_help, data_dir);
  add_name(show);
  add_json(show);
  run_by(show, chosen, run_show_repo);
  const auto remove = describe<DeleteRepoCommand>(*group, "delete", "Delete a repository", delete_help, data_dir);
  add_name(remove);
  remove.app->add_flag("--yes", remove.command->yes, "Really");
  run_by(remove, chosen, run_delete_repo);
  add_protect(*group, data_dir, chosen);
  add_default_branch(*group, data_dir, chosen);
  add_replay(*group, data_dir, chosen);
  add_mirror(*group, data_dir, chosen);
}

void add_token_group(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen) {
  CLI::App* group = program.add_subcommand("token", "Manage access tokens for git");
  group->require_subcommand(1);
  const auto create =
      describe<CreateTokenCommand>(*group, "create", "Make an access token", token_create_help, data_dir);
  create.app->add_option("name", create.command->name, "What it is for")->required();
  add_duration(*create.app, "--expires", create.command->lifetime, "Good for so long (default: 30d, at most 366d)");
  add_json(create);
  run_by(create, chosen, run_create_token);
  const auto list = describe<ListTokensCommand>(*group, "list", "List access tokens", token_list_help, data_dir);
  list.app->add_flag("--all", list.command->all, "Everybody's, not only yours");
  add_json(list);
  run_by(list, chosen, run_list_tokens);
  const auto remove = describe<RemoveTokensCommand>(*group, "rm", "Take access tokens back", token_rm_help, data_dir);
  remove.app->add_option("ids", remove.command->ids, "Their ids")->required()->type_name("ID");
  run_by(remove, chosen, run_remove_tokens);
}

}  // namespace

void add_repo_commands(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen) {
  add_repo_group(program, data_dir, chosen);
  add_token_group(program, data_dir, chosen);
}

}  // namespace kaapi::cli
