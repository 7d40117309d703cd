#pragma once
// hashFiles(): the hash of the files below a folder that match patterns, as GitHub computes it.

#include <span>
#include <string>

#include "base/error.h"

namespace kaapi::actions::runner {

inline constexpr std::size_t max_hashed_files = 100'000;

// SHA-256 over the SHA-256 of each file, in the order of their paths; '' when nothing matches. Patterns: `*`, `?`,
// `[...]`, `**`; with `!` in front they exclude. Files only, symbolic links to folders are not followed. Errors:
// `Invalid` (a pattern outside of the folder), `TooLarge`, the file system's.
Result<std::string> hash_files(const std::string& folder, std::span<const std::string> patterns);

}  // namespace kaapi::actions::runner
