#pragma once
// Cuts an expression into tokens; internal to this folder.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "actions/expression/expression.h"

namespace kaapi::actions::expression {

enum class TokenType {
  open_parenthesis,
  close_parenthesis,
  open_bracket,
  close_bracket,
  comma,
  dot,
  star,
  negation,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  both,
  either,
  literal,  // null, true, false, a number or a text
  name,
  end,
};

struct Token {
  TokenType type = TokenType::end;
  std::size_t position = 0;
  std::string_view text;  // a view of the expression
  Value value;            // of a literal
};

// The last token is `end`. `text` must outlive the tokens.
Checked<std::vector<Token>> tokenize(std::string_view text);

// [A-Za-z_][A-Za-z0-9_-]*
bool is_identifier(std::string_view text);

}  // namespace kaapi::actions::expression
