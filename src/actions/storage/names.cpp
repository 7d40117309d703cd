#include "actions/storage/names.h"

#include <fmt/format.h>

#include <algorithm>

namespace kaapi::actions::storage {
namespace {

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

Result<void> check_artifact_name(std::string_view name) {
  constexpr std::string_view refused = "\":<>|*?\\/";
  const bool fits = std::none_of(name.begin(), name.end(),
                                 [&](char c) { return is_control(c) || refused.find(c) != std::string_view::npos; });
  if (fits && !name.empty() && name.size() <= max_artifact_name_bytes && name != "." && name != "..") return ok();
  return make_error(
      errc::invalid,
      fmt::format("'{}' is no name of an artifact: it takes 1 to {} characters, none of them {} or a line "
                  "break",
                  name.substr(0, max_artifact_name_bytes), max_artifact_name_bytes, refused));
}

Result<void> check_cache_key(std::string_view key) {
  const bool fits = std::none_of(key.begin(), key.end(), [](char c) { return is_control(c) || c == ','; });
  if (fits && !key.empty() && key.size() <= max_cache_key_bytes) return ok();
  return make_error(errc::invalid,
                    fmt::format("'{}' is no key of a cache: it takes 1 to {} characters, no comma and no "
                                "line break",
                                key.substr(0, max_cache_key_bytes), max_cache_key_bytes));
}

Result<void> check_cache_version(std::string_view version) {
  if (version.size() <= max_cache_version_bytes && std::none_of(version.begin(), version.end(), is_control))
    return ok();
  return make_error(errc::invalid, fmt::format("the version of a cache takes at most {} characters and no line break",
                                               max_cache_version_bytes));
}

Result<void> check_retention_days(int days) {
  if (days >= 1 && days <= max_retention_days) return ok();
  return make_error(errc::invalid,
                    fmt::format("an artifact cannot be kept for {} days: expected 1 to {}", days, max_retention_days));
}

}  // namespace kaapi::actions::storage
