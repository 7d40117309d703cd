#pragma once
// One line of a statement's Condition: an operator, a key, and the values that it is compared with.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "identity/policy/context.h"
#include "identity/policy/pattern.h"

namespace kaapi::identity::policy {

enum class Comparison {
  string_equals,
  string_equals_ignore_case,
  string_like,
  numeric_equals,
  numeric_less,
  numeric_less_equals,
  numeric_greater,
  numeric_greater_equals,
  date_equals,
  date_less,
  date_less_equals,
  date_greater,
  date_greater_equals,
  boolean,
  binary_equals,
  ip_address,
  arn_like,  // ArnEquals and ArnLike are the same
  null,
};

// How many of a key's values must hold.
enum class Quantifier { single, for_all_values, for_any_value };

struct Operator {
  Comparison comparison = Comparison::string_equals;
  bool negated = false;  // ...Not...
  bool if_exists = false;
  Quantifier quantifier = Quantifier::single;
};

// "ForAllValues:StringLikeIfExists" and the like, in exactly this spelling. Errors: `Invalid` with what was expected.
Result<Operator> parse_operator(std::string_view name);

// Whether one value of a request stands in this relation to one value of a policy; negation is not applied. A value
// that cannot be read as the operator's type stands in no relation.
bool compare(Comparison comparison, std::string_view policy_value, std::string_view request_value);

// Immutable; shared between threads.
struct Condition {
  std::string operator_name;  // as written
  Operator op;
  std::string key;  // in lower case
  std::vector<Pattern> values;
};

// Prepares one line. `variables`: the document's version has them. Errors: `Invalid` with what is wrong with a value.
Result<Condition> make_condition(std::string_view operator_name, std::string_view key,
                                 const std::vector<std::string>& values, bool variables);

// How the values of a policy whose variables cannot be resolved count: they match nothing. In an Allow that would let
// a negated operator hold, so there the whole line does not hold; in a Deny it may (never opens a door).
struct Verdict {
  bool holds = false;
  std::string why;  // filled when asked for: "aws:SourceIp is absent", "\"a\" is none of ..."
};

// Whether the line holds. `missing` (may be null) collects keys that were asked for and absent.
Verdict evaluate(const Condition& condition, const Context& context, bool in_allow, bool explain,
                 std::vector<std::string>* missing);

}  // namespace kaapi::identity::policy
