#pragma once
// Lifecycle policies: which images a repository need not keep. Pure. Source of the rules: "Lifecycle policy parameters"
// and "How the lifecycle policy works" in the Amazon ECR User Guide.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "registry/catalog.h"

namespace kaapi::registry {

// ECR's quota.
inline constexpr std::size_t max_lifecycle_rules = 50;
inline constexpr std::size_t max_pattern_wildcards = 4;

struct LifecycleRule {
  std::int64_t priority = 0;  // the lowest is applied first
  TagStatus tag_status = TagStatus::any;
  // Of `tagged`, one of the two. An image matches when each entry fits one of its tags.
  std::vector<std::string> tag_prefixes;
  std::vector<std::string> tag_patterns;  // '*' stands for any text
  // One of the two.
  std::optional<std::int64_t> keep_newest;  // imageCountMoreThan
  std::optional<Duration> keep_for;         // sinceImagePushed
};

// The rules by priority. Error: InvalidParameterException, naming the rule and what is wrong with it.
Result<std::vector<LifecycleRule>> parse_lifecycle_policy(std::string_view text);

// Which of `images` (all of the repository) are to go, the oldest first within each rule. An image belongs to the first
// rule that its tags match: no later rule can expire it, though later rules count it. An image that an index refers to
// may be among them: it must stay as long as the index does.
std::vector<Image> expired_images(const std::vector<LifecycleRule>& rules, std::vector<Image> images, Time now);

}  // namespace kaapi::registry
