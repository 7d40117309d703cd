#pragma once
// Large bodies between files and the platform: artifacts and caches.

#include <chrono>
#include <functional>
#include <string>

#include "actions/builtin/action_host.h"
#include "base/error.h"

namespace kaapi::actions::runner {

inline constexpr long transfer_stall_s = 60;  // without a byte: given up
inline constexpr std::size_t max_answer_bytes = 8UL * 1024 * 1024;

struct Transfer {
  std::string method;  // "GET", "PUT", "DELETE"
  std::string url;
  std::string token;      // Bearer
  std::string from_file;  // its body; empty: none
  std::string into_file;  // where the body of a successful answer goes; empty: memory
  std::function<bool()> cancelled;
  // A platform that is not reached, or answers 503, may be back soon: it is tried again for so long. `pause` waits in
  // between; false: cancelled.
  std::chrono::milliseconds lost_after{0};
  std::function<bool(std::chrono::milliseconds)> pause;
};

// Blocks. Any status is an answer. Errors: `Unavailable`, `TimedOut`, `Cancelled`, `TooLarge`, those of the files.
Result<ActionHost::Answer> transfer(const Transfer& what);

}  // namespace kaapi::actions::runner
