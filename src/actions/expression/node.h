#pragma once
// The syntax tree of an expression; internal to this folder.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "actions/expression/expression.h"
#include "actions/expression/value.h"

namespace kaapi::actions::expression {

enum class NodeType {
  literal,
  context,   // name
  index,     // children: what, by what; `a.b` is an index by a literal text
  wildcard,  // children: what; `.*` and `[*]`
  call,      // function; children: the arguments
  negation,
  less,
  less_equal,
  greater,
  greater_equal,
  equal,
  not_equal,
  both,    // `&&`, two operands or more
  either,  // `||`
};

struct Node {
  NodeType type = NodeType::literal;
  std::size_t position = 0;
  std::size_t depth = 1;  // 1 + that of the deepest child
  Value literal;
  std::string name;
  Function function{};
  std::vector<Node> children;
};

// The functions and how many arguments each takes.
struct FunctionInfo {
  std::string_view name;  // as GitHub spells it
  Function function;
  std::size_t min_arguments;
  std::size_t max_arguments;
};
const FunctionInfo* find_function(std::string_view name);  // case does not count; nullptr when there is none
const FunctionInfo& function_info(Function function);

}  // namespace kaapi::actions::expression
