#pragma once
// Large bodies between files and the platform: artifacts and caches.

#include <functional>
#include <string>

#include "actions/builtin/action_host.h"
#include "base/error.h"

namespace kaapi::actions::runner {

inline constexpr long transfer_stall_s = 60;  // without a byte: given up
inline constexpr std::size_t max_answer_bytes = 8UL * 1024 * 1024;

struct Transfer {
  std::string method;  // "GET", "PUT"
  std::string url;
  std::string token;      // Bearer
  std::string from_file;  // its body; empty: none
  std::string into_file;  // where the body of a successful answer goes; empty: memory
  std::function<bool()> cancelled;
};

// Blocks. Any status is an answer. Errors: `Unavailable`, `TimedOut`, `Cancelled`, `TooLarge`, those of the files.
Result<ActionHost::Answer> transfer(const Transfer& what);

}  // namespace kaapi::actions::runner
