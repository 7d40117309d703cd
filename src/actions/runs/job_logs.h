#pragma once
// The logs of jobs: files DATA/runs/RUN/JOB.log. What is answered has left the program by write(2), so it survives its
// death, if not the machine's.

#include <array>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi::actions::runs {

inline constexpr std::int64_t max_job_log_bytes = 256LL * 1024 * 1024;  // its last line then says so
inline constexpr std::int64_t max_log_read_bytes = 1024LL * 1024;

// How much of a text that goes on elsewhere consists of whole characters of UTF-8; what is none counts as it stands.
std::size_t whole_characters(std::string_view text);

// Thread-safe.
class JobLogs {
 public:
  explicit JobLogs(std::string folder, std::int64_t max_bytes = max_job_log_bytes)
      : folder_(std::move(folder)), max_bytes_(max_bytes) {}

  // Puts `text` at byte `offset`; what is there already is skipped. The answer is the log's size then: below `offset`
  // when there is a gap before the text, and nothing was written. Error: `Unavailable`.
  Result<std::int64_t> append(std::int64_t run_id, std::int64_t job_id, std::int64_t offset, std::string_view text);
  // 0 when there is none.
  std::int64_t size(std::int64_t run_id, std::int64_t job_id) const;
  // At most max_bytes (up to max_log_read_bytes) from `offset`; fewer at the end. Error: `Unavailable`.
  Result<std::string> read(std::int64_t run_id, std::int64_t job_id, std::int64_t offset, std::int64_t max_bytes) const;
  // All logs of a run.
  Result<void> remove(std::int64_t run_id);

 private:
  std::string path(std::int64_t run_id, std::int64_t job_id) const;

  std::string folder_;
  std::int64_t max_bytes_;            // of one log
  std::array<std::mutex, 16> locks_;  // one job's appends come one after the other
};

}  // namespace kaapi::actions::runs
