#include "actions/expression/template.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace kaapi::actions::expression {
namespace {

constexpr std::string_view opening = "${{";
constexpr std::string_view closing = "}}";

// Where the expression that begins at `at` ends: at the }} outside of texts.
std::size_t find_closing(std::string_view text, std::size_t at) {
  bool quoted = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '\'') quoted = !quoted;
    if (!quoted && text.substr(at, closing.size()) == closing) return at;
  }
  return std::string_view::npos;
}

ExpressionError moved(ExpressionError error, std::size_t by) {
  error.position += by;
  return error;
}

}  // namespace

Checked<Template> Template::parse(std::string_view text) {
  Template result;
  result.source_ = text;
  std::size_t at = 0, expressions = 0;
  while (at < text.size()) {
    const std::size_t open = text.find(opening, at);
    const std::string_view before = text.substr(at, open == std::string_view::npos ? open : open - at);
    if (!before.empty()) result.parts_.push_back({at, std::string(before), std::nullopt});
    if (open == std::string_view::npos) break;
    const std::size_t begin = open + opening.size();
    const std::size_t end = find_closing(text, begin);
    if (end == std::string_view::npos) {
      return ExpressionError(open, "the expression is not closed: expected \"}}\" behind \"${{\"");
    }
    if (++expressions > max_template_expressions) {
      return ExpressionError(open, fmt::format("the text has more than {} expressions", max_template_expressions),
                             errc::too_large);
    }
    const std::string_view inside = text.substr(begin, end - begin);
    if (trim(inside).empty()) return ExpressionError(open, "an expression is expected between \"${{\" and \"}}\"");
    Checked<Expression> expression = Expression::parse(inside);
    if (!expression) return moved(expression.error(), begin);
    result.parts_.push_back({begin, {}, std::move(*expression)});
    at = end + closing.size();
  }
  return result;
}

Template Template::plain(std::string text) {
  Template result;
  result.source_ = text;
  if (!text.empty()) result.parts_.push_back({0, std::move(text), std::nullopt});
  return result;
}

bool Template::has_expressions() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return part.expression.has_value(); });
}

bool Template::is_single_expression() const {
  return parts_.size() == 1 && parts_[0].expression;
}

Checked<Value> Template::evaluate(const Environment& environment) const {
  if (!is_single_expression()) {
    Checked<std::string> text = evaluate_text(environment);
    if (!text) return text.error();
    return Value(std::move(*text));
  }
  Checked<Value> value = parts_[0].expression->evaluate(environment);
  if (!value) return moved(value.error(), parts_[0].position);
  return value;
}

Checked<std::string> Template::evaluate_text(const Environment& environment) const {
  std::string out;
  for (const Part& part : parts_) {
    if (!part.expression) {
      out += part.text;
    } else {
      const Checked<Value> value = part.expression->evaluate(environment);
      if (!value) return moved(value.error(), part.position);
      out += to_text(*value);
    }
    if (out.size() > max_result_bytes) {
      return ExpressionError(part.position, fmt::format("the text has more than {} bytes", max_result_bytes),
                             errc::too_large);
    }
  }
  return out;
}

Checked<Condition> Condition::parse(std::string_view text) {
  Condition result;
  const std::string_view inside = trim(text);
  if (inside.empty()) return result;
  result.is_default_ = false;
  const bool braces = inside.find(opening) != std::string_view::npos;
  Checked<Template> parsed = Template::parse(braces ? inside : fmt::format("${{{{{}}}}}", inside));
  const std::size_t spaces = static_cast<std::size_t>(inside.data() - text.data());
  if (!parsed) {
    // Positions of what was written, not of what was put around it.
    const std::size_t added = braces ? 0 : opening.size();
    ExpressionError error = parsed.error();
    error.position = std::min(error.position < added ? 0 : error.position - added, inside.size()) + spaces;
    return error;
  }
  result.text_ = std::move(*parsed);
  result.uses_status_function_ = std::any_of(
      result.text_.parts().begin(), result.text_.parts().end(),
      [](const Template::Part& part) { return part.expression && part.expression->uses_status_function(); });
  return result;
}

Checked<bool> Condition::evaluate(const Environment& environment) const {
  if (!uses_status_function_) {
    const Result<bool> success = environment.status(Function::success, {});
    if (!success) return ExpressionError(0, success.error().message);
    if (!*success) return false;
  }
  if (is_default_) return true;
  const Checked<Value> value = text_.evaluate(environment);
  if (!value) return value.error();
  return truthy(*value);
}

}  // namespace kaapi::actions::expression
