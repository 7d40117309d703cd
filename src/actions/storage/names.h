#pragma once
// Names and limits of artifacts and caches. Pure. Sources: actions/upload-artifact and actions/cache ("Artifact and
// cache names", "Cache key matching", "Usage limits and eviction policy").

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"

namespace kaapi::actions::storage {

inline constexpr std::uint64_t gibibyte = 1024ULL * 1024 * 1024;
inline constexpr std::size_t max_artifact_name_bytes = 255;
inline constexpr std::size_t max_artifacts_of_run = 500;
inline constexpr std::size_t max_cache_key_bytes = 512;
inline constexpr std::size_t max_cache_version_bytes = 128;
inline constexpr std::size_t max_restore_keys = 10;
inline constexpr std::size_t max_caches_of_repository = 10'000;
inline constexpr int max_retention_days = 400;

// What may be set. Sizes in bytes.
struct StorageLimits {
  std::uint64_t max_artifact_bytes = 5 * gibibyte;              // of one
  std::uint64_t max_repository_artifact_bytes = 50 * gibibyte;  // together: one more is refused
  std::uint64_t max_repository_cache_bytes = 10 * gibibyte;     // together: the least recently used go
  int retention_days = 90;                                      // of artifacts that do not say
  std::chrono::hours cache_unused{7 * 24};                      // a cache that nobody used for so long goes
};

// Error: `Invalid`, with what is expected.
Result<void> check_artifact_name(std::string_view name);
Result<void> check_cache_key(std::string_view key);
Result<void> check_cache_version(std::string_view version);
// 1 to max_retention_days. Error: `Invalid`.
Result<void> check_retention_days(int days);

}  // namespace kaapi::actions::storage
