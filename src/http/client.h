#pragma once
// A small HTTP/1.1 client over TCP or a Unix socket: whole answers, and answers that stream until somebody stops them
// (Docker's events and logs).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/message.h"

namespace kaapi::http {

struct Endpoint {
  std::string unix_path;  // when set, host and port only name the peer in the Host header
  std::string host = "localhost";
  std::uint16_t port = 80;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  Headers headers;
  std::string body;
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
};

// Thread-safe; keeps a few connections alive and retries once when the peer had closed one before the first byte of its
// answer. The one io thread starts with the first stream(), all streams share it. Destroying the client stops streams
// that still run.
class Client {
 public:
  explicit Client(Endpoint endpoint, std::size_t max_body_bytes = 64UL * 1024U * 1024U);
  ~Client();

  // Gets the answer's body as it comes, on the sending thread; the limit does not apply then. False: stop, the
  // connection is dropped.
  using BodySink = std::function<bool(std::string_view bytes)>;

  // Blocks until the whole answer is there. Errors: `Unavailable` (cannot connect, connection lost, not an HTTP
  // answer), `TimedOut` (whole exchange), `TooLarge` (the body), `Cancelled` (the sink said stop), `Invalid` (a line
  // break in the request's head).
  Result<ClientResponse> send(const ClientRequest& request, std::chrono::milliseconds timeout,
                              const BodySink& sink = {});

  // A running streamed answer; destroying it stops it and waits for a callback in progress, unless that callback
  // destroys it.
  class Stream {
   public:
    virtual ~Stream() = default;
  };
  struct StreamCallbacks {
    std::function<void(int status, const Headers&)> on_head;
    std::function<void(std::string_view bytes)> on_bytes;
    // Once, last: success when the peer ended the answer, else why it broke. Not called when the Stream is destroyed
    // first.
    std::function<void(Result<void>)> on_end;
  };
  // Callbacks run on the client's io thread, one at a time per stream; they must be quick. Always on a connection of
  // its own; no deadline. Errors come by on_end, those of send() except `TimedOut` and `TooLarge`.
  std::unique_ptr<Stream> stream(const ClientRequest& request, StreamCallbacks callbacks);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kaapi::http
