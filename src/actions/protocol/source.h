#pragma once
// What the runs of a pipeline need of a git repository. Implemented by git/, used by runs/.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace kaapi::actions {

inline constexpr std::size_t max_workflow_files = 100;              // of one commit
inline constexpr std::size_t max_workflow_file_bytes = 512 * 1024;  // as GitHub's

struct SourceFile {
  std::string path;  // ".github/workflows/cd.yml"
  std::string text;
};

struct Commit {
  std::string sha;      // 40 hexadecimal digits
  std::string message;  // whole; its first line is the subject
  std::string author_name, author_email;
  Time time;
};

// Repositories are named "OWNER/NAME". Thread-safe; calls run git and may take milliseconds. Errors of all: `NotFound`
// (no such repository, ref or commit), `Unavailable` (git failed; says what it said), `TooLarge` (a named limit).
class Source {
 public:
  virtual ~Source() = default;
  // *.yml and *.yaml directly below .github/workflows of that commit, in the order of their names.
  virtual Result<std::vector<SourceFile>> workflow_files(std::string_view repository, std::string_view sha) const = 0;
  // Paths that differ between two commits; `before` all zeros: what the commit itself changed. nullopt: more than
  // `limit`.
  virtual Result<std::optional<std::vector<std::string>>> changed(std::string_view repository, std::string_view before,
                                                                  std::string_view after, std::size_t limit) const = 0;
  virtual Result<Commit> commit(std::string_view repository, std::string_view sha) const = 0;
  // "refs/heads/main", "main", "v1.0.0" or a full commit → the commit and the full ref (empty for a commit).
  struct Resolved {
    std::string ref;
    std::string sha;
  };
  virtual Result<Resolved> resolve(std::string_view repository, std::string_view ref) const = 0;
  virtual Result<std::string> default_branch(std::string_view repository) const = 0;  // "main"
  // Whether who may push to this ref is restricted: github.ref_protected.
  virtual bool is_protected(std::string_view repository, std::string_view ref) const = 0;
};

}  // namespace kaapi::actions
