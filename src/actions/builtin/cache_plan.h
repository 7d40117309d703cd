#pragma once
// Keys, versions and names of caches. Sources: actions/toolkit's packages/cache.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace kaapi::actions {

inline constexpr std::size_t max_cache_keys = 10;  // the key and its restore keys
inline constexpr std::size_t max_key_characters = 512;

// Error: `Invalid`, in the original's words.
Result<void> check_cache_keys(const std::string& key, const std::vector<std::string>& restore_keys);
// Case does not count.
bool same_cache_key(std::string_view one, std::string_view other);
// Caches are only found by who asks for the same paths and unpacks them in the same way. 64 hexadecimal digits.
std::string cache_version(const std::vector<std::string>& paths);

// Workspaces and homes are other folders in every job, so a cache names its files from there: "w/node_modules/x",
// "h/.cache/y", "a/opt/z". `path`: absolute and normal.
std::string cache_name(std::string_view workspace, std::string_view home, std::string_view path);

// Where such names belong in this job.
class CachePlaces {
 public:
  // `roots`: of the input `path`; only these and what is below them may be written. Links above them are followed once,
  // here.
  CachePlaces(std::string_view workspace, std::string_view home, const std::vector<std::string>& roots);
  // Error: `Invalid`.
  Result<std::string> place_of(std::string_view name) const;

 private:
  std::string workspace_, home_;
  std::vector<std::pair<std::string, std::string>> roots_;  // as they are named, and without links above them
};

}  // namespace kaapi::actions
