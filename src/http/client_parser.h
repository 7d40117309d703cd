#pragma once
// One HTTP/1.1 answer, parsed as its bytes come. Private to the client; Beast stays behind it in one translation unit.

#include <functional>
#include <memory>
#include <string_view>

#include "base/error.h"
#include "http/message.h"

namespace kaapi::http {

inline constexpr std::size_t max_answer_header_bytes = 64 * 1024;

// One thread at a time. Callbacks are called from inside feed().
class AnswerParser {
 public:
  struct Callbacks {
    std::function<void(int status, Headers)> on_head;
    std::function<bool(std::string_view bytes)> on_bytes;  // false: stop, feed() answers `Cancelled`
  };
  // `head_request`: the answer to HEAD has no body whatever its headers say.
  AnswerParser(bool head_request, Callbacks callbacks);
  ~AnswerParser();

  // Errors: `Unavailable` for bytes that are no HTTP answer, `Cancelled`.
  Result<void> feed(std::string_view bytes);
  // The peer closed: the end of a body without length, `Unavailable` anywhere else.
  Result<void> end_of_input();

  bool done() const;
  bool any_byte() const;
  // After done(): the connection can carry another exchange.
  bool reusable() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kaapi::http
