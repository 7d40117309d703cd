#pragma once
// What AssumeRole and AssumeRoleWithWebIdentity have in common.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aws/dispatch.h"
#include "aws/gen/sts.h"
#include "base/error.h"
#include "identity/iam/state.h"
#include "identity/policy/evaluate.h"
#include "identity/sts/sts_operations.h"

namespace kaapi::identity {

// Whether `subject` may do `action` ("sts:AssumeRole") to the role: the trust policy must name them, and their own
// policies must allow it where it names only their account. Error: AccessDenied, in AWS's words.
Result<void> may_assume(const policy::Subject& subject, const Role& role, std::string_view action,
                        const policy::Context& context);
// The same refusal for a role that is not there: who may not see it must not learn that.
Error no_such_role(const policy::Principal& who, std::string_view role_arn, std::string_view action);

// Error: ValidationError.
Result<void> check_role_arn(std::string_view arn);

aws::sts::Credentials credentials_of(const Session& session);
aws::sts::AssumedRoleUser assumed_role_user(const Session& session, std::string_view account_id);

// The conditions that every way into a role offers: sts:RoleSessionName, aws:RequestTag/…, aws:TagKeys, ….
aws::ConditionValues session_conditions(const std::string& session_name,
                                        const std::vector<std::pair<std::string, std::string>>& tags,
                                        const std::vector<std::string>& transitive, const std::string& source_identity);

Result<aws::sts::AssumeRoleResponse> assume_role(const StsRooms& rooms, const aws::CallContext& context,
                                                 const aws::sts::AssumeRoleRequest& request);
Result<aws::sts::AssumeRoleWithWebIdentityResponse> assume_role_with_web_identity(
    const StsRooms& rooms, const aws::CallContext& context, const aws::sts::AssumeRoleWithWebIdentityRequest& request);

}  // namespace kaapi::identity
