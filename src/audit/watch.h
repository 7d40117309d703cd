#pragma once
// Waiting for the log to grow, without asking again and again.

#include <chrono>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace kaapi::audit {

// One thread. Hears of every change in the folder from open() on, so open it before the last look.
class FolderWatch {
 public:
  // Errors: `NotFound` for a folder that is missing, `Unavailable`.
  static Result<FolderWatch> open(const std::string& folder);

  // Until something was written or a file was made since the last wait. False: not within `at_most`.
  Result<bool> wait(std::optional<std::chrono::milliseconds> at_most = std::nullopt);

 private:
  explicit FolderWatch(FileDescriptor fd) : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

}  // namespace kaapi::audit
