#include "registry/names.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace kaapi::registry {
namespace {

constexpr std::size_t min_name_length = 2;
constexpr std::size_t max_name_length = 256;
constexpr std::size_t max_tag_length = 128;
constexpr std::string_view sha256_prefix = "sha256:";
constexpr std::size_t sha256_hex_length = 64;

bool lower_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool word(char c) {
  return lower_alnum(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

bool valid_repository_name(std::string_view name) {
  if (name.size() < min_name_length || name.size() > max_name_length) return false;
  // Between two letters or digits stands nothing or exactly one separator, so a separator needs one on either side.
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (lower_alnum(name[i])) continue;
    if (name[i] != '.' && name[i] != '_' && name[i] != '-' && name[i] != '/') return false;
    if (i == 0 || i + 1 == name.size() || !lower_alnum(name[i - 1]) || !lower_alnum(name[i + 1])) return false;
  }
  return true;
}

bool valid_tag(std::string_view tag) {
  if (tag.empty() || tag.size() > max_tag_length || !word(tag.front())) return false;
  return std::all_of(tag.begin(), tag.end(), [](char c) { return word(c) || c == '.' || c == '-'; });
}

bool valid_digest(std::string_view digest) {
  if (!digest.starts_with(sha256_prefix) || digest.size() != sha256_prefix.size() + sha256_hex_length) return false;
  digest.remove_prefix(sha256_prefix.size());
  return std::all_of(digest.begin(), digest.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string repository_arn(std::string_view region, std::string_view account_id, std::string_view name) {
  return fmt::format("arn:aws:ecr:{}:{}:repository/{}", region, account_id, name);
}

std::string digest_of(std::string_view bytes) {
  return std::string(sha256_prefix) + to_hex(sha256(bytes));
}

}  // namespace kaapi::registry
