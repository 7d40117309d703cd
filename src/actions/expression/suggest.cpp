#include "actions/expression/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/text.h"

namespace kaapi::actions::expression {
namespace {

// Longer names are no misspelling of ours.
constexpr std::size_t max_name_bytes = 64;

// Letters to change, add, drop or swap with their neighbour to come from one text to the other.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), 0UL);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] == b[j - 1] ? 0UL : 1UL)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) next[j] = std::min(next[j], before[j - 2] + 1);
    }
    std::swap(before, row);
    std::swap(row, next);
  }
  return row[b.size()];
}

}  // namespace

std::string did_you_mean(std::string_view written, std::span<const std::string_view> known) {
  if (written.empty() || written.size() > max_name_bytes) return {};
  const std::string small = lower(written);
  std::string_view best;
  std::size_t best_distance = 1 + std::max<std::size_t>(1, written.size() / 3);
  for (const std::string_view name : known) {
    const std::size_t d = distance(small, lower(name));
    if (d < best_distance) {
      best_distance = d;
      best = name;
    }
  }
  return best.empty() ? std::string() : fmt::format(" (did you mean \"{}\"?)", best);
}

}  // namespace kaapi::actions::expression
