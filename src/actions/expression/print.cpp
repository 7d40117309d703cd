// From the tree back to text.

#include <fmt/format.h>

#include <cmath>

#include "actions/expression/expression.h"
#include "actions/expression/lexer.h"
#include "actions/expression/node.h"

namespace kaapi::actions::expression {
namespace {

std::string print_literal(const Value& value) {
  if (value.is(Kind::null)) return "null";
  if (!value.is(Kind::string)) {
    // 17 digits tell every number apart.
    const bool finite = value.is(Kind::number) && std::isfinite(value.number());
    return finite ? fmt::format("{:.17G}", value.number()) : to_text(value);
  }
  std::string out = "'";
  for (const char c : value.string()) out.append(c == '\'' ? 2 : 1, c);
  return out + "'";
}

std::string_view operator_text(NodeType type) {
  switch (type) {
    case NodeType::less:
      return " < ";
    case NodeType::less_equal:
      return " <= ";
    case NodeType::greater:
      return " > ";
    case NodeType::greater_equal:
      return " >= ";
    case NodeType::equal:
      return " == ";
    case NodeType::not_equal:
      return " != ";
    case NodeType::both:
      return " && ";
    default:
      return " || ";
  }
}

bool is_binary(NodeType type) {
  return type >= NodeType::less;
}

void print_node(const Node& node, std::string& out);

void print_operand(const Node& node, std::string& out, bool parentheses) {
  if (parentheses) out += '(';
  print_node(node, out);
  if (parentheses) out += ')';
}

void print_list(const Node& node, std::string_view separator, bool operands, std::string& out) {
  bool first = true;
  for (const Node& child : node.children) {
    if (!first) out += separator;
    first = false;
    print_operand(child, out, operands && is_binary(child.type));
  }
}

// What a property is taken of: a negation or a literal needs parentheses.
void print_owner(const Node& owner, std::string& out) {
  print_operand(owner, out,
                is_binary(owner.type) || owner.type == NodeType::negation || owner.type == NodeType::literal);
}

void print_node(const Node& node, std::string& out) {
  switch (node.type) {
    case NodeType::literal:
      out += print_literal(node.literal);
      return;
    case NodeType::context:
      out += node.name;
      return;
    case NodeType::index: {
      print_owner(node.children[0], out);
      const Node& by = node.children[1];
      const bool simple = by.type == NodeType::literal && by.literal.is(Kind::string);
      if (simple && is_identifier(by.literal.string())) {
        out += '.';
        out += by.literal.string();
        return;
      }
      out += '[';
      print_node(by, out);
      out += ']';
      return;
    }
    case NodeType::wildcard:
      print_owner(node.children[0], out);
      out += ".*";
      return;
    case NodeType::call:
      out += function_info(node.function).name;
      out += '(';
      print_list(node, ", ", false, out);
      out += ')';
      return;
    case NodeType::negation:
      out += '!';
      print_operand(node.children[0], out, is_binary(node.children[0].type));
      return;
    default:
      print_list(node, operator_text(node.type), true, out);
  }
}

}  // namespace

std::string Expression::print() const {
  std::string out;
  print_node(*root_, out);
  return out;
}

}  // namespace kaapi::actions::expression
