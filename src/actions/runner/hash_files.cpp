#include "actions/runner/hash_files.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/file_descriptor.h"
#include "base/text.h"

namespace kaapi::actions::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view follow_links = "--follow-symbolic-links";

struct Pattern {
  bool excludes = false;
  bool absolute = false;
  std::vector<std::string> segments;
};

std::vector<std::string> segments_of(std::string_view path) {
  std::vector<std::string> segments = split(path, '/');
  std::erase_if(segments, [](const std::string& segment) { return segment.empty() || segment == "."; });
  return segments;
}

Result<Pattern> read_pattern(const std::string& folder, std::string_view line) {
  Pattern pattern;
  std::string_view rest = line;
  // Each "!" turns it round, as in GitHub's.
  for (; rest.starts_with('!'); rest = trim(rest.substr(1))) pattern.excludes = !pattern.excludes;
  if (rest.empty()) return make_error(errc::invalid, fmt::format("hashFiles: '{}' names nothing", line));
  if (rest.starts_with(folder + "/")) rest.remove_prefix(folder.size() + 1);
  pattern.segments = segments_of(rest);
  pattern.absolute = rest.starts_with('/') || rest == "~" || rest.starts_with("~/");
  if (std::find(pattern.segments.begin(), pattern.segments.end(), "..") != pattern.segments.end()) {
    return make_error(errc::invalid, fmt::format("hashFiles: '{}' has '..': name what is in the workspace", line));
  }
  return pattern;
}

Result<std::vector<Pattern>> read_patterns(const std::string& folder, std::span<const std::string> texts) {
  std::vector<Pattern> patterns;
  for (const std::string& text : texts) {
    for (const std::string& line : split(text, '\n')) {
      const std::string_view trimmed = trim(line);
      if (trimmed.empty() || trimmed.starts_with('#')) continue;
      Result<Pattern> pattern = read_pattern(folder, trimmed);
      if (!pattern) return pattern.error();
      patterns.push_back(std::move(*pattern));
    }
  }
  return patterns;
}

using Segments = std::span<const std::string>;
enum class Match { no, below, yes };  // below: nothing speaks of it, but may of what is in it

// All places of the pattern that can be reached are kept at once: no pattern takes more than its length times the
// path's. A pattern that names a folder means what is in it.
Match match(Segments pattern, Segments path) {
  std::vector<char> here(pattern.size() + 1, 0), next(pattern.size() + 1, 0);
  const auto reach = [&](std::vector<char>& places, std::size_t place) {
    places[place] = 1;
    for (; place < pattern.size() && pattern[place] == "**"; ++place) places[place + 1] = 1;
  };
  reach(here, 0);
  for (const std::string& name : path) {
    if (here.back() != 0) return Match::yes;
    std::fill(next.begin(), next.end(), 0);
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      if (here[i] == 0) continue;
      if (pattern[i] == "**") {
        reach(next, i);
      } else if (::fnmatch(pattern[i].c_str(), name.c_str(), 0) == 0) {
        reach(next, i + 1);
      }
    }
    std::swap(here, next);
  }
  if (here.back() != 0) return Match::yes;
  return std::find(here.begin(), here.end(), 1) == here.end() ? Match::no : Match::below;
}

// Which paths below the workspace are meant.
class Wanted {
 public:
  Wanted(const std::string& folder, std::vector<Pattern> patterns)
      : folder_(segments_of(folder)), patterns_(std::move(patterns)) {}

  // The last pattern that fits decides.
  bool file(const std::string& relative) const {
    const Path path = path_of(relative);
    bool wanted = false;
    for (const Pattern& pattern : patterns_) {
      if (pattern.excludes == wanted && match_of(pattern, path) == Match::yes) wanted = !pattern.excludes;
    }
    return wanted;
  }
  bool something_in(const std::string& relative) const {
    const Path path = path_of(relative);
    return std::any_of(patterns_.begin(), patterns_.end(), [&](const Pattern& pattern) {
      return !pattern.excludes && match_of(pattern, path) != Match::no;
    });
  }

 private:
  using Path = std::vector<std::string>;  // absolute

  Path path_of(const std::string& relative) const {
    Path path = folder_;
    for (std::string& segment : segments_of(relative)) path.push_back(std::move(segment));
    return path;
  }
  Match match_of(const Pattern& pattern, const Path& path) const {
    return match(pattern.segments, pattern.absolute ? Segments(path) : Segments(path).subspan(folder_.size()));
  }

  Path folder_;
  std::vector<Pattern> patterns_;
};

// Whether a folder that a link leads to is one of those that it is in; `above` are theirs, the outermost first.
bool leads_round(const fs::path& folder, std::size_t depth, std::vector<fs::path>& above) {
  std::error_code failed;
  fs::path real = fs::canonical(folder, failed);
  above.resize(std::min(above.size(), depth + 1));
  if (failed || std::find(above.begin(), above.end(), real) != above.end()) return true;
  above.push_back(std::move(real));
  return false;
}

Result<std::string> hash_of_file(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return file_error("read", path);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  std::vector<char> buffer(128UL * 1024);
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) return file_error("read", path);
    if (got == 0) break;
    EVP_DigestUpdate(hash.get(), buffer.data(), static_cast<std::size_t>(got));
  }
  std::array<unsigned char, 32> digest{};
  EVP_DigestFinal_ex(hash.get(), digest.data(), nullptr);
  return std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
}

Result<std::vector<std::string>> find(const std::string& folder, const Wanted& wanted, bool follow) {
  std::vector<std::string> found;
  std::size_t looked_at = 0;
  std::error_code failed, ignored;
  std::vector<fs::path> above = {fs::canonical(folder, ignored)};
  const auto options = fs::directory_options::skip_permission_denied |
                       (follow ? fs::directory_options::follow_directory_symlink : fs::directory_options::none);
  for (auto at = fs::recursive_directory_iterator(folder, options, failed);
       !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
    if (++looked_at > max_searched_entries) {
      return make_error(errc::too_large, fmt::format("hashFiles: more than {} files and folders to look at: name the "
                                                     "folders of what is meant",
                                                     max_searched_entries));
    }
    std::string relative = at->path().lexically_relative(folder).generic_string();
    if (at->is_directory(ignored)) {
      const bool round = follow && leads_round(at->path(), static_cast<std::size_t>(at.depth()), above);
      if (round || !wanted.something_in(relative)) at.disable_recursion_pending();
      continue;
    }
    at.disable_recursion_pending();  // or a broken link would end the walk
    if (!at->is_regular_file(ignored) || !wanted.file(relative)) continue;
    found.push_back(std::move(relative));
    if (found.size() > max_hashed_files) {
      return make_error(errc::too_large, fmt::format("hashFiles: more than {} files match", max_hashed_files));
    }
  }
  if (failed) return make_error(errc::unavailable, fmt::format("hashFiles: {}: {}", folder, failed.message()));
  std::sort(found.begin(), found.end());
  return found;
}

// As GitHub's: only the first argument may be an option, and there is one.
Result<bool> asks_to_follow(std::span<const std::string> arguments) {
  if (arguments.empty() || !arguments[0].starts_with("--")) return false;
  if (lower(arguments[0]) == follow_links) return true;
  return make_error(errc::invalid,
                    fmt::format("hashFiles: '{}' is no option, expected {}", arguments[0], follow_links));
}

}  // namespace

Result<std::string> hash_files(const std::string& folder, std::span<const std::string> arguments) {
  const Result<bool> follow = asks_to_follow(arguments);
  if (!follow) return follow.error();
  auto patterns = read_patterns(folder, arguments.subspan(*follow ? 1 : 0));
  if (!patterns) return patterns.error();
  const auto files = find(folder, Wanted(folder, std::move(*patterns)), *follow);
  if (!files) return files.error();
  if (files->empty()) return std::string();
  std::string hashes;
  for (const std::string& file : *files) {
    const Result<std::string> hash = hash_of_file(fmt::format("{}/{}", folder, file));
    if (!hash) return hash.error();
    hashes += *hash;
  }
  return to_hex(sha256(hashes));
}

}  // namespace kaapi::actions::runner
