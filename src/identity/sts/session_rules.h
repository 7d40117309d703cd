#pragma once
// What a caller may ask of a new session: how long, with which policies, tags and source identity. Pure.
// Source: "AssumeRole" in the STS API reference; "Pass session tags in AWS STS" and "IAM and AWS STS quotas" in the IAM
// user guide.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aws/gen/sts.h"
#include "base/error.h"
#include "identity/iam/state.h"
#include "identity/sts/sessions.h"

namespace kaapi::identity {

inline constexpr std::int64_t default_session_s = 3'600;
inline constexpr std::int64_t max_chained_session_s = 3'600;
inline constexpr std::int64_t default_session_token_s = 43'200;
inline constexpr std::int64_t max_root_session_token_s = 3'600;
inline constexpr std::size_t max_session_policy_arns = 10;
// What session policies and tags may take together, in characters without the policies' white space.
inline constexpr std::size_t max_packed_size = policy::max_session_policy_size;

// Errors: ValidationError (longer than the role allows, or than an hour when a role's session asks).
Result<Duration> role_session_duration(const Role& role, std::optional<std::int64_t> asked_s, bool chained);
// Root's sessions are cut to an hour, as AWS does.
Duration session_token_duration(std::optional<std::int64_t> asked_s, bool root);

// Errors: MalformedPolicyDocument, ValidationError (too many, or no such policy).
Result<std::vector<SessionPolicy>> session_policies(
    const IamState& state, const std::optional<std::string>& inline_policy,
    const std::optional<std::vector<aws::sts::PolicyDescriptorType>>& arns);

struct SessionTags {
  std::map<std::string, std::string> tags;
  std::vector<std::string> transitive;  // keys
};
// The tags that were passed, together with the transitive ones of the caller's own session (nullptr: none). Errors:
// ValidationError (a key twice but for its case, a reserved one, a transitive key without its tag),
// InvalidParameterValue (one that the caller's session has settled).
Result<SessionTags> session_tags(const std::vector<std::pair<std::string, std::string>>& passed,
                                 const std::vector<std::string>& transitive, const Session* caller);

// A source identity that did not come through the model's own check: 2 to 64 of letters, digits and +=,.@-_. Error:
// ValidationError.
Result<void> check_source_identity(std::string_view text);

// How much of max_packed_size the session takes, in percent; nullopt when it has neither policies nor tags. Error:
// PackedPolicyTooLarge.
Result<std::optional<std::int32_t>> packed_percent(const Session& session);

}  // namespace kaapi::identity
