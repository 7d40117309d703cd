#pragma once
// `git http-backend` as a CGI program (RFC 3875): the request's body streamed in, its answer streamed out.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

// Follows git's packets ("0009hello", "0000") and keeps back the last flush packet, so that something can be said
// before it. What is not in packets passes unchanged. Pure.
class PacketTail {
 public:
  // What may be sent on now.
  std::string pass(std::string_view bytes);
  // What is left at the end, with `failure` (if any) before the flush as an error packet of the sideband, which makes
  // git push end with a failure.
  std::string finish(std::string_view failure);

 private:
  std::string held_;      // a flush, or the beginning of a packet's length
  std::size_t left_ = 0;  // of the packet that passes
  bool broken_ = false;   // no packets
};

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
  // has been ended. `tail`: see PacketTail; `failure` is asked at the end. nullptr: passes unchanged.
  template <class Failure>
  bool stream(http::BodyWriter& writer, PacketTail* tail, const Failure& failure) {
    return pump(writer, tail) && finish(writer, tail == nullptr ? "" : tail->finish(failure()));
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
