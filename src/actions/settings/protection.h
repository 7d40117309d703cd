#pragma once
// Protection of environments: whether it can be one, and its text in the database. Pure.

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "actions/protocol/settings.h"
#include "base/error.h"

namespace kaapi::actions::settings {

inline constexpr std::size_t max_reviewers = 6;              // as GitHub's
inline constexpr std::chrono::minutes max_wait{43'200};      // 30 days, as GitHub's
inline constexpr std::size_t max_deployment_patterns = 100;  // of branches, and of tags

// Error: `Invalid`, naming what is wrong and what is expected.
Result<void> check_protection(const Protection& protection);

std::string to_text(const Protection& protection);
// Error: `Damaged`.
Result<Protection> protection_from(std::string_view text);

}  // namespace kaapi::actions::settings
