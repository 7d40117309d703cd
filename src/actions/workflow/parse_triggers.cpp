// `on`: which events a workflow listens to, and its interface towards callers and people who start it.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "actions/expression/suggest.h"
#include "actions/workflow/parts.h"

namespace kaapi::actions::workflow {
namespace {

using expression::Kind;
using expression::Value;

constexpr std::size_t max_inputs = 100;
constexpr std::size_t max_schedules = 100;

constexpr std::array<std::string_view, 6> firing = {"push",          "workflow_dispatch", "schedule",
                                                    "workflow_call", "workflow_run",      "repository_dispatch"};

// GitHub's other events: known, and never fired here.
constexpr std::array<std::string_view, 31> silent = {"branch_protection_rule",
                                                     "check_run",
                                                     "check_suite",
                                                     "create",
                                                     "delete",
                                                     "deployment",
                                                     "deployment_status",
                                                     "discussion",
                                                     "discussion_comment",
                                                     "fork",
                                                     "gollum",
                                                     "image_version",
                                                     "issue_comment",
                                                     "issues",
                                                     "label",
                                                     "merge_group",
                                                     "milestone",
                                                     "page_build",
                                                     "project",
                                                     "project_card",
                                                     "project_column",
                                                     "public",
                                                     "pull_request",
                                                     "pull_request_comment",
                                                     "pull_request_review",
                                                     "pull_request_review_comment",
                                                     "pull_request_target",
                                                     "registry_package",
                                                     "release",
                                                     "status",
                                                     "watch"};

bool is_one_of(std::span<const std::string_view> names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

InputType read_input_type(Reader& reader, const YamlNode& node, std::string_view what, bool call) {
  if (node.kind == YamlKind::text) {
    if (node.text == "string") return InputType::text;
    if (node.text == "boolean") return InputType::boolean;
    if (node.text == "number") return InputType::number;
    if (node.text == "choice" && !call) return InputType::choice;
    if (node.text == "environment" && !call) return InputType::environment;
  }
  reader.unexpected(node, what, call ? "string, boolean or number" : "string, boolean, choice, number or environment");
  return InputType::text;
}

// Also in quotes, as GitHub takes them and as what is given by hand comes.
bool reads_as_boolean(const Value& value) {
  const std::string text = expression::to_text(value);
  return text == "true" || text == "false";
}

bool reads_as_number(const Value& value) {
  if (value.is(Kind::number)) return true;
  return value.is(Kind::string) && !value.string().empty() && std::isfinite(expression::to_number(value));
}

// Whether a default written without expressions is of the input's type.
void check_default(Reader& reader, const YamlNode& node, const Input& input, std::string_view what) {
  if (input.default_value->expression) return;
  const Value& value = input.default_value->literal;
  if (input.default_value->kind != Data::Kind::scalar) {
    reader.unexpected(node, what, "a single value");
  } else if (input.type == InputType::boolean && !reads_as_boolean(value)) {
    reader.unexpected(node, what, "true or false, because the input is a boolean");
  } else if (input.type == InputType::number && !reads_as_number(value)) {
    reader.unexpected(node, what, "a number, because the input is one");
  } else if (input.type == InputType::choice &&
             std::find(input.options.begin(), input.options.end(), expression::to_text(value)) == input.options.end()) {
    reader.unexpected(node, what, fmt::format("one of the options: {}", fmt::join(input.options, ", ")));
  }
}

Input read_input(Reader& reader, const YamlMember& member, std::string_view what, bool call) {
  static constexpr std::array<std::string_view, 6> keys = {"description", "required", "default",
                                                           "type",        "options",  "deprecationMessage"};
  Input input;
  input.name = member.key;
  input.position = member.position;
  reader.check_id(input.name, member.position, what);
  const YamlNode& node = member.value;
  if (node.kind != YamlKind::null && !reader.mapping(node, what, keys)) return input;
  const auto at = [&](std::string_view key) { return below(what, key); };
  if (const YamlMember* m = node.find("description")) input.description = reader.plain(m->value, at("description"));
  if (const YamlMember* m = node.find("required")) input.required = reader.plain_flag(m->value, at("required"));
  if (const YamlMember* m = node.find("type"))
    input.type = read_input_type(reader, m->value, at("type"), call);
  else if (call)
    reader.fault(member.position, fmt::format("{}: type is missing, expected string, boolean or number", what));
  if (const YamlMember* m = node.find("options")) input.options = reader.plain_list(m->value, at("options"));
  if (input.type == InputType::choice && input.options.empty()) {
    reader.fault(member.position, fmt::format("{}: options are missing, expected a list to choose from", what));
  }
  if (const YamlMember* m = node.find("default")) {
    input.default_value = reader.data(m->value, at("default"), call ? Place::call_input_default : Place::none);
    check_default(reader, m->value, input, at("default"));
  }
  return input;
}

std::vector<Input> read_inputs(Reader& reader, const YamlNode& node, std::string_view what, bool call) {
  std::vector<Input> inputs;
  if (node.kind == YamlKind::null || !reader.any_mapping(node, what)) return inputs;
  if (node.members.size() > max_inputs) {
    reader.fault(node.position,
                 fmt::format("{}: found {} inputs, expected at most {}", what, node.members.size(), max_inputs));
    return inputs;
  }
  for (const YamlMember& member : node.members) {
    inputs.push_back(read_input(reader, member, below(what, member.key), call));
  }
  return inputs;
}

void read_call(Reader& reader, const YamlNode& node, Event& event) {
  static constexpr std::array<std::string_view, 3> keys = {"inputs", "outputs", "secrets"};
  static constexpr std::array<std::string_view, 2> output_keys = {"description", "value"};
  static constexpr std::array<std::string_view, 2> secret_keys = {"description", "required"};
  if (!reader.mapping(node, "on.workflow_call", keys)) return;
  if (const YamlMember* m = node.find("inputs")) {
    event.inputs = read_inputs(reader, m->value, "on.workflow_call.inputs", true);
  }
  const YamlMember* outputs = node.find("outputs");
  if (outputs != nullptr && outputs->value.kind != YamlKind::null &&
      reader.any_mapping(outputs->value, "on.workflow_call.outputs")) {
    for (const YamlMember& member : outputs->value.members) {
      const std::string what = fmt::format("on.workflow_call.outputs.{}", member.key);
      if (!reader.mapping(member.value, what, output_keys)) continue;
      CallOutput output{member.key, {}, {}};
      if (const YamlMember* m = member.value.find("description")) output.description = reader.plain(m->value, what);
      const YamlMember* value = member.value.find("value");
      if (value == nullptr) {
        reader.fault(member.position,
                     fmt::format("{}: value is missing, expected ${{{{ jobs.ID.outputs.NAME }}}}", what));
        continue;
      }
      output.value = reader.text(value->value, what + ".value", Place::call_output_value).value_or(Text{});
      event.outputs.push_back(std::move(output));
    }
  }
  const YamlMember* secrets = node.find("secrets");
  if (secrets != nullptr && secrets->value.kind != YamlKind::null &&
      reader.any_mapping(secrets->value, "on.workflow_call.secrets")) {
    for (const YamlMember& member : secrets->value.members) {
      const std::string what = fmt::format("on.workflow_call.secrets.{}", member.key);
      CallSecret secret{member.key, {}, false};
      if (member.value.kind != YamlKind::null && reader.mapping(member.value, what, secret_keys)) {
        if (const YamlMember* m = member.value.find("description")) secret.description = reader.plain(m->value, what);
        if (const YamlMember* m = member.value.find("required")) secret.required = reader.plain_flag(m->value, what);
      }
      event.secrets.push_back(std::move(secret));
    }
  }
}

void read_schedule(Reader& reader, const YamlNode& node, Event& event) {
  static constexpr std::array<std::string_view, 1> keys = {"cron"};
  if (!reader.list(node, "on.schedule")) return;
  for (const YamlNode& item : node.items) {
    if (!reader.mapping(item, "on.schedule", keys)) continue;
    const YamlMember* cron = item.find("cron");
    if (cron == nullptr) {
      reader.fault(item.position, "on.schedule: cron is missing, expected such as cron: '30 5 * * 1-5'");
      continue;
    }
    const std::string text = reader.plain(cron->value, "on.schedule.cron");
    Result<Cron> parsed = Cron::parse(text);
    if (!parsed) {
      reader.fault(cron->value.position, fmt::format("on.schedule.cron: {}", parsed.error().message));
    } else if (event.schedules.size() < max_schedules) {
      event.schedules.push_back({std::move(*parsed), cron->value.position});
    } else {
      reader.fault(item.position, fmt::format("on.schedule: found more than {} schedules", max_schedules));
      return;
    }
  }
}

struct FilterKey {
  std::string_view key;
  std::optional<PatternList> Event::*member;
};
constexpr std::array<FilterKey, 6> filters = {{{"branches", &Event::branches},
                                               {"branches-ignore", &Event::branches_ignore},
                                               {"tags", &Event::tags},
                                               {"tags-ignore", &Event::tags_ignore},
                                               {"paths", &Event::paths},
                                               {"paths-ignore", &Event::paths_ignore}}};

// Which filters an event may have.
std::vector<std::string_view> filter_keys(std::string_view event) {
  if (event == "push") return {"branches", "branches-ignore", "tags", "tags-ignore", "paths", "paths-ignore"};
  if (event == "pull_request" || event == "pull_request_target") {
    return {"types", "branches", "branches-ignore", "paths", "paths-ignore"};
  }
  if (event == "workflow_run") return {"types", "workflows", "branches", "branches-ignore"};
  if (event == "merge_group") return {"types", "branches", "branches-ignore"};
  return {"types"};
}

void check_pair(Reader& reader, const YamlNode& node, std::string_view event, std::string_view name) {
  const std::string ignore = fmt::format("{}-ignore", name);
  const YamlMember* other = node.find(ignore);
  if (node.find(name) == nullptr || other == nullptr) return;
  reader.fault(other->position, fmt::format("on.{}: found both {} and {}, expected one of them; {} takes patterns with "
                                            "a leading ! to leave something out",
                                            event, name, ignore, name));
}

// What never happens would never start anything, and nobody would say so.
void check_types(Reader& reader, const YamlNode& node, const std::vector<std::string>& types) {
  static constexpr std::array<std::string_view, 3> known = {"requested", "in_progress", "completed"};
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (is_one_of(known, types[i])) continue;
    const Position at = i < node.items.size() ? node.items[i].position : node.position;
    reader.fault(at, fmt::format("on.workflow_run.types: unknown type {}{}: expected {}", quoted(types[i]),
                                 expression::did_you_mean(types[i], known), fmt::join(known, ", ")));
  }
}

void read_filters(Reader& reader, const YamlNode& node, Event& event) {
  const std::string what = fmt::format("on.{}", event.name);
  const std::vector<std::string_view> keys = filter_keys(event.name);
  if (!reader.mapping(node, what, keys)) return;
  for (const FilterKey& filter : filters) {
    const YamlMember* member = node.find(filter.key);
    if (member == nullptr || !is_one_of(keys, filter.key)) continue;
    const std::string where = below(what, filter.key);
    std::optional<PatternList> list = reader.patterns(member->value, where);
    const bool ignore = filter.key.ends_with("-ignore");
    if (list && !ignore && !list->patterns.empty() &&
        std::all_of(list->patterns.begin(), list->patterns.end(), [](const Glob& glob) { return glob.negated(); })) {
      reader.fault(member->value.position,
                   fmt::format("{}: found only patterns with !, expected at least one without", where));
    }
    event.*filter.member = std::move(list);
  }
  for (const std::string_view name : {"branches", "tags", "paths"}) check_pair(reader, node, event.name, name);
  if (const YamlMember* m = node.find("types")) {
    event.types = reader.plain_list(m->value, what + ".types");
    if (event.name == "workflow_run") check_types(reader, m->value, event.types);
  }
  if (const YamlMember* m = node.find("workflows")) event.workflows = reader.plain_list(m->value, what + ".workflows");
}

Event read_event(Reader& reader, std::string_view name, Position position, const YamlNode* node) {
  Event event;
  event.name = name;
  event.position = position;
  event.fires = is_one_of(firing, name);
  if (!event.fires && !is_one_of(silent, name)) {
    std::vector<std::string_view> known(firing.begin(), firing.end());
    known.insert(known.end(), silent.begin(), silent.end());
    reader.fault(position, fmt::format("on: unknown event {}{}: expected push, workflow_dispatch, schedule or another "
                                       "of GitHub's events",
                                       quoted(name), expression::did_you_mean(name, known)));
    return event;
  }
  const bool bare = node == nullptr || node->kind == YamlKind::null;
  if (name == "schedule" && bare) {
    reader.fault(position, "on.schedule: found nothing, expected a list such as - cron: '30 5 * * 1-5'");
  } else if (name == "workflow_run" && (bare || node->find("workflows") == nullptr)) {
    reader.fault(position, "on.workflow_run: workflows is missing, expected the names of the workflows to wait for");
  }
  if (bare) return event;
  if (name == "schedule") {
    read_schedule(reader, *node, event);
  } else if (name == "workflow_call") {
    read_call(reader, *node, event);
  } else if (name == "workflow_dispatch") {
    static constexpr std::array<std::string_view, 1> keys = {"inputs"};
    if (!reader.mapping(*node, "on.workflow_dispatch", keys)) return event;
    if (const YamlMember* m = node->find("inputs")) {
      event.inputs = read_inputs(reader, m->value, "on.workflow_dispatch.inputs", false);
    }
  } else {
    read_filters(reader, *node, event);
  }
  return event;
}

}  // namespace

std::vector<Event> read_triggers(Reader& reader, const YamlNode& node) {
  std::vector<Event> events;
  switch (node.kind) {
    case YamlKind::text:
      events.push_back(read_event(reader, node.text, node.position, nullptr));
      break;
    case YamlKind::list:
      for (const YamlNode& item : node.items) {
        if (item.kind == YamlKind::text) {
          events.push_back(read_event(reader, item.text, item.position, nullptr));
        } else {
          reader.unexpected(item, "on", "the name of an event");
        }
      }
      break;
    case YamlKind::mapping:
      for (const YamlMember& member : node.members) {
        events.push_back(read_event(reader, member.key, member.position, &member.value));
      }
      break;
    case YamlKind::null:
      break;
  }
  if (events.empty()) reader.unexpected(node, "on", "an event such as push, a list or a mapping of events");
  return events;
}

}  // namespace kaapi::actions::workflow
