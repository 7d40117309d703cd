#pragma once
// Where one job's socket and the mounts of its folders are: a folder of root's, with a name that no other job's has and
// that nobody can guess. A container that outlives its job, and that the engine starts again, finds nothing there.

#include <sys/types.h>

#include <string>

#include "base/error.h"

namespace kaapi::actions::docker {

// Movable. Goes with what is in it, mounts first.
class SocketFolder {
 public:
  // Makes it in `base`, which is made if it is missing, after everything that earlier jobs of this uid have left there
  // has been removed: the uid is this job's alone. Errors: the file system's.
  static Result<SocketFolder> make(const std::string& base, uid_t uid);
  ~SocketFolder();
  SocketFolder(SocketFolder&& other) noexcept;
  SocketFolder& operator=(SocketFolder&&) = delete;

  std::string socket() const { return path_ + "/docker.sock"; }
  std::string pins() const { return path_ + "/pins"; }  // made, empty

 private:
  explicit SocketFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace kaapi::actions::docker
