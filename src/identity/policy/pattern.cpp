#include "identity/policy/pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace kaapi::identity::policy {
namespace {

constexpr std::size_t arn_parts = 6;

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

// The number of bytes of the character at `at`; a byte that is none of UTF-8 counts as one.
std::size_t character_bytes(std::string_view text, std::size_t at) {
  const auto first = static_cast<unsigned char>(text[at]);
  if (first < 0xC0U) return 1;
  const std::size_t wanted = first < 0xE0U ? 2 : first < 0xF0U ? 3 : 4;
  std::size_t bytes = 1;
  while (bytes < wanted && at + bytes < text.size() && is_continuation(text[at + bytes])) ++bytes;
  return bytes == wanted ? bytes : 1;
}

// The usual two-finger match: a later star makes it pointless to move an earlier one, so one way back is enough.
bool match_greedily(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_text = 0;
  while (t < text.size()) {
    const std::size_t bytes = character_bytes(text, t);
    const char c = p < pattern.size() ? pattern[p] : '\0';
    if (p < pattern.size() && c == any_run) {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (c == any_one || (c == any_one_in_segment && text[t] != ':'))) {
      t += bytes;
      ++p;
    } else if (p < pattern.size() && pattern.substr(p, bytes) == text.substr(t, bytes)) {
      p += bytes;
      t += bytes;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      star_text += character_bytes(text, star_text);
      t = star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == any_run) ++p;
  return p == pattern.size();
}

// Stars that stop at a colon break the argument above; here every place in the pattern that may be reached is followed.
bool match_by_states(std::string_view pattern, std::string_view text) {
  std::vector<char> now(pattern.size() + 1, 0);
  std::vector<char> next(pattern.size() + 1, 0);
  const auto skip_stars = [&](std::vector<char>& states) {
    for (std::size_t p = 0; p < pattern.size(); ++p) {
      if (states[p] != 0 && (pattern[p] == any_run || pattern[p] == any_run_in_segment)) states[p + 1] = 1;
    }
  };
  now[0] = 1;
  skip_stars(now);
  for (std::size_t t = 0; t < text.size();) {
    const std::size_t bytes = character_bytes(text, t);
    const std::string_view character = text.substr(t, bytes);
    std::fill(next.begin(), next.end(), 0);
    for (std::size_t p = 0; p < pattern.size(); ++p) {
      if (now[p] == 0) continue;
      const char c = pattern[p];
      if (c == any_run || (c == any_run_in_segment && character != ":")) next[p] = 1;
      if (c == any_one || (c == any_one_in_segment && character != ":")) next[p + 1] = 1;
      if (pattern.substr(p, bytes) == character) next[p + bytes] = 1;
    }
    skip_stars(next);
    now.swap(next);
    t += bytes;
  }
  return now[pattern.size()] != 0;
}

char prepared_wildcard(char c, bool in_segment) {
  if (c == '*') return in_segment ? any_run_in_segment : any_run;
  return in_segment ? any_one_in_segment : any_one;
}

// Turns the wildcards of a text into control characters, one piece after the other: the part of an ARN that we are in
// is carried over from piece to piece.
class Preparer {
 public:
  Preparer(Wildcards wildcards, bool whole_is_arn) : wildcards_(wildcards), arn_(whole_is_arn) {}

  // `last`: nothing follows this piece.
  std::string prepare(std::string_view text, bool last) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      if (c == ':') ++colons_;
      if (wildcards_ == Wildcards::none || (c != '*' && c != '?')) {
        out += c;
        continue;
      }
      const bool ends_part = i + 1 < text.size() ? text[i + 1] == ':' : last;
      out += prepared_wildcard(c, stays_in_segment(c, ends_part));
    }
    return out;
  }

 private:
  bool stays_in_segment(char c, bool ends_part) const {
    if (!arn_ || colons_ + 1 >= arn_parts) return false;
    if (wildcards_ == Wildcards::arn) return true;
    return wildcards_ == Wildcards::resource && !(c == '*' && ends_part);
  }

  Wildcards wildcards_;
  bool arn_;
  std::size_t colons_ = 0;
};

bool has_wildcard_bytes(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= any_run && c <= any_one_in_segment; });
}

bool is_key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view(":/_-.+=@ ").find(c) != std::string_view::npos;
}

// What stands between "${" and "}".
struct Variable {
  std::string key;
  std::optional<std::string> otherwise;
  std::string literal;  // of ${*}, ${?}, ${$}
};

Result<std::string> read_default(std::string_view text) {
  text = trim(text);
  if (text.size() < 2 || text.front() != '\'' || text.back() != '\'') {
    return make_error(errc::invalid,
                      fmt::format("the default value {} of a policy variable must stand in single quotes, "
                                  "as in ${{aws:PrincipalTag/team, 'none'}}",
                                  text));
  }
  text = text.substr(1, text.size() - 2);
  if (text.find('\'') != std::string_view::npos) {
    return make_error(errc::invalid, "the default value of a policy variable cannot hold a single quote");
  }
  return std::string(text);
}

Result<Variable> read_variable(std::string_view inner) {
  Variable variable;
  if (inner == "*" || inner == "?" || inner == "$") {
    variable.literal = inner;
    return variable;
  }
  const std::size_t comma = inner.find(',');
  const std::string_view key = trim(inner.substr(0, comma));
  if (key.empty() || !std::all_of(key.begin(), key.end(), is_key_character)) {
    return make_error(
        errc::invalid,
        fmt::format("${{{}}} is no policy variable: expected a condition key such as aws:username", inner));
  }
  variable.key = lower(key);
  if (comma != std::string_view::npos) {
    Result<std::string> otherwise = read_default(inner.substr(comma + 1));
    if (!otherwise) return otherwise.error();
    variable.otherwise = std::move(*otherwise);
  }
  return variable;
}

// Where the "}" of a variable is that begins before `at`: not inside the quotes of a default.
std::size_t end_of_variable(std::string_view text, std::size_t at) {
  bool quoted = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '\'') quoted = !quoted;
    if (text[at] == '}' && !quoted) return at;
  }
  return std::string_view::npos;
}

}  // namespace

bool wildcard_match(std::string_view pattern, std::string_view text) {
  if (pattern.size() == 1 && pattern[0] == any_run) return true;
  if (pattern.find(any_run_in_segment) != std::string_view::npos) return match_by_states(pattern, text);
  return match_greedily(pattern, text);
}

Result<Pattern> Pattern::prepare(std::string_view text, Wildcards wildcards, bool variables) {
  if (has_wildcard_bytes(text)) return make_error(errc::invalid, "control characters are not allowed in a value");
  Pattern pattern;
  pattern.source_ = text;
  // A lone "*" is any text, whatever its parts.
  Preparer preparer(wildcards, text.starts_with("arn:"));
  std::string before;
  std::size_t at = 0;
  while (variables) {
    const std::size_t open = text.find("${", at);
    if (open == std::string_view::npos) break;
    const std::size_t close = end_of_variable(text, open + 2);
    if (close == std::string_view::npos) {
      return make_error(errc::invalid, fmt::format("the policy variable in \"{}\" has no closing brace", text));
    }
    before += preparer.prepare(text.substr(at, open - at), false);
    Result<Variable> variable = read_variable(text.substr(open + 2, close - open - 2));
    if (!variable) return variable.error();
    at = close + 1;
    before += variable->literal;
    if (variable->key.empty()) continue;
    pattern.pieces_.push_back({std::move(before), std::move(variable->key), std::move(variable->otherwise)});
    before.clear();
  }
  before += preparer.prepare(text.substr(at), true);
  if (pattern.pieces_.empty()) {
    pattern.fixed_ = std::move(before);
  } else {
    pattern.pieces_.push_back({std::move(before), "", std::nullopt});
  }
  return pattern;
}

void Pattern::add_keys(std::set<std::string>& keys) const {
  for (const Piece& piece : pieces_) {
    if (!piece.key.empty()) keys.insert(piece.key);
  }
}

std::optional<std::string_view> Pattern::resolve(const Context& context, std::string& storage,
                                                 std::vector<std::string>* missing) const {
  if (pieces_.empty()) return fixed_;
  storage.clear();
  for (const Piece& piece : pieces_) {
    storage += piece.text;
    if (piece.key.empty()) continue;
    const std::optional<std::vector<std::string>> values = context.find(piece.key);
    const bool absent = !values || values->empty();
    if (absent && missing != nullptr) missing->push_back(piece.key);
    if (absent && piece.otherwise) {
      storage += *piece.otherwise;
    } else if (absent || values->size() != 1 || has_wildcard_bytes(values->front())) {
      return std::nullopt;
    } else {
      storage += values->front();
    }
  }
  return storage;
}

}  // namespace kaapi::identity::policy
