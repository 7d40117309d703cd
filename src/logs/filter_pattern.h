#pragma once
// CloudWatch's filter patterns for unstructured text ("Filter pattern syntax" in its user guide): terms that all must
// occur, -terms that must not, ?terms of which one must occur, "phrases" in quotes. Matching is by substring and minds
// case.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace kaapi::logs {

inline constexpr std::size_t max_filter_pattern_bytes = 1024;

// A value; matches() is thread-safe.
class FilterPattern {
 public:
  // Matches everything.
  FilterPattern() = default;

  // Error `InvalidParameterException`: an open quote, a sign without a term, a pattern that is too long, or one of the
  // kinds that are not served (JSON "{ $.x = 1 }", space-delimited "[a, b]", regular expressions "%x%").
  static Result<FilterPattern> parse(std::string_view text);

  bool matches(std::string_view message) const;
  bool matches_everything() const { return all_.empty() && any_.empty() && none_.empty(); }

 private:
  std::vector<std::string> all_;
  std::vector<std::string> any_;
  std::vector<std::string> none_;
};

}  // namespace kaapi::logs
