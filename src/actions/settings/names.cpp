#include "actions/settings/names.h"

#include <fmt/format.h>

#include <algorithm>

namespace kaapi::actions::settings {
namespace {

constexpr std::string_view reserved_prefix = "GITHUB_";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_word(char c) {
  return (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return out;
}

}  // namespace

Result<std::string> checked_name(std::string_view kind, std::string_view name) {
  std::string upper_name = upper(name);
  const bool fits = !name.empty() && name.size() <= max_name_bytes && !is_digit(name.front()) &&
                    std::all_of(upper_name.begin(), upper_name.end(), is_word);
  if (!fits) {
    return make_error(errc::invalid,
                      fmt::format("'{}' is no name of a {}: it takes letters, digits and '_', at most {} of them, and "
                                  "no digit first",
                                  name.substr(0, max_name_bytes), kind, max_name_bytes));
  }
  if (upper_name.starts_with(reserved_prefix)) {
    return make_error(errc::invalid,
                      fmt::format("'{}' is no name of a {}: names that begin with {} are reserved; choose another",
                                  name, kind, reserved_prefix));
  }
  return upper_name;
}

Result<void> check_environment_name(std::string_view name) {
  // '*' and '?' have a meaning in policies, where the name is part of an ARN.
  constexpr std::string_view refused = "'\"`,;\\*?";
  const auto fits = [&](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && refused.find(c) == std::string_view::npos;
  };
  const bool padded = !name.empty() && (name.front() == ' ' || name.back() == ' ');
  if (!name.empty() && !padded && name.size() <= max_name_bytes && std::all_of(name.begin(), name.end(), fits)) {
    return ok();
  }
  return make_error(errc::invalid,
                    fmt::format("'{}' is no name of an environment: it takes 1 to {} characters, without a space at "
                                "either end, control characters and any of {}",
                                name.substr(0, max_name_bytes), max_name_bytes, refused));
}

Result<void> check_value(std::string_view kind, std::string_view name, std::string_view value) {
  if (value.size() > max_value_bytes) {
    return make_error(errc::too_large, fmt::format("the value of the {} {} has {} bytes: at most {} (48 KiB) are taken",
                                                   kind, name, value.size(), max_value_bytes));
  }
  if (value.find('\0') != std::string_view::npos) {
    return make_error(errc::invalid,
                      fmt::format("the value of the {} {} holds a byte 0, which the environment of a process cannot "
                                  "hold; encode it, for example in base64",
                                  kind, name));
  }
  return ok();
}

}  // namespace kaapi::actions::settings
