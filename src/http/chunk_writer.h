#pragma once
// The body of an answer while it is produced: from the producer straight to the socket, as chunks (RFC 9112, section
// 7.1).

#include "http/connection.h"

namespace kaapi::http {

// Lives on the thread that runs the producer, which owns the connection meanwhile and may wait for the peer.
class ChunkWriter final : public BodyWriter {
 public:
  // `chunked` false: for HTTP/1.0, where the end of the connection is the end of the body.
  ChunkWriter(Connection& connection, bool chunked) : connection_(connection), chunked_(chunked) {}

  // The head goes out at once, so that the peer knows that it was heard. False: the peer is gone.
  bool begin(std::string_view head) { return static_cast<bool>(send_all(head)); }
  // The end of a whole body. False: the peer is gone.
  bool finish();

  Result<void> write(std::string_view bytes) override;
  int descriptor() const override { return connection_.fd_; }

 private:
  Result<void> send_all(std::string_view bytes);
  Result<void> wait_writable();

  Connection& connection_;
  const bool chunked_;
};

}  // namespace kaapi::http
