#include "aws/xml_codec.h"

#include <fmt/format.h>

#include "base/text.h"

namespace kaapi::aws {

void XmlWriter::open(std::string_view name) {
  out_ += '<';
  out_ += name;
  out_ += '>';
}

void XmlWriter::close(std::string_view name) {
  out_ += "</";
  out_ += name;
  out_ += '>';
}

void XmlWriter::text(std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '&':
        out_ += "&amp;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      case '\r':
        out_ += "&#xD;";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') {
          out_ += "\xEF\xBF\xBD";
        } else {
          out_ += c;
        }
    }
  }
}

void FormWriter::enter(std::string_view name) {
  lengths_.push_back(prefix_.size());
  if (!prefix_.empty()) prefix_ += '.';
  prefix_ += name;
}

void FormWriter::enter(std::size_t index) {
  enter(std::string_view(fmt::to_string(index)));
}

void FormWriter::leave() {
  prefix_.resize(lengths_.back());
  lengths_.pop_back();
}

void FormWriter::value(std::string_view text) {
  if (!out_.empty()) out_ += '&';
  out_ += percent_encode(prefix_);
  out_ += '=';
  out_ += percent_encode(text);
}

std::string scalar_text(std::string_view text) {
  return std::string(text);
}
std::string scalar_text(std::int64_t number) {
  return fmt::to_string(number);
}
std::string scalar_text(std::int32_t number) {
  return fmt::to_string(number);
}
std::string scalar_text(double number) {
  return fmt::format("{}", number);
}
std::string scalar_text(bool flag) {
  return flag ? "true" : "false";
}
std::string scalar_text(Time time) {
  return format_time(time);
}
std::string scalar_text(const Blob& bytes) {
  return base64_encode(bytes);
}

}  // namespace kaapi::aws
