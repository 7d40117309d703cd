// Heads and chunked bodies as the network sends them. Beyond not crashing: the chunk decoder must find the same content
// whatever the pieces it is fed, and never consume more than it was given.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "http/chunked.h"
#include "http/request_head.h"

namespace {

using namespace kaapi;

// Content, and "!" when it is refused.
std::string decode(std::string bytes, std::size_t piece) {
  http::ChunkDecoder decoder;
  std::string content;
  for (std::size_t at = 0; at < bytes.size() && !decoder.finished(); at += piece) {
    const std::span<char> part(bytes.data() + at, std::min(piece, bytes.size() - at));
    const auto progress = decoder.decode(part);
    if (!progress) return "!";
    if (progress->produced > progress->consumed || progress->consumed > part.size()) std::abort();
    content.append(part.data(), progress->produced);
  }
  return content;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  http::ParsedHead parsed;
  if (!http::parse_request_head(bytes, parsed)) {
    if (parsed.chunked && parsed.head.content_length) std::abort();
    static_cast<void>(parsed.head.query_parameter("digest"));
  }
  if (!bytes.empty() && decode(bytes, bytes.size()) != decode(bytes, 1)) std::abort();
  return 0;
}
