#pragma once
// What jobs get of a repository's settings. Implemented by settings/, used by runs/.

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace kaapi::actions {

// Who must say yes, and from where, before a job may have an environment.
struct Protection {
  bool exists = true;  // false: nobody has made the environment, which then has no settings and no rules
  std::vector<std::string> reviewers;  // ARNs of users and roles, one of whom must approve; empty: nobody
  bool prevent_self_review = false;
  std::chrono::minutes wait{0};  // 0 to 43,200
  // Branches and tags that may deploy, as patterns ("main", "release/*"; tags as "v*"); both empty: all.
  // `protected_only`: only protected branches.
  std::vector<std::string> branches, tags;
  bool protected_only = false;
};

// Thread-safe. Names of variables, secrets and environments compare without case, as GitHub's.
class JobSettings {
 public:
  virtual ~JobSettings() = default;
  // Those of the repository, overridden by those of the environment (empty: none).
  virtual Result<std::map<std::string, std::string>> variables(std::string_view repository,
                                                               std::string_view environment) const = 0;
  // The same for secrets, in the clear. Never logged.
  virtual Result<std::map<std::string, std::string>> secrets(std::string_view repository,
                                                             std::string_view environment) const = 0;
  // Those of the environment alone: what a called workflow's job has besides what its caller hands on.
  virtual Result<std::map<std::string, std::string>> environment_secrets(std::string_view repository,
                                                                         std::string_view environment) const = 0;
  // An environment that nobody has made yet has none, and says so by `exists`.
  virtual Result<Protection> protection(std::string_view repository, std::string_view environment) const = 0;
};

// Whether a ref may deploy to an environment; otherwise why not. Pure.
std::optional<std::string> deployment_refusal(const Protection& protection, std::string_view environment,
                                              std::string_view ref, bool ref_protected);

// For people: that a job names an environment which does not exist, and how to make it.
std::string missing_environment(std::string_view repository, std::string_view environment);

}  // namespace kaapi::actions
