#include "registry/lifecycle_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/json.h"

namespace kaapi::registry {
namespace {

// The documented countUnit is days, and this many are more than any clock here reaches.
constexpr std::int64_t max_days = 36'500;

Error invalid(std::string_view what) {
  return make_error("InvalidParameterException",
                    fmt::format("Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle "
                                "policy validation failure: {}'",
                                what));
}

Result<void> require_object(const json::value* value, std::string_view where,
                            std::initializer_list<std::string_view> members) {
  if (value == nullptr || !value->is_object()) return invalid(fmt::format("{} must be an object", where));
  for (const auto& [name, unused] : value->get_object()) {
    if (std::find(members.begin(), members.end(), std::string_view(name)) == members.end()) {
      return invalid(fmt::format("{} has no member '{}'; it has: {}", where, std::string_view(name),
                                 fmt::join(members.begin(), members.end(), ", ")));
    }
  }
  return ok();
}

Result<std::int64_t> positive(const json::value& object, std::string_view member, std::string_view where) {
  const json::value* value = find_member(object, member);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 1) {
    return invalid(fmt::format("{} of {} must be a whole number of at least 1", member, where));
  }
  return value->get_int64();
}

Result<std::vector<std::string>> texts(const json::value& object, std::string_view member, std::string_view where) {
  std::vector<std::string> found;
  const json::value* list = find_member(object, member);
  if (list == nullptr) return found;
  const Error wrong = invalid(fmt::format("{} of {} must be a list of texts", member, where));
  if (!list->is_array()) return wrong;
  for (const json::value& entry : list->get_array()) {
    if (!entry.is_string() || entry.get_string().empty()) return wrong;
    found.emplace_back(entry.get_string());
  }
  if (found.empty()) return wrong;
  return found;
}

Result<void> parse_tags(const json::value& selection, const std::string& where, LifecycleRule& rule) {
  const std::string status = string_member(selection, "tagStatus");
  if (status == "tagged") {
    rule.tag_status = TagStatus::tagged;
  } else if (status == "untagged") {
    rule.tag_status = TagStatus::untagged;
  } else if (status != "any") {
    return invalid(fmt::format("tagStatus of {} must be tagged, untagged or any", where));
  }
  Result<std::vector<std::string>> prefixes = texts(selection, "tagPrefixList", where);
  if (!prefixes) return prefixes.error();
  Result<std::vector<std::string>> patterns = texts(selection, "tagPatternList", where);
  if (!patterns) return patterns.error();
  const bool lists = !prefixes->empty() || !patterns->empty();
  if (rule.tag_status != TagStatus::tagged && lists) {
    return invalid(fmt::format("{} has a list of tags, which only tagStatus tagged may have", where));
  }
  if (rule.tag_status == TagStatus::tagged && prefixes->empty() == patterns->empty()) {
    return invalid(fmt::format("{} must have one of tagPrefixList and tagPatternList", where));
  }
  for (const std::string& pattern : *patterns) {
    if (static_cast<std::size_t>(std::count(pattern.begin(), pattern.end(), '*')) > max_pattern_wildcards) {
      return invalid(fmt::format("'{}' in tagPatternList of {} has more than {} wildcards", pattern, where,
                                 max_pattern_wildcards));
    }
  }
  rule.tag_prefixes = std::move(*prefixes);
  rule.tag_patterns = std::move(*patterns);
  return ok();
}

Result<void> parse_count(const json::value& selection, const std::string& where, LifecycleRule& rule) {
  const Result<std::int64_t> number = positive(selection, "countNumber", where);
  if (!number) return number.error();
  const std::string type = string_member(selection, "countType");
  const json::value* unit = find_member(selection, "countUnit");
  if (type == "imageCountMoreThan") {
    if (unit != nullptr) return invalid(fmt::format("{} counts images, so it must have no countUnit", where));
    rule.keep_newest = *number;
    return ok();
  }
  if (type != "sinceImagePushed") {
    return invalid(
        fmt::format("countType of {} must be imageCountMoreThan or sinceImagePushed, not '{}'", where, type));
  }
  if (unit == nullptr || *unit != "days") return invalid(fmt::format("countUnit of {} must be days", where));
  rule.keep_for = std::chrono::hours(24) * std::min(*number, max_days);
  return ok();
}

Result<LifecycleRule> parse_rule(const json::value& value, std::size_t index) {
  std::string where = fmt::format("rules[{}]", index);
  if (Result<void> shaped = require_object(&value, where, {"rulePriority", "description", "selection", "action"});
      !shaped) {
    return shaped.error();
  }
  const Result<std::int64_t> priority = positive(value, "rulePriority", where);
  if (!priority) return priority.error();
  LifecycleRule rule;
  rule.priority = *priority;
  where = fmt::format("the rule with rulePriority {}", rule.priority);
  if (const json::value* description = find_member(value, "description"); description && !description->is_string()) {
    return invalid(fmt::format("description of {} must be a text", where));
  }
  const json::value* selection = find_member(value, "selection");
  if (Result<void> shaped =
          require_object(selection, "selection of " + where,
                         {"tagStatus", "tagPrefixList", "tagPatternList", "countType", "countUnit", "countNumber"});
      !shaped) {
    return shaped.error();
  }
  if (Result<void> tags = parse_tags(*selection, where, rule); !tags) return tags.error();
  if (Result<void> count = parse_count(*selection, where, rule); !count) return count.error();
  const json::value* action = find_member(value, "action");
  if (Result<void> shaped = require_object(action, "action of " + where, {"type"}); !shaped) return shaped.error();
  if (string_member(*action, "type") != "expire") {
    return invalid(fmt::format("the type of the action of {} must be expire", where));
  }
  return rule;
}

// Of all rules together, by priority.
Result<void> check_together(const std::vector<LifecycleRule>& rules) {
  std::size_t untagged = 0;
  std::set<std::set<std::string>> seen;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (i > 0 && rules[i].priority == rules[i - 1].priority) {
      return invalid(fmt::format("rulePriority {} is given twice", rules[i].priority));
    }
    if (rules[i].tag_status == TagStatus::any && i + 1 != rules.size()) {
      return invalid(
          fmt::format("the rule with rulePriority {} has tagStatus any, so it must have the highest "
                      "rulePriority",
                      rules[i].priority));
    }
    const std::set<std::string> prefixes(rules[i].tag_prefixes.begin(), rules[i].tag_prefixes.end());
    if (!prefixes.empty() && !seen.insert(prefixes).second) {
      return invalid(
          fmt::format("the rule with rulePriority {} has the tagPrefixList of another rule", rules[i].priority));
    }
    if (rules[i].tag_status == TagStatus::untagged && ++untagged > 1) {
      return invalid("only one rule may have tagStatus untagged");
    }
  }
  return ok();
}

// '*' stands for any text. At most max_pattern_wildcards of them, so going back costs little.
bool fits(std::string_view pattern, std::string_view tag) {
  const std::size_t star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == tag;
  if (!tag.starts_with(pattern.substr(0, star))) return false;
  pattern.remove_prefix(star + 1);
  if (pattern.empty()) return true;
  for (std::size_t from = star; from <= tag.size(); ++from) {
    if (fits(pattern, tag.substr(from))) return true;
  }
  return false;
}

bool matches(const LifecycleRule& rule, const Image& image) {
  if (rule.tag_status == TagStatus::any) return true;
  if (rule.tag_status == TagStatus::untagged) return image.tags.empty();
  const auto any_tag = [&](const auto& wanted) { return std::any_of(image.tags.begin(), image.tags.end(), wanted); };
  const bool prefixes = std::all_of(rule.tag_prefixes.begin(), rule.tag_prefixes.end(), [&](const std::string& prefix) {
    return any_tag([&](const std::string& tag) { return tag.starts_with(prefix); });
  });
  return prefixes && std::all_of(rule.tag_patterns.begin(), rule.tag_patterns.end(), [&](const std::string& pattern) {
           return any_tag([&](const std::string& tag) { return fits(pattern, tag); });
         });
}

// Of the images that match the rule, oldest first, how many from the front are to go.
std::size_t marked(const LifecycleRule& rule, const std::vector<const Image*>& matching, Time now) {
  if (rule.keep_newest) {
    const auto keep = static_cast<std::size_t>(*rule.keep_newest);
    return matching.size() > keep ? matching.size() - keep : 0;
  }
  const Time before = now - *rule.keep_for;
  const auto first_kept =
      std::find_if(matching.begin(), matching.end(), [&](const Image* image) { return image->pushed_at >= before; });
  return static_cast<std::size_t>(first_kept - matching.begin());
}

}  // namespace

Result<std::vector<LifecycleRule>> parse_lifecycle_policy(std::string_view text) {
  const Result<json::value> value = parse_json(text);
  if (!value) return invalid(fmt::format("it is no JSON: {}", value.error().message));
  if (Result<void> shaped = require_object(&*value, "the policy", {"rules"}); !shaped) return shaped.error();
  const json::value* list = find_member(*value, "rules");
  if (list == nullptr || !list->is_array() || list->get_array().empty() ||
      list->get_array().size() > max_lifecycle_rules) {
    return invalid(fmt::format("rules must be a list of 1 to {} rules", max_lifecycle_rules));
  }
  std::vector<LifecycleRule> rules;
  for (const json::value& each : list->get_array()) {
    Result<LifecycleRule> rule = parse_rule(each, rules.size());
    if (!rule) return rule.error();
    rules.push_back(std::move(*rule));
  }
  std::sort(rules.begin(), rules.end(), [](const auto& a, const auto& b) { return a.priority < b.priority; });
  if (Result<void> together = check_together(rules); !together) return together.error();
  return rules;
}

std::vector<Image> expired_images(const std::vector<LifecycleRule>& rules, std::vector<Image> images, Time now) {
  std::sort(images.begin(), images.end(), [](const Image& a, const Image& b) {
    return a.pushed_at != b.pushed_at ? a.pushed_at < b.pushed_at : a.digest < b.digest;
  });
  std::set<const Image*> taken;  // by the tags of an earlier rule
  std::vector<Image> expired;
  for (const LifecycleRule& rule : rules) {
    std::vector<const Image*> matching;
    for (const Image& image : images) {
      if (matches(rule, image)) matching.push_back(&image);
    }
    const std::size_t count = marked(rule, matching, now);
    for (std::size_t i = 0; i < count; ++i) {
      if (!taken.contains(matching[i])) expired.push_back(*matching[i]);
    }
    taken.insert(matching.begin(), matching.end());
  }
  return expired;
}

}  // namespace kaapi::registry
