#pragma once
// Whether one statement applies to one request, and which element decides that it does not.

#include <string>
#include <string_view>
#include <vector>

#include "identity/policy/evaluate.h"

namespace kaapi::identity::policy {

// How closely a Principal element means who asks; the closer, the greater.
enum class Named {
  no,
  account,  // only the account: whoever belongs to it, if the account's own policies say so
  role,     // the role of a session
  anyone,   // "*"
  itself,   // this user, session, service or identity provider
};

// A request prepared for many statements.
struct Asked {
  std::string action;  // in lower case
  std::string_view resource;
  const Context& context;
  const Principal& principal;
  std::vector<std::string> missing;  // keys that were asked for and absent, in any order
};

struct Applies {
  bool applies = false;
  Named named = Named::no;  // of statements with a principal
};

Named how_named(const std::vector<PrincipalPattern>& principals, const Principal& who);

// `why` (may be null) gets the element that does not match, or what matched.
Applies applies(const Statement& statement, Asked& asked, std::string* why);

}  // namespace kaapi::identity::policy
