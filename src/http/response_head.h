#pragma once
// The head of an answer, as bytes. Pure apart from the wall clock in `Date`.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace kaapi::http {

// False for 1xx, 204 and 304: their answers end with the head (RFC 9112, section 6.3).
bool status_has_body(int status);

// The bytes of the body that an answer has; 0 for one that is produced.
std::uint64_t body_length(const Response& response);

// Status line, Date, Connection, Content-Length and the fields of the answer. `length` nullopt: no Content-Length,
// but Transfer-Encoding when the body is `chunked`.
// Fields that the server writes itself are dropped from the answer's own; control characters in values become spaces,
// so that no value can end the head early.
std::string encode_response_head(const Response& response, std::optional<std::uint64_t> length, bool keep_alive,
                                 bool chunked = false);

}  // namespace kaapi::http
