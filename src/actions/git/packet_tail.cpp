#include "actions/git/packet_tail.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <utility>

#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::size_t length_digits = 4;
constexpr std::string_view flush = "0000";
// Fits in the packets of the oldest sideband, which end at 1,000 bytes.
constexpr std::size_t max_packet_text = 900;
constexpr char report_band = 1, people_band = 2, error_band = 3;

// nullopt: no number.
std::optional<std::size_t> packet_length(std::string_view digits) {
  std::size_t length = 0;
  for (const char c : digits) {
    const std::size_t value = std::string_view("0123456789abcdef").find(static_cast<char>(std::tolower(c)));
    if (value == std::string_view::npos) return std::nullopt;
    length = length * 16 + value;
  }
  return length;
}

std::string packet(std::string_view content) {
  return fmt::format("{:04x}{}", length_digits + content.size(), content);
}

std::string shortened(std::string text, std::size_t max_bytes) {
  return text.size() > max_bytes ? as_utf8(std::string_view(text).substr(0, max_bytes)) : text;
}

const RefFailure* failure_of(const std::vector<RefFailure>& failures, std::string_view ref) {
  const auto found =
      std::find_if(failures.begin(), failures.end(), [&](const RefFailure& one) { return one.ref == ref; });
  return found == failures.end() ? nullptr : &*found;
}

// The report with those that failed; nullopt: it holds none of them as updated.
std::optional<std::string> with_failures(std::string_view report, const std::vector<RefFailure>& failures) {
  std::string out;
  bool any = false;
  bool dropping = false;  // options of a ref that failed: they belong to "ok" only
  while (report.size() >= length_digits) {
    const std::optional<std::size_t> length = packet_length(report.substr(0, length_digits));
    if (!length || (*length != 0 && *length < length_digits) || *length > report.size()) return std::nullopt;
    const std::string_view whole = report.substr(0, std::max(*length, length_digits));
    const std::string_view line = trim(whole.substr(length_digits));
    report.remove_prefix(whole.size());
    if (dropping && line.starts_with("option ")) continue;
    const RefFailure* failed = line.starts_with("ok ") ? failure_of(failures, line.substr(3)) : nullptr;
    dropping = failed != nullptr;
    any = any || dropping;
    out += failed == nullptr
               ? std::string(whole)
               : packet(fmt::format("ng {} pushed, but {}\n", failed->ref, shortened(failed->why, max_packet_text)));
  }
  return any && report.empty() ? std::optional(std::move(out)) : std::nullopt;
}

std::string in_words(const std::vector<RefFailure>& failures) {
  std::string out;
  for (const RefFailure& one : failures) {
    if (out.size() > max_packet_text) break;
    if (out.find(one.why) == std::string::npos) out += (out.empty() ? "" : "; ") + one.why;
  }
  return shortened(std::move(out), max_packet_text) + "; the push itself is done";
}

}  // namespace

std::string PacketTail::pass(std::string_view bytes) {
  std::string out;
  while (!bytes.empty() && !broken_) {
    if (place_ == Place::length) {
      if (!read_length(bytes, out)) break;
    } else {
      read_content(bytes, out);
    }
  }
  return broken_ ? out + std::string(bytes) : out;
}

bool PacketTail::read_length(std::string_view& bytes, std::string& out) {
  if (held_ == flush) {  // it was not the last one
    out += take_report();
    out += std::exchange(held_, {});
  }
  const std::size_t count = std::min(length_digits - held_.size(), bytes.size());
  held_ += bytes.substr(0, count);
  bytes.remove_prefix(count);
  if (held_.size() < length_digits) return false;
  const std::optional<std::size_t> length = packet_length(held_);
  if (length == 0U) return true;
  if (!length || *length < length_digits) {
    broken_ = true;
    out += take_report();
    out += std::exchange(held_, {});
    return true;
  }
  left_ = *length - length_digits;
  if (left_ > 0) {
    place_ = Place::begin;
  } else {
    out += std::exchange(held_, {});
  }
  return true;
}

void PacketTail::read_content(std::string_view& bytes, std::string& out) {
  if (place_ == Place::begin) {
    place_ = bytes.front() == people_band || bytes.front() == error_band ? Place::passing : Place::report;
    plain_ = place_ == Place::report && bytes.front() != report_band;
    if (place_ == Place::passing || plain_) {
      (plain_ ? report_ : out) += held_;
    } else {
      bytes.remove_prefix(1);
      --left_;
      // A packet without content keeps the connection alive while hooks run.
      if (place_ == Place::report && left_ == 0) out += held_ + report_band;
    }
    held_.clear();
  }
  const std::size_t count = std::min(left_, bytes.size());
  (place_ == Place::passing ? out : report_) += bytes.substr(0, count);
  bytes.remove_prefix(count);
  left_ -= count;
  if (left_ == 0) place_ = Place::length;
  if (report_.size() > max_report_bytes && left_ == 0) {
    broken_ = true;
    out += take_report();
  }
}

std::string PacketTail::take_report() {
  const std::string report = std::exchange(report_, {});
  if (plain_) return report;
  std::string out;
  for (std::size_t at = 0; at < report.size(); at += max_packet_text) {
    out += packet(report_band + report.substr(at, max_packet_text));
  }
  return out;
}

std::string PacketTail::finish(const std::vector<RefFailure>& failures) {
  std::string error;
  // An answer without its end is none to change.
  if (!failures.empty() && held_ == flush) {
    if (std::optional<std::string> changed = with_failures(report_, failures)) {
      report_ = std::move(*changed);
    } else if (!plain_) {
      error = packet(error_band + in_words(failures) + "\n");
    }
  }
  return take_report() + error + std::exchange(held_, {});
}

}  // namespace kaapi::actions::git
