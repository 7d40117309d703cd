#pragma once
// What a request asks for, in the words of policies: actions, resources and condition keys, derived from its row in the
// operation table (models/permissions/). Who decides is identity/, behind the Authorizer interface.
// Source of the rows: the Service Authorization Reference.

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::aws {

struct CallContext;

// Who decides whether a call may be made.
enum class Permission {
  asked,      // the policies
  everybody,  // every signed caller: there is nothing to grant ("GetCallerIdentity")
  own,        // the operation itself, by rules of its own ("AssumeRole": the role's trust policy)
  unsigned_   // as own, and the request carries no signature ("AssumeRoleWithWebIdentity")
};

struct ConditionRow {
  std::string_view key;    // "ecs:cluster"
  std::string_view value;  // a template
};

// A role that the request hands to a service: iam:PassRole is asked for it.
struct PassedRoleRow {
  std::string_view role;     // a template
  std::string_view service;  // "ecs-tasks.amazonaws.com"
};

// Templates: texts with placeholders `{PATH:FILTER|PATH:FILTER=DEFAULT}`. PATH leads through the decoded request,
// member by member; `list[]` stands for each entry, so a template may yield several texts. Without a default a
// placeholder that finds nothing yields nothing. FILTER: `tail` (of an ARN what follows its last slash), `revision`
// (the same, and ":*" when no revision is named), `log-group` (the name in a log group's ARN), `host` (a URL without
// its scheme), a text that begins with '/' (put before the value), and `role`, `user`, `group`, `instance-profile` (the
// ARN of what is called so). `{region}`, `{account}` and `{caller}` (an ARN) are the call's.
struct PermissionRow {
  Permission rule = Permission::asked;
  std::string_view resource{};  // empty: "*"
  std::span<const ConditionRow> conditions{};
  std::span<const PassedRoleRow> passes{};
};

// Condition keys in lower case, each with its values.
using ConditionValues = std::map<std::string, std::vector<std::string>, std::less<>>;

// The code of a refusal inside the house; on the wire AccessDeniedException (400), or AccessDenied (403) of query
// services.
inline constexpr std::string_view access_denied = "AccessDenied";

// One question to the policies.
struct Access {
  std::string action;    // "ecs:UpdateService"
  std::string resource;  // an ARN, or "*"
  ConditionValues conditions;
};

// Thread-safe. Implemented by identity/.
class Authorizer {
 public:
  virtual ~Authorizer() = default;
  // The ARN of the "role", "user", "group" or "instance-profile" of that name, which need not exist. A text that is an
  // ARN already comes back as it is.
  virtual std::string arn_of(const CallContext& context, std::string_view type, std::string_view name) const = 0;
  // Success, with the reason for the audit log, when every access is allowed. Error: access_denied, in AWS's words:
  // who, which action, which resource, and why.
  virtual Result<std::string> authorize(const CallContext& context, const std::vector<Access>& accesses) const = 0;
  // The same, and the refusal for somebody who may read it (sts:DecodeAuthorizationMessage) in `encoded`; empty when
  // there is none.
  virtual Result<std::string> authorize_encoded(const CallContext& context, const std::vector<Access>& accesses,
                                                std::string& encoded) const {
    encoded.clear();
    return authorize(context, accesses);
  }
};

// What a room knows of its resources beyond the request. Asked only when a policy wants to know it. Thread-safe.
// Implemented by the rooms of floor 3 whose resources carry tags or policies.
class ResourceFacts {
 public:
  virtual ~ResourceFacts() = default;
  // By key, as written; empty when there is no such resource.
  virtual std::map<std::string, std::string> tags_of(std::string_view arn) const = 0;
  // The resource's own policy as JSON; empty when it has none.
  virtual std::string policy_of(std::string_view arn) const = 0;
};

// The questions that a request raises: one for each resource, with aws:RequestTag/* and aws:TagKeys from its tags, and
// one for each role it passes. Pure but for `authorizer.arn_of`. `action` is "ecs:UpdateService".
std::vector<Access> accesses_of(std::string_view action, const PermissionRow& row, const CallContext& context,
                                const json::value& request, const Authorizer& authorizer);

}  // namespace kaapi::aws
