#include "actions/settings/protection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "actions/protocol/fields.h"
#include "actions/workflow/glob.h"
#include "base/json.h"

namespace kaapi::actions {
namespace {

bool is_negation(const std::string& pattern) {
  return pattern.starts_with('!');
}

// What was checked when it was put there prepares; anything else matches nothing.
bool matches(const std::vector<std::string>& patterns, std::string_view name) {
  // Of a time when they were read as filters: what they took back must not be let in.
  if (std::any_of(patterns.begin(), patterns.end(), is_negation)) return false;
  return std::any_of(patterns.begin(), patterns.end(), [name](const std::string& pattern) {
    const Result<workflow::Glob> glob = workflow::Glob::prepare_fnmatch(pattern);
    return glob && glob->matches(name);
  });
}

std::string allowed_in_words(const Protection& protection) {
  std::string text;
  if (!protection.branches.empty()) text = fmt::format("branches {}", fmt::join(protection.branches, ", "));
  if (!protection.tags.empty()) {
    text += fmt::format("{}tags {}", text.empty() ? "" : " and ", fmt::join(protection.tags, ", "));
  }
  return text;
}

}  // namespace

std::optional<std::string> deployment_refusal(const Protection& protection, std::string_view environment,
                                              std::string_view ref, bool ref_protected) {
  constexpr std::string_view branch_prefix = "refs/heads/";
  constexpr std::string_view tag_prefix = "refs/tags/";
  if (protection.protected_only && !ref_protected) {
    return fmt::format("{} may not deploy to the environment {}: only protected branches and tags may, and it is none",
                       ref, environment);
  }
  if (protection.branches.empty() && protection.tags.empty()) return std::nullopt;
  const bool may = ref.starts_with(branch_prefix)
                       ? matches(protection.branches, ref.substr(branch_prefix.size()))
                       : ref.starts_with(tag_prefix) && matches(protection.tags, ref.substr(tag_prefix.size()));
  if (may) return std::nullopt;
  return fmt::format("{} may not deploy to the environment {}: its deployment policy allows {}", ref, environment,
                     allowed_in_words(protection));
}

std::string missing_environment(std::string_view repository, std::string_view environment) {
  return fmt::format(
      "there is no environment {}: no variables, secrets or rules of one. Make it: kaapi env create {} --repo {}",
      environment, environment, repository);
}

}  // namespace kaapi::actions

namespace kaapi::actions::settings {
namespace {

// "arn:aws:iam::123456789012:user/NAME", ":role/NAME" or ":root".
bool is_reviewer(std::string_view arn) {
  constexpr std::string_view prefix = "arn:aws:iam::";
  constexpr std::size_t account_digits = 12;
  constexpr std::size_t max_arn_bytes = 2048;
  if (!arn.starts_with(prefix) || arn.size() > max_arn_bytes) return false;
  arn.remove_prefix(prefix.size());
  const std::string_view account = arn.substr(0, account_digits);
  const bool digits = std::all_of(account.begin(), account.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (account.size() != account_digits || !digits) return false;
  arn.remove_prefix(account_digits);
  const bool named = (arn.starts_with(":user/") || arn.starts_with(":role/")) && arn.size() > 6;
  return (named || arn == ":root") && arn.find_first_of("* \t\r\n") == std::string_view::npos;
}

Result<void> check_patterns(std::string_view what, const std::vector<std::string>& patterns) {
  if (patterns.size() > max_deployment_patterns) {
    return make_error(errc::invalid, fmt::format("{} {} are given: at most {} are taken", patterns.size(), what,
                                                 max_deployment_patterns));
  }
  for (const std::string& pattern : patterns) {
    if (pattern.starts_with('!')) {
      return make_error(errc::invalid,
                        fmt::format("'{}' among the {}: nothing is taken back here; name what may deploy, "
                                    "or write \\{} for a name that begins so",
                                    pattern, what, pattern));
    }
    if (const Result<workflow::Glob> glob = workflow::Glob::prepare_fnmatch(pattern); !glob) {
      return make_error(errc::invalid, fmt::format("'{}' among the {}: {}", pattern, what, glob.error().message));
    }
  }
  return ok();
}

void write_list(JsonWriter& out, std::string_view key, const std::vector<std::string>& texts) {
  out.key(key);
  out.begin_array();
  for (const std::string& text : texts) out.value(text);
  out.end_array();
}

}  // namespace

Result<void> check_protection(const Protection& protection) {
  if (protection.reviewers.size() > max_reviewers) {
    return make_error(errc::invalid, fmt::format("{} reviewers are given: at most {} are taken; name a role that more "
                                                 "people may assume",
                                                 protection.reviewers.size(), max_reviewers));
  }
  for (const std::string& reviewer : protection.reviewers) {
    if (!is_reviewer(reviewer)) {
      return make_error(errc::invalid, fmt::format("'{}' is no reviewer: expected the ARN of a user or a role, like "
                                                   "arn:aws:iam::123456789012:user/ann",
                                                   reviewer.substr(0, 300)));
    }
  }
  if (protection.wait < std::chrono::minutes(0) || protection.wait > max_wait) {
    return make_error(errc::invalid, fmt::format("a wait of {} minutes: expected 0 to {} (30 days)",
                                                 protection.wait.count(), max_wait.count()));
  }
  if (const Result<void> checked = check_patterns("branch patterns", protection.branches); !checked) return checked;
  if (const Result<void> checked = check_patterns("tag patterns", protection.tags); !checked) return checked;
  if (protection.protected_only && !(protection.branches.empty() && protection.tags.empty())) {
    return make_error(errc::invalid,
                      "either only protected branches and tags may deploy, or those of the patterns: give one of them");
  }
  return ok();
}

std::string to_text(const Protection& protection) {
  std::string text;
  JsonWriter out(text);
  out.begin_object();
  write_list(out, "reviewers", protection.reviewers);
  out.key("preventSelfReview");
  out.value(protection.prevent_self_review);
  out.key("waitMinutes");
  out.value(static_cast<std::int64_t>(protection.wait.count()));
  write_list(out, "branches", protection.branches);
  write_list(out, "tags", protection.tags);
  out.key("protectedOnly");
  out.value(protection.protected_only);
  out.end_object();
  return text;
}

Result<Protection> protection_from(std::string_view text) {
  const Result<json::value> tree = parse_json(text);
  if (!tree) return make_error(errc::damaged, "the protection of an environment is " + tree.error().message, 500);
  Protection protection;
  std::int64_t wait_minutes = 0;
  Fields fields(*tree, "protection");
  fields.read("reviewers", protection.reviewers);
  fields.read("preventSelfReview", protection.prevent_self_review);
  fields.read("waitMinutes", wait_minutes);
  fields.read("branches", protection.branches);
  fields.read("tags", protection.tags);
  fields.read("protectedOnly", protection.protected_only);
  if (const Result<void> done = fields.done(); !done) return make_error(errc::damaged, done.error().message, 500);
  protection.wait = std::chrono::minutes(wait_minutes);
  return protection;
}

}  // namespace kaapi::actions::settings
