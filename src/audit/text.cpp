// What may stand in a record of a text that somebody else made.
#include <algorithm>
#include <array>

#include "audit/record.h"
#include "base/text.h"

namespace kaapi::audit {
namespace {

// No secret of AWS's is shorter, and few harmless words after "token=" are longer.
constexpr std::size_t min_secret_characters = 16;
constexpr std::size_t max_marker_bytes = 48;  // before a secret, that tell that it is one
constexpr std::string_view removed = "(removed)";

constexpr std::array<bool, 256> secret_characters = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-.%~")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

bool is_secret_character(char c) {
  return secret_characters[static_cast<unsigned char>(c)];
}

bool ends_with_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return text.ends_with(word); });
}

// Whether what follows `text` is a secret by its name: "x-amz-security-token:", "Signature=", "Bearer ".
bool names_a_secret(std::string_view text) {
  const std::string lower_text = lower(text.substr(text.size() - std::min(text.size(), max_marker_bytes)));
  std::string_view before = lower_text;
  while (before.ends_with('"') || before.ends_with('\'')) before.remove_suffix(1);
  if (ends_with_one_of(before, {"bearer ", "basic "})) return true;
  const std::string_view separated = trim(before);
  if (separated.empty() || (separated.back() != '=' && separated.back() != ':')) return false;
  std::string_view name = trim(separated.substr(0, separated.size() - 1));
  while (name.ends_with('"') || name.ends_with('\'')) name.remove_suffix(1);
  // An ARN has "secret:" before a name that is none.
  if (separated.back() == '=' && name.ends_with("secret")) return true;
  return ends_with_one_of(name, {"token", "signature", "password", "authorization", "secretaccesskey",
                                 "secret_access_key", "secret-access-key", "secret access key"});
}

std::string without_secrets(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = at;
    while (end < text.size() && is_secret_character(text[end])) ++end;
    const std::string_view word = text.substr(at, end - at);
    const bool secret =
        word.size() >= min_secret_characters && (word.starts_with("eyJ") || names_a_secret(text.substr(0, at)));
    out += secret ? removed : word;
    if (end < text.size()) out += text[end++];
    at = end;
  }
  return out;
}

// How many bytes the UTF-8 character that begins here has; 0 when it is ill-formed (Unicode 15, table 3-7).
std::size_t character_at(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](std::size_t i, unsigned low = 0x80, unsigned high = 0xBF) {
    return byte(i) >= low && byte(i) <= high;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return continues(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const unsigned low = first == 0xE0 ? 0xA0U : 0x80U;
    const unsigned high = first == 0xED ? 0x9FU : 0xBFU;
    return continues(1, low, high) && continues(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const unsigned low = first == 0xF0 ? 0x90U : 0x80U;
    const unsigned high = first == 0xF4 ? 0x8FU : 0xBFU;
    return continues(1, low, high) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string harmless_text(std::string_view text, std::size_t max_bytes) {
  // Cut before it is looked through, because a text may be as long as a request. Where a secret was removed what
  // follows moves up.
  std::string clean = without_secrets(text.substr(0, 2 * max_bytes));
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80U; };
  if (clean.size() <= max_bytes && std::all_of(clean.begin(), clean.end(), is_ascii)) return clean;
  std::string_view rest = clean;
  std::string out;
  while (!rest.empty()) {
    const std::size_t length = character_at(rest);
    const std::string_view character = length == 0 ? std::string_view("?") : rest.substr(0, length);
    if (out.size() + character.size() > max_bytes) break;
    out += character;
    rest.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

}  // namespace kaapi::audit
