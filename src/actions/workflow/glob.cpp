#include "actions/workflow/glob.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <cstdint>

namespace kaapi::actions::workflow {
namespace {

Error invalid(std::string message) {
  return make_error(errc::invalid, std::move(message));
}

// Reads the set behind '[' into ranges; tells where the pattern goes on.
Result<std::size_t> read_set(std::string_view pattern, std::size_t at,
                             std::vector<std::pair<unsigned char, unsigned char>>& ranges) {
  const std::size_t end = pattern.find(']', at);
  if (end == std::string_view::npos) return invalid("[ is not closed: expected a set such as [0-9]");
  if (end == at) return invalid("[] is empty: expected a set such as [0-9]");
  while (at < end) {
    const auto first = static_cast<unsigned char>(pattern[at]);
    auto last = first;
    if (at + 2 < end && pattern[at + 1] == '-') {
      last = static_cast<unsigned char>(pattern[at + 2]);
      at += 2;
    }
    if (last < first) return invalid(fmt::format("the range {}-{} is empty", char(first), char(last)));
    ranges.emplace_back(first, last);
    ++at;
  }
  return end + 1;
}

// The same without '/', and with `negated` all others: as fnmatch's sets are.
std::vector<std::pair<unsigned char, unsigned char>> in_one_component(
    const std::vector<std::pair<unsigned char, unsigned char>>& ranges, bool negated) {
  std::bitset<256> taken;
  for (const auto& [first, last] : ranges) {
    for (unsigned byte = first; byte <= last; ++byte) taken.set(byte);
  }
  if (negated) taken.flip();
  taken.reset('/');
  std::vector<std::pair<unsigned char, unsigned char>> out;
  for (unsigned byte = 0; byte < taken.size(); ++byte) {
    if (!taken.test(byte)) continue;
    const auto one = static_cast<unsigned char>(byte);
    if (!out.empty() && out.back().second + 1U == byte) {
      out.back().second = one;
    } else {
      out.emplace_back(one, one);
    }
  }
  return out;
}

Result<void> check_length(std::string_view pattern) {
  if (pattern.size() <= max_pattern_bytes) return ok();
  return invalid(fmt::format("a pattern has {} bytes: expected at most {}", pattern.size(), max_pattern_bytes));
}

}  // namespace

bool Glob::Element::takes(char c) const {
  if (any) return any_slash || c != '/';
  const auto byte = static_cast<unsigned char>(c);
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const auto& range) { return byte >= range.first && byte <= range.second; });
}

Result<Glob> Glob::prepare(std::string_view pattern) {
  if (const Result<void> fits = check_length(pattern); !fits) return fits.error();
  Glob glob;
  glob.text_ = pattern;
  if (pattern.starts_with('!')) {
    glob.negated_ = true;
    pattern.remove_prefix(1);
  }
  if (pattern.empty()) return invalid("a pattern is empty: expected a name, or ** for all");
  std::size_t at = 0;
  while (at < pattern.size()) {
    const char c = pattern[at];
    Element element;
    if (c == '*') {
      element.any = true;
      element.repeat = Repeat::any;
      element.any_slash = pattern.substr(at).starts_with("**");
      at += element.any_slash ? 2 : 1;
      // **/ also matches no directory at all: "**/a" matches "a".
      if (element.any_slash && at < pattern.size() && pattern[at] == '/' && (at == 2 || pattern[at - 3] == '/')) {
        glob.add_directories();
        ++at;
        continue;
      }
    } else if (c == '?' || c == '+') {
      if (glob.elements_.empty() || glob.elements_.back().repeat != Repeat::once) {
        return invalid(
            fmt::format("{} stands behind nothing that it could repeat; write \\{} for the character", c, c));
      }
      glob.elements_.back().repeat = c == '?' ? Repeat::optional : Repeat::one_or_more;
      ++at;
      continue;
    } else if (c == '[') {
      const Result<std::size_t> next = read_set(pattern, at + 1, element.ranges);
      if (!next) return next.error();
      at = *next;
    } else {
      if (c == '\\' && at + 1 < pattern.size()) ++at;
      const auto byte = static_cast<unsigned char>(pattern[at]);
      element.ranges = {{byte, byte}};
      ++at;
    }
    glob.elements_.push_back(std::move(element));
  }
  return glob;
}

Result<Glob> Glob::prepare_fnmatch(std::string_view pattern) {
  if (const Result<void> fits = check_length(pattern); !fits) return fits.error();
  if (pattern.empty()) return invalid("a pattern is empty: expected a name, or * for all of one component");
  Glob glob;
  glob.text_ = pattern;
  std::size_t at = 0;
  while (at < pattern.size()) {
    Element element;
    const char c = pattern[at];
    if (pattern.substr(at).starts_with("**/") && (at == 0 || pattern[at - 1] == '/')) {
      glob.add_directories();
      at += 3;
      continue;
    }
    if (c == '*') {
      element.any = true;
      element.repeat = Repeat::any;
      at = std::min(pattern.find_first_not_of('*', at), pattern.size());
    } else if (c == '?') {
      element.any = true;
      ++at;
    } else if (c == '[') {
      const bool negated = at + 1 < pattern.size() && (pattern[at + 1] == '!' || pattern[at + 1] == '^');
      const Result<std::size_t> next = read_set(pattern, at + (negated ? 2 : 1), element.ranges);
      if (!next) return next.error();
      element.ranges = in_one_component(element.ranges, negated);
      at = *next;
    } else {
      if (c == '\\' && at + 1 < pattern.size()) ++at;
      const auto byte = static_cast<unsigned char>(pattern[at]);
      element.ranges = {{byte, byte}};
      ++at;
    }
    glob.elements_.push_back(std::move(element));
  }
  return glob;
}

void Glob::add_directories() {
  Element group, any, slash;
  group.repeat = Repeat::directories;
  any.any = any.any_slash = true;
  any.repeat = Repeat::any;
  slash.ranges = {{'/', '/'}};
  elements_.insert(elements_.end(), {std::move(group), std::move(any), std::move(slash)});
}

void Glob::reach(std::vector<std::uint8_t>& places, std::size_t place) const {
  if (places[place] != 0) return;
  places[place] = 1;
  if (place == elements_.size()) return;
  const Repeat repeat = elements_[place].repeat;
  if (repeat == Repeat::optional || repeat == Repeat::any || repeat == Repeat::directories) reach(places, place + 1);
  if (repeat == Repeat::directories) reach(places, place + 3);
}

// All the places in the pattern that the text read so far can have reached, advanced byte by byte.
bool Glob::matches(std::string_view text) const {
  const std::size_t count = elements_.size();
  std::vector<std::uint8_t> now(count + 1), next(count + 1);
  reach(now, 0);
  for (const char c : text) {
    std::fill(next.begin(), next.end(), std::uint8_t{0});
    bool alive = false;
    for (std::size_t i = 0; i < count; ++i) {
      if (now[i] == 0 || !elements_[i].takes(c)) continue;
      alive = true;
      const Repeat repeat = elements_[i].repeat;
      if (repeat == Repeat::one_or_more || repeat == Repeat::any) reach(next, i);
      reach(next, i + 1);
    }
    if (!alive) return false;
    std::swap(now, next);
  }
  return now[count] != 0;
}

bool PatternList::matches(std::string_view text) const {
  for (auto pattern = patterns.rbegin(); pattern != patterns.rend(); ++pattern) {
    if (pattern->matches(text)) return !pattern->negated();
  }
  return false;
}

}  // namespace kaapi::actions::workflow
