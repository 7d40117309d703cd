#include "actions/runner/job_log.h"

#include <fmt/format.h>

namespace kaapi::actions::runner {

void JobLog::line(std::string_view text) {
  while (true) {
    const std::size_t end = text.find('\n');
    std::string_view one = text.substr(0, end);
    if (one.ends_with('\r')) one.remove_suffix(1);
    masked_line(masks_.mask(one));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

void JobLog::masked_line(std::string_view text) {
  const std::string time = format_time(clock_.now());
  std::string out;
  do {
    const std::string_view piece = text.substr(0, max_log_line_bytes);
    text.remove_prefix(piece.size());
    out.append(time).append(" ").append(piece).append("\n");
  } while (!text.empty());
  sink_.append(out);
}

void JobLog::tagged(std::string_view tag, std::string_view text) {
  line(fmt::format("{}{}", tag, text));
}

}  // namespace kaapi::actions::runner
