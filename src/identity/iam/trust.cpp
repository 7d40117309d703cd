#include "identity/iam/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace kaapi::identity {
namespace {

using policy::Condition;
using policy::PrincipalPattern;
using policy::Statement;

// Issuers that give a token to whoever has an account there. The first part of a provider's path is the issuer's host.
constexpr std::array public_issuers{
    std::string_view("token.actions.githubusercontent.com"),
    std::string_view("gitlab.com"),
    std::string_view("app.terraform.io"),
    std::string_view("agent.buildkite.com"),
    std::string_view("oidc.circleci.com"),
    std::string_view("api.bitbucket.org"),
    std::string_view("accounts.google.com"),
};

// "token.actions.githubusercontent.com" of its provider's ARN; empty for a private issuer.
std::string_view public_issuer_of(std::string_view provider_arn) {
  constexpr std::string_view type = ":oidc-provider/";
  const std::size_t at = provider_arn.find(type);
  const std::string_view url = at == std::string_view::npos ? provider_arn : provider_arn.substr(at + type.size());
  const auto found = std::find(public_issuers.begin(), public_issuers.end(), url.substr(0, url.find('/')));
  return found == public_issuers.end() ? std::string_view() : url;
}

// True for "*", "repo:*" and their like: every subject of the issuer, or of nearly all.
bool matches_anybody(std::string_view pattern) {
  return pattern.find_first_not_of("*?") == std::string_view::npos || pattern == "repo:*" || pattern == "repo:*/*" ||
         pattern == "repo:*:*";
}

// Whether the line narrows down who it is: a subject must be there and be one of those named.
bool names_subject(const Condition& condition, std::string_view issuer) {
  const bool compares_text = condition.op.comparison == policy::Comparison::string_equals ||
                             condition.op.comparison == policy::Comparison::string_equals_ignore_case ||
                             condition.op.comparison == policy::Comparison::string_like;
  if (condition.key != fmt::format("{}:sub", issuer) || !compares_text || condition.op.negated) return false;
  if (condition.op.if_exists || condition.op.quantifier == policy::Quantifier::for_all_values) return false;
  if (condition.op.comparison != policy::Comparison::string_like) return true;
  return std::none_of(condition.values.begin(), condition.values.end(),
                      [](const policy::Pattern& value) { return matches_anybody(value.source()); });
}

}  // namespace

std::vector<std::string> trust_warnings(const policy::Document& trust) {
  std::vector<std::string> warnings;
  for (const Statement& statement : trust.statements) {
    if (!statement.allow || statement.not_principal) continue;
    for (const PrincipalPattern& principal : statement.principals) {
      if (principal.kind != PrincipalPattern::Kind::federated) continue;
      const std::string_view issuer = public_issuer_of(principal.value);
      const bool narrow = std::any_of(statement.conditions.begin(), statement.conditions.end(),
                                      [&](const Condition& condition) { return names_subject(condition, issuer); });
      if (issuer.empty() || narrow) continue;
      warnings.push_back(
          fmt::format("{} lets everybody in who gets a token of the public issuer {}, because no condition says whose "
                      "token it must be; add a condition on \"{}:sub\", such as StringLike with \"repo:OWNER/NAME:*\"",
                      statement.name(), issuer, issuer));
    }
  }
  return warnings;
}

}  // namespace kaapi::identity
