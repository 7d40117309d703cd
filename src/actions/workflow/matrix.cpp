#include "actions/workflow/matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "actions/expression/contexts.h"
#include "actions/expression/suggest.h"

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

bool is_axis(const std::vector<Axis>& axes, std::string_view name) {
  return std::any_of(axes.begin(), axes.end(),
                     [&](const Axis& axis) { return expression::equal_ignoring_case(axis.name, name); });
}

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
    if (entry.object().empty()) {
      return invalid(fmt::format("matrix.{}: an entry is empty, expected values such as os: linux", key));
    }
    entries.push_back(entry.object());
  }
  return entries;
}

Result<void> check_excludes(const std::vector<Object>& excludes, const std::vector<Axis>& axes) {
  std::vector<std::string_view> lists;
  for (const Axis& axis : axes) lists.push_back(axis.name);
  for (const Object& entry : excludes) {
    for (const auto& [key, value] : entry.members()) {
      if (!is_axis(axes, key)) return invalid("matrix.exclude: " + no_such_list(key, lists));
    }
  }
  return ok();
}

// Whether each scalar of `part` equals what stands in its place in `whole`; null stands where nothing does.
bool scalars_equal(const Value& part, const Value& whole) {
  if (part.is(Kind::object)) {
    const auto& members = part.object().members();
    return std::all_of(members.begin(), members.end(),
                       [&](const auto& member) { return scalars_equal(member.second, whole[member.first]); });
  }
  if (!part.is(Kind::array)) return loose_equal(part, whole);
  const std::vector<Value>& items = part.array().items;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const bool there = whole.is(Kind::array) && i < whole.array().items.size();
    if (!scalars_equal(items[i], there ? whole.array().items[i] : Value())) return false;
  }
  return true;
}

bool matches(const Object& entry, const Object& combination) {
  return std::all_of(entry.members().begin(), entry.members().end(), [&](const auto& member) {
    const Value* value = combination.find(member.first);
    return scalars_equal(member.second, value == nullptr ? Value() : *value);
  });
}

bool excluded(const Object& combination, const std::vector<Object>& entries) {
  return std::any_of(entries.begin(), entries.end(), [&](const Object& entry) { return matches(entry, combination); });
}

// Adds what an entry of include has beside the lists to every original combination that matches it, or makes a new one
// of the entry. Values of the lists stay as they are; those that earlier entries added do not.
void include(const Object& entry, const std::vector<Axis>& axes, std::size_t originals, std::vector<Object>& jobs) {
  Object wanted, extra;
  for (const auto& [key, value] : entry.members()) (is_axis(axes, key) ? wanted : extra).set(key, value);
  bool added = false;
  for (std::size_t i = 0; i < originals; ++i) {
    if (!matches(wanted, jobs[i])) continue;
    added = true;
    for (const auto& [key, value] : extra.members()) jobs[i].set(key, value);
  }
  if (added) return;
  for (const auto& [key, value] : extra.members()) wanted.set(key, value);
  jobs.push_back(std::move(wanted));
}

void append_scalars(const Value& value, std::string& out) {
  constexpr std::size_t max_label_bytes = 4 * max_built_name_units;  // what is behind them is cut off
  if (out.size() > max_label_bytes) return;
  if (value.is(Kind::object)) {
    for (const auto& [key, member] : value.object().members()) append_scalars(member, out);
  } else if (value.is(Kind::array)) {
    for (const Value& item : value.array().items) append_scalars(item, out);
  } else if (const std::string text = to_text(value); !text.empty()) {
    if (!out.empty()) out += ", ";
    out.append(text, 0, max_label_bytes);
  }
}

// "linux, 20": the scalars of the first `count` members.
std::string label_of(const Object& combination, std::size_t count) {
  std::string label;
  for (std::size_t i = 0; i < count; ++i) append_scalars(combination.members()[i].second, label);
  return label;
}

// GitHub counts UTF-16; no character is cut in two.
std::string shortened(std::string name) {
  constexpr std::string_view dots = "...";
  std::size_t units = 0, end = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if ((byte & 0xC0U) == 0x80U) continue;  // within a character
    units += byte >= 0xF0U ? 2 : 1;
    if (end == 0 && units > max_built_name_units - dots.size()) end = i;
  }
  return units <= max_built_name_units ? name : name.substr(0, end).append(dots);
}

Result<std::string> instance_name(const Job& job, const JobInstance& instance, const std::string& label,
                                  const Environment& environment) {
  const bool evaluated = job.name && job.name->value.has_expressions();
  if (evaluated) {
    expression::Contexts contexts(&environment);
    contexts.set("matrix", instance.matrix);
    contexts.set("strategy", instance.strategy);
    auto name = job.name->value.evaluate_text(contexts);
    if (!name) return name.error();
    if (!name->empty()) return std::move(*name);
  }
  const bool given = job.name && !evaluated && !job.name->value.source().empty();
  const std::string& name = given ? job.name->value.source() : job.id;
  return shortened(label.empty() ? name : fmt::format("{} ({})", name, label));
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

std::string no_such_list(std::string_view key, std::span<const std::string_view> lists) {
  const std::string what = fmt::format("{} is no list of the matrix", quoted(key));
  if (lists.empty()) return what + ": it has none, so there is nothing to exclude";
  return fmt::format("{}{}: expected {}", what, expression::did_you_mean(key, lists), fmt::join(lists, ", "));
}

Result<std::vector<Combination>> expand_matrix(const Matrix& matrix, const Environment& environment) {
  const Result<Object> values = evaluate_matrix(matrix, environment);
  if (!values) return values.error();
  const Result<std::vector<Axis>> axes = axes_of(*values);
  if (!axes) return axes.error();
  const Result<std::vector<Object>> excludes = entries_of(*values, "exclude");
  if (!excludes) return excludes.error();
  if (const Result<void> known = check_excludes(*excludes, *axes); !known) return known.error();
  const Result<std::vector<Object>> includes = entries_of(*values, "include");
  if (!includes) return includes.error();
  if (axes->empty() && includes->empty()) return invalid("the matrix is empty, expected at least one list, or include");
  std::vector<Object> jobs = product(*axes);
  std::erase_if(jobs, [&](const Object& combination) { return excluded(combination, *excludes); });
  const std::size_t originals = jobs.size();
  for (const Object& entry : *includes) include(entry, *axes, originals, jobs);
  if (jobs.size() > max_matrix_jobs) {
    return invalid(fmt::format("the matrix yields {} jobs, expected at most {}", jobs.size(), max_matrix_jobs));
  }
  std::vector<Combination> result;
  result.reserve(jobs.size());
  for (Object& job : jobs) {
    std::string label = label_of(job, result.size() < originals ? axes->size() : job.members().size());
    result.push_back({std::move(job), std::move(label)});
  }
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
    // 0 is no limit, as on GitHub.
    if (*number >= 1)
      result.max_parallel = static_cast<std::size_t>(std::min(*number, static_cast<double>(max_matrix_jobs)));
  }
  std::vector<Combination> combinations;
  if (strategy.matrix) {
    Result<std::vector<Combination>> expanded = expand_matrix(*strategy.matrix, environment);
    if (!expanded) return expanded.error();
    combinations = std::move(*expanded);
  }
  if (combinations.empty()) {
    combinations.emplace_back();
    result.max_parallel.reset();
  }
  for (std::size_t i = 0; i < combinations.size(); ++i) {
    JobInstance instance{{}, std::move(combinations[i].matrix), strategy_context(result, i, combinations.size())};
    Result<std::string> name = instance_name(job, instance, combinations[i].label, environment);
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
