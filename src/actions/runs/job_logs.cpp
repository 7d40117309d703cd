#include "actions/runs/job_logs.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/file_descriptor.h"

namespace kaapi::actions::runs {

namespace {

// How many bytes of a whole character stand at the beginning; 0: none (RFC 3629).
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  }
  const unsigned char second = byte(1);
  // Longer than needed, surrogates, beyond U+10FFFF.
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  return length;
}

}  // namespace

std::string as_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = character_length(bytes);
    text += length == 0 ? std::string_view("\xEF\xBF\xBD") : bytes.substr(0, length);
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

std::string JobLogs::path(std::int64_t run_id, std::int64_t job_id) const {
  return fmt::format("{}/{}/{}.log", folder_, run_id, job_id);
}

Result<std::int64_t> JobLogs::append(std::int64_t run_id, std::int64_t job_id, std::int64_t offset,
                                     std::string_view text) {
  const std::lock_guard lock(locks_[static_cast<std::size_t>(job_id) % locks_.size()]);
  const std::string file = path(run_id, job_id);
  std::error_code failed;
  std::filesystem::create_directories(fmt::format("{}/{}", folder_, run_id), failed);
  const FileDescriptor log(::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!log) return file_error("write", file);
  struct ::stat info {};
  if (::fstat(log.get(), &info) != 0) return file_error("read", file);
  std::int64_t size = info.st_size;
  if (size >= max_job_log_bytes) return offset + static_cast<std::int64_t>(text.size());
  if (offset > size) return size;
  const std::int64_t known = std::min(size - offset, static_cast<std::int64_t>(text.size()));
  text.remove_prefix(static_cast<std::size_t>(known));
  while (!text.empty()) {
    const ssize_t written = ::pwrite(log.get(), text.data(), text.size(), size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return file_error("write", file);
    size += written;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return size;
}

std::int64_t JobLogs::size(std::int64_t run_id, std::int64_t job_id) const {
  struct ::stat info {};
  return ::stat(path(run_id, job_id).c_str(), &info) == 0 ? info.st_size : 0;
}

Result<std::string> JobLogs::read(std::int64_t run_id, std::int64_t job_id, std::int64_t offset,
                                  std::int64_t max_bytes) const {
  const std::string file = path(run_id, job_id);
  const FileDescriptor log(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!log) {
    if (errno == ENOENT) return std::string();
    return file_error("read", file);
  }
  std::string text(static_cast<std::size_t>(std::clamp<std::int64_t>(max_bytes, 0, max_log_read_bytes)), '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got =
        ::pread(log.get(), text.data() + filled, text.size() - filled, offset + static_cast<std::int64_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("read", file);
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  text.resize(filled);
  return text;
}

Result<void> JobLogs::remove(std::int64_t run_id) {
  std::error_code failed;
  const std::string folder = fmt::format("{}/{}", folder_, run_id);
  std::filesystem::remove_all(folder, failed);
  if (failed) return make_error(errc::unavailable, fmt::format("cannot remove {}: {}", folder, failed.message()));
  return ok();
}

}  // namespace kaapi::actions::runs
