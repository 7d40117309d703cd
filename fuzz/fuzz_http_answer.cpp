// Answers of the peers that we call: the engine, AWS, a task's own health endpoint. The first byte picks the method,
// the second how the bytes are cut. Properties: no crash; the same is read whatever way they are cut.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/client_parser.h"

namespace {

using namespace kaapi;

// Status, body, and how it ended.
std::string read_answer(std::string_view bytes, std::size_t piece, bool head_request) {
  std::string found;
  http::AnswerParser parser(head_request,
                            {[&](int status, const http::Headers&) { found += std::to_string(status) + "\n"; },
                             [&](std::string_view part) {
                               found += part;
                               return true;
                             }});
  for (std::size_t at = 0; at < bytes.size() && !parser.done(); at += piece) {
    if (!parser.feed(bytes.substr(at, piece))) return found + "\nrefused";
  }
  if (!parser.done() && !parser.end_of_input()) return found + "\ncut short";
  return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const bool head_request = data[0] == 'h';
  const std::size_t piece = std::max<std::size_t>(data[1], 1);
  if (read_answer(bytes, bytes.size(), head_request) != read_answer(bytes, piece, head_request)) std::abort();
  return 0;
}
