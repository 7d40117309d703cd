#pragma once
// Sessions as they are stored.

#include <string>
#include <string_view>

#include "base/error.h"
#include "identity/sts/sessions.h"
#include "store/sealer.h"

namespace kaapi::identity {

// One JSON object; the secret and the token are sealed for the session's access key id.
std::string stored_session(const Session& session, const store::Sealer& sealer);
// Error: `Damaged`.
Result<Session> read_stored_session(std::string_view access_key_id, std::string_view document,
                                    const store::Sealer& sealer);

}  // namespace kaapi::identity
