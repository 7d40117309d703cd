#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "audit/reader.h"

namespace kaapi::audit {
namespace {

constexpr std::size_t block_bytes = 64 * 1024;

}  // namespace

Result<Position> newest_position(const std::string& folder) {
  BackwardReader reader(folder);
  const Result<std::optional<BackwardReader::Line>> newest = reader.next();
  if (!newest) return newest.error();
  if (*newest) return Position{(*newest)->at.file, (*newest)->at.offset + (*newest)->text.size() + 1};
  const Result<std::vector<std::uint64_t>> numbers = file_numbers(folder);
  if (!numbers) return numbers.error();
  return Position{numbers->empty() ? 1 : numbers->front(), 0};
}

// The file after the one at hand, or the first one from the beginning on.
Result<bool> ForwardReader::open_next() {
  const Result<std::vector<std::uint64_t>> numbers = file_numbers(folder_);
  if (!numbers) return numbers.error();
  for (const std::uint64_t number : *numbers) {
    if (file_ ? number <= at_.file : number < at_.file) continue;
    const std::string path = file_path(folder_, number);
    FileDescriptor next(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!next && errno == ENOENT) continue;
    if (!next) return file_error("read", path);
    // What was written between the last look at the old file and the beginning of this one comes first.
    const Result<bool> rest = file_ ? read_more() : false;
    if (!rest || *rest) return rest;
    if (file_ || number != at_.file) at_ = {number, 0};
    file_ = std::move(next);
    buffer_.clear();
    taken_ = 0;
    overlong_ = false;
    return true;
  }
  return false;
}

// False when the file at hand has no more (yet).
Result<bool> ForwardReader::read_more() {
  buffer_.erase(0, taken_);
  taken_ = 0;
  std::array<char, block_bytes> block;
  ssize_t count = 0;
  do {
    count = ::pread(file_.get(), block.data(), block.size(), static_cast<off_t>(at_.offset));
  } while (count < 0 && errno == EINTR);
  if (count < 0) return file_error("read", file_path(folder_, at_.file));
  at_.offset += static_cast<std::uint64_t>(count);
  buffer_.append(block.data(), static_cast<std::size_t>(count));
  return count > 0;
}

Result<std::optional<std::string_view>> ForwardReader::next() {
  while (true) {
    const std::size_t newline = buffer_.find('\n', taken_);
    if (newline != std::string::npos) {
      const std::string_view line = std::string_view(buffer_).substr(taken_, newline - taken_);
      taken_ = newline + 1;
      const bool whole = !std::exchange(overlong_, false);
      if (whole && !line.empty() && line.size() < max_line_bytes) return std::optional(line);
      continue;
    }
    if (buffer_.size() - taken_ >= max_line_bytes) {
      overlong_ = true;
      taken_ = buffer_.size();
    }
    Result<bool> more = file_ ? read_more() : false;
    if (more && !*more) more = open_next();
    if (!more) return more.error();
    if (!*more) return std::optional<std::string_view>();
  }
}

}  // namespace kaapi::audit
