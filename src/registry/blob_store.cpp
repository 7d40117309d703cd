#include "registry/blob_store.h"

#include <sys/stat.h>

#include <filesystem>

#include "base/file_descriptor.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view digest_prefix = "sha256:";

std::string_view hex_of(std::string_view digest) {
  return digest.substr(digest_prefix.size());
}

Time modified_at(const struct stat& info) {
  return from_millis(static_cast<std::int64_t>(info.st_mtim.tv_sec) * 1000 + info.st_mtim.tv_nsec / 1'000'000);
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    log::warn("registry", "cannot remove {}: {}", path, std::strerror(errno));
  }
}

}  // namespace

Result<std::unique_ptr<BlobStore>> BlobStore::open(const std::string& directory) {
  std::unique_ptr<BlobStore> store(new BlobStore(directory));
  for (const char* folder : {"/blobs/sha256", "/uploads"}) {
    std::error_code failure;
    fs::create_directories(directory + folder, failure);
    if (failure) return internal_error(fmt::format("cannot make {}{}: {}", directory, folder, failure.message()));
  }
  for (const std::string& folder : {directory, directory + "/blobs"}) {
    if (Result<void> synced = sync_file(folder); !synced) return synced.error();
  }
  return store;
}

std::string BlobStore::upload_path(std::string_view id) const {
  return fmt::format("{}/uploads/{}", directory_, id);
}

void BlobStore::remove_uploads_unless(const std::function<bool(std::string_view id)>& keep) {
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_ + "/uploads", failure)) {
    if (!keep(entry.path().filename().string())) remove_file(entry.path().string());
  }
}

std::optional<Time> BlobStore::upload_touched_at(std::string_view id) const {
  struct stat info {};
  if (::stat(upload_path(id).c_str(), &info) != 0) return std::nullopt;
  return modified_at(info);
}

void BlobStore::remove_upload(std::string_view id) {
  remove_file(upload_path(id));
}

std::string BlobStore::blob_folder(std::string_view digest) const {
  return fmt::format("{}/blobs/sha256/{}", directory_, hex_of(digest).substr(0, 2));
}

std::string BlobStore::blob_path(std::string_view digest) const {
  return fmt::format("{}/{}", blob_folder(digest), hex_of(digest));
}

Result<void> BlobStore::publish(const std::string& upload_path, std::string_view digest) {
  const std::string folder = blob_folder(digest);
  if (::mkdir(folder.c_str(), 0700) == 0) {
    if (Result<void> synced = sync_file(directory_ + "/blobs/sha256"); !synced) return synced;
  } else if (errno != EEXIST) {
    return file_error("make", folder);
  }
  // Over an older file of the same digest too: that heals one that was damaged on disk, and whoever reads it keeps
  // reading.
  return rename_durably(upload_path, blob_path(digest));
}

Result<http::FileBody> BlobStore::read(std::string_view digest, std::uint64_t offset, std::uint64_t length) const {
  const std::string path = blob_path(digest);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return make_error(errc::not_found, fmt::format("cannot open {}: {}", path, std::strerror(errno)), 404);
  return http::FileBody(file, offset, length);
}

std::optional<std::uint64_t> BlobStore::size(std::string_view digest) const {
  struct stat info {};
  if (::stat(blob_path(digest).c_str(), &info) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(info.st_size);
}

void BlobStore::remove(std::string_view digest) {
  remove_file(blob_path(digest));
}

std::vector<std::string> BlobStore::blobs_older_than(Time before) const {
  std::vector<std::string> digests;
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory_ + "/blobs/sha256", failure)) {
    struct stat info {};
    if (::stat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (modified_at(info) < before) digests.push_back(std::string(digest_prefix) + entry.path().filename().string());
  }
  return digests;
}

}  // namespace kaapi::registry
