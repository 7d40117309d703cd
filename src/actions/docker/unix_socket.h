#pragma once
// Unix sockets by their paths, each way once.

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file_descriptor.h"

namespace kaapi::actions::docker {

// Errors: `Invalid` (too long a path), `Unavailable` (502 on the wire).
Result<FileDescriptor> connect_unix(const std::string& path);
// Non-blocking, with mode 0600 and this owner. Nothing may stand at the path. Errors: the file system's.
Result<FileDescriptor> listen_unix(const std::string& path, uid_t uid, gid_t gid, int backlog);

// Waits until `fd` can be read, or written. Errors: `Cancelled` (`stop` is readable), `TimedOut`.
Result<void> wait_readable(int fd, int stop, std::chrono::steady_clock::time_point until);
Result<void> wait_writable(int fd, int stop, std::chrono::steady_clock::time_point until);
bool is_readable(int fd);
// All of it, on a blocking or a non-blocking socket. Errors: those of waiting, `Unavailable` (the other side is gone).
Result<void> send_all(int fd, std::string_view bytes, int stop, std::chrono::steady_clock::time_point until);

}  // namespace kaapi::actions::docker
