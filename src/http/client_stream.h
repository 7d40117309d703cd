#pragma once
// The io thread behind Client::stream(), shared by all streams of one client. Private to the client.

#include <memory>
#include <string>

#include "http/client.h"

namespace kaapi::http {

// Starts its thread at once. Thread-safe. Destroying it stops every stream (without on_end) and joins the thread: not
// from a callback.
class StreamLoop {
 public:
  explicit StreamLoop(Endpoint endpoint);
  ~StreamLoop();

  // `request_text`: the whole request as it goes over the wire.
  std::unique_ptr<Client::Stream> start(std::string request_text, bool head_request, Client::StreamCallbacks callbacks);
  // A stream that only ends, with this error.
  std::unique_ptr<Client::Stream> fail(Error error, Client::StreamCallbacks callbacks);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kaapi::http
