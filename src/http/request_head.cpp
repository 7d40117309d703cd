#include "http/request_head.h"

#include <fmt/format.h>

#include <boost/beast/http/basic_parser.hpp>

#include "base/text.h"
#include "http/limits.h"

namespace kaapi::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;
using View = beast::string_view;

std::string_view plain(View view) {
  return {view.data(), view.size()};
}

// Beast checks the grammar and that Content-Length and chunked do not contradict each other; this class keeps what it
// finds and adds the checks that a request needs beyond that. It never sees a body.
class HeadParser final : public beast::http::basic_parser<true> {
 public:
  HeadParser(ParsedHead& parsed, std::size_t bytes) : parsed_(parsed) {
    header_limit(static_cast<std::uint32_t>(bytes + 1));  // the caller has bounded it
    body_limit(boost::none);
    eager(false);
  }

  std::optional<Refusal> refusal;

 private:
  void refuse(beast::error_code& error, int status, std::string text) {
    refusal = Refusal{status, std::move(text)};
    error = beast::http::error::bad_value;
  }

  void on_request_impl(beast::http::verb, View method, View target, int version, beast::error_code& error) override {
    version_ = version;
    if (target.size() > max_target_bytes) {
      return refuse(error, 414, fmt::format("the request target is longer than {} bytes", max_target_bytes));
    }
    parsed_.head.method = plain(method);
    parsed_.head.target = plain(target);
  }

  void on_field_impl(field name, View name_text, View value, beast::error_code& error) override {
    if (parsed_.head.headers.size() == max_header_fields) {
      return refuse(error, 431, fmt::format("the request has more than {} header fields", max_header_fields));
    }
    if (name == field::host) ++hosts_;
    if (name == field::content_length) check_length(plain(value), error);
    if (name == field::transfer_encoding) check_encoding(plain(value), error);
    if (name == field::expect) check_expectation(plain(value), error);
    parsed_.head.headers.add(std::string(plain(name_text)), std::string(plain(value)));
  }

  // One plain number, said once: a list or a repetition is legal only when all are equal, and no client of ours sends
  // it.
  void check_length(std::string_view value, beast::error_code& error) {
    if (has_length_ || !parse_number(value)) {
      return refuse(error, 400, "Content-Length must be given once and be one decimal number");
    }
    has_length_ = true;
  }

  void check_encoding(std::string_view value, beast::error_code& error) {
    if (has_encoding_ || lower(value) != "chunked") {
      return refuse(error, 501, "the only Transfer-Encoding served is chunked");
    }
    if (version_ < 11) return refuse(error, 400, "HTTP/1.0 has no Transfer-Encoding");
    has_encoding_ = true;
  }

  void check_expectation(std::string_view value, beast::error_code& error) {
    if (lower(value) != "100-continue") return refuse(error, 417, "the only expectation served is 100-continue");
    parsed_.expect_continue = version_ >= 11;
  }

  void on_header_impl(beast::error_code& error) override {
    if (has_length_ && has_encoding_) {
      return refuse(error, 400, "Content-Length and Transfer-Encoding contradict each other");
    }
    if (version_ >= 11 && hosts_ != 1) return refuse(error, 400, "an HTTP/1.1 request has exactly one Host field");
    parsed_.chunked = has_encoding_;
    parsed_.keep_alive = keep_alive();
    parsed_.knows_chunks = version_ >= 11;
    if (const auto length = content_length()) parsed_.head.content_length = *length;
    if (!split_target()) refuse(error, 400, "the request target must be a path, or a URL with a path");
  }

  // origin-form, and absolute-form as RFC 9112, section 3.2.2 demands of every server.
  bool split_target() {
    std::string_view rest = parsed_.head.target;
    if (const std::size_t scheme = rest.find("://"); !rest.starts_with('/') && scheme != std::string_view::npos) {
      rest.remove_prefix(scheme + 3);
      const std::size_t path = rest.find_first_of("/?");
      rest.remove_prefix(std::min(path, rest.size()));
      if (rest.empty() || rest.front() == '?') {
        parsed_.head.path = "/";
        parsed_.head.query = rest.empty() ? rest : rest.substr(1);
        return true;
      }
    }
    if (!rest.starts_with('/') && rest != "*") return false;
    const std::size_t mark = rest.find('?');
    parsed_.head.path = rest.substr(0, mark);
    if (mark != std::string_view::npos) parsed_.head.query = rest.substr(mark + 1);
    return true;
  }

  void on_response_impl(int, View, int, beast::error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  std::size_t on_body_impl(View, beast::error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, View, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View, beast::error_code&) override { return 0; }
  void on_finish_impl(beast::error_code&) override {}

  ParsedHead& parsed_;
  int version_ = 0;
  int hosts_ = 0;
  bool has_length_ = false;
  bool has_encoding_ = false;
};

}  // namespace

std::optional<Refusal> parse_request_head(std::string_view bytes, ParsedHead& parsed) {
  HeadParser parser(parsed, bytes.size());
  beast::error_code error;
  // put() takes the start line first and the fields with it; with eager off it stops before any body.
  parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
  if (parser.refusal) return std::move(parser.refusal);
  using beast::http::error::bad_version;
  if (error == bad_version) return Refusal{505, "only HTTP/1.0 and HTTP/1.1 are served"};
  if (error || !parser.is_header_done()) {
    return Refusal{400, fmt::format("malformed request: {}", error ? error.message() : "the head is incomplete")};
  }
  return std::nullopt;
}

}  // namespace kaapi::http
