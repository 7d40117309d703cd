#pragma once
// Decides whether a request may be done: pure, no clock, no I/O. Everything that counts is handed in. The rules are
// those of the IAM user guide, "Policy evaluation logic", for one account; README.md lists where they are told apart.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/context.h"
#include "identity/policy/document.h"

namespace kaapi::identity::policy {

// Who asks. Texts that do not apply are empty.
struct Principal {
  std::string arn;         // as GetCallerIdentity answers it
  std::string account_id;  // 12 digits
  std::string type;     // aws:PrincipalType: "Account" or "Root", "User", "AssumedRole", "FederatedUser", "AWSService"
  std::string user_id;  // "AIDA...", of role sessions "AROA...:session"
  std::string user_name;  // users only
  std::string role_arn;   // of a role session: "arn:aws:iam::123456789012:role/path/name"
  std::string service;    // "ecs-tasks.amazonaws.com", when a service asks
  std::string federated;  // the OIDC provider's ARN, when a web identity asks
};

// A policy and how people find it: its ARN, or "inline policy X of role Y".
struct NamedPolicy {
  std::string name;
  std::shared_ptr<const Document> document;
};

// Everything that is attached to who asks.
struct Subject {
  Principal principal;
  bool root = false;
  std::vector<NamedPolicy> identity;  // attached, inline, and of groups
  std::optional<NamedPolicy> boundary;
  std::vector<NamedPolicy> session;
  // Session policies were passed, even if `session` were empty: then nothing is allowed but what they allow.
  bool has_session_policies = false;
};

// `action` in any case ("ecs:UpdateService"); `resource` an ARN or "*". Views: must outlive the call.
struct Request {
  std::string_view action;
  std::string_view resource;
  const Context& context;
};

enum class Effect { allowed, explicit_deny, implicit_deny };

// A statement that applied to the request, whether or not it decided.
struct Matched {
  std::string layer;
  std::string policy;
  std::string statement;
  bool allow = false;
  Position begin, end;
};

struct Decision {
  Effect effect = Effect::implicit_deny;
  // What decided: the deny, or the allow; for an implicit deny the layer whose allow is missing.
  std::string layer;      // "root", "identity", "boundary", "session", "resource", "trust"
  std::string policy;     // its name; empty for root and where an allow is missing (but the boundary's name is told)
  std::string statement;  // "Sid X" or "statement 2"
  // evaluate_trust: the allow names only the caller's account, so the caller's own policies must allow it as well.
  bool through_account = false;
  // Keys that conditions asked for and the request did not carry; sorted, each once.
  std::vector<std::string> missing_context_keys;
  std::vector<Matched> matched;
};

// The evaluation step by step, for people; filled only when handed in.
struct Trace {
  std::vector<std::string> steps;
};

// Decides within one account. `resource_policy` (kind resource) may be null. Thread-safe: everything handed in is read.
Decision evaluate(const Subject& subject, const Request& request, const NamedPolicy* resource_policy = nullptr,
                  Trace* trace = nullptr);

// Decides whether a trust policy lets `who` do sts:AssumeRole and its like. Only the trust policy is looked at: the
// caller checks the identity policies of `who` when the decision is through_account.
Decision evaluate_trust(const Document& trust, const Principal& who, const Request& request, Trace* trace = nullptr);

// Why it was refused, in AWS's words: "User: ARN is not authorized to perform: A on resource: R because ...".
std::string refusal(const Principal& who, const Request& request, const Decision& decision);

}  // namespace kaapi::identity::policy
