#pragma once
// The body of a request while a stream handler reads it: straight from the socket into the handler's buffer.

#include "http/connection.h"

namespace kaapi::http {

// Lives on the thread that runs the handler, which owns the connection meanwhile and may wait for the peer.
class StreamBody final : public BodyReader {
 public:
  explicit StreamBody(Connection& connection) : connection_(connection) {}
  Result<std::size_t> read(std::span<char> buffer) override;
  // The whole body has been read, so the next request can follow.
  bool finished() const;

 private:
  Result<std::size_t> read_chunked(std::span<char> buffer);
  // At least one byte as it comes from the peer.
  Result<std::size_t> read_raw(std::span<char> buffer);
  Result<void> wait_readable();

  Connection& connection_;
  bool started_ = false;
};

}  // namespace kaapi::http
