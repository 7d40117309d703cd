#pragma once
// The audit log: every call is one line in a file before it is answered.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "audit/files.h"
#include "aws/dispatch.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file_descriptor.h"
#include "base/ids.h"

namespace kaapi::audit {

struct LogConfig {
  std::string folder;      // DATA/audit: made when missing, mode 0700
  std::string account_id;  // of calls whose caller is not known
  // The log takes max_files * max_file_bytes at most. Then the oldest file goes.
  std::uint64_t max_file_bytes = 16UL * 1024 * 1024;  // at least max_line_bytes
  std::size_t max_files = 16;                         // at least 2
};

// Counters since the start.
struct LogCounters {
  std::uint64_t recorded = 0;
  std::uint64_t lost = 0;  // could not be written: disk full, say
};

// Append-only: what was written is never changed, only the oldest file as a whole is removed. Each record is one
// write(2) and so outlives the process from then on; it is not synced, so a power cut may take the last seconds
// (docs/decisions/0009-audit-log-in-files.md).
// A record that cannot be written is lost: the call goes on. It is counted, told once in the program's log, and the
// first record that can be written again has a line before it that tells how many are missing.
// Thread-safe. `clock` must outlive it. One process writes to a folder: the data directory's lock sees to that.
class Log final : public aws::AuditSink {
 public:
  // Continues the newest file; a line that a crash cut off stays as it is and the next record begins a new line. Quick,
  // whatever the size of the log. Errors: one line for a person.
  static Result<std::unique_ptr<Log>> open(LogConfig config, const Clock& clock, IdSource& ids);
  ~Log() override;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // For calls of AWS's APIs and whatever else has a caller and a decision (a push to /v2/): `service` and `operation`
  // name what was done, `context` who did it. Never throws and never waits for anything but the file.
  void record(const aws::CallRecord& record) override;

  const std::string& folder() const { return config_.folder; }
  LogCounters counters() const;
  // Prometheus text: kaapi_audit_records_total and kaapi_audit_lost_total.
  std::string metrics() const;

 private:
  Log(LogConfig config, const Clock& clock, IdSource& ids);
  std::string next_event_id();
  Result<void> open_newest();
  // With the lock held.
  Result<void> append(std::string_view text);
  Result<void> rotate();
  Result<void> write_whole(std::string_view text);
  void note_loss(const Error& why, Time now);
  void note_recovery();

  const LogConfig config_;
  const Clock& clock_;
  const std::array<std::uint64_t, 2> id_seed_;
  std::atomic<std::uint64_t> next_id_{0};

  mutable std::mutex mutex_;
  FileDescriptor file_{-1};
  std::uint64_t number_ = 0;  // of file_
  std::uint64_t size_ = 0;    // of file_, bytes
  bool torn_ = false;         // the file does not end with a newline
  LogCounters counters_;
  std::uint64_t gap_ = 0;  // records lost since the last one that was written
  Time gap_since_{};
  std::string gap_reason_;
};

}  // namespace kaapi::audit
