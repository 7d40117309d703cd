#pragma once
// For tests: repositories in a folder of their own, and a person's clone beside them.

#include <gtest/gtest.h>

#include "actions/git/git.h"
#include "actions/git/repositories.h"
#include "actions/git/schema.h"
#include "base/test_directory.h"
#include "base/text.h"

namespace kaapi::actions::git {

// `git ARGUMENTS` as a person runs it, with `extra` in the environment; what it printed, both ways, and its exit code.
struct Ran {
  int exit_code = 0;
  std::string text;
};
inline Ran run_git(const std::string& directory, std::vector<std::string> arguments,
                   const std::vector<std::string>& extra = {}) {
  arguments.insert(arguments.begin(), {"git", "-c", "protocol.file.allow=always"});
  Command command{std::move(arguments), {}, directory};
  command.environment = {"PATH=/usr/local/bin:/usr/bin:/bin",
                         "HOME=/nonexistent",
                         "GIT_CONFIG_NOSYSTEM=1",
                         "GIT_TERMINAL_PROMPT=0",
                         "GIT_AUTHOR_NAME=Ann",
                         "GIT_COMMITTER_NAME=Ann",
                         "GIT_AUTHOR_EMAIL=ann@example.com",
                         "GIT_COMMITTER_EMAIL=ann@example.com"};
  command.environment.insert(command.environment.end(), extra.begin(), extra.end());
  Result<Finished> finished = run(command);
  if (!finished) return {-1, finished.error().message};
  return {finished->exit_code, finished->output + finished->errors};
}

// A working copy with one branch, main.
class Clone {
 public:
  explicit Clone(std::string path) : path_(std::move(path)) {
    EXPECT_EQ(run_git("/", {"init", "--quiet", "--initial-branch=main", path_}).exit_code, 0);
  }
  Ran git(std::vector<std::string> arguments, const std::vector<std::string>& extra = {}) const {
    return run_git(path_, std::move(arguments), extra);
  }
  // The commit.
  std::string commit(const std::string& file, const std::string& text, const std::string& message = "change") const {
    std::filesystem::create_directories(std::filesystem::path(path_ + "/" + file).parent_path());
    EXPECT_TRUE(write_file_atomically(path_ + "/" + file, text, 0644));
    EXPECT_EQ(git({"add", "."}).exit_code, 0);
    const Ran committed = git({"commit", "--quiet", "-m", message});
    EXPECT_EQ(committed.exit_code, 0) << committed.text;
    return head();
  }
  std::string head() const { return std::string(trim(git({"rev-parse", "HEAD"}).text)); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Repositories of one test. `hook_program` is what hooks run.
struct TestRepositories {
  explicit TestRepositories(std::string hook_program = "/bin/true") {
    database = store::Database::open(directory.file("git.db"), migrations()).value();
    repositories = Repositories::open(*database, clock, {directory.path(), std::move(hook_program)}).value();
  }
  TestDirectory directory;
  ManualClock clock;
  std::unique_ptr<store::Database> database;
  std::unique_ptr<Repositories> repositories;
};

}  // namespace kaapi::actions::git
