#include "actions/workflow/trigger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "actions/expression/contexts.h"
#include "actions/expression/suggest.h"

namespace kaapi::actions::workflow {
namespace {

using expression::Kind;
using expression::Value;

Error invalid(std::string message) {
  return make_error(errc::invalid, std::move(message));
}

// A name against `what` and `what`-ignore. `other` filters exist: a ref of this kind is not meant at all.
Verdict match_name(std::string_view kind, std::string_view filter, std::string_view name,
                   const std::optional<PatternList>& wanted, const std::optional<PatternList>& ignored, bool other) {
  if (wanted && !wanted->matches(name)) {
    return {false, fmt::format("the {} {} does not match {}", kind, quoted(name), filter)};
  }
  if (ignored && ignored->matches(name)) {
    return {false, fmt::format("the {} {} matches {}-ignore", kind, quoted(name), filter)};
  }
  if (!wanted && !ignored && other) {
    return {false, fmt::format("it was a {}, and there is no filter {} beside the others", kind, filter)};
  }
  return {true, fmt::format("push to the {} {}", kind, quoted(name))};
}

bool too_much_work(const PatternList& list, const std::vector<std::string>& paths) {
  std::size_t of_patterns = 0, of_paths = 0;
  for (const Glob& glob : list.patterns) of_patterns += glob.text().size();
  for (const std::string& path : paths) of_paths += path.size();
  return of_patterns > 0 && of_paths > max_path_work / of_patterns;
}

Verdict match_paths(const Event& event, const Push& push, Verdict verdict) {
  if (!event.paths && !event.paths_ignore) return verdict;
  if (!push.changed || push.changed->size() > max_changed_files) return verdict;
  const std::vector<std::string>& changed = *push.changed;
  if (too_much_work(event.paths ? *event.paths : *event.paths_ignore, changed)) return verdict;
  const auto wanted = [&](const std::string& path) {
    return event.paths ? event.paths->matches(path) : !event.paths_ignore->matches(path);
  };
  if (std::any_of(changed.begin(), changed.end(), wanted)) return verdict;
  return {false, fmt::format("none of the {} changed files {}", changed.size(),
                             event.paths ? "matches on.push.paths" : "is outside of on.push.paths-ignore")};
}

Verdict not_listening(std::string_view event) {
  return {false, fmt::format("the workflow does not listen to {}", event)};
}

bool listed(const std::vector<std::string>& names, std::string_view name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

// A value of the input's type, from what a person or a caller gave.
Result<Value> typed(const Input& input, const Value& given) {
  const std::string text = to_text(given);
  const auto wrong = [&](std::string_view expected) {
    return invalid(fmt::format("the input {} is {}: expected {}", input.name, quoted(text), expected));
  };
  if (!given.is_primitive()) return wrong("a single value");
  switch (input.type) {
    case InputType::text:
    case InputType::environment:
      return Value(text);
    case InputType::boolean:
      if (text != "true" && text != "false") return wrong("true or false");
      return Value(text == "true");
    case InputType::number: {
      const double number = to_number(given);
      if (text.empty() || !std::isfinite(number)) return wrong("a number");
      return Value(number);
    }
    case InputType::choice:
      if (std::find(input.options.begin(), input.options.end(), text) == input.options.end()) {
        return wrong(fmt::format("one of {}", fmt::join(input.options, ", ")));
      }
      return Value(text);
  }
  return Value(text);
}

// What an input is that nobody gave.
Result<Value> absent(const Input& input, const expression::Environment& environment) {
  if (input.default_value) {
    auto value = input.default_value->evaluate(environment);
    if (!value) return value.error();
    return typed(input, *value);
  }
  if (input.required) {
    return invalid(fmt::format("the input {} is missing: it is required{}{}", input.name,
                               input.description.empty() ? "" : ", ", input.description));
  }
  if (input.type == InputType::boolean) return Value(false);
  if (input.type == InputType::number) return Value(0);
  // As on GitHub's form, the first option stands for no choice.
  return input.type == InputType::choice ? Value(input.options.front()) : Value("");
}

Result<Value> read_inputs(const Event& event, const std::vector<std::pair<std::string, Value>>& given,
                          const expression::Environment& environment) {
  std::vector<std::string_view> names;
  for (const Input& input : event.inputs) names.push_back(input.name);
  std::size_t bytes = 0;
  for (const auto& entry : given) {
    // Not a structured binding: clang 14 lets no lambda capture one.
    const std::string& name = entry.first;
    bytes += name.size() + to_text(entry.second).size();
    const bool known = std::any_of(names.begin(), names.end(), [&](std::string_view other) {
      return expression::equal_ignoring_case(other, name);
    });
    if (known) continue;
    const std::string expected = names.empty() ? "expected none" : fmt::format("expected {}", fmt::join(names, ", "));
    return invalid(
        fmt::format("the input {} is unknown{}: {}", quoted(name), expression::did_you_mean(name, names), expected));
  }
  if (bytes > max_input_bytes) {
    return invalid(fmt::format("the inputs have {} bytes: expected at most {}", bytes, max_input_bytes));
  }
  expression::Object inputs;
  for (const Input& input : event.inputs) {
    const auto found = std::find_if(given.begin(), given.end(), [&](const auto& entry) {
      return expression::equal_ignoring_case(entry.first, input.name);
    });
    Result<Value> value = found == given.end() ? absent(input, environment) : typed(input, found->second);
    if (!value) return value.error();
    inputs.set(input.name, std::move(*value));
  }
  return Value(std::move(inputs));
}

}  // namespace

Verdict match_push(const Workflow& workflow, const Push& push) {
  constexpr std::string_view heads = "refs/heads/", tags = "refs/tags/";
  const Event* event = workflow.event("push");
  if (event == nullptr) return not_listening("push");
  if (push.deleted) return {false, "the ref was deleted, and a deletion starts nothing"};
  const std::string_view ref = push.ref;
  const bool branch_filters = event->branches || event->branches_ignore;
  const bool tag_filters = event->tags || event->tags_ignore;
  if (ref.starts_with(heads)) {
    Verdict verdict = match_name("branch", "on.push.branches", ref.substr(heads.size()), event->branches,
                                 event->branches_ignore, tag_filters);
    return verdict.starts ? match_paths(*event, push, std::move(verdict)) : verdict;
  }
  if (ref.starts_with(tags)) {
    // Path filters do not apply to tags.
    return match_name("tag", "on.push.tags", ref.substr(tags.size()), event->tags, event->tags_ignore, branch_filters);
  }
  return {false, fmt::format("{} is neither a branch nor a tag", quoted(ref))};
}

Verdict match_workflow_run(const Workflow& workflow, std::string_view name, std::string_view type,
                           std::string_view branch) {
  const Event* event = workflow.event("workflow_run");
  if (event == nullptr) return not_listening("workflow_run");
  if (std::find(event->workflows.begin(), event->workflows.end(), name) == event->workflows.end()) {
    return {false, fmt::format("the workflow {} is not in on.workflow_run.workflows", quoted(name))};
  }
  if (!listed(event->types, type)) return {false, fmt::format("{} is not in on.workflow_run.types", quoted(type))};
  Verdict verdict =
      match_name("branch", "on.workflow_run.branches", branch, event->branches, event->branches_ignore, false);
  if (verdict.starts) {
    verdict.why = type == "in_progress" ? fmt::format("a run of {} began", quoted(name))
                                        : fmt::format("a run of {} was {}", quoted(name), type);
  }
  return verdict;
}

Verdict match_repository_dispatch(const Workflow& workflow, std::string_view type) {
  const Event* event = workflow.event("repository_dispatch");
  if (event == nullptr) return not_listening("repository_dispatch");
  if (!listed(event->types, type)) {
    return {false, fmt::format("{} is not in on.repository_dispatch.types", quoted(type))};
  }
  return {true, fmt::format("repository_dispatch of type {}", quoted(type))};
}

Result<Value> dispatch_inputs(const Workflow& workflow, const std::map<std::string, std::string>& given) {
  const Event* event = workflow.event("workflow_dispatch");
  if (event == nullptr) {
    return invalid(fmt::format("the workflow {} cannot be started by hand: add workflow_dispatch to its `on`",
                               quoted(workflow.name)));
  }
  std::vector<std::pair<std::string, Value>> values;
  values.reserve(given.size());
  for (const auto& [name, value] : given) values.emplace_back(name, Value(value));
  return read_inputs(*event, values, expression::Contexts());
}

Result<Value> call_inputs(const Workflow& called, const std::vector<std::pair<std::string, Value>>& given,
                          const expression::Environment& environment) {
  const Event* event = called.event("workflow_call");
  if (event == nullptr) {
    return invalid(fmt::format("the workflow {} cannot be called: add workflow_call to its `on`", quoted(called.path)));
  }
  return read_inputs(*event, given, environment);
}

std::optional<Time> next_start(const Workflow& workflow, Time after) {
  std::optional<Time> first;
  const Event* event = workflow.event("schedule");
  if (event == nullptr) return first;
  for (const Schedule& schedule : event->schedules) {
    const std::optional<Time> time = schedule.cron.next(after);
    if (time && (!first || *time < *first)) first = time;
  }
  return first;
}

std::vector<std::string> schedules_at(const Workflow& workflow, Time minute) {
  std::vector<std::string> due;
  const Event* event = workflow.event("schedule");
  if (event == nullptr) return due;
  for (const Schedule& schedule : event->schedules) {
    const std::string& text = schedule.cron.text();
    const bool told = std::find(due.begin(), due.end(), text) != due.end();
    if (!told && schedule.cron.next(minute - std::chrono::minutes(1)) == minute) due.push_back(text);
  }
  return due;
}

}  // namespace kaapi::actions::workflow
