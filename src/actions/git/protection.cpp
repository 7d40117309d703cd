#include "actions/git/protection.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "actions/git/git.h"
#include "actions/workflow/glob.h"

namespace kaapi::actions::git {
namespace {

std::string_view name_of(Rule::Kind kind) {
  return kind == Rule::Kind::branch ? "branch" : "tag";
}

// ARNs hold no '[' or backslash, which is all that a shell's pattern knows besides * and ?.
bool is_pusher(const Rule& rule, const Pusher& pusher) {
  if (rule.pushers.empty()) return !pusher.is_job;
  const std::string text(pusher.arn);
  return std::any_of(rule.pushers.begin(), rule.pushers.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), text.c_str(), FNM_NOESCAPE) == 0;
  });
}

bool matches(const Rule& rule, std::string_view ref) {
  const std::string_view name = rule.kind == Rule::Kind::branch ? branch_of(ref) : tag_of(ref);
  if (name.empty()) return false;
  const Result<workflow::Glob> glob = workflow::Glob::prepare(rule.pattern);
  return glob && glob->matches(name);
}

}  // namespace

std::vector<Rule> default_rules(std::string_view default_branch) {
  std::string pattern;
  for (const char c : default_branch) {
    // What means something in a pattern, and may be in the name of a branch.
    if (c == '+' || c == '!' || c == ']') pattern += '\\';
    pattern += c;
  }
  return {{Rule::Kind::branch, pattern, {}}, {Rule::Kind::tag, "v*", {}}};
}

Result<void> check_rules(const std::vector<Rule>& rules) {
  if (rules.size() > max_rules) {
    return make_error(errc::invalid, fmt::format("a repository has at most {} protection rules", max_rules));
  }
  for (const Rule& rule : rules) {
    const Result<workflow::Glob> glob = workflow::Glob::prepare(rule.pattern);
    const std::string which = fmt::format("the protection of {} '{}'", name_of(rule.kind), rule.pattern);
    if (!glob) return make_error(errc::invalid, fmt::format("{}: {}", which, glob.error().message));
    if (glob->negated()) return make_error(errc::invalid, which + ": a pattern with ! protects nothing; leave it out");
    if (rule.pushers.size() > max_pushers) {
      return make_error(errc::invalid, fmt::format("{} names more than {} who may push", which, max_pushers));
    }
    for (const std::string& pusher : rule.pushers) {
      if (!pusher.starts_with("arn:") && pusher != "*") {
        return make_error(errc::invalid, fmt::format("{}: '{}' is no ARN of who may push, like "
                                                     "arn:aws:iam::123456789012:user/ann or "
                                                     "arn:aws:sts::123456789012:assumed-role/deploy/*",
                                                     which, pusher));
      }
    }
  }
  return ok();
}

std::vector<const Rule*> rules_of(const std::vector<Rule>& rules, std::string_view ref) {
  std::vector<const Rule*> out;
  for (const Rule& rule : rules) {
    if (matches(rule, ref)) out.push_back(&rule);
  }
  return out;
}

std::optional<std::string> refusal(const std::vector<Rule>& rules, const RefUpdate& update, const Pusher& pusher) {
  if (pusher.is_job && update.changes_workflows) {
    return "a job cannot change files below .github/workflows: leave them to a person's push";
  }
  for (const Rule* rule : rules_of(rules, update.ref)) {
    const std::string_view kind = name_of(rule->kind);
    if (update.after == no_commit) {
      return fmt::format("the {} is protected by the rule '{}' and cannot be deleted", kind, rule->pattern);
    }
    if (update.before != no_commit && rule->kind == Rule::Kind::tag) {
      return fmt::format("the tag is protected by the rule '{}' and stays where it is; push a new tag", rule->pattern);
    }
    if (update.forced) {
      return fmt::format("the {} is protected by the rule '{}': no force push; fetch, then rebase or merge", kind,
                         rule->pattern);
    }
    if (!is_pusher(*rule, pusher)) {
      return fmt::format("the {} is protected by the rule '{}', and {} is not among those who may push it", kind,
                         rule->pattern, pusher.arn);
    }
  }
  return std::nullopt;
}

std::string rules_text(const std::vector<Rule>& rules) {
  json::array list;
  for (const Rule& rule : rules) {
    list.push_back(json::object{
        {"kind", name_of(rule.kind)}, {"pattern", rule.pattern}, {"pushers", json::value_from(rule.pushers)}});
  }
  return json::serialize(list);
}

Result<std::vector<Rule>> rules_from_text(std::string_view json_text) {
  const Result<json::value> value = parse_json(json_text);
  if (!value || !value->is_array()) return make_error(errc::damaged, "the protection rules cannot be read");
  std::vector<Rule> rules;
  for (const json::value& one : value->as_array()) {
    Rule rule;
    rule.kind = string_member(one, "kind") == "tag" ? Rule::Kind::tag : Rule::Kind::branch;
    rule.pattern = string_member(one, "pattern");
    if (const json::value* pushers = find_member(one, "pushers"); pushers != nullptr && pushers->is_array()) {
      for (const json::value& pusher : pushers->as_array()) {
        if (pusher.is_string()) rule.pushers.emplace_back(std::string_view(pusher.as_string()));
      }
    }
    rules.push_back(std::move(rule));
  }
  return rules;
}

}  // namespace kaapi::actions::git
