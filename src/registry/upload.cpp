// Receiving a blob: the reading thread fills buffers and writes them to the file while a second one hashes them.

#include <sys/stat.h>

#include <array>
#include <condition_variable>
#include <thread>

#include "base/file_descriptor.h"
#include "registry/blob_store.h"

namespace kaapi::registry {
namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::size_t buffer_count = 4;
// Dirty pages are handed to the disk in windows of this size, so that the final sync finds little left to do.
constexpr std::uint64_t writeback_window_bytes = 8 * 1024 * 1024;

using Buffer = std::array<char, buffer_bytes>;

// A ring of buffers between one filling thread and one hashing thread, which starts with the first full buffer: most
// blobs are smaller than that and need no thread.
class HashRing {
 public:
  explicit HashRing(Sha256& hash) : hash_(hash), buffers_(std::make_unique<std::array<Buffer, buffer_count>>()) {}
  ~HashRing() { finish(); }
  HashRing(const HashRing&) = delete;
  HashRing& operator=(const HashRing&) = delete;

  // The next buffer to fill. Waits until it is hashed.
  std::span<char> next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return filled_ - hashed_ < buffer_count; });
    return (*buffers_)[filled_ % buffer_count];
  }

  // Hands over the first `bytes` of the buffer of next(). It may still be read until the next call of next().
  void submit(std::size_t bytes) {
    {
      const std::lock_guard lock(mutex_);
      lengths_[filled_ % buffer_count] = bytes;
      ++filled_;
    }
    if (!thread_.joinable() && bytes == buffer_bytes) thread_ = std::thread([this] { run(); });
    changed_.notify_all();
  }

  // Everything handed over is hashed when this returns.
  void finish() {
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) {
      thread_.join();
    } else {
      run();
    }
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return finished_ || hashed_ < filled_; });
      if (hashed_ == filled_) return;
      const std::size_t slot = hashed_ % buffer_count;
      const std::span<const char> bytes((*buffers_)[slot].data(), lengths_[slot]);
      lock.unlock();
      hash_.update(bytes);
      lock.lock();
      ++hashed_;
      changed_.notify_all();
    }
  }

  Sha256& hash_;
  std::unique_ptr<std::array<Buffer, buffer_count>> buffers_;
  std::array<std::size_t, buffer_count> lengths_{};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t filled_ = 0;
  std::uint64_t hashed_ = 0;
  bool finished_ = false;
  std::thread thread_;
};

struct Fill {
  std::size_t bytes = 0;
  bool ended = false;    // the body is complete
  Result<void> outcome;  // why reading stopped early
};

// Fills the buffer unless the body ends or breaks first.
Fill fill(http::BodyReader& body, std::span<char> buffer) {
  Fill result;
  while (result.bytes < buffer.size()) {
    const Result<std::size_t> got = body.read(buffer.subspan(result.bytes));
    if (!got) {
      result.outcome = got.error();
      break;
    }
    if (*got == 0) {
      result.ended = true;
      break;
    }
    result.bytes += *got;
  }
  return result;
}

bool write_all(int file, std::span<const char> bytes, std::uint64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

// Starts writing a window to disk once it is full, without waiting for it.
void start_writeback(int file, std::uint64_t before, std::uint64_t after) {
  const std::uint64_t window = after / writeback_window_bytes;
  if (window == before / writeback_window_bytes) return;
  // Only a head start: when it fails, the sync at the end does all the work and reports the error.
  static_cast<void>(::sync_file_range(file, static_cast<off_t>((window - 1) * writeback_window_bytes),
                                      static_cast<off_t>(writeback_window_bytes), SYNC_FILE_RANGE_WRITE));
}

}  // namespace

Result<std::shared_ptr<Upload>> Upload::open(std::string path) {
  std::shared_ptr<Upload> upload(new Upload(std::move(path)));
  if (Result<void> hashed = upload->rehash(); !hashed) return hashed.error();
  return upload;
}

Result<void> Upload::rehash() {
  const FileDescriptor file(::open(path_.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return file_error("open", path_);
  hash_.reset();
  offset_ = 0;
  const auto buffer = std::make_unique<Buffer>();
  while (true) {
    const ssize_t got = ::read(file.get(), buffer->data(), buffer->size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", path_);
    if (got == 0) return ok();
    hash_.update(std::span(*buffer).first(static_cast<std::size_t>(got)));
    offset_ += static_cast<std::uint64_t>(got);
  }
}

Result<void> Upload::append(http::BodyReader& body) {
  const FileDescriptor file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) {
    return make_error("BLOB_UPLOAD_UNKNOWN", "the upload was completed or cancelled meanwhile; start a new one", 404);
  }
  if (!file) return file_error("open", path_);
  HashRing ring(hash_);
  while (true) {
    const std::span<char> buffer = ring.next();
    const Fill filled = fill(body, buffer);
    const std::uint64_t before = offset_;
    if (filled.bytes > max_blob_bytes - before) {
      return make_error(errc::too_large, fmt::format("a blob may be at most {} bytes long", max_blob_bytes), 413);
    }
    ring.submit(filled.bytes);
    if (!write_all(file.get(), buffer.first(filled.bytes), before)) {
      const Error failure = file_error("write", path_);
      ring.finish();
      // Back to what both the file and the client agree on.
      if (::ftruncate(file.get(), static_cast<off_t>(before)) != 0) return file_error("truncate", path_);
      if (Result<void> hashed = rehash(); !hashed) return hashed;
      return failure;
    }
    offset_ = before + filled.bytes;
    start_writeback(file.get(), before, offset_);
    if (!filled.outcome) return filled.outcome;
    if (filled.ended) break;
  }
  ring.finish();
  if (::fdatasync(file.get()) != 0) return file_error("sync", path_);
  return ok();
}

Result<std::string> Upload::digest() {
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) return file_error("look at", path_);
  if (static_cast<std::uint64_t>(info.st_size) != offset_) {
    return make_error(errc::damaged,
                      fmt::format("{} holds {} bytes where {} were received", path_, info.st_size, offset_.load()),
                      500);
  }
  return hash_.digest();
}

}  // namespace kaapi::registry
