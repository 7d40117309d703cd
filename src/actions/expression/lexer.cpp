#include "actions/expression/lexer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

namespace kaapi::actions::expression {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// Where a number or a name ends.
bool is_boundary(char c) {
  constexpr std::string_view boundaries = "()[],.!<>=&|";
  return is_space(c) || boundaries.find(c) != std::string_view::npos;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Checked<std::vector<Token>> run() {
    while (at_ < text_.size()) {
      if (is_space(text_[at_])) {
        ++at_;
        continue;
      }
      if (std::optional<ExpressionError> error = next()) return *std::move(error);
    }
    add(TokenType::end, 0);
    return std::move(tokens_);
  }

 private:
  std::optional<ExpressionError> next() {
    const char c = text_[at_];
    const char second = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    switch (c) {
      case '(':
        return add(TokenType::open_parenthesis, 1);
      case ')':
        return add(TokenType::close_parenthesis, 1);
      case '[':
        return add(TokenType::open_bracket, 1);
      case ']':
        return add(TokenType::close_bracket, 1);
      case ',':
        return add(TokenType::comma, 1);
      case '*':
        return add(TokenType::star, 1);
      case '!':
        return second == '=' ? add(TokenType::not_equal, 2) : add(TokenType::negation, 1);
      case '<':
        return second == '=' ? add(TokenType::less_equal, 2) : add(TokenType::less, 1);
      case '>':
        return second == '=' ? add(TokenType::greater_equal, 2) : add(TokenType::greater, 1);
      case '=':
        if (second != '=') return unexpected("\"==\"");
        return add(TokenType::equal, 2);
      case '&':
        if (second != '&') return unexpected("\"&&\"");
        return add(TokenType::both, 2);
      case '|':
        if (second != '|') return unexpected("\"||\"");
        return add(TokenType::either, 2);
      case '\'':
        return string();
      case '"':
        return unexpected("single quotes around a string: '...'");
      case '.':
        return follows_value() ? add(TokenType::dot, 1) : number();
      default:
        return is_digit(c) || c == '-' || c == '+' ? number() : word();
    }
  }

  // Whether a dot here takes a property, and is not the beginning of a number.
  bool follows_value() const {
    if (tokens_.empty()) return false;
    switch (tokens_.back().type) {
      case TokenType::name:
      case TokenType::star:
      case TokenType::close_bracket:
      case TokenType::close_parenthesis:
        return true;
      default:
        return false;
    }
  }

  // Never an error; of that type so that it can be returned beside one.
  std::optional<ExpressionError> add(TokenType type, std::size_t size, Value value = {}) {
    tokens_.push_back({type, at_, text_.substr(at_, size), std::move(value)});
    at_ += size;
    return std::nullopt;
  }

  std::optional<ExpressionError> number() {
    std::size_t end = at_ + 1;
    while (end < text_.size() && (!is_boundary(text_[end]) || text_[end] == '.')) ++end;
    const double value = parse_number(text_.substr(at_, end - at_));
    if (std::isnan(value)) return unexpected("a number such as 1, -2.5, 0xff or 1e3");
    return add(TokenType::literal, end - at_, value);
  }

  std::optional<ExpressionError> string() {
    std::string value;
    std::size_t end = at_ + 1;
    for (;; ++end) {
      if (end >= text_.size()) return unexpected("a closing single quote");
      if (text_[end] == '\'') {
        if (end + 1 >= text_.size() || text_[end + 1] != '\'') break;
        ++end;  // '' is one quote
      }
      value += text_[end];
    }
    return add(TokenType::literal, end + 1 - at_, std::move(value));
  }

  std::optional<ExpressionError> word() {
    std::size_t end = at_;
    while (end < text_.size() && !is_boundary(text_[end])) ++end;
    const std::string_view word = text_.substr(at_, end - at_);
    if (!is_identifier(word)) return unexpected("a name, a literal or an operator");
    const bool property = !tokens_.empty() && tokens_.back().type == TokenType::dot;
    if (!property) {
      if (word == "null") return add(TokenType::literal, word.size(), {});
      if (word == "true") return add(TokenType::literal, word.size(), true);
      if (word == "false") return add(TokenType::literal, word.size(), false);
      if (word == "NaN") return add(TokenType::literal, word.size(), std::numeric_limits<double>::quiet_NaN());
      if (word == "Infinity") return add(TokenType::literal, word.size(), std::numeric_limits<double>::infinity());
    }
    return add(TokenType::name, word.size());
  }

  ExpressionError unexpected(std::string_view expected) const {
    constexpr std::size_t shown_bytes = 40;
    std::size_t end = at_ + 1;
    const bool quoted = text_[at_] == '\'';
    while (end < text_.size() && (quoted || !is_boundary(text_[end]) || text_[end] == '.')) ++end;
    return {at_, fmt::format("unexpected symbol {} at position {}: expected {}",
                             text_.substr(at_, std::min(end - at_, shown_bytes)), at_ + 1, expected)};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !text.empty() && letter(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return letter(c) || is_digit(c) || c == '-'; });
}

Checked<std::vector<Token>> tokenize(std::string_view text) {
  return Lexer(text).run();
}

}  // namespace kaapi::actions::expression
