#pragma once
// The STS operations.

#include "aws/dispatch.h"
#include "identity/iam/directory.h"
#include "identity/oidc/keys.h"
#include "identity/sts/keys.h"
#include "identity/sts/sessions.h"
#include "store/sealer.h"

namespace kaapi::identity {

// What the operations stand on; everything must outlive the dispatcher.
struct StsRooms {
  const Directory& directory;
  Sessions& sessions;
  const Keys& keys;
  oidc::IssuerKeys& issuers;
  const store::Sealer& sealer;
  // Off: nobody is asked for a right, and whoever calls may assume every role.
  bool auth = true;
};

// Adds AssumeRole, AssumeRoleWithWebIdentity, GetSessionToken, GetAccessKeyInfo, DecodeAuthorizationMessage and
// GetCallerIdentity.
void add_sts_operations(aws::Dispatcher& dispatcher, const StsRooms& rooms);

}  // namespace kaapi::identity
