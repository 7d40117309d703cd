#pragma once
// A secret's value as it comes in: from a pipe or a file, or typed at a terminal without showing there. Never from the
// command line, which other users of the machine can read.

#include <cstddef>
#include <iosfwd>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::cli {

struct SecretQuestion {
  std::string prompt;     // at a terminal
  std::string_view what;  // "value"
  std::string example;    // of how it comes from a file: "kaapi secret set NAME < FILE"
  std::size_t max_bytes = 0;
};

// Reads `fd` to its end, without one line break at the very end; from a terminal one line, asked for on `err`.
// Errors: `TooLarge`, `Invalid` (nothing came), `Cancelled` (Ctrl-C), `Unavailable`.
Result<std::string> read_secret(int fd, const SecretQuestion& question, std::ostream& err);

}  // namespace kaapi::cli
