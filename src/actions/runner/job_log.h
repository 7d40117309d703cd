#pragma once
// The log of a job as people read it: lines with their time, secrets masked.

#include <string>
#include <string_view>

#include "actions/runner/channel.h"
#include "actions/runner/masker.h"
#include "base/clock.h"

namespace kaapi::actions::runner {

inline constexpr std::size_t max_log_line_bytes = 64UL * 1024;  // longer ones are continued on the next line

// One thread.
class JobLog {
 public:
  JobLog(LogSink& sink, const Masks& masks) : sink_(sink), masks_(masks) {}

  // One line, or several with line breaks in between.
  void line(std::string_view text);
  // A piece of a line that has been masked already.
  void masked_line(std::string_view text);
  void error(std::string_view text) { tagged("##[error]", text); }
  void warning(std::string_view text) { tagged("##[warning]", text); }

  std::int64_t size() const { return sink_.size(); }

 private:
  void tagged(std::string_view tag, std::string_view text);

  LogSink& sink_;
  const Masks& masks_;
  SystemClock clock_;
};

}  // namespace kaapi::actions::runner
