#pragma once
// The head of a request, from bytes to a RequestHead, and everything that makes a request unacceptable before its body
// is looked at. Rules: RFC 9112 (HTTP/1.1); section 6 for what delimits the body. Pure; no I/O.

#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace kaapi::http {

// Why a request is answered with an error instead of being served; the connection closes afterwards.
struct Refusal {
  int status = 400;
  std::string text;  // short, for a person
};

struct ParsedHead {
  RequestHead head;
  bool chunked = false;
  bool keep_alive = true;        // what the client wants
  bool knows_chunks = true;      // HTTP/1.1: the answer may be chunked
  bool expect_continue = false;  // it waits for "100 Continue" before it sends the body
};

// `bytes` is one whole head with the empty line that ends it. Fills `parsed`, or says why not; then `parsed` is
// undefined.
std::optional<Refusal> parse_request_head(std::string_view bytes, ParsedHead& parsed);

}  // namespace kaapi::http
