#pragma once
// Bytes between a client and the engine, in both directions at once and without either waiting for the other.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/chunked.h"

namespace kaapi::actions::docker {

// The body of one request: takes what the client sends and gives what the engine gets, and nothing that comes after it.
// One thread.
class RequestBody {
 public:
  static RequestBody none() { return RequestBody(0, false); }
  static RequestBody sized(std::uint64_t bytes) { return RequestBody(bytes, false); }
  static RequestBody chunked() { return RequestBody(0, true); }

  // Errors: `Invalid` for chunks that are none.
  Result<std::string> take(std::string_view bytes);
  // The content alone, without the chunks' frames; takes what belongs to it out of `bytes` and leaves what follows.
  Result<std::string> content(std::string& bytes);
  bool whole() const { return chunked_ ? chunks_.finished() : left_ == 0; }

 private:
  RequestBody(std::uint64_t left, bool chunked) : left_(left), chunked_(chunked) {}
  std::uint64_t left_;
  bool chunked_;
  http::ChunkDecoder chunks_;
};

// Sends the rest of the request and then the answer, until the engine has closed, the client has gone for good (one
// that only sends no more gets its answer), or `stop` is readable. No descriptor needs to be non-blocking: none is
// waited for but all at once. `early`: of the request, already received. Whether the engine has done what was asked:
// its answer says so, and does not end with an error, as the streams of builds and pulls may.
bool relay_exchange(int client, int engine, int stop, RequestBody body, std::string early);
// Both directions, each until it ends, and both when the client has gone for good. `to_client`, `to_engine`: already
// received.
void relay_stream(int client, int engine, int stop, std::string to_client, std::string to_engine);

}  // namespace kaapi::actions::docker
