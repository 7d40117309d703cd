#pragma once
// A secret's value as it comes in: from a pipe or a file, or typed at a terminal without showing there. Never from the
// command line, which other users of the machine can read.

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::cli {

// Reads `fd` to its end, without one line break at the very end; from a terminal one line, asked for on `err` with
// `prompt`. Errors: `TooLarge` past `max_bytes`, `Invalid` (nothing came), `Cancelled` (Ctrl-C), `Unavailable`.
Result<std::string> read_secret(int fd, std::string_view prompt, std::size_t max_bytes, std::ostream& err);

}  // namespace kaapi::cli
