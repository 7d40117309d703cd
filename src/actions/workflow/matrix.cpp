#include "actions/workflow/matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "actions/expression/contexts.h"

namespace kaapi::actions::workflow {
namespace {

using expression::Array;
using expression::Environment;
using expression::Kind;
using expression::Object;
using expression::Value;

Error invalid(std::string message) {
  return make_error(errc::invalid, std::move(message));
}

std::string_view kind_name(const Value& value) {
  constexpr std::string_view names[] = {"null", "a boolean", "a number", "a text", "a list", "a mapping"};
  return names[static_cast<std::size_t>(value.kind())];
}

// The matrix with all expressions evaluated.
Result<Object> evaluate_matrix(const Matrix& matrix, const Environment& environment) {
  if (matrix.expression) {
    const auto value = matrix.expression->value.evaluate(environment);
    if (!value) return value.error();
    if (!value->is(Kind::object)) {
      return invalid(fmt::format("matrix: the expression yields {}, expected a mapping", kind_name(*value)));
    }
    return value->object();
  }
  Object object;
  const auto set = [&](std::string_view key, const Data& data) -> Result<void> {
    auto value = data.evaluate(environment);
    if (!value) return value.error();
    object.set(key, std::move(*value));
    return ok();
  };
  for (const auto& [key, data] : matrix.axes) {
    if (const Result<void> done = set(key, data); !done) return done.error();
  }
  if (matrix.include) {
    if (const Result<void> done = set("include", *matrix.include); !done) return done.error();
  }
  if (matrix.exclude) {
    if (const Result<void> done = set("exclude", *matrix.exclude); !done) return done.error();
  }
  return object;
}

struct Axis {
  std::string name;
  std::vector<Value> values;
};

Result<std::vector<Axis>> axes_of(const Object& matrix) {
  std::vector<Axis> axes;
  std::size_t combinations = 1;
  for (const auto& [key, value] : matrix.members()) {
    if (key == "include" || key == "exclude") continue;
    if (!value.is(Kind::array) || value.array().items.empty()) {
      return invalid(fmt::format("matrix.{}: found {}, expected a list that is not empty", key,
                                 value.is(Kind::array) ? "an empty list" : kind_name(value)));
    }
    axes.push_back({key, value.array().items});
    // What exclude takes away does not count, so there is room for more before it.
    constexpr std::size_t max_before_exclude = 4 * max_matrix_jobs;
    combinations *= axes.back().values.size();
    if (combinations > max_before_exclude) {
      return invalid(fmt::format("the matrix yields more than {} combinations, expected at most {} jobs",
                                 max_before_exclude, max_matrix_jobs));
    }
  }
  return axes;
}

std::vector<Object> product(const std::vector<Axis>& axes) {
  std::vector<Object> combinations;
  if (axes.empty()) return combinations;
  combinations.emplace_back();
  for (const Axis& axis : axes) {
    std::vector<Object> longer;
    longer.reserve(combinations.size() * axis.values.size());
    for (const Object& combination : combinations) {
      for (const Value& value : axis.values) longer.emplace_back(combination).set(axis.name, value);
    }
    combinations = std::move(longer);
  }
  return combinations;
}

// The entries of include or exclude.
Result<std::vector<Object>> entries_of(const Object& matrix, std::string_view key) {
  std::vector<Object> entries;
  const Value* value = matrix.find(key);
  if (value == nullptr || value->is(Kind::null)) return entries;
  if (!value->is(Kind::array)) {
    return invalid(fmt::format("matrix.{}: found {}, expected a list of mappings", key, kind_name(*value)));
  }
  if (value->array().items.size() > 4 * max_matrix_jobs) {
    return invalid(fmt::format("matrix.{}: found more than {} entries", key, 4 * max_matrix_jobs));
  }
  for (const Value& entry : value->array().items) {
    if (!entry.is(Kind::object)) {
      return invalid(fmt::format("matrix.{}: found {}, expected a mapping", key, kind_name(entry)));
    }
    entries.push_back(entry.object());
  }
  return entries;
}

// A mapping in an entry of exclude may name only some of the members.
bool partly_same(const Value& part, const Value& whole) {
  if (!part.is(Kind::object) || !whole.is(Kind::object)) return same_value(part, whole);
  const auto& members = part.object().members();
  return std::all_of(members.begin(), members.end(), [&](const auto& member) {
    const Value* value = whole.object().find(member.first);
    return value != nullptr && partly_same(member.second, *value);
  });
}

bool excluded(const Object& combination, const std::vector<Object>& entries) {
  return std::any_of(entries.begin(), entries.end(), [&](const Object& entry) {
    return !entry.empty() && partly_same(Value(entry), Value(combination));
  });
}

// Adds an entry of include to every original combination whose values it does not change; or makes a new one.
void include(const Object& entry, const std::vector<Axis>& axes, std::size_t originals, std::vector<Object>& jobs) {
  bool added = false;
  for (std::size_t i = 0; i < originals; ++i) {
    const bool fits = std::all_of(axes.begin(), axes.end(), [&](const Axis& axis) {
      const Value* value = entry.find(axis.name);
      return value == nullptr || same_value(*value, *jobs[i].find(axis.name));
    });
    if (!fits) continue;
    added = true;
    for (const auto& [key, value] : entry.members()) jobs[i].set(key, value);
  }
  if (!added) jobs.push_back(entry);
}

// "linux, 20": the scalars of a combination.
void append_scalars(const Value& value, std::string& out) {
  if (value.is(Kind::object)) {
    for (const auto& [key, member] : value.object().members()) append_scalars(member, out);
  } else if (value.is(Kind::array)) {
    for (const Value& item : value.array().items) append_scalars(item, out);
  } else {
    if (!out.empty()) out += ", ";
    out += to_text(value);
  }
}

Result<std::string> instance_name(const Job& job, const JobInstance& instance, const Environment& environment) {
  if (job.name && job.name->value.has_expressions()) {
    expression::Contexts contexts(&environment);
    contexts.set("matrix", instance.matrix);
    contexts.set("strategy", instance.strategy);
    auto name = job.name->value.evaluate_text(contexts);
    if (!name) return name.error();
    return std::move(*name);
  }
  const std::string name = job.name && !job.name->value.source().empty() ? job.name->value.source() : job.id;
  std::string scalars;
  append_scalars(instance.matrix, scalars);
  return instance.matrix.is(Kind::null) ? name : fmt::format("{} ({})", name, scalars);
}

Value strategy_context(const ExpandedJob& job, std::size_t index, std::size_t total) {
  Object strategy;
  strategy.set("fail-fast", job.fail_fast);
  strategy.set("job-index", index);
  strategy.set("job-total", total);
  strategy.set("max-parallel", job.max_parallel.value_or(total));
  return strategy;
}

}  // namespace

bool same_value(const Value& a, const Value& b) {
  if (a.is_primitive() && b.is_primitive()) return to_text(a) == to_text(b);
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::array)) {
    return std::equal(a.array().items.begin(), a.array().items.end(), b.array().items.begin(), b.array().items.end(),
                      same_value);
  }
  const auto& members = a.object().members();
  return members.size() == b.object().members().size() &&
         std::all_of(members.begin(), members.end(), [&](const auto& member) {
           const Value* other = b.object().find(member.first);
           return other != nullptr && same_value(member.second, *other);
         });
}

Result<std::vector<Value>> expand_matrix(const Matrix& matrix, const Environment& environment) {
  const Result<Object> values = evaluate_matrix(matrix, environment);
  if (!values) return values.error();
  const Result<std::vector<Axis>> axes = axes_of(*values);
  if (!axes) return axes.error();
  const Result<std::vector<Object>> excludes = entries_of(*values, "exclude");
  if (!excludes) return excludes.error();
  const Result<std::vector<Object>> includes = entries_of(*values, "include");
  if (!includes) return includes.error();
  std::vector<Object> jobs = product(*axes);
  std::erase_if(jobs, [&](const Object& combination) { return excluded(combination, *excludes); });
  const std::size_t originals = jobs.size();
  for (const Object& entry : *includes) include(entry, *axes, originals, jobs);
  if (jobs.size() > max_matrix_jobs) {
    return invalid(fmt::format("the matrix yields {} jobs, expected at most {}", jobs.size(), max_matrix_jobs));
  }
  std::vector<Value> result;
  result.reserve(jobs.size());
  for (Object& job : jobs) result.emplace_back(std::move(job));
  return result;
}

Result<ExpandedJob> expand_job(const Job& job, const Environment& environment) {
  ExpandedJob result;
  const Strategy& strategy = job.strategy;
  if (strategy.fail_fast) {
    const Result<bool> flag = evaluate_flag(*strategy.fail_fast, environment);
    if (!flag) return flag.error();
    result.fail_fast = *flag;
  }
  if (strategy.max_parallel) {
    const Result<double> number = evaluate_number(*strategy.max_parallel, environment);
    if (!number) return number.error();
    if (!(*number >= 1)) return invalid("max-parallel: expected a number of at least 1");
    result.max_parallel = static_cast<std::size_t>(std::min(*number, static_cast<double>(max_matrix_jobs)));
  }
  std::vector<Value> combinations(1);
  if (strategy.matrix) {
    Result<std::vector<Value>> expanded = expand_matrix(*strategy.matrix, environment);
    if (!expanded) return expanded.error();
    combinations = std::move(*expanded);
  }
  for (std::size_t i = 0; i < combinations.size(); ++i) {
    JobInstance instance{{}, std::move(combinations[i]), strategy_context(result, i, combinations.size())};
    Result<std::string> name = instance_name(job, instance, environment);
    if (!name) return name.error();
    instance.name = std::move(*name);
    result.instances.push_back(std::move(instance));
  }
  return result;
}

Result<bool> evaluate_flag(const Text& text, const Environment& environment) {
  const auto value = text.value.evaluate(environment);
  if (!value) return value.error();
  if (value->is(Kind::boolean)) return value->boolean();
  const std::string written = to_text(*value);
  if (written == "true" || written == "false") return written == "true";
  return invalid(fmt::format("{} yields {}, expected true or false", quoted(text.value.source()), quoted(written)));
}

Result<double> evaluate_number(const Text& text, const Environment& environment) {
  const auto value = text.value.evaluate(environment);
  if (!value) return value.error();
  const double number = to_number(*value);
  // Neither NaN nor infinite.
  if (number - number == 0 && !to_text(*value).empty()) return number;
  return invalid(fmt::format("{} yields {}, expected a number", quoted(text.value.source()), quoted(to_text(*value))));
}

Result<RunnerLabels> evaluate_runs_on(const Data& runs_on, const Environment& environment) {
  auto value = runs_on.evaluate(environment);
  if (!value) return value.error();
  RunnerLabels result;
  Value labels = *value;
  if (value->is(Kind::object)) {
    result.group = to_text((*value)["group"]);
    labels = (*value)["labels"];
  }
  if (labels.is(Kind::array)) {
    for (const Value& label : labels.array().items) result.labels.push_back(to_text(label));
  } else if (labels.is_primitive() && !to_text(labels).empty()) {
    result.labels.push_back(to_text(labels));
  }
  const bool empty = std::any_of(result.labels.begin(), result.labels.end(), [](const auto& l) { return l.empty(); });
  if (empty || (result.labels.empty() && result.group.empty())) {
    return invalid("runs-on yields no label, expected such as ubuntu-latest");
  }
  return result;
}

}  // namespace kaapi::actions::workflow
