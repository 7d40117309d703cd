#include "actions/builtin/file_search.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "actions/builtin/inputs.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

namespace fs = std::filesystem;

bool has_wildcard(std::string_view segment) {
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '\\') {
      ++i;
    } else if (segment[i] == '*' || segment[i] == '?' || segment[i] == '[') {
      return true;
    }
  }
  return false;
}

std::string unescaped(std::string_view segment) {
  std::string text;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '\\' && i + 1 < segment.size()) ++i;
    text += segment[i];
  }
  return text;
}

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments = split(path, '/');
  std::erase_if(segments, [](const std::string& segment) { return segment.empty(); });
  return segments;
}

// A walk from one root. Folders that are being walked are remembered, so that links do not lead round in circles.
class Walk {
 public:
  Walk(const PathPatterns& patterns, const FileSearch& search, std::vector<std::string>& found)
      : patterns_(patterns), search_(search), found_(found) {}

  Result<void> visit(const std::string& path) {
    if (search_.cancelled && search_.cancelled()) return make_error(errc::cancelled, "the step was cancelled");
    if (!search_.hidden && fs::path(path).filename().string().starts_with('.')) return ok();
    const PathPatterns::Match match = patterns_.match(path);
    if (match == PathPatterns::Match::no) return ok();
    struct stat about {};
    const int known = search_.follow_links ? ::stat(path.c_str(), &about) : ::lstat(path.c_str(), &about);
    if (known != 0) return ok();
    const bool folder = S_ISDIR(about.st_mode);
    const bool kind_wanted = search_.folders ? folder || S_ISREG(about.st_mode) || S_ISLNK(about.st_mode)
                                             : static_cast<bool>(S_ISREG(about.st_mode));
    if (match == PathPatterns::Match::yes && kind_wanted) {
      if (found_.size() >= max_found_files) {
        return make_error(errc::too_large, fmt::format("the input 'path' means more than {} files", max_found_files));
      }
      found_.push_back(path);
    }
    return folder ? enter(path, {about.st_dev, about.st_ino}) : ok();
  }

 private:
  using Identity = std::pair<dev_t, ino_t>;

  Result<void> enter(const std::string& path, Identity identity) {
    if (std::find(inside_.begin(), inside_.end(), identity) != inside_.end()) return ok();
    if (inside_.size() >= max_folder_depth) {
      return make_error(errc::too_large, fmt::format("'{}' is more than {} folders deep", path, max_folder_depth));
    }
    std::vector<std::string> names;
    std::error_code failed;
    for (auto at = fs::directory_iterator(path, failed); !failed && at != fs::directory_iterator();
         at.increment(failed)) {
      names.push_back(at->path().filename().string());
    }
    std::sort(names.begin(), names.end());
    inside_.push_back(identity);
    for (const std::string& name : names) {
      const Result<void> visited = visit(path == "/" ? fmt::format("/{}", name) : fmt::format("{}/{}", path, name));
      if (!visited) return visited;
    }
    inside_.pop_back();
    return ok();
  }

  const PathPatterns& patterns_;
  const FileSearch& search_;
  std::vector<std::string>& found_;
  std::vector<Identity> inside_;
};

}  // namespace

Result<PathPatterns> PathPatterns::prepare(std::string_view workspace, std::string_view home,
                                           const std::vector<std::string>& lines, const Seen& seen) {
  PathPatterns made;
  for (const std::string& line : lines) {
    if (line.empty() || line.starts_with('#')) continue;
    if (made.patterns_.size() >= max_path_patterns) {
      return make_error(errc::invalid, fmt::format("the input 'path' has more than {} lines", max_path_patterns));
    }
    Result<Pattern> pattern = parse(workspace, home, line);
    if (!pattern) return pattern.error();
    if (seen) {
      if (const Result<void> moved = move(*pattern, seen); !moved) return moved.error();
    }
    if (!pattern->excludes) made.add_root(*pattern);
    made.patterns_.push_back(std::move(*pattern));
  }
  return made;
}

Result<PathPatterns> PathPatterns::prepare(const ActionHost& host, const std::vector<std::string>& lines) {
  return prepare(host.workspace(), home_folder(host), lines,
                 [&host](std::string_view folder) { return host.host_path(folder); });
}

// What is in front of the first wildcard, to where it is for us.
Result<void> PathPatterns::move(Pattern& pattern, const Seen& seen) {
  const Result<std::string> root = seen(root_of(pattern));
  if (!root) return root.error();
  const auto wildcard = std::find_if(pattern.segments.begin(), pattern.segments.end(),
                                     [](const Segment& segment) { return !segment.literal; });
  std::vector<Segment> segments;
  for (std::string& segment : segments_of(*root)) segments.push_back({std::move(segment), true});
  segments.insert(segments.end(), wildcard, pattern.segments.end());
  pattern.segments = std::move(segments);
  return ok();
}

Result<PathPatterns::Pattern> PathPatterns::parse(std::string_view workspace, std::string_view home,
                                                  std::string_view line) {
  Pattern pattern;
  const auto begin_at = [&](std::string_view folder) {
    for (std::string& segment : segments_of(folder)) pattern.segments.push_back({std::move(segment), true});
  };
  std::string_view rest = line;
  // Each "!" turns it round, as in the original.
  for (; rest.starts_with('!'); rest = trim(rest.substr(1))) pattern.excludes = !pattern.excludes;
  if (rest == "~" || rest.starts_with("~/")) {
    begin_at(home);
    rest.remove_prefix(1);
  } else if (!rest.starts_with('/')) {
    begin_at(workspace);
  }
  for (const std::string& segment : segments_of(rest)) {
    if (segment == ".") continue;
    if (segment != "..") {
      const bool wild = has_wildcard(segment);
      pattern.segments.push_back({wild ? segment : unescaped(segment), !wild});
      continue;
    }
    if (!pattern.segments.empty() && !pattern.segments.back().literal) {
      return make_error(errc::invalid,
                        fmt::format("the line '{}' of the input 'path' has '..' behind a wildcard", line));
    }
    if (!pattern.segments.empty()) pattern.segments.pop_back();
  }
  return pattern;
}

std::string PathPatterns::root_of(const Pattern& pattern) {
  std::string root;
  for (const Segment& segment : pattern.segments) {
    if (!segment.literal) break;
    root += fmt::format("/{}", segment.text);
  }
  if (root.empty()) root.push_back('/');
  return root;
}

void PathPatterns::add_root(const Pattern& pattern) {
  std::string root = root_of(pattern);
  for (const std::string& there : roots_) {
    if (is_below(root, there)) return;
  }
  std::erase_if(roots_, [&](const std::string& there) { return is_below(there, root); });
  roots_.push_back(std::move(root));
}

// All places of the pattern that can be reached are kept at once: no pattern takes more than its length times the
// path's.
PathPatterns::Match PathPatterns::match(const Pattern& pattern, const std::vector<std::string>& path) {
  const std::vector<Segment>& segments = pattern.segments;
  std::vector<char> here(segments.size() + 1, 0);
  const auto spread = [&](std::vector<char>& places) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (places[i] != 0 && !segments[i].literal && segments[i].text == "**") places[i + 1] = 1;
    }
  };
  here[0] = 1;
  spread(here);
  for (const std::string& name : path) {
    if (here.back() != 0) return Match::yes;  // it is below what is meant
    std::vector<char> next(here.size(), 0);
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (here[i] == 0) continue;
      const Segment& segment = segments[i];
      if (!segment.literal && segment.text == "**") {
        next[i] = 1;
      } else if (segment.literal ? segment.text == name : wildcard_matches(segment.text, name)) {
        next[i + 1] = 1;
      }
    }
    spread(next);
    here = std::move(next);
  }
  if (here.back() != 0) return Match::yes;
  const bool any = std::any_of(here.begin(), here.end(), [](char place) { return place != 0; });
  return any ? Match::below : Match::no;
}

PathPatterns::Match PathPatterns::match(std::string_view path) const {
  const std::vector<std::string> segments = segments_of(path);
  Match result = Match::no;
  bool below = false;
  for (const Pattern& pattern : patterns_) {
    const Match one = match(pattern, segments);
    if (pattern.excludes) {
      if (one == Match::yes) {
        result = Match::no;
        below = false;
      }
    } else if (one == Match::yes) {
      result = Match::yes;
    } else if (one == Match::below) {
      below = true;
    }
  }
  return result == Match::no && below ? Match::below : result;
}

Result<std::vector<std::string>> find_files(const PathPatterns& patterns, const FileSearch& search) {
  std::vector<std::string> found;
  for (const std::string& root : patterns.roots()) {
    Walk walk(patterns, search, found);
    if (const Result<void> visited = walk.visit(root); !visited) return visited.error();
  }
  return found;
}

std::string common_folder(const std::vector<std::string>& paths) {
  std::vector<std::string> common = segments_of(paths.at(0));
  for (const std::string& path : paths) {
    const std::vector<std::string> other = segments_of(path);
    const auto end = std::mismatch(common.begin(), common.end(), other.begin(), other.end()).first;
    common.erase(end, common.end());
  }
  std::string folder;
  for (const std::string& segment : common) folder += fmt::format("/{}", segment);
  if (folder.empty()) folder.push_back('/');
  return folder;
}

bool wildcard_matches(const std::string& pattern, const std::string& text) {
  return ::fnmatch(pattern.c_str(), text.c_str(), 0) == 0;
}

}  // namespace kaapi::actions
