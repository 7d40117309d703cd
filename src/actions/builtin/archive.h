#pragma once
// Files into an archive and out of it again: zip for artifacts, tar with zstd for caches. Archives are written by other
// jobs, so what is taken out of them stays where the caller says, whatever they hold.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace kaapi::actions {

inline constexpr std::uint64_t max_unpacked_bytes = 64ULL * 1024 * 1024 * 1024;
inline constexpr std::size_t max_unpacked_entries = 1'000'000;

// zip: files and folders, modes are not kept (as the originals say); links become what they lead to. tar_zstd: also
// links, with modes and times.
enum class ArchiveFormat { zip, tar_zstd };

struct PackedFile {
  std::string path;  // where it is
  std::string name;  // in the archive, without a slash in front
};

struct Packing {
  ArchiveFormat format = ArchiveFormat::zip;
  int level = 6;                // of zip: 0 (stored) to 9
  std::uint64_t max_bytes = 0;  // of the archive: more is an error
  std::function<bool()> cancelled;
};

// Writes the archive to the new file `into`, for this user alone. Errors: `TooLarge`, `Cancelled`, `Unavailable` (a
// file cannot be read or changed meanwhile, the disk is full), naming the file.
Result<void> pack(const std::vector<PackedFile>& files, const std::string& into, const Packing& packing);

struct Unpacking {
  ArchiveFormat format = ArchiveFormat::zip;
  // Where what has that name belongs, absolute; an error refuses the whole. Names come as written; whatever it answers
  // is not reached through a link.
  std::function<Result<std::string>(std::string_view name)> place;
  std::function<bool()> cancelled;
};

// What is there under the same name is replaced. Returns how many files there were. Errors: `Invalid` (no archive, a
// link in a zip, a name that is refused), `TooLarge`, `Cancelled`, `Unavailable`.
Result<std::size_t> unpack(const std::string& archive, const Unpacking& unpacking);

// `place` of archives that belong into one folder: absolute, exists, has no links in it. Error: `Invalid`.
Result<std::string> place_below(std::string_view folder, std::string_view name);

}  // namespace kaapi::actions
