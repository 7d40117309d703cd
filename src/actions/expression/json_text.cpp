// toJSON and fromJSON.

#include <fmt/format.h>

#include "actions/expression/value.h"

namespace kaapi::actions::expression {
namespace {

struct LineEnd {
  std::size_t bytes = 0;  // 0: the text begins with none
  std::string_view escape;
};

// The ends of lines beyond ASCII, which GitHub's toJSON (Newtonsoft's) escapes too: U+0085, U+2028 and U+2029.
LineEnd line_end(std::string_view text) {
  if (text.starts_with("\xC2\x85")) return {2, "\\u0085"};
  if (text.starts_with("\xE2\x80\xA8")) return {3, "\\u2028"};
  if (text.starts_with("\xE2\x80\xA9")) return {3, "\\u2029"};
  return {};
}

// Pieces that are written at once before the size is looked at again.
class PrettyWriter {
 public:
  // false: too large.
  bool write(const Value& value) {
    if (out_.size() > max_result_bytes) return false;
    switch (value.kind()) {
      case Kind::null:
        out_ += "null";
        return true;
      case Kind::boolean:
      case Kind::number:
        out_ += to_text(value);
        return true;
      case Kind::string:
        write_string(value.string());
        return true;
      case Kind::array:
        return write_array(value.array());
      case Kind::object:
        return write_object(value.object());
    }
    return true;
  }

  std::string take() { return std::move(out_); }

 private:
  void write_string(std::string_view text) {
    out_ += '"';
    for (std::size_t i = 0; i < text.size(); ++i) {
      const char c = text[i];
      switch (c) {
        case '"':
          out_ += "\\\"";
          break;
        case '\\':
          out_ += "\\\\";
          break;
        case '\b':
          out_ += "\\b";
          break;
        case '\f':
          out_ += "\\f";
          break;
        case '\n':
          out_ += "\\n";
          break;
        case '\r':
          out_ += "\\r";
          break;
        case '\t':
          out_ += "\\t";
          break;
        default:
          if (static_cast<unsigned char>(c) < 0x20) {
            fmt::format_to(std::back_inserter(out_), "\\u{:04x}", static_cast<unsigned>(c));
          } else if (const auto [bytes, escape] = line_end(text.substr(i)); bytes > 0) {
            out_ += escape;
            i += bytes - 1;
          } else {
            out_ += c;
          }
      }
    }
    out_ += '"';
  }

  bool write_array(const Array& array) {
    if (array.items.empty()) return out_ += "[]", true;
    out_ += '[';
    ++depth_;
    for (std::size_t i = 0; i < array.items.size(); ++i) {
      if (i > 0) out_ += ',';
      new_line();
      if (!write(array.items[i])) return false;
    }
    --depth_;
    new_line();
    out_ += ']';
    return true;
  }

  bool write_object(const Object& object) {
    if (object.empty()) return out_ += "{}", true;
    out_ += '{';
    ++depth_;
    bool first = true;
    for (const auto& [key, value] : object.members()) {
      if (!first) out_ += ',';
      first = false;
      new_line();
      write_string(key);
      out_ += ": ";
      if (!write(value)) return false;
    }
    --depth_;
    new_line();
    out_ += '}';
    return true;
  }

  void new_line() {
    out_ += '\n';
    out_.append(2 * depth_, ' ');
  }

  std::string out_;
  std::size_t depth_ = 0;
};

}  // namespace

Result<std::string> to_json(const Value& value) {
  PrettyWriter writer;
  if (!writer.write(value)) {
    return make_error(errc::too_large, fmt::format("toJSON yields more than {} bytes", max_result_bytes));
  }
  return writer.take();
}

Value from_json_value(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return {};
    case json::kind::bool_:
      return value.get_bool();
    case json::kind::int64:
      return value.get_int64();
    case json::kind::uint64:
      return value.get_uint64();
    case json::kind::double_:
      return value.get_double();
    case json::kind::string:
      return std::string_view(value.get_string());
    case json::kind::array: {
      Array array;
      array.items.reserve(value.get_array().size());
      for (const json::value& item : value.get_array()) array.items.push_back(from_json_value(item));
      return array;
    }
    case json::kind::object: {
      Object object;
      for (const auto& member : value.get_object()) object.set(member.key(), from_json_value(member.value()));
      return object;
    }
  }
  return {};
}

Result<Value> from_json(std::string_view text) {
  if (text.size() > max_result_bytes) {
    return make_error(errc::too_large, fmt::format("fromJSON was given more than {} bytes", max_result_bytes));
  }
  Result<json::value> parsed = parse_json(text);
  if (!parsed) return parsed.error();
  return from_json_value(*parsed);
}

}  // namespace kaapi::actions::expression
