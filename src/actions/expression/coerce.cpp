// Coercions and comparisons of values.

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "actions/expression/value.h"
#include "base/text.h"

namespace kaapi::actions::expression {
namespace {

constexpr double nan_number = std::numeric_limits<double>::quiet_NaN();

char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

std::string_view trim_all(std::string_view text) {
  constexpr std::string_view spaces = " \t\n\v\f\r";
  const std::size_t begin = text.find_first_not_of(spaces);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(spaces) - begin + 1);
}

// "ff" as a 32-bit number that may be negative, like the runner reads it.
double parse_integer(std::string_view digits, int base) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return nan_number;
  return static_cast<double>(static_cast<std::int32_t>(number));
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// [sign] digits [. digits] [e [sign] digits], with at least one digit before or behind the point.
bool is_decimal(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    return at - begin;
  };
  if (text.starts_with('-') || text.starts_with('+')) ++at;
  std::size_t mantissa = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    mantissa += digits();
  }
  if (mantissa == 0) return false;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '-' || text[at] == '+')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// Makes both of one kind, or leaves them different where nothing is equal.
struct Coerced {
  Value left, right;
  Coerced(const Value& a, const Value& b) : left(a), right(b) {
    if (left.kind() == right.kind()) return;
    const auto simple = [](const Value& value) { return value.is(Kind::null) || value.is(Kind::boolean); };
    if (simple(left)) left = to_number(left);
    if (simple(right)) right = to_number(right);
    if (left.is(Kind::number) && right.is(Kind::string)) right = to_number(right);
    if (left.is(Kind::string) && right.is(Kind::number)) left = to_number(left);
  }
};

}  // namespace

bool truthy(const Value& value) {
  switch (value.kind()) {
    case Kind::null:
      return false;
    case Kind::boolean:
      return value.boolean();
    case Kind::number:
      return value.number() != 0 && !std::isnan(value.number());
    case Kind::string:
      return !value.string().empty();
    case Kind::array:
    case Kind::object:
      return true;
  }
  return true;
}

double parse_number(std::string_view text) {
  text = trim_all(text);
  if (text.empty()) return 0;
  if (is_decimal(text)) return std::strtod(std::string(text).c_str(), nullptr);
  if (text.size() > 2 && text.starts_with("0x")) return parse_integer(text.substr(2), 16);
  if (text.size() > 2 && text.starts_with("0o")) return parse_integer(text.substr(2), 8);
  if (text == "Infinity" || text == "+Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return nan_number;
}

double to_number(const Value& value) {
  switch (value.kind()) {
    case Kind::null:
      return 0;
    case Kind::boolean:
      return value.boolean() ? 1 : 0;
    case Kind::number:
      return value.number();
    case Kind::string:
      return parse_number(value.string());
    case Kind::array:
    case Kind::object:
      return nan_number;
  }
  return nan_number;
}

std::string number_text(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  // -0 is written without its sign.
  return number == 0 ? "0" : fmt::format("{:.15G}", number);
}

std::string to_text(const Value& value) {
  switch (value.kind()) {
    case Kind::null:
      return {};
    case Kind::boolean:
      return value.boolean() ? "true" : "false";
    case Kind::number:
      return number_text(value.number());
    case Kind::string:
      return value.string();
    case Kind::array:
      return "Array";
    case Kind::object:
      return "Object";
  }
  return {};
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return upper(x) == upper(y); });
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char x, char y) { return upper(x) == upper(y); }) != text.end() ||
         part.empty();
}

bool loose_equal(const Value& a, const Value& b) {
  const Coerced both(a, b);
  if (both.left.kind() != both.right.kind()) return false;
  switch (both.left.kind()) {
    case Kind::null:
      return true;
    case Kind::boolean:
      return both.left.boolean() == both.right.boolean();
    case Kind::number:
      return both.left.number() == both.right.number();
    case Kind::string:
      return equal_ignoring_case(both.left.string(), both.right.string());
    case Kind::array:
      return &both.left.array() == &both.right.array();
    case Kind::object:
      return &both.left.object() == &both.right.object();
  }
  return false;
}

bool less(const Value& a, const Value& b) {
  const Coerced both(a, b);
  if (both.left.kind() != both.right.kind()) return false;
  switch (both.left.kind()) {
    case Kind::boolean:
      return !both.left.boolean() && both.right.boolean();
    case Kind::number:
      return both.left.number() < both.right.number();
    case Kind::string: {
      const std::string &x = both.left.string(), &y = both.right.string();
      return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end(), [](char p, char q) {
        return static_cast<unsigned char>(upper(p)) < static_cast<unsigned char>(upper(q));
      });
    }
    case Kind::null:
    case Kind::array:
    case Kind::object:
      return false;
  }
  return false;
}

}  // namespace kaapi::actions::expression
