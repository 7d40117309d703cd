#pragma once
// hashFiles(): the hash of the files below a folder that match patterns, as GitHub computes it.

#include <span>
#include <string>

#include "base/error.h"

namespace kaapi::actions::runner {

inline constexpr std::size_t max_hashed_files = 100'000;
inline constexpr std::size_t max_searched_entries = 5'000'000;  // files and folders that are looked at for them

// SHA-256 over the SHA-256 of each file, in the order of their paths; '' when nothing matches, as nothing outside of
// the folder does. `arguments` are patterns: `*`, `?`, `[...]`, `**`; with `!` in front they exclude. Files only;
// symbolic links to folders are followed when the first argument is --follow-symbolic-links. Errors: `Invalid` (a
// pattern with `..`, another option), `TooLarge`, the file system's.
Result<std::string> hash_files(const std::string& folder, std::span<const std::string> arguments);

}  // namespace kaapi::actions::runner
