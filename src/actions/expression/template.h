#pragma once
// Text with expressions in it, "image:${{ github.sha }}", and the conditions of jobs and steps.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "actions/expression/expression.h"

namespace kaapi::actions::expression {

// Bounds of one text: its length in bytes is that of the file it stands in; expressions in it are counted.
inline constexpr std::size_t max_template_expressions = 1'000;

// Immutable; shared between threads.
class Template {
 public:
  struct Part {
    std::size_t position = 0;  // in the text; of an expression: where what stands between the braces begins
    std::string text;          // outside of expressions; empty for an expression
    std::optional<Expression> expression;
  };

  Template() = default;  // the empty text

  // Errors: an expression that is not closed, empty or malformed; the position counts from the beginning of `text`.
  static Checked<Template> parse(std::string_view text);

  // Text without expressions.
  static Template plain(std::string text);

  bool has_expressions() const;
  // One expression and nothing around it: its value keeps its type.
  bool is_single_expression() const;
  const std::vector<Part>& parts() const { return parts_; }
  // As it was written.
  const std::string& source() const { return source_; }

  // A text, or for a single expression what it yields. Errors as Expression::evaluate, with positions in the text.
  Checked<Value> evaluate(const Environment& environment) const;
  Checked<std::string> evaluate_text(const Environment& environment) const;

 private:
  std::string source_;
  std::vector<Part> parts_;
};

// An `if:`. With or without ${{ }}; without one of the status functions it means success() && (...).
class Condition {
 public:
  Condition() = default;  // success()

  static Checked<Condition> parse(std::string_view text);

  // Whether it names success(), failure(), always() or cancelled() itself.
  bool uses_status_function() const { return uses_status_function_; }
  const Template& text() const { return text_; }
  bool is_default() const { return is_default_; }

  Checked<bool> evaluate(const Environment& environment) const;

 private:
  Template text_;
  bool is_default_ = true;  // nothing was written
  bool uses_status_function_ = false;
};

}  // namespace kaapi::actions::expression
