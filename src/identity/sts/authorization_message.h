#pragma once
// What DecodeAuthorizationMessage decodes: a decision in AWS's JSON, sealed, so that a refused client can hand it to
// somebody who may know the reason, and cannot read it himself.

#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"
#include "identity/policy/evaluate.h"
#include "store/sealer.h"

namespace kaapi::identity {

inline constexpr std::size_t max_encoded_message_bytes = 10'240;  // as the model says
inline constexpr std::size_t max_message_statements = 20;

// The text to be shown to the refused client, of at most max_encoded_message_bytes.
std::string encode_authorization_message(const store::Sealer& sealer, const policy::Principal& who,
                                         const policy::Request& request, const policy::Decision& decision);
// The JSON inside. Error: InvalidAuthorizationMessageException.
Result<std::string> decode_authorization_message(const store::Sealer& sealer, std::string_view encoded);

}  // namespace kaapi::identity
