#include "base/json.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace kaapi {
namespace {

void append_escaped(std::string& out, std::string_view text) {
  static constexpr std::string_view hex = "0123456789abcdef";
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') {
      continue;
    }
    out.append(text, start, i - start);
    start = i + 1;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += hex[c >> 4U];
        out += hex[c & 15U];
    }
  }
  out.append(text, start, text.size() - start);
}

}  // namespace

Result<json::value> parse_json(std::string_view text) {
  json::parse_options options;
  options.max_depth = max_json_depth;
  json::stream_parser parser({}, options);
  boost::system::error_code error;
  const std::size_t used = parser.write_some(text.data(), text.size(), error);
  if (!error) {
    parser.finish(error);
  }
  if (!error && text.find_first_not_of(" \t\r\n", used) != std::string_view::npos) {
    return make_error(errc::invalid, fmt::format("text follows the JSON value at byte {}", used));
  }
  if (error) {
    return make_error(errc::invalid, fmt::format("not valid JSON at byte {}: {}", used, error.message()));
  }
  return parser.release();
}

const json::value* find_member(const json::value& value, std::string_view key) {
  const json::object* object = value.if_object();
  return object == nullptr ? nullptr : object->if_contains(key);
}

std::string string_member(const json::value& value, std::string_view key, std::string_view otherwise) {
  const json::value* member = find_member(value, key);
  if (member == nullptr || !member->is_string()) {
    return std::string(otherwise);
  }
  return std::string(member->get_string());
}

std::int64_t int_member(const json::value& value, std::string_view key, std::int64_t otherwise) {
  const json::value* member = find_member(value, key);
  if (member == nullptr || !member->is_int64()) {
    return otherwise;
  }
  return member->get_int64();
}

bool bool_member(const json::value& value, std::string_view key, bool otherwise) {
  const json::value* member = find_member(value, key);
  if (member == nullptr || !member->is_bool()) {
    return otherwise;
  }
  return member->get_bool();
}

void JsonWriter::before_value() {
  if (need_comma_) {
    out_ += ',';
  }
  need_comma_ = true;
}

void JsonWriter::begin_object() {
  before_value();
  out_ += '{';
  need_comma_ = false;
}

void JsonWriter::end_object() {
  out_ += '}';
  need_comma_ = true;
}

void JsonWriter::begin_array() {
  before_value();
  out_ += '[';
  need_comma_ = false;
}

void JsonWriter::end_array() {
  out_ += ']';
  need_comma_ = true;
}

void JsonWriter::key(std::string_view name) {
  before_value();
  out_ += '"';
  append_escaped(out_, name);
  out_ += "\":";
  need_comma_ = false;
}

void JsonWriter::value(std::string_view text) {
  before_value();
  out_ += '"';
  append_escaped(out_, text);
  out_ += '"';
}

void JsonWriter::value(bool flag) {
  before_value();
  out_ += flag ? "true" : "false";
}

void JsonWriter::value(std::int64_t number) {
  before_value();
  fmt::format_to(std::back_inserter(out_), "{}", number);
}

void JsonWriter::value(double number) {
  before_value();
  if (std::isfinite(number)) {
    fmt::format_to(std::back_inserter(out_), "{}", number);
  } else {
    out_ += "null";
  }
}

void JsonWriter::null() {
  before_value();
  out_ += "null";
}

void JsonWriter::raw(std::string_view text) {
  before_value();
  out_ += text;
}

}  // namespace kaapi
