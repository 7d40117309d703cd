#pragma once
// Reads the members of a JSON object that must be of a type; remembers the first that is not.

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace kaapi::actions {

// Absent members leave the default. Not thread-safe. `value` must outlive it.
class Fields {
 public:
  Fields(const json::value& value, std::string_view what) : value_(value), what_(what) {
    if (!value.is_object()) wrong_ = fmt::format("a {} is a JSON object", what);
  }

  void read(std::string_view key, std::string& into) {
    const json::value* found = member(key);
    if (found == nullptr) return;
    if (!found->is_string()) return blame(key, "text");
    into = std::string(std::string_view(found->as_string()));
  }
  void read(std::string_view key, std::int64_t& into) {
    const json::value* found = member(key);
    if (found == nullptr) return;
    boost::system::error_code wrong;
    const auto number = found->to_number<std::int64_t>(wrong);
    if (wrong) return blame(key, "a whole number");
    into = number;
  }
  void read(std::string_view key, bool& into) {
    const json::value* found = member(key);
    if (found == nullptr) return;
    if (!found->is_bool()) return blame(key, "true or false");
    into = found->as_bool();
  }
  void read(std::string_view key, json::object& into) {
    const json::value* found = member(key);
    if (found == nullptr) return;
    if (!found->is_object()) return blame(key, "an object");
    into = found->as_object();
  }
  // Each entry is turned by `one(const json::value&) -> Result<T>`.
  template <class T, class One>
  void read_list(std::string_view key, std::vector<T>& into, const One& one) {
    const json::value* found = member(key);
    if (found == nullptr) return;
    if (!found->is_array()) return blame(key, "a list");
    for (const json::value& item : found->as_array()) {
      Result<T> made = one(item);
      if (!made) return blame(key, made.error().message);
      into.push_back(std::move(*made));
    }
  }
  void read(std::string_view key, std::vector<std::string>& into) {
    read_list(key, into, [](const json::value& item) -> Result<std::string> {
      if (!item.is_string()) return make_error(errc::invalid, "texts");
      return std::string(std::string_view(item.as_string()));
    });
  }
  void read(std::string_view key, std::vector<std::int64_t>& into) {
    read_list(key, into, [](const json::value& item) -> Result<std::int64_t> {
      if (!item.is_int64()) return make_error(errc::invalid, "whole numbers");
      return item.as_int64();
    });
  }

  // Error: `Invalid`, naming the member and what was expected.
  Result<void> done() const {
    if (!wrong_.empty()) return make_error(errc::invalid, wrong_);
    return ok();
  }

 private:
  const json::value* member(std::string_view key) const { return find_member(value_, key); }
  void blame(std::string_view key, std::string_view expected) {
    if (wrong_.empty()) wrong_ = fmt::format("\"{}\" of a {}: expected {}", key, what_, expected);
  }

  const json::value& value_;
  std::string what_;
  std::string wrong_;
};

}  // namespace kaapi::actions
