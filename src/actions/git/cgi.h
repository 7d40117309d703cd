#pragma once
// `git http-backend` as a CGI program (RFC 3875): the request's body streamed in, its answer streamed out.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actions/git/packet_tail.h"
#include "actions/git/process.h"
#include "base/error.h"
#include "http/message.h"

namespace kaapi::actions::git {

// What the program may print while it is still being fed; then it is ended.
inline constexpr std::size_t max_early_output_bytes = 8 * 1024 * 1024;
inline constexpr std::size_t max_cgi_head_bytes = 64 * 1024;

struct CgiHead {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
};
// The head that a CGI program printed, without the empty line. Error: `Invalid`.
Result<CgiHead> parse_cgi_head(std::string_view text);

// One request. One thread at a time. Ends the program when destroyed.
class Cgi {
 public:
  explicit Cgi(Process process) : process_(std::move(process)) {}

  // Hands the whole body in; what the program does not read is dropped, so that the peer gets to the answer. Errors:
  // those of `body`, `TooLarge` (early output).
  Result<void> feed(http::BodyReader& body);
  // Waits for the head. Errors: `Unavailable` (it printed none; what it said is in its words), `Invalid`.
  Result<CgiHead> read_head();
  // Passes the rest on until its end. False when that was not its proper end, or the peer went away: then the program
  // has been ended. `tail`: see PacketTail; `failures` is asked at the end. nullptr: passes unchanged.
  template <class Failures>
  bool stream(http::BodyWriter& writer, PacketTail* tail, const Failures& failures) {
    return pump(writer, tail) && finish(writer, tail == nullptr ? "" : tail->finish(failures()));
  }

 private:
  bool pump(http::BodyWriter& writer, PacketTail* tail);
  bool finish(http::BodyWriter& writer, const std::string& last);
  // Waits until there is something to read, room to write (`writing`), or the peer has gone (`peer`; -1: none).
  // False: the peer has gone.
  bool await(bool writing, int peer);

  Process process_;
  std::string output_, errors_;
  bool output_open_ = true, errors_open_ = true;
};

}  // namespace kaapi::actions::git
