#pragma once
// What is unwise in a trust policy though AWS allows it. Pure.

#include <string>
#include <vector>

#include "identity/policy/document.h"

namespace kaapi::identity {

// One sentence for each statement that lets anybody of a public OIDC issuer in because no condition looks at the
// token's subject: what it allows and what to add. Empty when all is well.
std::vector<std::string> trust_warnings(const policy::Document& trust);

}  // namespace kaapi::identity
