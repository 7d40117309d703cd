// From tokens to the tree.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "actions/expression/expression.h"
#include "actions/expression/lexer.h"
#include "actions/expression/node.h"
#include "actions/expression/suggest.h"

namespace kaapi::actions::expression {
namespace {

constexpr std::array functions = {
    FunctionInfo{"contains", Function::contains, 2, 2},
    FunctionInfo{"startsWith", Function::starts_with, 2, 2},
    FunctionInfo{"endsWith", Function::ends_with, 2, 2},
    FunctionInfo{"format", Function::format, 1, max_arguments},
    FunctionInfo{"join", Function::join, 1, 2},
    FunctionInfo{"toJSON", Function::to_json, 1, 1},
    FunctionInfo{"fromJSON", Function::from_json, 1, 1},
    FunctionInfo{"hashFiles", Function::hash_files, 1, max_arguments},
    FunctionInfo{"case", Function::case_, 3, max_arguments},
    FunctionInfo{"success", Function::success, 0, max_arguments},
    FunctionInfo{"failure", Function::failure, 0, max_arguments},
    FunctionInfo{"always", Function::always, 0, 0},
    FunctionInfo{"cancelled", Function::cancelled, 0, 0},
};

// How tightly an operator binds; 0 for what is no binary operator.
int precedence(TokenType type) {
  switch (type) {
    case TokenType::either:
      return 1;
    case TokenType::both:
      return 2;
    case TokenType::equal:
    case TokenType::not_equal:
      return 3;
    case TokenType::less:
    case TokenType::less_equal:
    case TokenType::greater:
    case TokenType::greater_equal:
      return 4;
    default:
      return 0;
  }
}

NodeType binary_type(TokenType type) {
  switch (type) {
    case TokenType::either:
      return NodeType::either;
    case TokenType::both:
      return NodeType::both;
    case TokenType::equal:
      return NodeType::equal;
    case TokenType::not_equal:
      return NodeType::not_equal;
    case TokenType::less:
      return NodeType::less;
    case TokenType::less_equal:
      return NodeType::less_equal;
    case TokenType::greater:
      return NodeType::greater;
    default:
      return NodeType::greater_equal;
  }
}

class Parser {
 public:
  Parser(std::vector<Token> tokens, std::vector<Reference>& references)
      : tokens_(std::move(tokens)), references_(references) {}

  Checked<Node> run() {
    std::optional<Node> root = binary(1);
    if (root && peek().type != TokenType::end) unexpected("an operator or the end of the expression");
    if (error_) return *std::move(error_);
    return *std::move(root);
  }

 private:
  // All of these yield nothing once error_ is set.
  std::optional<Node> binary(int at_least) {
    std::optional<Node> left = unary();
    bool grown = false;  // `left` was built by this loop, so that && and || may take another operand
    while (left) {
      const Token& token = peek();
      const int level = precedence(token.type);
      if (level < at_least) break;
      ++at_;
      std::optional<Node> right = binary(level + 1);
      if (!right) return std::nullopt;
      const NodeType type = binary_type(token.type);
      if (grown && left->type == type && (type == NodeType::both || type == NodeType::either)) {
        left->depth = std::max(left->depth, right->depth + 1);
        left->children.push_back(*std::move(right));
        if (!check_depth(*left)) return std::nullopt;
        continue;
      }
      Node node;
      node.type = type;
      node.position = token.position;
      if (!adopt(node, *std::move(left)) || !adopt(node, *std::move(right))) return std::nullopt;
      left = std::move(node);
      grown = true;
    }
    return left;
  }

  std::optional<Node> unary() {
    // Counted, not called: a row of ! must not use up the stack.
    std::vector<std::size_t> negations;
    while (peek().type == TokenType::negation) {
      negations.push_back(peek().position);
      ++at_;
    }
    std::optional<Node> node = postfix();
    for (; node && !negations.empty(); negations.pop_back()) {
      Node outer;
      outer.type = NodeType::negation;
      outer.position = negations.back();
      if (!adopt(outer, *std::move(node))) return std::nullopt;
      node = std::move(outer);
    }
    return node;
  }

  std::optional<Node> postfix() {
    const std::size_t reference = references_.size();
    std::optional<Node> node = primary();
    bool first = true;
    while (node) {
      if (peek().type == TokenType::dot) {
        ++at_;
        node = property(*std::move(node));
      } else if (peek().type == TokenType::open_bracket) {
        node = index(*std::move(node));
      } else {
        break;
      }
      if (first && node) note_property(*node, reference);
      first = false;
    }
    return node;
  }

  // needs.build: tells the reference to `needs` which property was taken.
  void note_property(const Node& node, std::size_t reference) {
    if (node.type != NodeType::index || node.children[0].type != NodeType::context) return;
    const Node& by = node.children[1];
    if (by.type == NodeType::literal && by.literal.is(Kind::string)) {
      references_[reference].property = by.literal.string();
    }
  }

  std::optional<Node> property(Node what) {
    const Token& token = peek();
    Node node;
    node.position = token.position;
    if (token.type == TokenType::star) {
      node.type = NodeType::wildcard;
      if (!adopt(node, std::move(what))) return std::nullopt;
    } else if (token.type == TokenType::name) {
      node.type = NodeType::index;
      Node name;
      name.position = token.position;
      name.literal = token.text;
      if (!adopt(node, std::move(what)) || !adopt(node, std::move(name))) return std::nullopt;
    } else {
      return unexpected("a property name or *");
    }
    ++at_;
    return node;
  }

  std::optional<Node> index(Node what) {
    const Deeper deeper(*this);
    if (error_) return std::nullopt;
    Node node;
    node.position = peek().position;
    ++at_;
    if (peek().type == TokenType::star && tokens_[at_ + 1].type == TokenType::close_bracket) {
      node.type = NodeType::wildcard;
      at_ += 2;
      if (!adopt(node, std::move(what))) return std::nullopt;
      return node;
    }
    node.type = NodeType::index;
    std::optional<Node> by = binary(1);
    if (!by) return std::nullopt;
    if (peek().type != TokenType::close_bracket) return unexpected("\"]\"");
    ++at_;
    if (!adopt(node, std::move(what)) || !adopt(node, *std::move(by))) return std::nullopt;
    return node;
  }

  std::optional<Node> primary() {
    const Token& token = peek();
    if (token.type == TokenType::literal) {
      Node node;
      node.position = token.position;
      node.literal = token.value;
      ++at_;
      return node;
    }
    if (token.type == TokenType::name) {
      ++at_;
      return peek().type == TokenType::open_parenthesis ? call(token) : context(token);
    }
    if (token.type == TokenType::open_parenthesis) {
      const Deeper deeper(*this);
      if (error_) return std::nullopt;
      ++at_;
      std::optional<Node> node = binary(1);
      if (!node) return std::nullopt;
      if (peek().type != TokenType::close_parenthesis) return unexpected("\")\"");
      ++at_;
      return node;
    }
    return unexpected("a value");
  }

  std::optional<Node> context(const Token& token) {
    references_.push_back({false, {}, std::string(token.text), token.position, {}});
    Node node;
    node.type = NodeType::context;
    node.position = token.position;
    node.name = token.text;
    return node;
  }

  std::optional<Node> call(const Token& name) {
    const FunctionInfo* info = find_function(name.text);
    if (info == nullptr) return unknown_function(name);
    references_.push_back({true, info->function, std::string(name.text), name.position, {}});
    const Deeper deeper(*this);
    if (error_) return std::nullopt;
    Node node;
    node.type = NodeType::call;
    node.position = name.position;
    node.function = info->function;
    ++at_;  // the parenthesis
    while (peek().type != TokenType::close_parenthesis) {
      if (!node.children.empty()) {
        if (peek().type != TokenType::comma) return unexpected("\",\" or \")\"");
        ++at_;
      }
      std::optional<Node> argument = binary(1);
      if (!argument || !adopt(node, *std::move(argument))) return std::nullopt;
    }
    ++at_;
    return check_arguments(std::move(node), *info);
  }

  std::optional<Node> check_arguments(Node node, const FunctionInfo& info) {
    const std::size_t count = node.children.size();
    const bool odd = info.function != Function::case_ || count % 2 == 1;
    if (count >= info.min_arguments && count <= info.max_arguments && odd) return node;
    std::string expected = fmt::format("{}", info.min_arguments);
    if (info.max_arguments == max_arguments) {
      expected += " or more";
    } else if (info.max_arguments != info.min_arguments) {
      expected += fmt::format(" to {}", info.max_arguments);
    }
    if (info.function == Function::case_) expected = "an odd number, 3 or more, of";
    return fail(node.position, fmt::format("{} at position {} has {} arguments: expected {}", info.name,
                                           node.position + 1, count, expected));
  }

  std::optional<Node> unknown_function(const Token& name) {
    std::vector<std::string_view> names;
    names.reserve(functions.size());
    for (const FunctionInfo& info : functions) names.push_back(info.name);
    return fail(name.position, fmt::format("unrecognized function {} at position {}{}", name.text, name.position + 1,
                                           did_you_mean(name.text, names)));
  }

  const Token& peek() const { return tokens_[at_]; }

  bool adopt(Node& parent, Node&& child) {
    parent.depth = std::max(parent.depth, child.depth + 1);
    parent.children.push_back(std::move(child));
    return check_depth(parent);
  }

  bool check_depth(const Node& node) {
    if (node.depth <= max_expression_depth) return true;
    fail(node.position, fmt::format("the expression is nested more than {} deep at position {}", max_expression_depth,
                                    node.position + 1));
    return false;
  }

  // Bounds the recursion, also where parentheses make no node.
  struct Deeper {
    explicit Deeper(Parser& p) : parser(p) {
      if (++parser.open_ > max_parentheses) {
        parser.fail(parser.peek().position, fmt::format("more than {} parentheses are open at position {}",
                                                        max_parentheses, parser.peek().position + 1));
      }
    }
    ~Deeper() { --parser.open_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;
    Parser& parser;
  };

  std::nullopt_t fail(std::size_t position, std::string message) {
    if (!error_) error_ = ExpressionError(position, std::move(message));
    return std::nullopt;
  }

  std::nullopt_t unexpected(std::string_view expected) {
    const Token& token = peek();
    if (token.type == TokenType::end) {
      return fail(token.position, fmt::format("unexpected end of the expression: expected {}", expected));
    }
    return fail(token.position, fmt::format("unexpected symbol {} at position {}: expected {}", token.text,
                                            token.position + 1, expected));
  }

  std::vector<Token> tokens_;
  std::vector<Reference>& references_;
  std::size_t at_ = 0;
  std::size_t open_ = 0;
  std::optional<ExpressionError> error_;
};

}  // namespace

const FunctionInfo* find_function(std::string_view name) {
  const auto* found = std::find_if(functions.begin(), functions.end(),
                                   [&](const FunctionInfo& info) { return equal_ignoring_case(info.name, name); });
  return found == functions.end() ? nullptr : found;
}

const FunctionInfo& function_info(Function function) {
  return functions[static_cast<std::size_t>(function)];
}

Checked<Expression> Expression::parse(std::string_view text) {
  if (text.size() > max_expression_chars) {
    return ExpressionError(
        0, fmt::format("the expression has {} characters: expected at most {}", text.size(), max_expression_chars),
        errc::too_large);
  }
  Checked<std::vector<Token>> tokens = tokenize(text);
  if (!tokens) return tokens.error();
  Expression expression;
  Checked<Node> root = Parser(std::move(*tokens), expression.references_).run();
  if (!root) return root.error();
  expression.root_ = std::make_shared<const Node>(std::move(*root));
  return expression;
}

bool Expression::uses_status_function() const {
  return std::any_of(references_.begin(), references_.end(), [](const Reference& reference) {
    return reference.is_function && is_status_function(reference.function);
  });
}

}  // namespace kaapi::actions::expression
