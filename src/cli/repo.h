#pragma once
// `kaapi repo create|list|show|delete|protect|default-branch|replay|mirror` and `kaapi token create|list|rm`.

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

struct RepoCommand : TargetOptions {
  std::string repository;  // "[OWNER/]NAME"
  bool json = false;
};
struct CreateRepoCommand : RepoCommand {
  std::string default_branch;
};
struct DeleteRepoCommand : RepoCommand {
  bool yes = false;
};
struct ProtectRepoCommand : RepoCommand {
  std::vector<std::string> branches, tags;  // patterns
  std::vector<std::string> pushers;         // ARNs that may push what these match; empty: everybody with the right
  bool add = false;                         // to the rules that there are, instead of replacing them
  bool none = false;                        // protect nothing
};
struct DefaultBranchCommand : RepoCommand {
  std::string branch;
};
struct ReplayCommand : RepoCommand {
  std::string ref;  // "main", "v1", "refs/heads/main"
};
struct MirrorRepoCommand : RepoCommand {
  std::string url;
  std::chrono::seconds every{0};
  bool webhook = false;
  bool stop = false;
  std::string username;
};
struct CreateTokenCommand : TargetOptions {
  std::string name;
  std::chrono::seconds lifetime{0};  // 0: the platform's usual one, 30 days
  bool json = false;
};
struct ListTokensCommand : TargetOptions {
  bool all = false;
  bool json = false;
};
struct RemoveTokensCommand : TargetOptions {
  std::vector<std::string> ids;
};

int run_create_repo(const CreateRepoCommand& command, const Surroundings& surroundings, std::ostream& out,
                    std::ostream& err);
int run_list_repos(const RepoCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_show_repo(const RepoCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
int run_delete_repo(const DeleteRepoCommand& command, const Surroundings& surroundings, std::ostream& out,
                    std::ostream& err);
int run_protect_repo(const ProtectRepoCommand& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err);
int run_default_branch(const DefaultBranchCommand& command, const Surroundings& surroundings, std::ostream& out,
                       std::ostream& err);
int run_replay(const ReplayCommand& command, const Surroundings& surroundings, std::ostream& out, std::ostream& err);
// With a user name, the password of the other side comes from `input`. Fails when the fetch that follows does within
// seconds; the mirror is set all the same.
int run_mirror_repo(const MirrorRepoCommand& command, const Surroundings& surroundings, int input, std::ostream& out,
                    std::ostream& err);
int run_create_token(const CreateTokenCommand& command, const Surroundings& surroundings, std::ostream& out,
                     std::ostream& err);
int run_list_tokens(const ListTokensCommand& command, const Surroundings& surroundings, std::ostream& out,
                    std::ostream& err);
int run_remove_tokens(const RemoveTokensCommand& command, const Surroundings& surroundings, std::ostream& out,
                      std::ostream& err);

// Adds the groups `repo` and `token`. After parsing, `chosen` runs the one that was asked for; it stays empty when it
// was none of these. `data_dir` is the default of --data.
void add_repo_commands(CLI::App& program, const std::string& data_dir, ChosenCommand& chosen);

}  // namespace kaapi::cli
