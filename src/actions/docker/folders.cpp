#include "actions/docker/folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>
#include <vector>

#include "actions/docker/query.h"
#include "actions/docker/unix_socket.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

namespace fs = std::filesystem;

// Below `top`, wherever links lead as long as they stay there.
int open_beneath(int top, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, top, path.c_str(), &how, sizeof how));
}

// What is left of a path below a folder, without ".." and doubled slashes; "." for the folder itself.
std::optional<std::string> below(std::string_view path, std::string_view folder) {
  const std::string plain = fs::path(path).lexically_normal().string();
  if (folder.empty() || !plain.starts_with(folder)) return std::nullopt;
  std::string_view rest = std::string_view(plain).substr(folder.size());
  if (!rest.empty() && rest.front() != '/') return std::nullopt;
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  return rest.empty() ? "." : std::string(rest);
}

std::string mounts_of(const std::string& process) {
  std::array<char, 128> name{};
  const ssize_t bytes = ::readlink(fmt::format("/proc/{}/ns/mnt", process).c_str(), name.data(), name.size());
  return bytes < 0 ? std::string() : std::string(name.data(), static_cast<std::size_t>(bytes));
}

// Never by a recursive deletion: behind a mount are the job's files.
void unmount_all(const std::string& folder) {
  std::error_code failed;
  std::vector<std::string> left;
  for (auto at = fs::directory_iterator(folder, failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    left.push_back(at->path().string());
  }
  for (const std::string& path : left) {
    ::umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
    if (::rmdir(path.c_str()) != 0 && ::unlink(path.c_str()) != 0) {
      log::warn("runner", "{} cannot be removed: {}", path, std::strerror(errno));
    }
  }
}

}  // namespace

Folders::Folders(Top root, Top read_only, std::string pins, uid_t uid, gid_t gid)
    : root_(std::move(root)), read_only_(std::move(read_only)), pins_(std::move(pins)), uid_(uid), gid_(gid) {}

Folders::Folders(Folders&& other) noexcept
    : root_(std::move(other.root_)),
      read_only_(std::move(other.read_only_)),
      pins_(std::exchange(other.pins_, {})),
      uid_(other.uid_),
      gid_(other.gid_),
      held_(std::move(other.held_)) {}

Folders::~Folders() {
  if (!pins_.empty()) unmount_all(pins_);
}

Result<Folders> Folders::open(std::string root, std::string read_only, std::string pins, uid_t uid, gid_t gid) {
  // Once, before the job runs: afterwards nothing above its folder is of its making.
  const auto top = [](std::string named) -> Result<Top> {
    if (named.empty()) return Top();
    std::error_code failed;
    std::string real = fs::canonical(named, failed).string();
    if (failed) return make_error(errc::not_found, fmt::format("cannot find {}: {}", named, failed.message()), 500);
    return Top{std::move(named), std::move(real)};
  };
  Result<Top> own = top(std::move(root));
  if (!own) return own.error();
  Result<Top> shared = top(std::move(read_only));
  if (!shared) return shared.error();
  return Folders(std::move(*own), std::move(*shared), std::move(pins), uid, gid);
}

Result<std::string> Folders::pin(std::string_view source, bool read_only, bool make_missing) {
  for (const std::string* name : {&root_.named, &root_.real}) {
    const auto rest = below(source, *name);
    if (!rest) continue;
    const Result<FileDescriptor> file = open_below(root_.real, *rest, make_missing);
    return file ? hold(*file, source, false) : Result<std::string>(file.error());
  }
  for (const std::string* name : {&read_only_.named, &read_only_.real}) {
    const auto rest = below(source, *name);
    if (!rest) continue;
    if (!read_only) return refused(fmt::format("{} is shared by jobs: bind it read-only (:ro)", source));
    const Result<FileDescriptor> file = open_below(read_only_.real, *rest, false);
    return file ? hold(*file, source, true) : Result<std::string>(file.error());
  }
  return refused(
      fmt::format("a job's container may see the job's own folders (GITHUB_WORKSPACE, RUNNER_TEMP), not {}", source));
}

Result<FileDescriptor> Folders::open_below(const std::string& top, std::string_view rest, bool make_missing) const {
  const FileDescriptor folder(::open(top.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return file_error("open", top);
  const std::string path(rest);
  FileDescriptor file(open_beneath(folder.get(), path));
  if (!file && errno == ENOENT && make_missing) {
    std::string at;
    for (const std::string& name : split(path, '/')) {
      const FileDescriptor parent(at.empty() ? ::dup(folder.get()) : open_beneath(folder.get(), at));
      if (!parent) break;
      if (::mkdirat(parent.get(), name.c_str(), 0755) == 0) {
        ::fchownat(parent.get(), name.c_str(), uid_, gid_, AT_SYMLINK_NOFOLLOW);
      }
      at = at.empty() ? name : fmt::format("{}/{}", at, name);
    }
    file = FileDescriptor(open_beneath(folder.get(), path));
  }
  if (file) return file;
  if (errno == EXDEV || errno == ELOOP) return refused(fmt::format("{}/{} leads out of the job's folder", top, path));
  if (errno == ENOENT) {
    return make_error(errc::not_found, fmt::format("bind source path does not exist: {}/{}", top, path), 400);
  }
  return file_error("open", fmt::format("{}/{}", top, path));
}

Result<std::string> Folders::hold(const FileDescriptor& file, std::string_view source, bool read_only) {
  const std::lock_guard lock(mutex_);
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return file_error("look at", std::string(source));
  // As long as it is held, no other file gets this inode.
  const Key key{about.st_dev, about.st_ino, read_only};
  if (const auto held = held_.find(key); held != held_.end()) return held->second;
  if (held_.size() >= max_pins) {
    return make_error(errc::too_large, fmt::format("a job may bind {} folders into containers, not more", max_pins),
                      400);
  }
  const std::string at = fmt::format("{}/{}", pins_, held_.size() + 1);
  if (const Result<void> done = mount(file, at, S_ISDIR(about.st_mode), read_only); !done) return done.error();
  held_.emplace(key, at);
  return at;
}

Result<void> Folders::mount(const FileDescriptor& file, const std::string& at, bool folder, bool read_only) const {
  const FileDescriptor made(folder ? -1 : ::open(at.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (folder ? ::mkdir(at.c_str(), 0700) != 0 && errno != EEXIST : !made) return file_error("make", at);
  const std::string from = fmt::format("/proc/self/fd/{}", file.get());
  // Beside what the folder's own mount says, which a remount would forget.
  mount_attr wanted{};
  wanted.attr_set = MOUNT_ATTR_NODEV | (read_only ? MOUNT_ATTR_RDONLY : 0U);
  if (::mount(from.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) == 0) {
    if (::mount_setattr(AT_FDCWD, at.c_str(), AT_SYMLINK_NOFOLLOW, &wanted, sizeof wanted) == 0) return ok();
    ::umount2(at.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW);
  }
  return make_error(errc::unavailable,
                    fmt::format("cannot hold a folder for the container: {}. The runner must be allowed to mount (root "
                                "with CAP_SYS_ADMIN)",
                                std::strerror(errno)),
                    500);
}

Result<bool> shares_mounts(const std::string& socket_path) {
  const Result<FileDescriptor> line = connect_unix(socket_path);
  if (!line) return line.error();
  ucred peer{};
  socklen_t bytes = sizeof peer;
  if (::getsockopt(line->get(), SOL_SOCKET, SO_PEERCRED, &peer, &bytes) != 0) return file_error("ask", socket_path);
  const std::string theirs = mounts_of(std::to_string(peer.pid));
  return !theirs.empty() && theirs == mounts_of("self");
}

bool is_well_known(std::string_view path) {
  constexpr std::array<std::string_view, 4> files = {"/etc/localtime", "/etc/timezone", "/etc/passwd", "/etc/group"};
  return std::find(files.begin(), files.end(), path) != files.end();
}

}  // namespace kaapi::actions::docker
