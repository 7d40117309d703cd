#pragma once
// The HTTP/1.1 server: one port, routes by path prefix, bounded in every direction.
// Handlers are plain blocking functions on a bounded pool of worker threads. Transport never waits for a peer on those
// threads; see README.md for how they share the work.

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "http/message.h"

namespace kaapi::http {

struct ServerConfig {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;                      // 0: a free one, see Server::port()
  unsigned io_threads = 1;                     // stay free for transport while every worker runs a handler
  unsigned worker_threads = 8;                 // handlers at once
  unsigned max_stream_threads = 64;            // streamed bodies being read at once; made on demand, gone when idle
  std::size_t max_connections = 1024;          // one more is answered 503 and closed
  std::size_t max_header_bytes = 64UL * 1024;  // more: 431
  std::chrono::milliseconds header_timeout{15'000};       // from the first byte of a request to its last header byte
  std::chrono::milliseconds idle_timeout{75'000};         // between requests
  std::chrono::milliseconds body_timeout{60'000};         // without any progress while reading or writing a body
  std::chrono::milliseconds whole_body_timeout{120'000};  // from head to last byte of a body that a Handler gets
  // What bodies for Handlers may hold together until they are answered, not counting the first 64 KiB of each: who
  // sends more is answered 503.
  std::size_t max_large_body_bytes = 64UL * 1024 * 1024;
};

using Handler = std::function<Response(const Request&)>;
// The handler may leave the body unread: the server then closes the connection after the answer.
using StreamHandler = std::function<Response(const RequestHead&, BodyReader&)>;

// What /metrics shows of the server itself.
struct ServerCounters {
  std::uint64_t requests = 0;
  std::uint64_t connections = 0;  // open now
  std::uint64_t refused = 0;      // malformed, too large or too many
};

// Add routes, then start(). start() and stop() from one thread; handlers run on many.
class Server {
 public:
  explicit Server(ServerConfig config);
  ~Server();  // stops
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The longest matching prefix wins. A body over max_body_bytes is answered 413 without being read.
  void route(std::string prefix, std::size_t max_body_bytes, Handler handler);
  // Bodies of any size, read as they come. `may_wait`: the handler may wait long for other things than the body too, so
  // requests without one also have a thread of the stream threads, not of the workers.
  void route_stream(std::string prefix, StreamHandler handler, bool may_wait = false);

  // Binds and listens. Error: `Unavailable`, one line naming address and port and why (taken, not permitted).
  Result<void> start();
  // Closes the listener, lets requests in progress end for up to `grace`, then closes everything. Harmless when not
  // running.
  void stop(std::chrono::milliseconds grace = std::chrono::milliseconds(5000));
  std::uint16_t port() const;
  ServerCounters counters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kaapi::http
