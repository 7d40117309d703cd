#pragma once
// The other side of a connection, in tests: raw bytes over a blocking socket, so that anything can be said, also what
// no client would.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kaapi::http {

// What came back for one request.
struct RawAnswer {
  int status = 0;  // 0: the connection ended before a whole head
  std::string head;
  std::string body;

  // The value of a header field as sent, or "" when it is absent.
  std::string field(std::string_view name) const;
};

// Every wait ends after 20 s, and then counts as the end of the connection.
class TestPeer {
 public:
  explicit TestPeer(std::uint16_t port, const std::string& address = "127.0.0.1", int receive_buffer_bytes = 0);
  ~TestPeer();
  TestPeer(TestPeer&& other) noexcept;
  TestPeer& operator=(TestPeer&&) = delete;

  bool connected() const { return connected_; }
  // False when the server closed the connection before all was sent.
  bool send(std::string_view bytes);
  void finish_sending();
  void close();
  // Reads one answer with its Content-Length; for the answer to HEAD no body is expected.
  RawAnswer read_answer(bool head_only = false);
  RawAnswer ask(std::string_view request, bool head_only = false);
  // Waits until the server closes the connection; false when it sends something instead.
  bool ended();
  // What has arrived by now and was not read as an answer; waits for at least one byte. Empty: the connection ended.
  std::string read_some();

 private:
  bool fill();

  int fd_ = -1;
  bool connected_ = false;
  std::string received_;
};

}  // namespace kaapi::http
