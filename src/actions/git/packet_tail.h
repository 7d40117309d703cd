#pragma once
// The end of git-receive-pack's answer to a push (gitprotocol-pack(5), "report-status", "side-band-64k"). Pure.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace kaapi::actions::git {

// Of a report that is held back: of 1,000 refs with their options. One that is longer passes unchanged.
inline constexpr std::size_t max_report_bytes = 2UL * 1024 * 1024;

// A ref whose run ended badly; `why` is what the pushing terminal is told.
struct RefFailure {
  std::string ref, why;
};

// Follows the answer's packets ("0009\2hello", "0000"). What is for people (band 2) passes at once; git's report of the
// refs (band 1, or all of it where there are no bands) is kept until the end, because git writes it before its
// post-receive hook has waited for anything. What is not in packets passes unchanged.
class PacketTail {
 public:
  // What may be sent on now.
  std::string pass(std::string_view bytes);
  // What is left at the end. In the report "ok REF" of a failure is "ng REF pushed, but WHY", which makes git push end
  // with a failure. Without a report of any of them there is the sideband's error packet instead.
  std::string finish(const std::vector<RefFailure>& failures);

 private:
  void begin_packet(std::string& out);
  // False: not a whole length yet.
  bool read_length(std::string_view& bytes, std::string& out);
  void read_content(std::string_view& bytes, std::string& out);
  // The report as packets.
  std::string take_report();

  enum class Place { length, begin, passing, report };
  Place place_ = Place::length;
  std::string held_;      // a flush, or the beginning of a packet's length
  std::size_t left_ = 0;  // of the packet
  std::string report_;
  bool plain_ = false;   // the report is in no band
  bool broken_ = false;  // no packets, or too long a report
};

}  // namespace kaapi::actions::git
