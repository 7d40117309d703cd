#include "identity/policy/match.h"

#include <fmt/format.h>

#include <algorithm>

namespace kaapi::identity::policy {
namespace {

Named how_named(const PrincipalPattern& pattern, const Principal& who) {
  using enum PrincipalPattern::Kind;
  const bool by_id = !who.user_id.empty() && who.user_id == pattern.value;
  const bool by_role_id = who.user_id.starts_with(pattern.value) && who.user_id.size() > pattern.value.size() &&
                          who.user_id[pattern.value.size()] == ':';
  switch (pattern.kind) {
    case anyone:
      // Services and web identities must be named.
      return who.service.empty() && who.federated.empty() ? Named::anyone : Named::no;
    case account:
      if (who.account_id != pattern.value || !who.service.empty() || !who.federated.empty()) return Named::no;
      return who.arn.ends_with(":root") ? Named::itself : Named::account;
    case arn:
      if (!who.arn.empty() && who.arn == pattern.value) return Named::itself;
      return !who.role_arn.empty() && who.role_arn == pattern.value ? Named::role : Named::no;
    case unique_id:
      if (by_id) return Named::itself;
      return by_role_id ? Named::role : Named::no;
    case service:
      return !who.service.empty() && who.service == pattern.value ? Named::itself : Named::no;
    case federated:
      return !who.federated.empty() && who.federated == pattern.value ? Named::itself : Named::no;
  }
  return Named::no;
}

// The text of the first pattern that matches, or nullptr.
const std::string* first_match(const std::vector<Pattern>& patterns, std::string_view text, Asked& asked,
                               bool& unresolved) {
  std::string storage;
  for (const Pattern& pattern : patterns) {
    const std::optional<std::string_view> prepared = pattern.resolve(asked.context, storage, &asked.missing);
    if (!prepared) {
      unresolved = true;
    } else if (wildcard_match(*prepared, text)) {
      return &pattern.source();
    }
  }
  return nullptr;
}

bool principal_matches(const Statement& statement, const Asked& asked, Named& named) {
  if (statement.principals.empty()) return true;
  named = how_named(statement.principals, asked.principal);
  // An Allow for "*" does not let services and web identities in; a Deny for "*" stops everybody.
  const auto is_anyone = [](const PrincipalPattern& each) { return each.kind == PrincipalPattern::Kind::anyone; };
  if (!statement.allow && !statement.not_principal && named == Named::no &&
      std::any_of(statement.principals.begin(), statement.principals.end(), is_anyone)) {
    named = Named::anyone;
  }
  if (!statement.not_principal) return named != Named::no;
  // Naming the account spares its root user alone: "Deny, NotPrincipal: Bob and the account" denies Alice.
  const bool spared = named > Named::account;
  named = spared ? Named::no : Named::anyone;
  return !spared;
}

bool action_matches(const Statement& statement, Asked& asked, std::string* why) {
  bool unresolved = false;
  const std::string* found = first_match(statement.actions, asked.action, asked, unresolved);
  const bool matches = (found != nullptr) != statement.not_action;
  if (why != nullptr && !matches) {
    *why = found != nullptr ? fmt::format("NotAction names it: {}", *found) : "Action does not name it";
  }
  return matches;
}

// A resource whose variables have no value is no resource. Left out of NotResource that would widen what is allowed, so
// such an Allow does not apply.
bool resource_matches(const Statement& statement, Asked& asked, std::string* why) {
  if (statement.resources.empty()) return true;
  bool unresolved = false;
  const std::string* found = first_match(statement.resources, asked.resource, asked, unresolved);
  bool matches = (found != nullptr) != statement.not_resource;
  if (matches && statement.not_resource && statement.allow && unresolved) matches = false;
  if (why != nullptr && !matches) {
    if (found != nullptr) {
      *why = fmt::format("NotResource names it: {}", *found);
    } else {
      *why = fmt::format("Resource does not name it{}", unresolved ? " (a policy variable has no value)" : "");
    }
  }
  return matches;
}

bool conditions_match(const Statement& statement, Asked& asked, std::string* why) {
  for (const Condition& condition : statement.conditions) {
    Verdict verdict = evaluate(condition, asked.context, statement.allow, why != nullptr, &asked.missing);
    if (why != nullptr) *why = std::move(verdict.why);
    if (!verdict.holds) return false;
  }
  return true;
}

}  // namespace

Named how_named(const std::vector<PrincipalPattern>& principals, const Principal& who) {
  Named closest = Named::no;
  for (const PrincipalPattern& pattern : principals) closest = std::max(closest, how_named(pattern, who));
  return closest;
}

Applies applies(const Statement& statement, Asked& asked, std::string* why) {
  Applies result;
  if (!principal_matches(statement, asked, result.named)) {
    if (why != nullptr) *why = statement.not_principal ? "NotPrincipal names who asks" : "Principal is somebody else";
    return result;
  }
  result.applies = action_matches(statement, asked, why) && resource_matches(statement, asked, why) &&
                   conditions_match(statement, asked, why);
  if (why != nullptr && result.applies) {
    *why = fmt::format(
        "{}{}", statement.resources.empty() ? "action matches" : "action and resource match",
        statement.conditions.empty()
            ? ""
            : fmt::format(", {} hold", statement.conditions.size() == 1 ? "its condition" : "its conditions"));
  }
  return result;
}

}  // namespace kaapi::identity::policy
