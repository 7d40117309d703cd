#pragma once
// The git repositories: rows in git.db, bare repositories in DATA/git/OWNER/NAME.git. Answers what the runs of a
// pipeline ask of the code (protocol/source.h).

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actions/git/protection.h"
#include "actions/protocol/push.h"
#include "actions/protocol/source.h"
#include "base/clock.h"
#include "base/error.h"
#include "store/database.h"

namespace kaapi::actions::git {

inline constexpr std::size_t max_repositories = 10'000;
inline constexpr std::size_t max_refs_listed = 100'000;  // of one repository, by refs()

struct Repository {
  std::int64_t id = 0;        // of this one: a name that is used again has another
  std::int64_t owner_id = 0;  // of its owner
  std::string name;           // "OWNER/NAME"
  Time created_at{};
  std::vector<Rule> rules;
  std::string default_branch;  // "main"
  std::string mirror_of;       // a URL: it is fetched from there, and not pushed to; empty: no mirror

  std::string clone_path() const { return "/git/" + name + ".git"; }
};

// Objects are looked at, but taken with faults that old histories have. `section`: "receive" or "fetch".
std::vector<std::pair<std::string, std::string>> fsck_settings(const std::string& section);

struct RepositoriesConfig {
  std::string data_dir;
  // Absolute path of the program that hooks run as `PROGRAM git-hook NAME`.
  std::string hook_program;
};

// Thread-safe. `database` (git.db with migrations()) and `clock` must outlive it.
class Repositories final : public Source {
 public:
  // Makes the folders and writes the hooks. Error: `Unavailable` (the disk, or git is missing), saying what to do.
  static Result<std::unique_ptr<Repositories>> open(store::Database& database, const Clock& clock,
                                                    RepositoriesConfig config);

  // `name`: "OWNER/NAME". `default_branch` empty: main, or the branch that is pushed first. Errors: `Conflict`
  // (exists), `Invalid` (the name), `TooLarge` (max_repositories), `Unavailable` (git failed).
  Result<Repository> create(std::string_view name, std::string_view default_branch = {});
  Result<Repository> find(std::string_view name) const;  // `NotFound`
  // By name, those after `after`.
  Result<std::vector<Repository>> list(std::string_view after, std::size_t limit) const;
  Result<void> remove(std::string_view name);                                  // `NotFound`
  Result<Repository> protect(std::string_view name, std::vector<Rule> rules);  // `NotFound`, `Invalid`
  // "main" or "refs/heads/main"; it must be there, unless no branch is yet. Errors: `NotFound` (also the branch, naming
  // some that are there), `Invalid` (no name of a branch), `Unavailable`.
  Result<Repository> set_default_branch(std::string_view name, std::string_view given);

  // Commits (of tags that are objects: the tag's) by full ref. Errors: `NotFound`, `Unavailable`.
  Result<std::map<std::string, std::string>> refs(std::string_view name) const;
  // After a push: HEAD follows the first branch that is pushed.
  void adopt_default_branch(std::string_view name, const std::vector<RefUpdate>& updates);
  // Whether `before` is no ancestor of `after`; both are there.
  bool is_forced(std::string_view name, std::string_view before, std::string_view after) const;
  // Packs what many pushes have left loose; once a day is often enough. Errors are logged.
  void tidy() const;

  std::string root() const { return config_.data_dir + "/git"; }
  std::string directory(std::string_view name) const;
  // A folder with one empty repository, "new.git": what is shown to who pushes to a repository that is yet to be made.
  std::string empty_root() const { return root() + "/.empty"; }
  // Settings for a git that serves clients.
  std::vector<std::pair<std::string, std::string>> serving_settings() const;
  store::Database& database() const { return database_; }
  Time now() const { return clock_.now(); }

  Result<std::vector<SourceFile>> workflow_files(std::string_view repository, std::string_view sha) const override;
  Result<std::optional<std::vector<std::string>>> changed(std::string_view repository, std::string_view before,
                                                          std::string_view after,
                                                          const std::vector<RefUpdate>& together,
                                                          std::size_t limit) const override;
  Result<Commit> commit(std::string_view repository, std::string_view sha) const override;
  Result<std::vector<Commit>> new_commits(std::string_view repository, std::string_view before, std::string_view after,
                                          const std::vector<RefUpdate>& together, std::size_t limit) const override;
  Result<Resolved> resolve(std::string_view repository, std::string_view ref) const override;
  Result<RepositoryIds> ids(std::string_view repository) const override;
  Result<std::string> default_branch(std::string_view repository) const override;
  bool is_protected(std::string_view repository, std::string_view ref) const override;

 private:
  Repositories(store::Database& database, const Clock& clock, RepositoriesConfig config)
      : database_(database), clock_(clock), config_(std::move(config)) {}
  Result<void> prepare();
  Result<void> write_hooks() const;
  // The repository's directory. Errors: `NotFound`.
  Result<std::string> place(std::string_view name) const;
  std::string branch_of_head(std::string_view name) const;
  Result<void> require_branch(std::string_view name, const std::string& branch) const;
  // Like the one before, while nobody has changed or removed the rule of that one.
  void protect_default_branch(std::string_view name, const std::string& before, const std::string& branch);
  Repository read_row(store::Statement& row) const;
  Result<std::optional<std::string>> only_here(const std::string& place, const std::string& commit,
                                               const std::vector<RefUpdate>& together) const;
  Result<std::string> begin_of_new(const std::string& place, const std::string& commit,
                                   const std::vector<RefUpdate>& together) const;
  Result<void> require_commit(std::string_view name, const std::string& place, std::string_view sha) const;

  store::Database& database_;
  const Clock& clock_;
  RepositoriesConfig config_;
  std::mutex changing_;  // one repository is made or removed at a time
};

}  // namespace kaapi::actions::git
