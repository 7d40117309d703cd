#pragma once
// Policy documents: what IAM calls a policy, a trust policy, a permissions boundary, a session policy or a resource
// policy. parse() is as strict as IAM; what it yields is prepared for quick evaluation (evaluate.h).

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "identity/policy/condition.h"
#include "identity/policy/pattern.h"

namespace kaapi::identity::policy {

// What a document may hold.
enum class Kind {
  identity,  // Resource is required, Principal refused: attached policies, boundaries, session policies
  trust,     // Principal is required, Resource refused: who may assume a role
  resource,  // Principal is required, Resource optional: ECR repositories, secrets
};

// Bounds of any document; IAM's own quotas are smaller and counted without white space (counted_size).
inline constexpr std::size_t max_document_bytes = 131'072;  // the model's limit of PolicyDocument
inline constexpr std::size_t max_statements = 1'000;
inline constexpr std::size_t max_values = 20'000;  // of all lists of one document together

inline constexpr std::size_t max_refusal_bytes = 1'000;  // of what an error quotes and says

// IAM's quotas, in characters without white space.
inline constexpr std::size_t max_managed_policy_size = 6'144;
inline constexpr std::size_t max_user_inline_size = 2'048;   // all inline policies of one user together
inline constexpr std::size_t max_group_inline_size = 5'120;  // of one group
inline constexpr std::size_t max_role_inline_size = 10'240;  // of one role
inline constexpr std::size_t max_trust_policy_size = 2'048;
inline constexpr std::size_t max_session_policy_size = 2'048;

// The size that IAM's quotas count: white space is left out.
std::size_t counted_size(std::string_view json);

// A place in the text of a document, both from 1, as SimulatePrincipalPolicy tells it.
struct Position {
  std::int32_t line = 0;
  std::int32_t column = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

// One entry of Principal or NotPrincipal.
struct PrincipalPattern {
  enum class Kind {
    anyone,     // "*"
    account,    // "123456789012" or "arn:aws:iam::123456789012:root"
    arn,        // a user, a role, an assumed-role or a federated-user ARN
    unique_id,  // AIDA... or AROA...: what IAM makes of the ARN when the user or role was deleted
    service,    // "ecs-tasks.amazonaws.com"
    federated,  // the ARN of an OIDC provider
  };
  Kind kind = Kind::anyone;
  std::string value;  // the account id, ARN, id or service name
};

struct Statement {
  std::string sid;
  std::size_t number = 0;  // from 1, in the order of the document
  Position begin, end;     // of its text: the first character, and the one behind the last
  bool allow = false;
  bool not_action = false;
  std::vector<Pattern> actions;  // in lower case
  bool not_resource = false;
  std::vector<Pattern> resources;  // empty: any (kinds trust and resource)
  bool not_principal = false;
  std::vector<PrincipalPattern> principals;  // empty in kind identity
  std::vector<Condition> conditions;

  // "Sid AllowPush" or "statement 2": how people find it.
  std::string name() const;
};

// Immutable once parsed; shared between threads.
struct Document {
  Kind kind = Kind::identity;
  std::string version;  // "2012-10-17" or "2008-10-17"
  std::string id;
  std::vector<Statement> statements;
};

// Errors: MalformedPolicyDocument, in AWS's words where they are known, then which statement and what was expected.
Result<std::shared_ptr<const Document>> parse(std::string_view json, Kind kind);

// The keys ("aws:sourceip", in lower case, each once, sorted) that the conditions and variables of a document ask for:
// GetContextKeysForCustomPolicy.
std::vector<std::string> context_keys(const Document& document);

}  // namespace kaapi::identity::policy
