#include "cli/secret_input.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ostream>

#include "base/file_descriptor.h"

namespace kaapi::cli {
namespace {

// While it lives the terminal shows nothing and hands over each key at once: Ctrl-C too, so that the terminal is never
// left silent.
class SilentTerminal {
 public:
  explicit SilentTerminal(int fd) : fd_(fd) {
    if (::tcgetattr(fd_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ICANON | ISIG);
    silent.c_cc[VMIN] = 1;
    silent.c_cc[VTIME] = 0;
    changed_ = ::tcsetattr(fd_, TCSADRAIN, &silent) == 0;
  }
  ~SilentTerminal() {
    if (changed_) ::tcsetattr(fd_, TCSADRAIN, &before_);
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;
  bool changed() const { return changed_; }

 private:
  int fd_;
  termios before_{};
  bool changed_ = false;
};

Error too_large(const SecretQuestion& question) {
  return make_error(errc::too_large, fmt::format("the {} is longer than {} bytes, the most that it may have",
                                                 question.what, question.max_bytes));
}

// How many bytes came; 0 at the end.
Result<std::size_t> read_some(int fd, char* into, std::size_t bytes) {
  while (true) {
    const ssize_t got = ::read(fd, into, bytes);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno != EINTR) return file_error("read", "the standard input");
  }
}

void erase_last_character(std::string& text) {
  constexpr unsigned char continuation_mask = 0xc0;
  constexpr unsigned char continuation = 0x80;
  while (!text.empty()) {
    const auto last = static_cast<unsigned char>(text.back());
    text.pop_back();
    if ((last & continuation_mask) != continuation) return;
  }
}

Result<std::string> read_typed(int fd, const SecretQuestion& question, std::ostream& err) {
  constexpr char ctrl_c = 3;
  constexpr char ctrl_d = 4;
  constexpr char backspace = 8;
  constexpr char ctrl_u = 21;
  constexpr char del = 127;
  const SilentTerminal silent(fd);
  if (!silent.changed()) return file_error("silence", "the terminal");
  err << question.prompt << std::flush;
  std::string text;
  while (true) {
    char key = 0;
    const Result<std::size_t> got = read_some(fd, &key, 1);
    if (!got) return got.error();
    if (key == ctrl_c) {
      err << "\n";
      return make_error(errc::cancelled, "cancelled; nothing was changed");
    }
    if (*got == 0 || key == '\n' || key == '\r' || key == ctrl_d) break;
    if (key == del || key == backspace) {
      erase_last_character(text);
    } else if (key == ctrl_u) {
      text.clear();
    } else {
      text += key;
    }
    if (text.size() > question.max_bytes) return too_large(question);
  }
  err << "\n";
  return text;
}

Result<std::string> read_piped(int fd, const SecretQuestion& question) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const Result<std::size_t> got = read_some(fd, buffer.data(), buffer.size());
    if (!got) return got.error();
    if (*got == 0) break;
    text.append(buffer.data(), *got);
    if (text.size() > question.max_bytes + 2) return too_large(question);
  }
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  if (text.size() > question.max_bytes) return too_large(question);
  return text;
}

}  // namespace

Result<std::string> read_secret(int fd, const SecretQuestion& question, std::ostream& err) {
  Result<std::string> text = ::isatty(fd) == 1 ? read_typed(fd, question, err) : read_piped(fd, question);
  if (text && text->empty()) {
    return make_error(errc::invalid, fmt::format("no {} came on the standard input; for example: {}", question.what,
                                                 question.example));
  }
  return text;
}

}  // namespace kaapi::cli
