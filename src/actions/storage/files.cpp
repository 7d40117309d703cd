#include "actions/storage/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <span>
#include <vector>

#include "base/file_descriptor.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/text.h"

namespace kaapi::actions::storage {
namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::size_t id_digits = 32;

bool write_all(int file, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
  return true;
}

// Removes the file unless it is told to keep it.
class Cleanup {
 public:
  explicit Cleanup(std::string path) : path_(std::move(path)) {}
  ~Cleanup() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  void keep() { path_.clear(); }

 private:
  std::string path_;
};

Result<Stored> copy(http::BodyReader& body, int file, const std::string& path, std::uint64_t max_bytes,
                    std::string_view what) {
  std::vector<char> buffer(buffer_bytes);
  Stored stored;
  Sha256 hash;
  while (true) {
    const Result<std::size_t> got = body.read(buffer);
    if (!got) return got.error();
    if (*got == 0) break;
    if (*got > max_bytes - stored.size) {
      return make_error(errc::too_large, fmt::format("{} may have at most {} bytes", what, max_bytes), 413);
    }
    const std::span<const char> bytes = std::span<const char>(buffer).first(*got);
    hash.update(bytes);
    if (!write_all(file, bytes)) return file_error("write", path);
    stored.size += *got;
  }
  if (::fdatasync(file) != 0) return file_error("write", path);
  stored.digest = hash.digest();
  return stored;
}

Result<void> make_folder(const std::string& path) {
  std::error_code failed;
  std::filesystem::create_directories(path, failed);
  if (failed) {
    return make_error(errc::unavailable, fmt::format("cannot make the folder {}: {}", path, failed.message()), 500);
  }
  // Artifacts may hold what is nobody else's business.
  if (::chmod(path.c_str(), 0700) != 0) return file_error("protect", path);
  return ok();
}

}  // namespace

Result<Files> Files::open(const std::string& directory, IdSource& ids) {
  Files files(directory, ids);
  for (const std::string& path : {directory, directory + "/incoming", directory + "/files"}) {
    if (const Result<void> made = make_folder(path); !made) return made.error();
  }
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/incoming", failed)) {
    std::error_code ignored;  // what cannot be removed is tried again at the next start
    std::filesystem::remove(entry.path(), ignored);
  }
  return files;
}

std::string Files::incoming(std::string_view file) const {
  return fmt::format("{}/incoming/{}", directory_, file);
}

std::string Files::complete(std::string_view file) const {
  return fmt::format("{}/files/{}", directory_, file);
}

Result<Stored> Files::receive(http::BodyReader& body, std::uint64_t max_bytes, std::string_view what) const {
  const std::string id = ids_->hex(id_digits);
  const std::string path = incoming(id);
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file) return file_error("write", path);
  Cleanup cleanup(path);
  Result<Stored> stored = copy(body, file.get(), path, max_bytes, what);
  if (!stored) return stored;
  if (const Result<void> renamed = rename_durably(path, complete(id)); !renamed) {
    remove(id);
    return renamed.error();
  }
  cleanup.keep();
  stored->file = id;
  return stored;
}

Result<http::FileBody> Files::read(std::string_view file) const {
  const std::string path = complete(file);
  FileDescriptor opened(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!opened) return file_error("read", path);
  struct stat info {};
  if (::fstat(opened.get(), &info) != 0) return file_error("read", path);
  return http::FileBody(opened.release(), 0, static_cast<std::uint64_t>(info.st_size));
}

void Files::remove(std::string_view file) const {
  const std::string path = complete(file);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    log::warn("actions", "{}; it is tried again at the next start", file_error("remove", path).message);
  }
}

void Files::for_each(const std::function<void(const std::string& file)>& visit) const {
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory_ + "/files", failed)) {
    visit(entry.path().filename().string());
  }
}

bool Files::has(std::string_view file) const {
  return ::access(complete(file).c_str(), F_OK) == 0;
}

}  // namespace kaapi::actions::storage
