#pragma once
// Inside this folder: a /v2/ request taken apart, and the pieces of its answers.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/message.h"
#include "registry/catalog.h"
#include "registry/gate.h"

namespace kaapi::registry {

// Which of the specification's endpoints a path is.
enum class Endpoint { base, catalog, tags, manifest, blob, start_upload, upload, unknown };

struct Route {
  Endpoint endpoint = Endpoint::unknown;
  std::string name;       // of the repository
  std::string reference;  // tag, digest or upload id
};

// `path` as sent. Names may hold slashes, so the path is read from its end.
Route parse_route(std::string_view path);

struct Call {
  const http::RequestHead& head;
  http::BodyReader& body;
  RepositoryKey key;
  std::string reference;
  const Caller& caller;
};

// {"errors":[{"code","message","detail"}]}, with the wire's code for the catalog's and ECR's own.
http::Response error_response(const Error& error);

Error method_not_allowed(std::string_view method, std::string_view allowed);

// "bytes=0-99" of a GET on a blob, as the part of `size` to send. nullopt: the whole. Error: RANGE_INVALID (416).
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t length = 0;
};
Result<std::optional<ByteRange>> parse_range(std::optional<std::string_view> header, std::uint64_t size);

// "0-99" (OCI) or "bytes 0-99/*" of a chunk. Error: BLOB_UPLOAD_INVALID (400).
struct ChunkRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};
Result<ChunkRange> parse_content_range(std::string_view header);

// ?n= and ?last= of a listing. Error: PAGINATION_NUMBER_INVALID (400).
struct Page {
  std::int64_t limit = 0;
  std::string after;
};
Result<Page> parse_page(const http::RequestHead& head);

}  // namespace kaapi::registry
