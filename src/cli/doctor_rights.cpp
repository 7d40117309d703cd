// What `kaapi doctor` asks of IAM, and what it thinks of the answers.
#include <fmt/format.h>

#include "aws/client.h"
#include "aws/gen/iam.h"
#include "base/text.h"
#include "cli/doctor.h"
#include "identity/iam/trust.h"
#include "identity/policy/document.h"

namespace kaapi::cli {
namespace {

namespace iam = aws::iam;

constexpr std::string_view administrator_policy = "arn:aws:iam::aws:policy/AdministratorAccess";
constexpr std::chrono::days old_key{90};
// More than IAM's limits of users and roles fill; a server that never ends a listing is left.
constexpr int max_pages = 1'000;

// Hands every page of a listing to `take`.
template <class Operation, class Take>
Result<void> for_each_page(aws::Client& client, typename Operation::Request request, Take take) {
  for (int page = 0; page < max_pages; ++page) {
    const auto answer = client.call<Operation>(request);
    if (!answer) return answer.error();
    take(*answer);
    if (!answer->IsTruncated.value_or(false) || !answer->Marker) return ok();
    request.Marker = answer->Marker;
  }
  return make_error(errc::too_large, fmt::format("{} has more than {} pages", Operation::name, max_pages));
}

Result<void> ask_roles(aws::Client& client, RightsFacts& facts) {
  return for_each_page<iam::ListRoles>(client, {}, [&](const iam::ListRolesResponse& page) {
    for (const iam::Role& role : page.Roles) {
      // IAM answers documents percent-encoded.
      const std::string encoded = role.AssumeRolePolicyDocument.value_or("");
      facts.roles.push_back({role.RoleName, percent_decode(encoded).value_or(encoded)});
    }
  });
}

Result<void> ask_keys(aws::Client& client, const std::string& user, RightsFacts& facts) {
  iam::ListAccessKeysRequest request;
  request.UserName = user;
  std::vector<iam::AccessKeyMetadata> keys;
  const Result<void> listed =
      for_each_page<iam::ListAccessKeys>(client, request, [&](const iam::ListAccessKeysResponse& page) {
        for (const iam::AccessKeyMetadata& key : page.AccessKeyMetadata) {
          if (key.Status == "Active") keys.push_back(key);
        }
      });
  // Users may go while they are asked about.
  if (!listed && listed.error().code == iam::error::NoSuchEntityException) return ok();
  if (!listed) return listed.error();
  for (const iam::AccessKeyMetadata& key : keys) {
    iam::GetAccessKeyLastUsedRequest last;
    last.AccessKeyId = key.AccessKeyId.value_or("");
    const auto used = client.call<iam::GetAccessKeyLastUsed>(last);
    if (!used && used.error().code == iam::error::NoSuchEntityException) continue;
    if (!used) return used.error();
    RightsFacts::Key fact{user, last.AccessKeyId, key.CreateDate.value_or(Time()), std::nullopt};
    if (used->AccessKeyLastUsed) fact.last_used = used->AccessKeyLastUsed->LastUsedDate;
    facts.keys.push_back(std::move(fact));
  }
  return ok();
}

Result<void> ask_administrators(aws::Client& client, RightsFacts& facts) {
  iam::ListEntitiesForPolicyRequest request;
  request.PolicyArn = administrator_policy;
  request.PolicyUsageFilter = "PermissionsPolicy";
  return for_each_page<iam::ListEntitiesForPolicy>(
      client, request, [&](const iam::ListEntitiesForPolicyResponse& page) {
        for (const auto& user : page.PolicyUsers.value_or(std::vector<iam::PolicyUser>())) {
          facts.administrators.push_back("user " + user.UserName.value_or("?"));
        }
        for (const auto& group : page.PolicyGroups.value_or(std::vector<iam::PolicyGroup>())) {
          facts.administrators.push_back("group " + group.GroupName.value_or("?"));
        }
        for (const auto& role : page.PolicyRoles.value_or(std::vector<iam::PolicyRole>())) {
          facts.administrators.push_back("role " + role.RoleName.value_or("?"));
        }
      });
}

std::vector<Finding> judge_trust(const std::vector<RightsFacts::Role>& roles) {
  std::vector<Finding> findings;
  for (const RightsFacts::Role& role : roles) {
    const auto trust = identity::policy::parse(role.trust_policy, identity::policy::Kind::trust);
    if (!trust) {
      findings.push_back({Severity::warning, "trust",
                          fmt::format("the trust policy of role {} cannot be read, so nobody can assume the role: {}",
                                      role.name, trust.error().message),
                          fmt::format("aws iam update-assume-role-policy --role-name {}", role.name)});
      continue;
    }
    for (const std::string& warning : identity::trust_warnings(**trust)) {
      findings.push_back({Severity::warning, "trust", fmt::format("role {}: {}", role.name, warning), ""});
    }
  }
  if (findings.empty()) {
    findings.push_back({Severity::ok, "trust",
                        fmt::format("none of {} roles is open to everybody of a public token issuer", roles.size()),
                        ""});
  }
  return findings;
}

std::vector<Finding> judge_keys(const std::vector<RightsFacts::Key>& keys, Time now) {
  std::vector<Finding> findings;
  for (const RightsFacts::Key& key : keys) {
    const auto days = std::chrono::floor<std::chrono::days>(now - key.made);
    const bool old = now - key.made > old_key;
    if (!old && key.last_used) continue;
    const std::string_view why = old && !key.last_used ? "has never been used and is {} days old"
                                 : old                 ? "is {} days old, and the older, the more places have it"
                                                       : "has never been used ({} days old)";
    findings.push_back(
        {Severity::warning, "keys",
         fmt::format("access key {} of user {} {}", key.id, key.user, fmt::format(fmt::runtime(why), days.count())),
         key.last_used
             ? fmt::format("make a new one, give it to whoever uses this one, and delete this one: aws iam "
                           "create-access-key --user-name {}",
                           key.user)
             : fmt::format("if nobody is going to use it: aws iam delete-access-key --user-name {} --access-key-id {}",
                           key.user, key.id)});
  }
  if (findings.empty()) {
    findings.push_back({Severity::ok, "keys",
                        fmt::format("none of {} active access keys of users is unused or older than {} days",
                                    keys.size(), old_key.count()),
                        ""});
  }
  return findings;
}

}  // namespace

Result<RightsFacts> ask_rights(aws::Client& client) {
  RightsFacts facts;
  if (const Result<void> asked = ask_roles(client, facts); !asked) return asked.error();
  std::vector<std::string> users;
  const Result<void> listed = for_each_page<iam::ListUsers>(client, {}, [&](const iam::ListUsersResponse& page) {
    for (const iam::User& user : page.Users) users.push_back(user.UserName);
  });
  if (!listed) return listed.error();
  for (const std::string& user : users) {
    if (const Result<void> asked = ask_keys(client, user, facts); !asked) return asked.error();
  }
  if (const Result<void> asked = ask_administrators(client, facts); !asked) return asked.error();
  return facts;
}

std::vector<Finding> judge_rights(const RightsFacts& facts, Time now) {
  std::vector<Finding> findings = judge_trust(facts.roles);
  for (Finding& finding : judge_keys(facts.keys, now)) findings.push_back(std::move(finding));
  for (const std::string& who : facts.administrators) {
    findings.push_back(
        {Severity::note, "administrators", fmt::format("{} has AdministratorAccess: may do everything", who), ""});
  }
  return findings;
}

}  // namespace kaapi::cli
