#include "actions/git/cgi.h"

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <cerrno>

#include "actions/git/git.h"
#include "base/log.h"
#include "base/text.h"

namespace kaapi::actions::git {
namespace {

constexpr std::size_t read_bytes = 64 * 1024;

}  // namespace

Result<CgiHead> parse_cgi_head(std::string_view text) {
  CgiHead head;
  for (const std::string& raw : split(text, '\n')) {
    const std::string_view line = trim(raw);
    const std::size_t colon = line.find(':');
    if (line.empty()) continue;
    if (colon == std::string_view::npos) return make_error(errc::invalid, "git answered with a header that is none");
    std::string name(line.substr(0, colon));
    const std::string_view value = trim(line.substr(colon + 1));
    if (lower(name) == "status") {
      const std::optional<std::int64_t> status = parse_number(value.substr(0, 3));
      if (!status || *status < 200 || *status > 599) return make_error(errc::invalid, "git answered with no status");
      head.status = static_cast<int>(*status);
    } else {
      head.headers.emplace_back(std::move(name), std::string(value));
    }
  }
  return head;
}

bool Cgi::await(bool writing, int peer) {
  std::array<pollfd, 4> waits{pollfd{output_open_ ? process_.output() : -1, POLLIN, 0},
                              pollfd{errors_open_ ? process_.errors() : -1, POLLIN, 0},
                              pollfd{writing ? process_.input() : -1, POLLOUT, 0}, pollfd{peer, POLLRDHUP, 0}};
  if (::poll(waits.data(), waits.size(), -1) < 0) return errno == EINTR;
  // Read before the peer is looked at: what was said when both end at once is still told.
  if (waits[0].revents != 0) output_open_ = take(process_.output(), output_, max_early_output_bytes + 1);
  if (waits[1].revents != 0) errors_open_ = drain(process_.errors(), errors_, max_errors_bytes);
  return waits[3].revents == 0;
}

Result<void> Cgi::feed(http::BodyReader& body) {
  std::array<char, read_bytes> buffer;
  bool reads = true;  // the program does
  while (true) {
    const Result<std::size_t> count = body.read(buffer);
    if (!count) {
      process_.end();
      return count.error();
    }
    if (*count == 0) break;
    std::string_view bytes(buffer.data(), *count);
    while (reads && !bytes.empty()) {
      reads = git::feed(process_.input(), bytes);
      if (reads && !bytes.empty()) await(true, -1);
      if (output_.size() > max_early_output_bytes) {
        process_.end();
        return make_error(errc::too_large, "git answered more than it may before it had read the request");
      }
    }
  }
  process_.close_input();
  return ok();
}

Result<CgiHead> Cgi::read_head() {
  while (true) {
    const std::size_t crlf = output_.find("\r\n\r\n");
    const std::size_t lf = output_.find("\n\n");
    const std::size_t end = std::min(crlf, lf);
    if (end != std::string::npos) {
      Result<CgiHead> head = parse_cgi_head(std::string_view(output_).substr(0, end));
      output_.erase(0, end + (end == crlf ? 4 : 2));
      return head;
    }
    if (!output_open_ || output_.size() > max_cgi_head_bytes) {
      process_.end();
      return make_error(errc::unavailable, fmt::format("git http-backend gave no answer: {}", said(errors_)));
    }
    await(false, -1);
  }
}

bool Cgi::pump(http::BodyWriter& writer, PacketTail* tail) {
  while (true) {
    const std::string bytes = tail == nullptr ? std::exchange(output_, {}) : tail->pass(std::exchange(output_, {}));
    const bool sent = bytes.empty() || writer.write(bytes).has_value();
    if (!output_open_ && output_.empty()) return sent;
    if (!sent || !await(false, writer.descriptor())) {
      process_.end();
      return false;
    }
  }
}

bool Cgi::finish(http::BodyWriter& writer, const std::string& last) {
  const int exit_code = process_.wait();
  drain(process_.errors(), errors_, max_errors_bytes);
  if (exit_code != 0) log::warn("git", "git http-backend ended with {}: {}", exit_code, said(errors_));
  return (last.empty() || writer.write(last).has_value()) && exit_code == 0;
}

}  // namespace kaapi::actions::git
