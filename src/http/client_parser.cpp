#include "http/client_parser.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>
#include <string>

namespace kaapi::http {
namespace {

namespace beast = boost::beast;
using beast::error_code;

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

class Parser final : public beast::http::basic_parser<false> {
 public:
  Parser(bool head_request, const AnswerParser::Callbacks& callbacks) : callbacks_(callbacks) {
    eager(true);
    skip(head_request);
    body_limit(boost::none);
    header_limit(max_answer_header_bytes);
  }

  bool informational() const { return status_ >= 100 && status_ < 200 && status_ != 101; }

 private:
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int, error_code&) override {}
  void on_response_impl(int code, beast::string_view, int, error_code& ec) override {
    ec = {};
    status_ = code;
  }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, error_code& ec) override {
    ec = {};
    headers_.add(std::string(view(name)), std::string(view(value)));
  }
  void on_header_impl(error_code& ec) override {
    ec = {};
    if (!informational()) {
      callbacks_.on_head(status_, std::move(headers_));
    }
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code& ec) override { ec = {}; }
  std::size_t on_body_impl(beast::string_view body, error_code& ec) override {
    ec = {};
    if (!callbacks_.on_bytes(view(body))) {
      ec = make_error_code(boost::system::errc::operation_canceled);
    }
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code& ec) override { ec = {}; }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code& ec) override {
    return on_body_impl(body, ec);
  }
  void on_finish_impl(error_code& ec) override { ec = {}; }

  const AnswerParser::Callbacks& callbacks_;
  int status_ = 0;
  Headers headers_;
};

Error parse_error(const error_code& ec) {
  if (ec == boost::system::errc::operation_canceled) {
    return make_error(errc::cancelled, "the reader of the answer stopped it");
  }
  return make_error(errc::unavailable, "the answer is no valid HTTP/1.1: " + ec.message());
}

}  // namespace

struct AnswerParser::Impl {
  bool head_request;
  Callbacks callbacks;
  std::optional<Parser> parser;
  std::string pending;  // the start of a header or chunk line whose rest has not come yet
  bool any_byte = false;
  bool excess = false;  // bytes after the end of the answer

  // Consumes what it can from the front of `bytes`.
  Result<void> consume(std::string_view& bytes) {
    while (!bytes.empty() && !parser->is_done()) {
      error_code ec;
      const std::size_t used = parser->put(boost::asio::const_buffer(bytes.data(), bytes.size()), ec);
      bytes.remove_prefix(used);
      if (ec == beast::http::error::need_more) {
        return ok();
      }
      if (ec) {
        return parse_error(ec);
      }
      if (parser->is_done() && parser->informational()) {
        parser.emplace(head_request, callbacks);
      } else if (used == 0) {
        return ok();
      }
    }
    return ok();
  }
};

AnswerParser::AnswerParser(bool head_request, Callbacks callbacks)
    : impl_(new Impl{head_request, std::move(callbacks), {}, {}, false, false}) {
  impl_->parser.emplace(impl_->head_request, impl_->callbacks);
}

AnswerParser::~AnswerParser() = default;

Result<void> AnswerParser::feed(std::string_view bytes) {
  impl_->any_byte = impl_->any_byte || !bytes.empty();
  std::string joined;
  if (!impl_->pending.empty()) {
    joined = std::move(impl_->pending);
    impl_->pending.clear();
    joined += bytes;
    bytes = joined;
  }
  if (Result<void> result = impl_->consume(bytes); !result) {
    return result;
  }
  if (impl_->parser->is_done()) {
    impl_->excess = impl_->excess || !bytes.empty();
    return ok();
  }
  if (bytes.size() > max_answer_header_bytes) {
    return make_error(errc::unavailable, "the answer is no valid HTTP/1.1: a header or chunk line without end");
  }
  impl_->pending.assign(bytes);
  return ok();
}

Result<void> AnswerParser::end_of_input() {
  if (impl_->parser->is_done()) {
    return ok();
  }
  if (!impl_->any_byte) {
    return make_error(errc::unavailable, "the connection was closed before an answer came");
  }
  error_code ec;
  if (impl_->pending.empty()) {
    impl_->parser->put_eof(ec);
  }
  if (ec || !impl_->parser->is_done()) {
    return make_error(errc::unavailable, "the connection was lost in the middle of the answer");
  }
  return ok();
}

bool AnswerParser::done() const {
  return impl_->parser->is_done();
}
bool AnswerParser::any_byte() const {
  return impl_->any_byte;
}
bool AnswerParser::reusable() const {
  return done() && !impl_->excess && impl_->parser->keep_alive();
}

}  // namespace kaapi::http
