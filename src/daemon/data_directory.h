#pragma once
// The folder that one platform lives in: made when missing, held by one process at a time.

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/ids.h"

namespace kaapi::daemon {

// What runs here: clusters, services, tasks. Opened by Platform.
inline constexpr std::string_view control_database_name = "control.db";

// Holds DIRECTORY/lock (flock, so a crash lets go of it) until destroyed. Movable; one thread.
class DataDirectory {
 public:
  // Makes the folder (mode 0700) when it is missing. Errors, each one line with what to do: `Conflict` when another
  // process holds it, `Unavailable` when it cannot be made or written, `Damaged` when its instance file is not ours.
  static Result<DataDirectory> open(const std::string& path, IdSource& ids);

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }
  // 12 hex digits that tell this folder's containers from those of any other. A new one where control.db is missing.
  const std::string& instance() const { return instance_; }

  // Where clients on this machine find the platform. Stays when it ends: see last_endpoint().
  Result<void> publish_endpoint(std::string_view url);

 private:
  DataDirectory(std::string path, FileDescriptor lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  Result<void> read_instance(IdSource& ids);

  std::string path_;
  FileDescriptor lock_;
  std::string instance_;
};

// The endpoint of the platform that runs on this folder now; nullopt when none does.
std::optional<std::string> running_endpoint(const std::string& path);

// Where the platform of this folder listens or, when none runs, listened last; nullopt: it never has.
std::optional<std::string> last_endpoint(const std::string& path);

}  // namespace kaapi::daemon
