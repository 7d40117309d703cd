#include "identity/policy/condition.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "identity/policy/compare.h"

namespace kaapi::identity::policy {
namespace {

using Values = std::optional<std::vector<std::string>>;

bool takes_variables(Comparison comparison) {
  return comparison == Comparison::string_equals || comparison == Comparison::string_equals_ignore_case ||
         comparison == Comparison::string_like || comparison == Comparison::arn_like;
}

Wildcards wildcards_of(Comparison comparison) {
  if (comparison == Comparison::string_like) return Wildcards::anywhere;
  return comparison == Comparison::arn_like ? Wildcards::arn : Wildcards::none;
}

bool is_bool(std::string_view value) {
  const std::string text = lower(value);
  return text == "true" || text == "false";
}

// What a value of an operator must look like; empty when this one does.
std::string_view expected_instead(Comparison comparison, std::string_view value) {
  switch (comparison) {
    case Comparison::string_equals:
    case Comparison::string_equals_ignore_case:
    case Comparison::string_like:
      return {};
    case Comparison::boolean:
    case Comparison::null:
      return is_bool(value) ? std::string_view() : "true or false";
    case Comparison::binary_equals:
      return base64_decode(value) ? std::string_view() : "base64";
    case Comparison::ip_address:
      return parse_ip(value) ? std::string_view() : "an IP address or a range such as 203.0.113.0/24 or 2001:db8::/32";
    case Comparison::arn_like:
      return value == "*" || is_arn(value) ? std::string_view()
                                           : "an ARN of six parts, arn:partition:service:region:account:resource";
    case Comparison::numeric_equals:
    case Comparison::numeric_less:
    case Comparison::numeric_less_equals:
    case Comparison::numeric_greater:
    case Comparison::numeric_greater_equals:
      return parse_decimal(value) ? std::string_view() : "a number";
    case Comparison::date_equals:
    case Comparison::date_less:
    case Comparison::date_less_equals:
    case Comparison::date_greater:
    case Comparison::date_greater_equals:
      return parse_date(value) ? std::string_view() : "a date such as 2026-07-01T09:30:00Z, or epoch seconds";
  }
  return {};
}

std::string listed(const std::vector<std::string>& values) {
  std::string out;
  for (const std::string& value : values) out += fmt::format("{}\"{}\"", out.empty() ? "" : ", ", value);
  return out;
}

std::string listed(const std::vector<Pattern>& patterns) {
  std::vector<std::string> sources;
  for (const Pattern& pattern : patterns) sources.push_back(pattern.source());
  return listed(sources);
}

// Compares one line with the values of a request.
class Line {
 public:
  Line(const Condition& condition, const Context& context, std::vector<std::string>* missing)
      : condition_(condition), context_(context), missing_(missing) {}

  bool matches_any(std::string_view request_value) {
    bool found = false;
    for (const Pattern& pattern : condition_.values) {
      const std::optional<std::string_view> value = pattern.resolve(context_, storage_, missing_);
      unresolved_ = unresolved_ || !value;
      found = found || (value && compare(condition_.op.comparison, *value, request_value));
      if (found) break;
    }
    return found;
  }

  bool single(const std::vector<std::string>& values) {
    const bool any = std::any_of(values.begin(), values.end(), [&](const auto& value) { return matches_any(value); });
    return any != condition_.op.negated;
  }
  bool all(const std::vector<std::string>& values) {
    return std::all_of(values.begin(), values.end(),
                       [&](const auto& value) { return matches_any(value) != condition_.op.negated; });
  }
  bool any(const std::vector<std::string>& values) {
    return std::any_of(values.begin(), values.end(),
                       [&](const auto& value) { return matches_any(value) != condition_.op.negated; });
  }

  // A variable of the line had no value.
  bool unresolved() const { return unresolved_; }

 private:
  const Condition& condition_;
  const Context& context_;
  std::vector<std::string>* missing_;
  std::string storage_;
  bool unresolved_ = false;
};

bool absent(const Values& values) {
  return !values || values->empty();
}

// "If the key is absent or resolves to a null data set, such as an empty string": ForAllValues is then true.
bool null_data_set(const Values& values) {
  return absent(values) || std::all_of(values->begin(), values->end(), [](const auto& value) { return value.empty(); });
}

bool null_holds(const Condition& condition, const Values& values) {
  return std::any_of(condition.values.begin(), condition.values.end(),
                     [&](const Pattern& pattern) { return (lower(pattern.source()) == "true") == absent(values); });
}

// IfExists says nothing beside a quantifier: AWS applies it to the single values, which exist.
bool holds(const Condition& condition, const Context& context, const Values& values, bool in_allow,
           std::vector<std::string>* missing) {
  const Operator& op = condition.op;
  if (op.comparison == Comparison::null) return null_holds(condition, values);
  if (op.quantifier == Quantifier::for_all_values && null_data_set(values)) return true;
  if (op.quantifier == Quantifier::for_any_value && absent(values)) return false;
  if (absent(values)) return op.if_exists || op.negated;
  Line line(condition, context, missing);
  bool result = false;
  switch (op.quantifier) {
    case Quantifier::single:
      result = line.single(*values);
      break;
    case Quantifier::for_all_values:
      result = line.all(*values);
      break;
    case Quantifier::for_any_value:
      result = line.any(*values);
      break;
  }
  return result && !(in_allow && op.negated && line.unresolved());
}

}  // namespace

Result<Condition> make_condition(std::string_view operator_name, std::string_view key,
                                 const std::vector<std::string>& values, bool variables) {
  const Result<Operator> op = parse_operator(operator_name);
  if (!op) return op.error();
  Condition condition;
  condition.operator_name = operator_name;
  condition.op = *op;
  condition.key = lower(key);
  const Comparison comparison = op->comparison;
  const bool with_variables = variables && takes_variables(comparison);
  for (const std::string& value : values) {
    Result<Pattern> pattern = Pattern::prepare(value, wildcards_of(comparison), with_variables);
    if (!pattern) return pattern.error();
    if (!pattern->has_variables()) {
      if (const std::string_view expected = expected_instead(comparison, value); !expected.empty()) {
        return make_error(errc::invalid, fmt::format("the value \"{}\" of {} for {}: expected {}", value, operator_name,
                                                     key, expected));
      }
    }
    condition.values.push_back(std::move(*pattern));
  }
  return condition;
}

Verdict evaluate(const Condition& condition, const Context& context, bool in_allow, bool explain,
                 std::vector<std::string>* missing) {
  const Values values = context.find(condition.key);
  if (absent(values) && missing != nullptr) missing->push_back(condition.key);
  Verdict verdict{holds(condition, context, values, in_allow, missing), {}};
  if (explain) {
    const std::string found = absent(values) ? "is absent" : fmt::format("is {}", listed(*values));
    verdict.why = fmt::format("{} {}: {} {} {}", condition.operator_name, verdict.holds ? "holds" : "does not hold",
                              condition.key, found, fmt::format("(the policy says {})", listed(condition.values)));
  }
  return verdict;
}

}  // namespace kaapi::identity::policy
