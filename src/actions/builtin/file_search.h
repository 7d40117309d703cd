#pragma once
// Which files the lines of a `path` input mean, as @actions/glob reads them: `*`, `?`, `[...]` and `\` within a
// segment,
// `**` for any number of segments, `~` for HOME, `#` comments; what is named means all below it; `!` takes back. The
// last line that fits a file decides.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/builtin/action_host.h"
#include "base/error.h"

namespace kaapi::actions {

inline constexpr std::size_t max_path_patterns = 1'000;
inline constexpr std::size_t max_found_files = 1'000'000;
inline constexpr std::size_t max_folder_depth = 200;  // folders within folders

// Immutable; thread-safe.
class PathPatterns {
 public:
  // Relative lines start from `workspace`; both folders absolute. `seen`: where the folder that a line begins with is
  // for us to look through, see ActionHost::host_path. Errors: `Invalid`, naming the line.
  using Seen = std::function<Result<std::string>(std::string_view folder)>;
  static Result<PathPatterns> prepare(std::string_view workspace, std::string_view home,
                                      const std::vector<std::string>& lines, const Seen& seen = nullptr);
  // Of a job, by the lines of the input `path`.
  static Result<PathPatterns> prepare(const ActionHost& host, const std::vector<std::string>& lines);

  enum class Match { no, below, yes };  // below: nothing speaks of it, but may of what is in it
  // `path`: absolute and normal.
  Match match(std::string_view path) const;
  // What has to be looked through: the part in front of the first wildcard of each line without `!`, absolute, each
  // once, and none below another.
  const std::vector<std::string>& roots() const { return roots_; }

 private:
  struct Segment {
    std::string text;
    bool literal = true;
  };
  struct Pattern {
    bool excludes = false;
    std::vector<Segment> segments;
  };
  static Result<Pattern> parse(std::string_view workspace, std::string_view home, std::string_view line);
  static Result<void> move(Pattern& pattern, const Seen& seen);
  static std::string root_of(const Pattern& pattern);
  static Match match(const Pattern& pattern, const std::vector<std::string>& path);
  void add_root(const Pattern& pattern);

  std::vector<Pattern> patterns_;
  std::vector<std::string> roots_;
};

struct FileSearch {
  bool follow_links = false;  // what links lead to is found under their names, broken ones are left out
  bool folders = false;       // folders and links are found too; otherwise files only
  bool hidden = true;         // names that begin with a dot
  std::function<bool()> cancelled;
};

// Absolute paths in order; folders before what is in them. What cannot be read is left out. Errors: `TooLarge`,
// `Cancelled`.
Result<std::vector<std::string>> find_files(const PathPatterns& patterns, const FileSearch& search);

// The deepest folder that holds all of `paths` (absolute, normal, at least one), or the only one of them.
std::string common_folder(const std::vector<std::string>& paths);

// One segment against a wildcard: names of artifacts.
bool wildcard_matches(const std::string& pattern, const std::string& text);

}  // namespace kaapi::actions
