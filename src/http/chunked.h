#pragma once
// The chunked transfer coding (RFC 9112, section 7.1), decoded in place. Strict about line ends and sizes, because
// leniency there is how requests are smuggled. Pure; no I/O.

#include <cstdint>
#include <span>

#include "base/error.h"

namespace kaapi::http {

// Feed it the body as it comes, in pieces of any size. Not thread-safe.
class ChunkDecoder {
 public:
  struct Progress {
    std::size_t consumed = 0;  // bytes of the input that are done with; less than all only at the end of the body
    std::size_t produced = 0;  // bytes of content, moved to the front of the input
  };

  // Error: `Invalid`; the decoder is then useless.
  Result<Progress> decode(std::span<char> bytes);
  // The last chunk and the trailer (which is dropped) have been seen.
  bool finished() const { return state_ == State::finished; }

 private:
  enum class State {
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer,
    trailer_line,
    trailer_lf,
    end_lf,
    finished
  };

  // One byte outside of content; false: malformed.
  bool step(char byte);
  bool size_digit(char byte);
  void end_size_line();

  State state_ = State::size;
  std::uint64_t remaining_ = 0;  // of the current chunk
  std::size_t digits_ = 0;
  std::size_t line_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
};

}  // namespace kaapi::http
