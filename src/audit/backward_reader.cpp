#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "audit/reader.h"

namespace kaapi::audit {
namespace {

constexpr std::uint64_t block_bytes = 64 * 1024;

}  // namespace

// The newest file that is older than the one at hand (and not newer than the place to begin at).
Result<bool> BackwardReader::open_older() {
  const Result<std::vector<std::uint64_t>> numbers = file_numbers(folder_);
  if (!numbers) return numbers.error();
  for (auto number = numbers->rbegin(); number != numbers->rend(); ++number) {
    const bool wanted = number_ != 0 ? *number < number_ : !before_ || *number <= before_->file;
    if (!wanted) continue;
    const std::string path = file_path(folder_, *number);
    file_ = FileDescriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_ && errno == ENOENT) continue;  // the oldest goes at any time
    struct stat status {};
    if (!file_ || ::fstat(file_.get(), &status) != 0) return file_error("read", path);
    start_ = static_cast<std::uint64_t>(status.st_size);
    if (before_ && before_->file == *number) {
      if (before_->offset > start_) return make_error(errc::invalid, "the position is behind the end of its file");
      start_ = before_->offset;
    }
    number_ = *number;
    left_ = 0;
    cut_ = true;  // what follows the last newline is no line (yet)
    return true;
  }
  return false;
}

Result<void> BackwardReader::read_block() {
  const std::uint64_t size = std::min(start_, block_bytes);
  std::string block(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count =
        ::pread(file_.get(), block.data() + done, size - done, static_cast<off_t>(start_ - size + done));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return file_error("read", file_path(folder_, number_));
    if (count == 0) return make_error(errc::damaged, "the audit log was cut while it was read", 500);
    done += static_cast<std::size_t>(count);
  }
  start_ -= size;
  bytes_read_ += size;
  buffer_ = block.append(buffer_, 0, left_);
  left_ = buffer_.size();
  return ok();
}

// Takes the last line off the buffer when all of it is there.
std::optional<BackwardReader::Line> BackwardReader::take_line() {
  while (true) {
    const std::string_view held = std::string_view(buffer_).substr(0, left_);
    if (cut_) {
      const std::size_t newline = held.rfind('\n');
      left_ = newline == std::string_view::npos ? 0 : newline + 1;
      if (left_ == 0) return std::nullopt;
      cut_ = false;
      continue;
    }
    if (held.empty()) return std::nullopt;
    // The last byte is the newline of the line that is taken.
    const std::string_view text = held.substr(0, held.size() - 1);
    const std::size_t before = text.rfind('\n');
    if (before == std::string_view::npos && start_ > 0) {
      if (text.size() >= max_line_bytes) {
        left_ = 0;
        cut_ = true;
      }
      return std::nullopt;
    }
    const std::size_t begin = before == std::string_view::npos ? 0 : before + 1;
    left_ = begin;
    const std::string_view line = text.substr(begin);
    if (!line.empty() && line.size() < max_line_bytes) return Line{line, {number_, start_ + begin}};
  }
}

Result<std::optional<BackwardReader::Line>> BackwardReader::next() {
  while (true) {
    if (number_ != 0) {
      if (const std::optional<Line> line = take_line()) return line;
      if (start_ > 0) {
        if (const Result<void> read = read_block(); !read) return read.error();
        continue;
      }
    }
    const Result<bool> opened = open_older();
    if (!opened) return opened.error();
    if (!*opened) return std::optional<Line>();
  }
}

}  // namespace kaapi::audit
