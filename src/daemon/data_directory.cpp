#include "daemon/data_directory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/text.h"

namespace kaapi::daemon {
namespace {

constexpr std::string_view lock_name = "lock";
constexpr std::string_view instance_name = "instance";
constexpr std::string_view endpoint_name = "endpoint", last_endpoint_name = "last-endpoint";
constexpr std::size_t instance_digits = 12;
constexpr std::size_t max_small_file_bytes = 4096;

Error cannot_use(const std::string& path, std::string_view why) {
  return make_error(
      errc::unavailable,
      fmt::format("cannot use the data directory {}: {}; run as its owner, or choose another with --data", path, why));
}

Result<void> make_folder(const std::string& path) {
  std::error_code failure;
  const std::filesystem::path folder(path);
  if (std::filesystem::is_directory(folder, failure)) return ok();
  failure.clear();  // that it is not there yet is no failure
  if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), failure);
  if (failure) return cannot_use(path, failure.message());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return cannot_use(path, std::strerror(errno));
  if (!std::filesystem::is_directory(folder, failure)) return cannot_use(path, "it is no directory");
  return ok();
}

std::string holder_of(int lock_fd) {
  char text[24] = {};
  const ssize_t got = ::pread(lock_fd, text, sizeof text - 1, 0);
  const std::string_view pid = trim(std::string_view(text, got > 0 ? static_cast<std::size_t>(got) : 0));
  return parse_number(pid) ? fmt::format("another kaapi (pid {})", pid) : "another kaapi";
}

}  // namespace

Result<DataDirectory> DataDirectory::open(const std::string& path, IdSource& ids) {
  if (const Result<void> made = make_folder(path); !made) return made.error();
  std::error_code failure;
  const std::filesystem::path absolute = std::filesystem::absolute(path, failure);
  const std::string folder = failure ? path : absolute.lexically_normal().string();
  const std::string lock = fmt::format("{}/{}", folder, lock_name);
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return cannot_use(path, std::strerror(errno));
  DataDirectory directory(folder, FileDescriptor(fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int error = errno;
    if (error != EWOULDBLOCK) return cannot_use(path, std::strerror(error));
    return make_error(
        errc::conflict,
        fmt::format("{} already uses {}; stop it, or choose another directory with --data", holder_of(fd), folder));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return cannot_use(path, std::strerror(errno));
  }
  // Until this one listens, nobody shall be sent to where the one before did.
  ::rename(directory.file(endpoint_name).c_str(), directory.file(last_endpoint_name).c_str());
  if (const Result<void> read = directory.read_instance(ids); !read) return read.error();
  return directory;
}

Result<void> DataDirectory::read_instance(IdSource& ids) {
  const std::string path = file(instance_name);
  // Without the state that knows them, containers of before are nobody's to remove: a new name leaves them alone.
  const bool knows_containers = ::access(file(control_database_name).c_str(), F_OK) == 0;
  if (::access(path.c_str(), F_OK) != 0 || !knows_containers) {
    instance_ = ids.hex(instance_digits);
    const Result<void> written = write_file_atomically(path, instance_ + "\n", 0644);
    return written ? ok() : cannot_use(path_, written.error().message);
  }
  const Result<std::string> text = read_file(path, max_small_file_bytes);
  if (!text) return cannot_use(path_, text.error().message);
  instance_ = trim(*text);
  const bool good = instance_.size() == instance_digits && std::all_of(instance_.begin(), instance_.end(), [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                    });
  if (good) return ok();
  return make_error(
      errc::damaged,
      fmt::format("{} is damaged (it must hold {} hex digits); restore it from a backup: running containers are "
                  "found by it",
                  path, instance_digits));
}

Result<void> DataDirectory::publish_endpoint(std::string_view url) {
  return write_file_atomically(file(endpoint_name), fmt::format("{}\n", url), 0644);
}

namespace {

std::optional<std::string> endpoint_in(const std::string& path, std::string_view name) {
  const Result<std::string> text = read_file(fmt::format("{}/{}", path, name), max_small_file_bytes);
  if (!text || trim(*text).empty()) return std::nullopt;
  return std::string(trim(*text));
}

}  // namespace

std::optional<std::string> running_endpoint(const std::string& path) {
  {
    const FileDescriptor lock(::open(fmt::format("{}/{}", path, lock_name).c_str(), O_RDONLY | O_CLOEXEC));
    // Whoever gets the lock found nobody holding it: what a platform left behind is not where one runs.
    if (!lock || ::flock(lock.get(), LOCK_SH | LOCK_NB) == 0) return std::nullopt;
  }
  return endpoint_in(path, endpoint_name);
}

std::optional<std::string> last_endpoint(const std::string& path) {
  const std::optional<std::string> now = endpoint_in(path, endpoint_name);
  return now ? now : endpoint_in(path, last_endpoint_name);
}

}  // namespace kaapi::daemon
