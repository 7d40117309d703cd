#include "actions/workflow/fault.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kaapi::actions::workflow {

void Faults::add(Position position, std::string message) {
  if (!full()) faults_.push_back({position, std::move(message)});
}

std::vector<Fault> Faults::take() {
  std::stable_sort(faults_.begin(), faults_.end(),
                   [](const Fault& a, const Fault& b) { return a.position < b.position; });
  return std::exchange(faults_, {});
}

std::string format_fault(std::string_view file, const Fault& fault) {
  return fmt::format("{}:{}:{}: {}", file, fault.position.line, fault.position.column, fault.message);
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, max_quoted_bytes)) {
    // Control characters would let a file write to the terminal that shows the fault.
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += ' ';
    } else {
      out += c;
    }
  }
  out += text.size() > max_quoted_bytes ? "...\"" : "\"";
  return out;
}

}  // namespace kaapi::actions::workflow
