#pragma once
// `kaapi env set|list|rm|create|show|delete` and `kaapi secret set|list|rm`: what a repository's jobs are given.

#include <chrono>
#include <iosfwd>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/program.h"

namespace CLI {
class App;
}

namespace kaapi::cli {

// Of whom: a repository, or one of its environments.
struct SettingsOptions : TargetOptions {
  std::string repository;   // empty: the one that can be meant, see repository_of()
  std::string environment;  // empty: the repository itself
};

struct SetVariablesCommand : SettingsOptions {
  std::vector<std::string> assignments;  // "NAME=VALUE"
};
struct ListSettingsCommand : SettingsOptions {
  bool json = false;
};
struct RemoveSettingsCommand : SettingsOptions {
  std::vector<std::string> names;
};
struct CreateEnvironmentCommand : SettingsOptions {
  std::vector<std::string> reviewers;  // ARNs
  std::chrono::seconds wait{0};
  std::vector<std::string> branches, tags;  // patterns
  bool protected_only = false;
  bool prevent_self_review = false;
  bool replace = false;  // the protection that it has
  bool json = false;
};
struct SetSecretCommand : SettingsOptions {
  std::string name;
};

// Each prints what it did or shows, and is the exit code.
int run_set_variables(const SetVariablesCommand& command, const Surroundings& surroundings, std::ostream& out,
                      std::ostream& err);
int run_list_settings(const ListSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                      std::ostream& err);
int run_remove_variables(const RemoveSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                         std::ostream& err);
int run_create_environment(const CreateEnvironmentCommand& command, const Surroundings& surroundings, std::ostream& out,
                           std::ostream& err);
int run_show_environment(const ListSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                         std::ostream& err);
int run_delete_environment(const SettingsOptions& command, const Surroundings& surroundings, std::ostream& out,
                           std::ostream& err);
// The value comes from `input`, a file descriptor.
int run_set_secret(const SetSecretCommand& command, const Surroundings& surroundings, int input, std::ostream& out,
                   std::ostream& err);
int run_list_secrets(const ListSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err);
int run_remove_secrets(const RemoveSettingsCommand& command, const Surroundings& surroundings, std::ostream& out,
                       std::ostream& err);

// Adds the group `secret` to the program and the commands below `env` to that one. After parsing, `chosen` runs the one
// that was asked for; it stays empty when it was none of these. `data_dir` is the default of --data.
void add_settings_commands(CLI::App& program, CLI::App& env, const std::string& data_dir, ChosenCommand& chosen);

}  // namespace kaapi::cli
