#pragma once
// Reading the log's lines while it is written: backwards from the newest for who looks something up, forwards for who
// follows. Both hold a block or a line in memory, whatever the size of the log.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "audit/files.h"
#include "base/error.h"
#include "base/file_descriptor.h"

namespace kaapi::audit {

// One thread. Lines longer than max_line_bytes and what is not ended by a newline are passed over.
class BackwardReader {
 public:
  // Begins with the line that ends at `before`; nullopt: with the newest. A file that was removed meanwhile is as good
  // as read.
  explicit BackwardReader(std::string folder, std::optional<Position> before = std::nullopt)
      : folder_(std::move(folder)), before_(before) {}

  struct Line {
    std::string_view text;  // without its newline; valid until the next call
    Position at;            // where it begins: a reader `before` this goes on with the line before it
  };
  // nullopt: there is no older line. Errors: those of reading; `Invalid` for a `before` that never was.
  Result<std::optional<Line>> next();
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  Result<bool> open_older();
  Result<void> read_block();
  std::optional<Line> take_line();

  std::string folder_;
  std::optional<Position> before_;
  FileDescriptor file_{-1};
  std::uint64_t number_ = 0;  // of file_; 0: none yet
  std::uint64_t start_ = 0;   // of buffer_ in file_; what is before it has not been read
  std::string buffer_;
  std::size_t left_ = 0;  // bytes at the beginning of buffer_ that have not been handed out
  bool cut_ = false;      // what is left ends within a line whose end was dropped
  std::uint64_t bytes_read_ = 0;
};

// One thread.
class ForwardReader {
 public:
  // Begins at `from`; a file that is gone is passed over.
  ForwardReader(std::string folder, Position from) : folder_(std::move(folder)), at_(from) {}

  // The next whole line without its newline, valid until the next call. nullopt: none is there yet; ask again when the
  // folder has changed.
  Result<std::optional<std::string_view>> next();

 private:
  Result<bool> read_more();
  Result<bool> open_next();

  std::string folder_;
  Position at_;  // of what is read next
  FileDescriptor file_{-1};
  std::string buffer_;
  std::size_t taken_ = 0;  // of buffer_, handed out
  bool overlong_ = false;  // until the next newline everything is passed over
};

// The end of the newest whole line. Errors: those of reading the folder.
Result<Position> newest_position(const std::string& folder);

}  // namespace kaapi::audit
