#pragma once
// Managed policies, the customer's and AWS's, seen alike. Not for other folders.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "identity/iam/operations_internal.h"
#include "identity/policy/managed.h"

namespace kaapi::identity {

struct PolicyUse {
  std::int32_t attachments = 0;
  std::int32_t boundaries = 0;
};
// Of every managed policy that is used at all, by ARN.
using PolicyUses = std::map<std::string_view, PolicyUse>;
PolicyUses uses_of_all(const IamState& state);  // views into `state`
PolicyUse use_of(const IamState& state, std::string_view arn);

// `full`: as GetPolicy shows it, with description and tags.
wire::Policy describe(const ManagedPolicy& policy, const PolicyUse& use, bool full);
wire::Policy describe(const policy::AwsManagedPolicy& policy, const PolicyUse& use, bool full);

// `with_document`: lists of versions leave it out.
wire::PolicyVersion describe_version(const ManagedPolicy& policy, const PolicyVersion& version, bool with_document);
wire::PolicyVersion describe_version(const policy::AwsManagedPolicy& policy, bool with_document);

}  // namespace kaapi::identity
