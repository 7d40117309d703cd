#include "actions/docker/socket_folder.h"

#include <fmt/format.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/file_descriptor.h"
#include "base/ids.h"
#include "base/log.h"

namespace kaapi::actions::docker {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> entries_of(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code failed;
  for (auto at = fs::directory_iterator(folder, failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    paths.push_back(at->path().string());
  }
  return paths;
}

// A file, a mount, or an empty folder, as the engine makes one where a container's source is missing. Never what is in
// a folder: behind a mount that does not go are the job's files.
void remove_one(const std::string& path) {
  while (::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (::rmdir(path.c_str()) == 0 || ::unlink(path.c_str()) == 0 || errno == ENOENT) return;
  log::warn("runner", "{} cannot be removed: {}", path, std::strerror(errno));
}

void remove_job(const std::string& folder) {
  for (const std::string& path : entries_of(folder + "/pins")) remove_one(path);
  for (const std::string& path : entries_of(folder)) remove_one(path);
  remove_one(folder);
}

}  // namespace

Result<SocketFolder> SocketFolder::make(const std::string& base, uid_t uid) {
  if (::mkdir(base.c_str(), 0711) != 0 && errno != EEXIST) return file_error("make the folder", base);
  // Jobs pass through; nobody but root makes or lists anything.
  if (::chmod(base.c_str(), 0711) != 0) return file_error("set the mode of", base);
  const std::string mark = fmt::format("{}-", uid);
  for (const std::string& path : entries_of(base)) {
    if (fs::path(path).filename().string().starts_with(mark)) remove_job(path);
  }
  SocketFolder made(fmt::format("{}/{}{}", base, mark, SecureIds().hex(16)));
  if (::mkdir(made.path_.c_str(), 0711) != 0 || ::chmod(made.path_.c_str(), 0711) != 0 ||
      ::mkdir(made.pins().c_str(), 0700) != 0) {
    return file_error("make the folder", made.path_);
  }
  return made;
}

SocketFolder::SocketFolder(SocketFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

SocketFolder::~SocketFolder() {
  if (!path_.empty()) remove_job(path_);
}

}  // namespace kaapi::actions::docker
