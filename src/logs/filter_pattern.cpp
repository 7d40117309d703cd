#include "logs/filter_pattern.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "logs/errors.h"

namespace kaapi::logs {
namespace {

struct Term {
  char sign = ' ';  // ' ', '-' or '?'
  std::string text;
};

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

Error bad_pattern(std::string_view why) {
  return invalid_parameter(fmt::format("Invalid filter pattern: {}", why));
}

// Reads what follows the opening quote at `at`; a backslash keeps the next quote or backslash. Leaves `at` behind the
// closing quote.
Result<std::string> read_phrase(std::string_view text, std::size_t& at) {
  std::string phrase;
  for (++at; at < text.size(); ++at) {
    if (text[at] == '"') {
      ++at;
      return phrase;
    }
    if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\')) ++at;
    phrase += text[at];
  }
  return bad_pattern("a quoted phrase is not closed");
}

Result<Term> read_term(std::string_view text, std::size_t& at) {
  Term term;
  if (text[at] == '-' || text[at] == '?') term.sign = text[at++];
  if (at < text.size() && text[at] == '"') {
    Result<std::string> phrase = read_phrase(text, at);
    if (!phrase) return phrase.error();
    term.text = std::move(*phrase);
    return term;
  }
  const std::size_t start = at;
  while (at < text.size() && !is_space(text[at]) && text[at] != '"') ++at;
  term.text = text.substr(start, at - start);
  if (term.text.empty()) return bad_pattern(fmt::format("'{}' stands without a term", term.sign));
  return term;
}

bool contains(std::string_view message, const std::string& part) {
  return message.find(part) != std::string_view::npos;
}

}  // namespace

Result<FilterPattern> FilterPattern::parse(std::string_view text) {
  if (text.size() > max_filter_pattern_bytes) {
    return bad_pattern(
        fmt::format("it has {} bytes, and at most {} are allowed", text.size(), max_filter_pattern_bytes));
  }
  const std::string_view trimmed = trim(text);
  if (trimmed.starts_with('{') || trimmed.starts_with('[') || trimmed.starts_with('%')) {
    return bad_pattern(
        "JSON, space-delimited and regular expression patterns are not supported here; use text terms such as: ERROR "
        "\"not found\" "
        "-debug");
  }
  FilterPattern pattern;
  std::vector<std::string> any;
  for (std::size_t at = 0; at < trimmed.size();) {
    if (is_space(trimmed[at])) {
      ++at;
      continue;
    }
    Result<Term> term = read_term(trimmed, at);
    if (!term) return term.error();
    if (term->text.empty()) continue;  // "" matches everything
    std::vector<std::string>& list = term->sign == '-' ? pattern.none_ : term->sign == '?' ? any : pattern.all_;
    list.push_back(std::move(term->text));
  }
  // The guide: '?' beside terms of other kinds is ignored, and the term is required.
  const bool alone = pattern.all_.empty() && pattern.none_.empty();
  std::vector<std::string>& target = alone ? pattern.any_ : pattern.all_;
  target.insert(target.end(), any.begin(), any.end());
  return pattern;
}

bool FilterPattern::matches(std::string_view message) const {
  const auto occurs = [&](const std::string& part) { return contains(message, part); };
  return std::all_of(all_.begin(), all_.end(), occurs) && std::none_of(none_.begin(), none_.end(), occurs) &&
         (any_.empty() || std::any_of(any_.begin(), any_.end(), occurs));
}

}  // namespace kaapi::logs
