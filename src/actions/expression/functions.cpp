#include "actions/expression/functions.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace kaapi::actions::expression {
namespace {

Error too_large(std::string_view what) {
  return make_error(errc::too_large, fmt::format("{} yields more than {} bytes", what, max_result_bytes));
}

// In a list: an item that equals; in a text: a part, without case.
bool contains(const Value& where, const Value& what) {
  if (where.is(Kind::array)) {
    const std::vector<Value>& items = where.array().items;
    return std::any_of(items.begin(), items.end(), [&](const Value& item) { return loose_equal(item, what); });
  }
  if (!where.is_primitive() || !what.is_primitive()) return false;
  return contains_ignoring_case(to_text(where), to_text(what));
}

bool starts_with(const Value& where, const Value& what) {
  if (!where.is_primitive() || !what.is_primitive()) return false;
  const std::string text = to_text(where), part = to_text(what);
  return equal_ignoring_case(std::string_view(text).substr(0, part.size()), part);
}

bool ends_with(const Value& where, const Value& what) {
  if (!where.is_primitive() || !what.is_primitive()) return false;
  const std::string text = to_text(where), part = to_text(what);
  return text.size() >= part.size() &&
         equal_ignoring_case(std::string_view(text).substr(text.size() - part.size()), part);
}

// {0} {1} ..., {{ and }}.
class Formatter {
 public:
  Formatter(std::string_view pattern, std::span<const Value> values) : pattern_(pattern), values_(values) {}

  Result<Value> run() {
    std::size_t at = 0;
    while (at < pattern_.size()) {
      const std::size_t brace = std::min(pattern_.find_first_of("{}", at), pattern_.size());
      out_ += pattern_.substr(at, brace - at);
      if (brace == pattern_.size()) break;
      if (brace + 1 < pattern_.size() && pattern_[brace + 1] == pattern_[brace]) {
        out_ += pattern_[brace];
        at = brace + 2;
        continue;
      }
      if (pattern_[brace] == '}') return invalid(brace, "a single } must be written }}");
      const Result<std::size_t> next = replace(brace);
      if (!next) return next.error();
      at = *next;
      if (out_.size() > max_result_bytes) return too_large("format");
    }
    return Value(std::move(out_));
  }

 private:
  // Puts in the value for the placeholder that begins here, and tells where the text goes on.
  Result<std::size_t> replace(std::size_t brace) {
    const std::size_t end = pattern_.find('}', brace);
    if (end == std::string_view::npos) return invalid(brace, "a { must be closed, or written {{");
    const std::optional<std::int64_t> number = kaapi::parse_number(pattern_.substr(brace + 1, end - brace - 1));
    if (!number) return invalid(brace, "expected {0}, {1}, ..., or {{ for a brace");
    if (static_cast<std::size_t>(*number) >= values_.size()) {
      return invalid(
          brace, fmt::format("{{{}}} refers to an argument that was not given: there are {}", *number, values_.size()));
    }
    out_ += to_text(values_[static_cast<std::size_t>(*number)]);
    return end + 1;
  }

  static Error invalid(std::size_t at, std::string_view expected) {
    return make_error(errc::invalid,
                      fmt::format("the text given to format is invalid at its position {}: {}", at + 1, expected));
  }

  std::string_view pattern_;
  std::span<const Value> values_;
  std::string out_;
};

Result<Value> join(const Value& what, std::string_view separator) {
  if (what.is_primitive()) return Value(to_text(what));
  if (!what.is(Kind::array)) return Value("");
  std::string out;
  bool first = true;
  for (const Value& item : what.array().items) {
    if (!first) out += separator;
    first = false;
    out += to_text(item);
    if (out.size() > max_result_bytes) return too_large("join");
  }
  return Value(std::move(out));
}

}  // namespace

Result<Value> call_function(Function function, std::span<const Value> arguments) {
  switch (function) {
    case Function::contains:
      return Value(contains(arguments[0], arguments[1]));
    case Function::starts_with:
      return Value(starts_with(arguments[0], arguments[1]));
    case Function::ends_with:
      return Value(ends_with(arguments[0], arguments[1]));
    case Function::format: {
      const std::string pattern = to_text(arguments[0]);
      return Formatter(pattern, arguments.subspan(1)).run();
    }
    case Function::join: {
      const bool given = arguments.size() > 1 && arguments[1].is_primitive();
      return join(arguments[0], given ? to_text(arguments[1]) : std::string(","));
    }
    case Function::to_json: {
      Result<std::string> text = to_json(arguments[0]);
      if (!text) return text.error();
      return Value(std::move(*text));
    }
    case Function::from_json: {
      Result<Value> value = from_json(to_text(arguments[0]));
      if (value || value.error().code == errc::too_large) return value;
      return make_error(errc::invalid, fmt::format("fromJSON was given no JSON text: {}", value.error().message));
    }
    default:
      return internal_error("call_function was asked for a function that needs the environment");
  }
}

}  // namespace kaapi::actions::expression
