#pragma once
// GitHub's filter patterns for branches, tags and paths ("Filter pattern cheat sheet"): * matches within a path
// component, ** everywhere; ? makes what stands before it optional, + repeats it; [] is a set; a leading ! takes back.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace kaapi::actions::workflow {

inline constexpr std::size_t max_pattern_bytes = 1'024;
inline constexpr std::size_t max_patterns = 1'000;  // of one list
// All patterns of one list together: each is compared with every changed file.
inline constexpr std::size_t max_pattern_list_bytes = 16UL * 1024;

// One pattern, prepared. Matching takes time proportional to the pattern's length times the text's, whatever they hold.
// Immutable; thread-safe.
class Glob {
 public:
  // Errors: `Invalid` with what is wrong.
  static Result<Glob> prepare(std::string_view pattern);
  // A pattern of deployment branches and tags, which GitHub reads in another way ("Managing environments for
  // deployment"): Ruby's File.fnmatch with FNM_PATHNAME. * and ? stand for bytes of one component, **/ for any
  // components, [] for one of a set, [!] or [^] for one outside of it; \ takes the next character as it is. Nothing is
  // negated. Errors: `Invalid`.
  static Result<Glob> prepare_fnmatch(std::string_view pattern);

  bool negated() const { return negated_; }
  const std::string& text() const { return text_; }  // as written
  // Whether the whole text matches; the negation is not applied.
  bool matches(std::string_view text) const;

 private:
  // directories: takes nothing itself; the two elements behind it, any bytes and a slash, may be left out together.
  enum class Repeat { once, optional, one_or_more, any, directories };
  struct Element {
    bool any = false;        // any byte
    bool any_slash = false;  // and also '/'
    // Otherwise: a set of bytes, as ranges.
    std::vector<std::pair<unsigned char, unsigned char>> ranges;
    Repeat repeat = Repeat::once;
    bool takes(char c) const;
  };

  // **/
  void add_directories();
  // Marks the place, and those behind it that can be reached without a byte.
  void reach(std::vector<std::uint8_t>& places, std::size_t place) const;

  std::string text_;
  bool negated_ = false;
  std::vector<Element> elements_;
};

// Patterns in order. A text matches when the last pattern that matches it is not negated.
struct PatternList {
  std::vector<Glob> patterns;
  bool matches(std::string_view text) const;
};

}  // namespace kaapi::actions::workflow
