// Names of operators.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "base/text.h"
#include "identity/policy/condition.h"

namespace kaapi::identity::policy {
namespace {

struct Name {
  std::string_view name;
  Comparison comparison;
  bool negated;
};

constexpr std::array names{
    Name{"ArnEquals", Comparison::arn_like, false},
    Name{"ArnLike", Comparison::arn_like, false},
    Name{"ArnNotEquals", Comparison::arn_like, true},
    Name{"ArnNotLike", Comparison::arn_like, true},
    Name{"BinaryEquals", Comparison::binary_equals, false},
    Name{"Bool", Comparison::boolean, false},
    Name{"DateEquals", Comparison::date_equals, false},
    Name{"DateGreaterThan", Comparison::date_greater, false},
    Name{"DateGreaterThanEquals", Comparison::date_greater_equals, false},
    Name{"DateLessThan", Comparison::date_less, false},
    Name{"DateLessThanEquals", Comparison::date_less_equals, false},
    Name{"DateNotEquals", Comparison::date_equals, true},
    Name{"IpAddress", Comparison::ip_address, false},
    Name{"NotIpAddress", Comparison::ip_address, true},
    Name{"Null", Comparison::null, false},
    Name{"NumericEquals", Comparison::numeric_equals, false},
    Name{"NumericGreaterThan", Comparison::numeric_greater, false},
    Name{"NumericGreaterThanEquals", Comparison::numeric_greater_equals, false},
    Name{"NumericLessThan", Comparison::numeric_less, false},
    Name{"NumericLessThanEquals", Comparison::numeric_less_equals, false},
    Name{"NumericNotEquals", Comparison::numeric_equals, true},
    Name{"StringEquals", Comparison::string_equals, false},
    Name{"StringEqualsIgnoreCase", Comparison::string_equals_ignore_case, false},
    Name{"StringLike", Comparison::string_like, false},
    Name{"StringNotEquals", Comparison::string_equals, true},
    Name{"StringNotEqualsIgnoreCase", Comparison::string_equals_ignore_case, true},
    Name{"StringNotLike", Comparison::string_like, true},
};

bool drop_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

bool drop_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

// The right spelling of a name whose case is wrong; otherwise all names.
std::string expectation(std::string_view base) {
  const std::string lower_case = lower(base);
  for (const Name& name : names) {
    if (lower(name.name) == lower_case) return fmt::format("expected the spelling {}", name.name);
  }
  std::string all;
  for (const Name& name : names) all += (all.empty() ? "" : ", ") + std::string(name.name);
  return fmt::format("expected one of {}, before it ForAllValues: or ForAnyValue:, behind it IfExists", all);
}

}  // namespace

Result<Operator> parse_operator(std::string_view name) {
  Operator op;
  std::string_view base = name;
  if (drop_prefix(base, "ForAllValues:")) {
    op.quantifier = Quantifier::for_all_values;
  } else if (drop_prefix(base, "ForAnyValue:")) {
    op.quantifier = Quantifier::for_any_value;
  }
  op.if_exists = drop_suffix(base, "IfExists");
  const auto* found = std::find_if(names.begin(), names.end(), [&](const Name& known) { return known.name == base; });
  if (found == names.end()) {
    return make_error(errc::invalid, fmt::format("Invalid Condition type : {}: {}", name, expectation(base)));
  }
  op.comparison = found->comparison;
  op.negated = found->negated;
  if (op.comparison == Comparison::null && (op.if_exists || op.quantifier != Quantifier::single)) {
    return make_error(errc::invalid,
                      fmt::format("Invalid Condition type : {}: expected Null alone, which itself asks whether a key "
                                  "exists",
                                  name));
  }
  return op;
}

}  // namespace kaapi::identity::policy
