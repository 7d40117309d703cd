#pragma once
// Blobs as files, named by their content: DIR/blobs/sha256/ab/abcd..., and what is still being received:
// DIR/uploads/ID. A file stands under blobs/ only when it is complete, verified and on disk.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/sha256.h"
#include "http/message.h"
#include "registry/manifest.h"

namespace kaapi::registry {

// One blob being received. Not thread-safe: whoever uses it holds mutex().
class Upload {
 public:
  // Continues with what the file holds: its length is the offset, and it is hashed again. A missing file is made.
  static Result<std::shared_ptr<Upload>> open(std::string path);

  std::uint64_t offset() const { return offset_.load(); }  // bytes received and hashed; readable without the mutex
  std::mutex& mutex() { return mutex_; }

  // Reads the body to its end in pieces of 256 KiB, never more than 1 MiB in memory. Reading, hashing and writing run
  // at the same time. What was received before a failure stays, counted in offset(). On success the bytes are on disk.
  // Errors: those of the reader, `TooLarge` past max_blob_bytes, `Unavailable` (500) when the disk refuses.
  Result<void> append(http::BodyReader& body);

  // "sha256:..." of all bytes so far.
  Result<std::string> digest();
  const std::string& path() const { return path_; }

 private:
  explicit Upload(std::string path) : path_(std::move(path)) {}
  Result<void> rehash();

  std::string path_;
  std::mutex mutex_;
  std::atomic<std::uint64_t> offset_ = 0;
  Sha256 hash_;
};

// Thread-safe; the file system is its only state.
class BlobStore {
 public:
  // Makes the folders. Errors: InternalError or `Unavailable` (500), naming the folder and why.
  static Result<std::unique_ptr<BlobStore>> open(const std::string& directory);

  std::string upload_path(std::string_view id) const;
  // Removes every upload whose id `keep` refuses: what a crash left behind. Only before uploads are served.
  void remove_uploads_unless(const std::function<bool(std::string_view id)>& keep);
  // Time of the last write to the upload, or nullopt when there is no such file.
  std::optional<Time> upload_touched_at(std::string_view id) const;
  void remove_upload(std::string_view id);

  // Makes a complete upload (its bytes on disk, its digest checked by the caller) the blob of that digest, durably.
  Result<void> publish(const std::string& upload_path, std::string_view digest);
  // A part of a blob for sending. Error: NotFound.
  Result<http::FileBody> read(std::string_view digest, std::uint64_t offset, std::uint64_t length) const;
  std::optional<std::uint64_t> size(std::string_view digest) const;
  void remove(std::string_view digest);
  // Digests of all blob files last written before `before`.
  std::vector<std::string> blobs_older_than(Time before) const;

 private:
  explicit BlobStore(std::string directory) : directory_(std::move(directory)) {}
  std::string blob_folder(std::string_view digest) const;
  std::string blob_path(std::string_view digest) const;

  std::string directory_;
};

}  // namespace kaapi::registry
