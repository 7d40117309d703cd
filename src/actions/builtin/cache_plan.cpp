#include "actions/builtin/cache_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "actions/builtin/inputs.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

namespace fs = std::filesystem;

std::string joined(std::string_view folder, std::string_view rest) {
  if (rest.empty()) return std::string(folder);
  return fmt::format("{}/{}", folder == "/" ? "" : folder, rest);
}

std::string without_links_above(const std::string& root) {
  const fs::path path(root);
  std::error_code failed;
  const fs::path above = fs::weakly_canonical(path.parent_path(), failed);
  return failed ? root : (above / path.filename()).string();
}

}  // namespace

Result<void> check_cache_keys(const std::string& key, const std::vector<std::string>& restore_keys) {
  if (restore_keys.size() + 1 > max_cache_keys) {
    return make_error(errc::invalid,
                      fmt::format("Key Validation Error: Keys are limited to a maximum of {}.", max_cache_keys));
  }
  std::vector<std::string> all = {key};
  all.insert(all.end(), restore_keys.begin(), restore_keys.end());
  for (const std::string& one : all) {
    if (one.size() > max_key_characters) {
      return make_error(errc::invalid, fmt::format("Key Validation Error: {} cannot be larger than {} characters.", one,
                                                   max_key_characters));
    }
    if (one.find(',') != std::string::npos) {
      return make_error(errc::invalid, fmt::format("Key Validation Error: {} cannot contain commas.", one));
    }
  }
  return ok();
}

bool same_cache_key(std::string_view one, std::string_view other) {
  return lower(one) == lower(other);
}

std::string cache_version(const std::vector<std::string>& paths) {
  std::string text;
  for (const std::string& path : paths) text += fmt::format("{}|", path);
  return to_hex(sha256(text + "tar-zstd|kaapi-1"));
}

std::string cache_name(std::string_view workspace, std::string_view home, std::string_view path) {
  const auto below = [&](char kind, std::string_view folder) {
    const std::string_view rest = path.substr(folder == "/" ? 0 : folder.size());
    return fmt::format("{}{}", kind, rest == "/" ? "" : rest);
  };
  if (is_below(path, workspace)) return below('w', workspace);
  if (home != "/" && is_below(path, home)) return below('h', home);
  return below('a', "/");
}

CachePlaces::CachePlaces(std::string_view workspace, std::string_view home, const std::vector<std::string>& roots)
    : workspace_(workspace), home_(home) {
  for (const std::string& root : roots) roots_.emplace_back(root, without_links_above(root));
}

Result<std::string> CachePlaces::place_of(std::string_view name) const {
  while (name.size() > 1 && name.ends_with('/')) name.remove_suffix(1);  // tar's folders
  const auto refused = [&] {
    return make_error(errc::invalid,
                      fmt::format("the cache has '{}', which is outside of what the input 'path' names", name));
  };
  const std::string_view kind = name.substr(0, name.find('/'));
  const std::string_view rest = name.substr(std::min(kind.size() + 1, name.size()));
  const std::vector<std::string> segments = split(rest, '/');
  if (std::find(segments.begin(), segments.end(), "..") != segments.end()) return refused();
  std::string path;
  if (kind == "w") {
    path = joined(workspace_, rest);
  } else if (kind == "h") {
    path = joined(home_, rest);
  } else if (kind == "a") {
    path = joined("/", rest);
  } else {
    return refused();
  }
  for (const auto& [named, real] : roots_) {
    if (is_below(path, named)) return named == "/" ? path : real + path.substr(named.size());
  }
  return refused();
}

}  // namespace kaapi::actions
