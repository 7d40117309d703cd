#pragma once
// One expression: what stands between ${{ and }}, or in an `if:`. Parsed once, evaluated often; pure.

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "actions/expression/value.h"
#include "base/error.h"

namespace kaapi::actions::expression {

inline constexpr std::size_t max_expression_chars = 21'000;  // GitHub's limit, counted in bytes here
inline constexpr std::size_t max_expression_depth = 50;      // GitHub's: nested operators, calls and indexes
inline constexpr std::size_t max_parentheses = 200;          // nested; they do not count as depth
inline constexpr std::size_t max_arguments = 255;            // of one call, as GitHub

// A failure and where in the expression it lies: the offset in bytes, from 0. Messages tell positions from 1.
struct ExpressionError : Error {
  ExpressionError() = default;
  ExpressionError(std::size_t at, std::string text, std::string_view error_code = errc::invalid)
      : Error(std::string(error_code), std::move(text)), position(at) {}
  std::size_t position = 0;
};
template <class T>
using Checked = boost::system::result<T, ExpressionError>;

enum class Function {
  contains,
  starts_with,
  ends_with,
  format,
  join,
  to_json,
  from_json,
  hash_files,
  case_,
  success,
  failure,
  always,
  cancelled,
};
constexpr bool is_status_function(Function function) {
  return function >= Function::success;
}

// What an expression sees of the world. Used by one thread during one evaluation.
class Environment {
 public:
  virtual ~Environment() = default;

  // The context of that name in lower case ("github"); nullopt when it is not available here.
  virtual std::optional<Value> context(std::string_view name) const = 0;

  // hashFiles: the hash of the files that match, '' when none does. Unless overridden it is not available.
  virtual Result<std::string> hash_files(std::span<const std::string> patterns) const;

  // success(), failure(), always(), cancelled(); `jobs` are the arguments: ids of needed jobs, none for all.
  virtual Result<bool> status(Function function, std::span<const std::string> jobs) const;
};

// A context or function that the expression names.
struct Reference {
  bool is_function = false;
  Function function{};
  std::string name;  // as written
  std::size_t position = 0;
  // Of a context: the first property or constant index behind it ("build" of needs.build.outputs.x); or empty.
  std::string property;
};

struct Node;

// Immutable; shared between threads.
class Expression {
 public:
  // Errors: what was found, what was expected, and where. Functions must exist and have as many arguments as they take;
  // contexts are only looked up when evaluated (see availability.h).
  static Checked<Expression> parse(std::string_view text);

  // Errors: an unavailable context or function, malformed arguments, a result that is too large.
  Checked<Value> evaluate(const Environment& environment) const;

  const std::vector<Reference>& references() const { return references_; }
  bool uses_status_function() const;

  // The expression written out again: parsing it yields the same tree.
  std::string print() const;

 private:
  std::shared_ptr<const Node> root_;
  std::vector<Reference> references_;
};

}  // namespace kaapi::actions::expression
