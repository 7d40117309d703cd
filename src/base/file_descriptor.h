#pragma once
// Owning a file descriptor, and what the system says when one cannot be had.

#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace kaapi {

// Closes it when destroyed. Movable; one thread.
class FileDescriptor {
 public:
  // What open(), socket() and the like answered: below 0 is none.
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.release()) {}
  FileDescriptor& operator=(FileDescriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }

  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

// "cannot write X: No space left on device", from errno as it is now: `NotFound` when nothing is there, else
// `Unavailable`; 500 on the wire.
Error file_error(std::string_view what, const std::string& path);

}  // namespace kaapi
