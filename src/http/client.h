#pragma once
// A small HTTP/1.1 client over TCP or a Unix socket: whole answers, and answers that stream until somebody stops them
// (Docker's events and logs).

#include <chrono>
#include <functional>
#include <memory>
#include <string>

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

// Thread-safe; keeps a few connections alive and retries once on one that the peer had closed meanwhile.
class Client {
 public:
  explicit Client(Endpoint endpoint, std::size_t max_body_bytes = 64U * 1024U * 1024U);
  ~Client();

  // Errors: `Unavailable` (cannot connect, connection lost), `TimedOut` (whole exchange), `TooLarge`.
  Result<ClientResponse> send(const ClientRequest& request, std::chrono::milliseconds timeout);

  // A running streamed answer; destroying it stops it and waits for a callback in progress.
  class Stream {
   public:
    virtual ~Stream() = default;
  };
  struct StreamCallbacks {
    std::function<void(int status, const Headers&)> on_head;
    std::function<void(std::string_view bytes)> on_bytes;
    // Once, last: success when the peer ended the answer, else why it broke. Not called when the Stream is destroyed first.
    std::function<void(Result<void>)> on_end;
  };
  // Callbacks run on the client's io thread, one at a time per stream; they must be quick.
  std::unique_ptr<Stream> stream(const ClientRequest& request, StreamCallbacks callbacks);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kaapi::http
