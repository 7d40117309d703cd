#pragma once
// How the entities of IAM are stored. Absent members keep their defaults, so that older rows stay readable.

#include <string>
#include <string_view>

#include "base/error.h"
#include "identity/iam/model.h"
#include "store/sealer.h"

namespace kaapi::identity {

std::string to_stored(const User& user, const store::Sealer& sealer);
std::string to_stored(const Group& group, const store::Sealer& sealer);
std::string to_stored(const Role& role, const store::Sealer& sealer);
std::string to_stored(const ManagedPolicy& policy, const store::Sealer& sealer);
std::string to_stored(const InstanceProfile& profile, const store::Sealer& sealer);
std::string to_stored(const OidcProvider& provider, const store::Sealer& sealer);
std::string to_stored(const AccessKeyRecord& key, const store::Sealer& sealer);  // the secret sealed

// Read what to_stored() wrote; policy documents are parsed, secrets opened. Error: `Damaged`.
Result<void> from_stored(std::string_view text, const store::Sealer& sealer, User& user);
Result<void> from_stored(std::string_view text, const store::Sealer& sealer, Group& group);
Result<void> from_stored(std::string_view text, const store::Sealer& sealer, Role& role);
Result<void> from_stored(std::string_view text, const store::Sealer& sealer, ManagedPolicy& policy);
Result<void> from_stored(std::string_view text, const store::Sealer& sealer, InstanceProfile& profile);
Result<void> from_stored(std::string_view text, const store::Sealer& sealer, OidcProvider& provider);
Result<void> from_stored(std::string_view text, const store::Sealer& sealer, AccessKeyRecord& key);

}  // namespace kaapi::identity
