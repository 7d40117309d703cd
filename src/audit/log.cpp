#include "audit/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "audit/record.h"
#include "base/log.h"

namespace kaapi::audit {
namespace {

// A bijection of 64 bits that looks random (splitmix64, Steele et al. 2014).
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

constexpr std::uint64_t golden_ratio = 0x9E3779B97F4A7C15U;

FileDescriptor open_for_append(const std::string& path, int how) {
  return FileDescriptor(::open(path.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | how, 0600));
}

// So many that one more fits beside them. A file that cannot be removed is told of and left.
void remove_oldest(const std::string& folder, std::vector<std::uint64_t> numbers, std::size_t kept) {
  const std::size_t surplus = numbers.size() - std::min(numbers.size(), kept);
  for (std::size_t i = 0; i < surplus; ++i) {
    const std::string path = file_path(folder, numbers[i]);
    if (::unlink(path.c_str()) != 0) log::warn("audit", "{}", file_error("remove", path).message);
  }
}

}  // namespace

Log::Log(LogConfig config, const Clock& clock, IdSource& ids)
    : config_(std::move(config)), clock_(clock), id_seed_{ids.next(), ids.next()} {}

Log::~Log() = default;

Result<std::unique_ptr<Log>> Log::open(LogConfig config, const Clock& clock, IdSource& ids) {
  if (config.max_files < 2 || config.max_file_bytes < max_line_bytes) {
    return make_error(errc::invalid,
                      fmt::format("the audit log needs room for 2 files of {} bytes at least", max_line_bytes));
  }
  if (::mkdir(config.folder.c_str(), 0700) != 0 && errno != EEXIST) return file_error("make", config.folder);
  std::unique_ptr<Log> log(new Log(std::move(config), clock, ids));
  if (const Result<void> opened = log->open_newest(); !opened) return opened.error();
  return log;
}

Result<void> Log::open_newest() {
  const Result<std::vector<std::uint64_t>> numbers = file_numbers(config_.folder);
  if (!numbers) return numbers.error();
  remove_oldest(config_.folder, *numbers, config_.max_files);
  number_ = numbers->empty() ? 1 : numbers->back();
  const std::string path = file_path(config_.folder, number_);
  file_ = open_for_append(path, O_CREAT);
  struct stat status {};
  if (!file_ || ::fstat(file_.get(), &status) != 0) return file_error("open", path);
  size_ = static_cast<std::uint64_t>(status.st_size);
  char last = '\n';
  if (size_ > 0 && ::pread(file_.get(), &last, 1, status.st_size - 1) != 1) return file_error("read", path);
  torn_ = last != '\n';
  return ok();
}

// A UUID that no other event has: two counters behind two random numbers of this process.
std::string Log::next_event_id() {
  const std::uint64_t step = golden_ratio * next_id_.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t high = mixed(id_seed_[0] + step);
  const std::uint64_t low = mixed(id_seed_[1] + step);
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:x}{:03x}-{:012x}", high >> 32U, (high >> 16U) & 0xffffU, high & 0xfffU,
                     8U + (low >> 62U), (low >> 48U) & 0xfffU, low & 0xffffffffffffU);
}

void Log::record(const aws::CallRecord& record) {
  const Time now = clock_.now();
  try {
    const std::string line = to_line(record, next_event_id(), config_.account_id, now);
    const std::lock_guard lock(mutex_);
    if (const Result<void> written = append(line); !written) {
      note_loss(written.error(), now);
    } else {
      ++counters_.recorded;
    }
  } catch (const std::exception& failure) {
    const std::lock_guard lock(mutex_);
    note_loss(internal_error(failure.what()), now);
  }
}

Result<void> Log::append(std::string_view text) {
  std::string before = torn_ ? "\n" : "";
  if (gap_ > 0) {
    before += to_gap_line(gap_, gap_since_, gap_reason_, next_event_id(), config_.account_id, clock_.now());
  }
  if (size_ > 0 && size_ + before.size() + text.size() > config_.max_file_bytes) {
    if (const Result<void> rotated = rotate(); !rotated) return rotated.error();
    if (before.starts_with('\n')) before.erase(0, 1);
  }
  const Result<void> written = write_whole(before.empty() ? text : std::string_view(before.append(text)));
  if (written && gap_ > 0) note_recovery();
  return written;
}

Result<void> Log::rotate() {
  const Result<std::vector<std::uint64_t>> numbers = file_numbers(config_.folder);
  if (!numbers) return numbers.error();
  remove_oldest(config_.folder, *numbers, config_.max_files - 1);
  const std::string path = file_path(config_.folder, number_ + 1);
  FileDescriptor next = open_for_append(path, O_CREAT | O_EXCL);
  if (!next) return file_error("make", path);
  file_ = std::move(next);
  ++number_;
  size_ = 0;
  torn_ = false;
  return ok();
}

// All of it or nothing.
Result<void> Log::write_whole(std::string_view text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::write(file_.get(), text.data() + done, text.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      const Error error = file_error("write", file_path(config_.folder, number_));
      // A part of a record is none: taken back, or left as a line of its own when even that fails.
      if (done > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
        size_ += done;
        torn_ = true;
      }
      return error;
    }
    done += static_cast<std::size_t>(count);
  }
  size_ += done;
  torn_ = false;
  return ok();
}

void Log::note_loss(const Error& why, Time now) {
  ++counters_.lost;
  if (gap_++ > 0) return;
  gap_since_ = now;
  gap_reason_ = why.message;
  log::error("audit",
             "calls are answered but not recorded: {}; make room or right the folder, and recording goes on by itself",
             why.message);
}

void Log::note_recovery() {
  log::warn("audit", "calls are recorded again; {} since {} are missing", gap_, format_time(gap_since_));
  gap_ = 0;
}

LogCounters Log::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

std::string Log::metrics() const {
  const LogCounters now = counters();
  return fmt::format(
      "# HELP kaapi_audit_records_total Calls written to the audit log.\n"
      "# TYPE kaapi_audit_records_total counter\n"
      "kaapi_audit_records_total {}\n"
      "# HELP kaapi_audit_lost_total Calls that were answered and could not be written to the audit log.\n"
      "# TYPE kaapi_audit_lost_total counter\n"
      "kaapi_audit_lost_total {}\n",
      now.recorded, now.lost);
}

}  // namespace kaapi::audit
