#include "identity/oidc/strict_json.h"

#include <fmt/format.h>

#include <boost/json/basic_parser_impl.hpp>
#include <set>
#include <string>
#include <vector>

namespace kaapi::identity::oidc {
namespace {

// Watches the names go by; builds nothing.
struct NameWatcher {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);
  using Code = boost::system::error_code;
  using Text = boost::json::string_view;

  bool on_document_begin(Code&) { return true; }
  bool on_document_end(Code&) { return true; }
  bool on_object_begin(Code&) {
    open.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, Code&) {
    open.pop_back();
    return true;
  }
  bool on_array_begin(Code&) { return true; }
  bool on_array_end(std::size_t, Code&) { return true; }
  // Names come without their escapes, in pieces.
  bool on_key_part(Text part, std::size_t, Code&) {
    name.append(part.data(), part.size());
    return true;
  }
  bool on_key(Text part, std::size_t, Code& code) {
    name.append(part.data(), part.size());
    if (!open.back().insert(name).second) {
      twice = name;
      code = boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
      return false;
    }
    name.clear();
    return true;
  }
  bool on_string_part(Text, std::size_t, Code&) { return true; }
  bool on_string(Text, std::size_t, Code&) { return true; }
  bool on_number_part(Text, Code&) { return true; }
  bool on_int64(std::int64_t, Text, Code&) { return true; }
  bool on_uint64(std::uint64_t, Text, Code&) { return true; }
  bool on_double(double, Text, Code&) { return true; }
  bool on_bool(bool, Code&) { return true; }
  bool on_null(Code&) { return true; }
  bool on_comment_part(Text, Code&) { return true; }
  bool on_comment(Text, Code&) { return true; }

  std::vector<std::set<std::string>> open;  // the names of each object that is open
  std::string name;
  std::string twice;
};

}  // namespace

Result<json::object> parse_strict_object(std::string_view text) {
  constexpr std::size_t max_shown_bytes = 64;
  boost::json::parse_options options;
  options.max_depth = max_strict_json_depth;
  boost::json::basic_parser<NameWatcher> watcher(options);
  boost::system::error_code code;
  const std::size_t read = watcher.write_some(false, text.data(), text.size(), code);
  if (!watcher.handler().twice.empty() || (code && code.category() == boost::system::generic_category())) {
    return make_error(errc::invalid,
                      fmt::format("holds the member '{}' twice", watcher.handler().twice.substr(0, max_shown_bytes)));
  }
  if (code || read != text.size()) return make_error(errc::invalid, "is no well-formed JSON");
  Result<json::value> value = parse_json(text);
  if (!value) return make_error(errc::invalid, "is no well-formed JSON");
  json::object* object = value->if_object();
  if (object == nullptr) return make_error(errc::invalid, "is no JSON object");
  return std::move(*object);
}

}  // namespace kaapi::identity::oidc
