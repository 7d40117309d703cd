#pragma once
// What the actions for artifacts and caches share: their requests to the platform and files of their own.

#include <string>
#include <string_view>

#include "actions/builtin/action_host.h"

namespace kaapi::actions {

// What the platform keeps at most (storage/names.h has the same): larger archives are not sent at all.
inline constexpr std::uint64_t max_artifact_archive_bytes = 5ULL * 1024 * 1024 * 1024;
inline constexpr std::uint64_t max_cache_archive_bytes = 10ULL * 1024 * 1024 * 1024;

// A file or folder of RUNNER_TEMP that nobody has yet; gone with all that is in it when this is destroyed.
class TemporaryFile {
 public:
  TemporaryFile(const ActionHost& host, std::string_view name);
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The answer's own words: "message" of its body, or its status.
std::string refusal(const ActionHost::Answer& answer);

}  // namespace kaapi::actions
