#include "actions/runs/job_logs.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "base/file_descriptor.h"

namespace kaapi::actions::runs {
namespace {

// What a byte says of how long its character is; 0: it begins none.
std::size_t length_from(unsigned char first) {
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first < 0xE0) return 2;
  if (first >= 0xE0 && first < 0xF0) return 3;
  return first >= 0xF0 && first < 0xF5 ? 4 : 0;
}

bool write_all(int descriptor, std::string_view text, std::int64_t at) {
  while (!text.empty()) {
    const ssize_t written = ::pwrite(descriptor, text.data(), text.size(), at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    at += written;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

}  // namespace

std::size_t whole_characters(std::string_view text) {
  constexpr std::size_t longest = 4;
  for (std::size_t back = 1; back <= std::min(longest, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte >= 0x80 && byte < 0xC0) continue;
    return length_from(byte) > back ? text.size() - back : text.size();
  }
  return text.size();
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
  const std::int64_t size = info.st_size;
  const std::int64_t end = offset + static_cast<std::int64_t>(text.size());
  if (size >= max_bytes_) return end;
  if (offset > size) return size;
  const std::int64_t known = std::min(size - offset, static_cast<std::int64_t>(text.size()));
  text.remove_prefix(static_cast<std::size_t>(known));
  // Whoever sends on is to believe that it is here, and whoever reads is told once that it is not.
  const std::string last = fmt::format("\n[the log ends here: it has more than {} bytes]\n", max_bytes_);
  const auto room =
      static_cast<std::size_t>(std::max<std::int64_t>(0, max_bytes_ - static_cast<std::int64_t>(last.size()) - size));
  const bool full = text.size() > room;
  const std::string kept = full ? std::string(text.substr(0, room)) + last : std::string(text);
  if (!write_all(log.get(), kept, size)) return file_error("write", file);
  return std::max(end, size);
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
