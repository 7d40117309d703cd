#pragma once
// JSON: bounded parsing into boost::json values, and a writer that appends straight to a string.

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace kaapi {

namespace json = boost::json;

inline constexpr std::size_t max_json_depth = 48;

// Parses one JSON text. Errors: `Invalid` with the position. Refuses deeper nesting than max_json_depth and trailing
// text.
Result<json::value> parse_json(std::string_view text);

// The member `key` of an object, or nullptr when `value` is no object or has no such member.
const json::value* find_member(const json::value& value, std::string_view key);
// The string member `key`, or `otherwise` when it is absent or no string.
std::string string_member(const json::value& value, std::string_view key, std::string_view otherwise = "");
std::int64_t int_member(const json::value& value, std::string_view key, std::int64_t otherwise = 0);
bool bool_member(const json::value& value, std::string_view key, bool otherwise = false);

// Writes one JSON text in order, with no intermediate tree. The caller keeps begin/end balanced and calls key() before
// each value in an object; commas are placed here. Not thread-safe. `out` must outlive the writer.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  void key(std::string_view name);
  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(bool flag);
  void value(std::int64_t number);
  void value(std::int32_t number) { value(static_cast<std::int64_t>(number)); }
  void value(std::uint32_t number) { value(static_cast<std::int64_t>(number)); }
  void value(double number);
  void null();
  // `text` must itself be one valid JSON value.
  void raw(std::string_view text);

 private:
  void before_value();

  std::string& out_;
  bool need_comma_ = false;
};

}  // namespace kaapi
