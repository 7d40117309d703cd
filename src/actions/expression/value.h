#pragma once
// The values of expressions: null, boolean, number, string, array, object. Rules: GitHub's documentation, "Evaluate
// expressions in workflows and actions", and what its runner does where the documentation is silent.

#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace kaapi::actions::expression {

// A text that an expression yields, and all that one evaluation may build on the way, in bytes.
inline constexpr std::size_t max_result_bytes = 10UL * 1024 * 1024;

enum class Kind { null, boolean, number, string, array, object };

struct Array;
class Object;

// Arrays and objects are shared and never change once they are a value, so copying one costs a counter. Thread-safe to
// read. The accessors must only be called for the kind at hand.
class Value {
 public:
  Value() = default;  // null
  template <std::same_as<bool> B>
  Value(B flag) : data_(flag) {}
  template <class N>
  requires(std::is_arithmetic_v<N> && !std::same_as<N, bool>) Value(N number) : data_(static_cast<double>(number)) {}
  Value(std::string text) : data_(std::move(text)) {}
  Value(std::string_view text) : data_(std::string(text)) {}
  Value(const char* text) : data_(std::string(text)) {}
  Value(std::shared_ptr<const Array> array) : data_(std::move(array)) {}
  Value(std::shared_ptr<const Object> object) : data_(std::move(object)) {}
  Value(Array array);
  Value(Object object);

  Kind kind() const { return static_cast<Kind>(data_.index()); }
  bool is(Kind kind) const { return this->kind() == kind; }
  bool is_primitive() const { return kind() < Kind::array; }

  bool boolean() const { return std::get<bool>(data_); }
  double number() const { return std::get<double>(data_); }
  const std::string& string() const { return std::get<std::string>(data_); }
  const Array& array() const { return *std::get<std::shared_ptr<const Array>>(data_); }
  const Object& object() const { return *std::get<std::shared_ptr<const Object>>(data_); }

  // The member of an object, by a name whose case does not count; null when there is none, or this is no object.
  Value operator[](std::string_view key) const;

 private:
  // In the order of Kind.
  std::variant<std::monostate, bool, double, std::string, std::shared_ptr<const Array>, std::shared_ptr<const Object>>
      data_;
};

struct Array {
  std::vector<Value> items;
  // What `.*` yields: a further index is applied to each item.
  bool filtered = false;
};

// Keeps the order in which members were set. Names are found whatever their case, except in an object made
// case-sensitive (`env` on Linux). Not thread-safe while it is filled.
class Object {
 public:
  enum class Case { insensitive, sensitive };

  explicit Object(Case key_case = Case::insensitive) : case_(key_case) {}

  void set(std::string_view key, Value value);  // replaces a member of that name
  const Value* find(std::string_view key) const;
  const std::vector<std::pair<std::string, Value>>& members() const { return members_; }
  bool empty() const { return members_.empty(); }

 private:
  std::size_t position(std::string_view key) const;  // members_.size() when there is none

  Case case_;
  std::vector<std::pair<std::string, Value>> members_;
  std::unordered_map<std::string, std::size_t> index_;  // filled only for larger objects
};

// false: null, false, 0, -0, NaN, ''.
bool truthy(const Value& value);
// null 0, false 0, true 1, '' 0, '0x1f' 31; NaN for all other texts, arrays and objects.
double to_number(const Value& value);
double parse_number(std::string_view text);
// null '', numbers with at most 15 digits, arrays 'Array', objects 'Object'.
std::string to_text(const Value& value);
std::string number_text(double number);

// `==`, `<` and `>` with GitHub's coercions: of different kinds, both become numbers; texts are compared without case
// (ASCII letters); arrays and objects are equal only to themselves.
bool loose_equal(const Value& a, const Value& b);
bool less(const Value& a, const Value& b);
inline bool greater(const Value& a, const Value& b) {
  return less(b, a);
}

// Without the case of ASCII letters.
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool contains_ignoring_case(std::string_view text, std::string_view part);

// Laid out as GitHub's toJSON: two spaces, one member a line. Errors: `TooLarge` beyond max_result_bytes.
Result<std::string> to_json(const Value& value);
// Errors: `Invalid` with the position; `TooLarge`.
Result<Value> from_json(std::string_view text);
Value from_json_value(const json::value& value);

}  // namespace kaapi::actions::expression
