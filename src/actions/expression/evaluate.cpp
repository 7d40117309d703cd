#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "actions/expression/expression.h"
#include "actions/expression/functions.h"
#include "actions/expression/node.h"
#include "base/text.h"

namespace kaapi::actions::expression {
namespace {

// The depth of the tree is bounded, so recursion is safe here.
class Evaluator {
 public:
  explicit Evaluator(const Environment& environment) : environment_(environment) {}

  Checked<Value> run(const Node& node) {
    switch (node.type) {
      case NodeType::literal:
        return node.literal;
      case NodeType::context:
        return context(node);
      case NodeType::index:
        return index(node);
      case NodeType::wildcard:
        return wildcard(node);
      case NodeType::call:
        return call(node);
      case NodeType::negation: {
        Checked<Value> value = run(node.children[0]);
        if (!value) return value;
        return Value(!truthy(*value));
      }
      case NodeType::both:
      case NodeType::either:
        return choose(node);
      default:
        return compare(node);
    }
  }

 private:
  Checked<Value> context(const Node& node) {
    std::optional<Value> value = environment_.context(lower(node.name));
    if (value) return *std::move(value);
    return ExpressionError(node.position, fmt::format("unrecognized name {} at position {}: it is not available here",
                                                      node.name, node.position + 1));
  }

  // The first operand that decides, itself and not as a boolean.
  Checked<Value> choose(const Node& node) {
    const bool deciding = node.type == NodeType::either;
    for (std::size_t i = 0; i + 1 < node.children.size(); ++i) {
      Checked<Value> value = run(node.children[i]);
      if (!value || truthy(*value) == deciding) return value;
    }
    return run(node.children.back());
  }

  Checked<Value> compare(const Node& node) {
    Checked<Value> left = run(node.children[0]);
    if (!left) return left;
    Checked<Value> right = run(node.children[1]);
    if (!right) return right;
    switch (node.type) {
      case NodeType::equal:
        return Value(loose_equal(*left, *right));
      case NodeType::not_equal:
        return Value(!loose_equal(*left, *right));
      case NodeType::less:
        return Value(less(*left, *right));
      case NodeType::less_equal:
        return Value(loose_equal(*left, *right) || less(*left, *right));
      case NodeType::greater:
        return Value(greater(*left, *right));
      default:
        return Value(loose_equal(*left, *right) || greater(*left, *right));
    }
  }

  // One member of one value; nullopt when it has none there.
  static std::optional<Value> take(const Value& from, const Value& by) {
    if (from.is(Kind::object)) {
      if (!by.is_primitive()) return std::nullopt;
      const Value* found = from.object().find(to_text(by));
      return found == nullptr ? std::nullopt : std::optional(*found);
    }
    if (!from.is(Kind::array)) return std::nullopt;
    const double number = std::floor(to_number(by));
    const std::vector<Value>& items = from.array().items;
    if (!(number >= 0) || number >= static_cast<double>(items.size())) return std::nullopt;
    return items[static_cast<std::size_t>(number)];
  }

  Checked<Value> index(const Node& node) {
    Checked<Value> from = run(node.children[0]);
    if (!from) return from;
    Checked<Value> by = run(node.children[1]);
    if (!by) return by;
    if (!from->is(Kind::array) || !from->array().filtered) return take(*from, *by).value_or(Value());
    Array found;
    found.filtered = true;
    for (const Value& item : from->array().items) {
      if (std::optional<Value> value = take(item, *by)) found.items.push_back(*std::move(value));
    }
    return list(node, std::move(found));
  }

  static void append_all(const Value& from, std::vector<Value>& to) {
    if (from.is(Kind::array)) {
      to.insert(to.end(), from.array().items.begin(), from.array().items.end());
    } else if (from.is(Kind::object)) {
      for (const auto& [key, value] : from.object().members()) to.push_back(value);
    }
  }

  Checked<Value> wildcard(const Node& node) {
    Checked<Value> from = run(node.children[0]);
    if (!from) return from;
    Array found;
    found.filtered = true;
    if (from->is(Kind::array) && from->array().filtered) {
      for (const Value& item : from->array().items) append_all(item, found.items);
    } else {
      append_all(*from, found.items);
    }
    return list(node, std::move(found));
  }

  Checked<Value> list(const Node& node, Array array) {
    if (!afford(array.items.size() * sizeof(Value))) return too_large(node);
    return Value(std::move(array));
  }

  Checked<Value> call(const Node& node) {
    if (node.function == Function::case_) return choose_case(node);
    std::vector<Value> arguments;
    arguments.reserve(node.children.size());
    for (const Node& child : node.children) {
      Checked<Value> argument = run(child);
      if (!argument) return argument;
      arguments.push_back(std::move(*argument));
    }
    Result<Value> value = call_with(node.function, arguments);
    if (!value) {
      return ExpressionError(node.position,
                             fmt::format("{} (in the call at position {})", value.error().message, node.position + 1),
                             value.error().code);
    }
    if (value->is(Kind::string) && !afford(value->string().size())) return too_large(node);
    if (node.function == Function::from_json && !afford(to_text(arguments[0]).size())) return too_large(node);
    return std::move(*value);
  }

  Result<Value> call_with(Function function, const std::vector<Value>& arguments) {
    if (function != Function::hash_files && !is_status_function(function)) return call_function(function, arguments);
    std::vector<std::string> texts;
    texts.reserve(arguments.size());
    for (const Value& argument : arguments) texts.push_back(to_text(argument));
    if (function == Function::hash_files) {
      Result<std::string> hash = environment_.hash_files(texts);
      if (!hash) return hash.error();
      return Value(std::move(*hash));
    }
    const Result<bool> status = environment_.status(function, texts);
    if (!status) return status.error();
    return Value(*status);
  }

  // case(condition, value, ..., otherwise): only what is chosen is evaluated.
  Checked<Value> choose_case(const Node& node) {
    for (std::size_t i = 0; i + 1 < node.children.size(); i += 2) {
      Checked<Value> condition = run(node.children[i]);
      if (!condition) return condition;
      if (!condition->is(Kind::boolean)) {
        return ExpressionError(node.children[i].position,
                               fmt::format("a condition of case at position {} is no boolean: expected true or false",
                                           node.children[i].position + 1));
      }
      if (condition->boolean()) return run(node.children[i + 1]);
    }
    return run(node.children.back());
  }

  bool afford(std::size_t bytes) {
    built_bytes_ += bytes;
    return built_bytes_ <= max_result_bytes;
  }

  static ExpressionError too_large(const Node& node) {
    return {node.position,
            fmt::format("the expression builds more than {} bytes at position {}", max_result_bytes, node.position + 1),
            errc::too_large};
  }

  const Environment& environment_;
  std::size_t built_bytes_ = 0;
};

}  // namespace

Result<std::string> Environment::hash_files(std::span<const std::string>) const {
  return make_error(errc::invalid, "hashFiles is not available here: it works where a step's workspace exists");
}

Result<bool> Environment::status(Function function, std::span<const std::string>) const {
  return make_error(errc::invalid, fmt::format("{}() is not available here: it works in an if of a job or a step",
                                               function_info(function).name));
}

Checked<Value> Expression::evaluate(const Environment& environment) const {
  return Evaluator(environment).run(*root_);
}

}  // namespace kaapi::actions::expression
