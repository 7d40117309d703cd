#pragma once
// git as checkout runs it: credentials by environment only, what it said kept for the reason of a failure.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actions/builtin/action_host.h"

namespace kaapi::actions {

// Used on the step's thread only. `host` must outlive it.
class GitClient {
 public:
  GitClient(ActionHost& host, std::string directory) : host_(host), directory_(std::move(directory)) {}

  // Added to git's configuration for the processes of this client alone, by GIT_CONFIG_COUNT: it never appears on a
  // command line. After what the step's own variables set.
  void configure(std::string_view key, std::string_view value);
  void set_env(std::string_view name, std::string_view value);

  // Any exit code is an answer.
  Result<ProcessResult> run(std::vector<std::string> arguments) const;
  // Its standard output, trimmed. Error: `Unavailable` with what git said, when it did not end well.
  Result<std::string> must(std::vector<std::string> arguments) const;
  // The same, shown in the log, and again a few times while the network is not there.
  Result<void> transfer(const std::vector<std::string>& arguments) const;

  const std::string& directory() const { return directory_; }

 private:
  ActionHost& host_;
  std::string directory_;
  std::vector<std::pair<std::string, std::string>> config_;
  std::map<std::string, std::string> env_;
};

}  // namespace kaapi::actions
