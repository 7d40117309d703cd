#pragma once
// Which refs of a repository are protected, and what that forbids. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actions/protocol/push.h"
#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions::git {

inline constexpr std::size_t max_rules = 100;
inline constexpr std::size_t max_pushers = 100;  // of one rule

// Branches or tags that match are protected: nobody moves them backwards or deletes them, and a tag stays where it is.
struct Rule {
  enum class Kind { branch, tag };
  Kind kind = Kind::branch;
  std::string pattern;  // GitHub's: "main", "release/**", "v*"
  // Who may push, besides having the right to: ARNs, in which * and ? stand for any text and any character. A session
  // of a role is "arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION". A job
  // is "arn:aws:kaapi:REGION:ACCOUNT:repository/OWNER/NAME/run/NUMBER". Empty: everybody who has the right, but no job:
  // whoever may push any branch could else push this one by a workflow.
  std::vector<std::string> pushers;
  bool operator==(const Rule&) const = default;
};

// Of a new repository: its default branch and tags `v*`, everybody with the right may push.
std::vector<Rule> default_rules(std::string_view default_branch = "main");

// Errors: `Invalid`, naming the rule: a pattern that cannot be read, too many rules or pushers.
Result<void> check_rules(const std::vector<Rule>& rules);

// Rules that match the ref; those that cannot be read match none.
std::vector<const Rule*> rules_of(const std::vector<Rule>& rules, std::string_view ref);

struct Pusher {
  std::string_view arn;
  bool is_job = false;
};

// Why this change of a ref must not be; nullopt when it may. A job changes no workflow files either, in any ref, as
// with GitHub's GITHUB_TOKEN (GitHub Docs, "Use GITHUB_TOKEN for authentication in workflows").
std::optional<std::string> refusal(const std::vector<Rule>& rules, const RefUpdate& update, const Pusher& pusher);

std::string rules_text(const std::vector<Rule>& rules);                 // JSON, for the database
Result<std::vector<Rule>> rules_from_text(std::string_view json_text);  // `Damaged`

}  // namespace kaapi::actions::git
