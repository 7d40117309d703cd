#include "actions/runs/job_logs.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/file_descriptor.h"

namespace kaapi::actions::runs {

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
