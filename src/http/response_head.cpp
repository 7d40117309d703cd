#include "http/response_head.h"

#include <fmt/format.h>

#include <array>
#include <boost/beast/http/status.hpp>
#include <ctime>

#include "base/text.h"

namespace kaapi::http {
namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT". Made anew once per second and thread.
std::string_view date_text() {
  thread_local std::time_t made_for = -1;
  thread_local std::array<char, 32> text{};
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    static constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&now, &utc);
    const auto end = fmt::format_to_n(text.data(), text.size() - 1, "{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                                      days[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                                      months[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900, utc.tm_hour,
                                      utc.tm_min, utc.tm_sec);
    *end.out = '\0';
    made_for = now;
  }
  return text.data();
}

bool written_by_server(std::string_view name) {
  switch (name.size()) {
    case 4:
      return lower(name) == "date";
    case 10:
      return lower(name) == "connection";
    case 14:
      return lower(name) == "content-length";
    case 17:
      return lower(name) == "transfer-encoding";
    default:
      return false;
  }
}

void append_safely(std::string& out, std::string_view text) {
  for (const char byte : text) out += (static_cast<unsigned char>(byte) < 0x20 && byte != '\t') ? ' ' : byte;
}

}  // namespace

bool status_has_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

std::uint64_t body_length(const Response& response) {
  if (const auto* file = std::get_if<FileBody>(&response.body)) return file->length;
  const auto* text = std::get_if<std::string>(&response.body);
  return text == nullptr ? 0 : text->size();
}

std::string encode_response_head(const Response& response, std::optional<std::uint64_t> length, bool keep_alive,
                                 bool chunked) {
  const auto reason =
      boost::beast::http::obsolete_reason(boost::beast::http::int_to_status(static_cast<unsigned>(response.status)));
  std::string out;
  out.reserve(256 + response.headers.size() * 64);
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\nDate: {}\r\n", response.status,
                 std::string_view(reason.data(), reason.size()), date_text());
  out += keep_alive ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  if (length) fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", *length);
  if (chunked) out += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : response.headers) {
    if (written_by_server(name)) continue;
    append_safely(out, name);
    out += ": ";
    append_safely(out, value);
    out += "\r\n";
  }
  out += "\r\n";
  return out;
}

}  // namespace kaapi::http
