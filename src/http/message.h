#pragma once
// HTTP messages as values, the same for server and client.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"

namespace kaapi::http {

// Header fields in the order they came; names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string_view name, std::string value);  // replaces every field of that name
  // The first field of that name, or nullopt.
  std::optional<std::string_view> find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

struct RequestHead {
  std::string method;  // "GET"
  std::string target;  // as sent: "/v2/app/blobs/uploads/?mount=x"
  std::string path;    // percent-encoded as sent, without the query: "/v2/app/blobs/uploads/"
  std::string query;   // as sent, without '?'
  Headers headers;
  std::string remote_address;                   // "127.0.0.1:51234"
  std::optional<std::uint64_t> content_length;  // nullopt: chunked or none

  // The first query parameter of that name, percent-decoded.
  std::optional<std::string> query_parameter(std::string_view name) const;
};

// A request body that is read in pieces. One thread at a time.
class BodyReader {
 public:
  virtual ~BodyReader() = default;
  // Fills up to buffer.size() bytes and returns how many; 0 at the end. Errors: `Unavailable` when the peer went away,
  // `TimedOut` when it stalled, `TooLarge` past the route's limit.
  virtual Result<std::size_t> read(std::span<char> buffer) = 0;
};

// A whole request with its body in memory.
struct Request {
  RequestHead head;
  std::string body;
};

// Part of a file, sent without copying through the program (sendfile). Owns the descriptor.
struct FileBody {
  FileBody(int descriptor, std::uint64_t from, std::uint64_t bytes) : fd(descriptor), offset(from), length(bytes) {}
  ~FileBody();
  FileBody(FileBody&& other) noexcept : fd(std::exchange(other.fd, -1)), offset(other.offset), length(other.length) {}
  FileBody& operator=(FileBody&& other) noexcept;
  FileBody(const FileBody&) = delete;
  FileBody& operator=(const FileBody&) = delete;

  int fd;
  std::uint64_t offset;
  std::uint64_t length;
};

// A body that is written while it comes to be. One thread at a time.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  // Sends the bytes, waiting for a slow peer. Errors: `Unavailable` when the peer went away or the server ends,
  // `TimedOut` when it took nothing for the server's body_timeout.
  virtual Result<void> write(std::string_view bytes) = 0;
  // For poll(2) with POLLRDHUP beside what the producer waits for: hung up when the peer has gone or the server ends.
  virtual int descriptor() const = 0;
};

// Sent chunked, as it is produced, on a thread of its own; the connection closes afterwards. False from `produce`: the
// body is not complete, and the peer shall see that.
struct ProducedBody {
  std::function<bool(BodyWriter&)> produce;
};

struct Response {
  int status = 200;
  Headers headers;  // Content-Length, Transfer-Encoding, Date and Connection are written by the server
  std::variant<std::string, FileBody, ProducedBody> body;
  // For HEAD: the length to announce though no body is sent.
  std::optional<std::uint64_t> announced_length;

  static Response text(int status, std::string body, std::string content_type = "text/plain; charset=utf-8");
  static Response json(int status, std::string body);
};

}  // namespace kaapi::http
