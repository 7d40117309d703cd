#pragma once
// What the runs of a pipeline need of a git repository. Implemented by git/, used by runs/.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/push.h"
#include "base/clock.h"
#include "base/error.h"

namespace kaapi::actions {

inline constexpr std::size_t max_workflow_files = 100;                // of one commit
inline constexpr std::size_t max_workflow_file_bytes = 512UL * 1024;  // as GitHub's

struct SourceFile {
  std::string path;  // ".github/workflows/cd.yml"; always UTF-8
  std::string text;
  std::string fault{};  // why it was not read, and what to do; then there is no text
};

struct Commit {
  std::string sha;      // 40 hexadecimal digits
  std::string message;  // whole; its first line is the subject
  std::string author_name, author_email;
  Time time;
  std::string committer_name{}, committer_email{};
};

// Of a repository and its owner. A name that is used again has others.
struct RepositoryIds {
  std::int64_t repository = 0, owner = 0;
};

// Repositories are named "OWNER/NAME". Thread-safe; calls run git and may take milliseconds. Errors of all: `NotFound`
// (no such repository, ref or commit), `Unavailable` (git failed; says what it said), `TooLarge` (a named limit).
class Source {
 public:
  virtual ~Source() = default;
  // *.yml and *.yaml directly below .github/workflows of that commit, in the order of their names. What is too large,
  // or no file, or beyond max_workflow_files, has a fault.
  virtual Result<std::vector<SourceFile>> workflow_files(std::string_view repository, std::string_view sha) const = 0;
  // Paths that differ between two commits; `before` all zeros: what is new with this branch or tag, or, when nothing
  // is, what the commit itself changed. New is what no other branch or tag has; those of `together`, which were changed
  // with it (it is one of them; empty: it alone), count as they were before. nullopt: more than `limit`.
  virtual Result<std::optional<std::vector<std::string>>> changed(std::string_view repository, std::string_view before,
                                                                  std::string_view after,
                                                                  const std::vector<RefUpdate>& together,
                                                                  std::size_t limit) const = 0;
  virtual Result<Commit> commit(std::string_view repository, std::string_view sha) const = 0;
  // What a push brought: the commits of `after` that `before` has not, or, with `before` all zeros, those that are new
  // as above. Oldest first; of more than `limit` the newest.
  virtual Result<std::vector<Commit>> new_commits(std::string_view repository, std::string_view before,
                                                  std::string_view after, const std::vector<RefUpdate>& together,
                                                  std::size_t limit) const = 0;
  // "refs/heads/main", "main", "v1.0.0" or a full commit → the commit and the full ref (empty for a commit).
  struct Resolved {
    std::string ref;
    std::string sha;
  };
  virtual Result<Resolved> resolve(std::string_view repository, std::string_view ref) const = 0;
  virtual Result<RepositoryIds> ids(std::string_view repository) const = 0;
  virtual Result<std::string> default_branch(std::string_view repository) const = 0;  // "main"
  // Whether who may push to this ref is restricted: github.ref_protected.
  virtual bool is_protected(std::string_view repository, std::string_view ref) const = 0;
};

}  // namespace kaapi::actions
