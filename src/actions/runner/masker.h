#pragma once
// Keeps secrets out of logs: every occurrence of a masked value becomes ***, however the text is cut into pieces.

#include <array>
#include <bitset>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace kaapi::actions::runner {

inline constexpr std::size_t max_mask_bytes = 64UL * 1024;         // of one value; longer ones are masked line by line
inline constexpr std::size_t max_masks_bytes = 8UL * 1024 * 1024;  // of all that is searched for
// Lines of a value with several, and base64 forms, are only searched for from this length on: "}" is no secret.
inline constexpr std::size_t min_derived_mask_bytes = 3;

// The values to hide. A value is hidden as it is, line by line, in base64 (standard and URL-safe, at each of the three
// offsets it can have in a longer text, also wrapped at 64 or 76 columns), and as JSON and URLs write it. One thread.
class Masks {
 public:
  // False when there is no room for it any more: what is said then cannot be shown safely.
  bool add(std::string_view value);
  std::string mask(std::string_view text) const;

  std::size_t longest() const { return longest_; }
  // The length of the longest needle that stands at `text[at]`; 0: none.
  std::size_t match(std::string_view text, std::size_t at) const;

 private:
  void add_needle(std::string_view needle);

  std::set<std::string, std::less<>> needles_;
  std::array<std::vector<std::string_view>, 256> by_first_;  // into needles_, longest first
  std::bitset<65536> pairs_;                                 // first two bytes of some needle
  std::bitset<256> singles_;                                 // needles of one byte
  std::size_t longest_ = 0;
  std::size_t bytes_ = 0;
};

// One text that comes in pieces: what comes out is the same wherever they were cut. Holds back as many bytes as the
// longest needle has. `masks` must outlive it. One thread.
class MaskStream {
 public:
  explicit MaskStream(const Masks& masks) : masks_(masks) {}
  void write(std::string_view bytes, std::string& out);
  void finish(std::string& out);  // the text is over; another may begin

 private:
  void drain(std::size_t end, std::string& out);

  const Masks& masks_;
  std::string pending_;
  std::size_t covered_ = 0;  // bytes at the beginning of pending_ that a needle covers
  bool in_mask_ = false;
};

}  // namespace kaapi::actions::runner
