#include "actions/builtin/task_definition.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "actions/builtin/inputs.h"
#include "actions/workflow/yaml.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Result<Pairs> pairs_of(std::string_view text, std::string_view what) {
  Pairs pairs;
  for (const std::string& line : lines_of(text)) {
    const std::size_t equals = line.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return make_error(errc::invalid, fmt::format("the input '{}' has a line without NAME=value: '{}'", what,
                                                   line.substr(0, equals)));
    }
    pairs.emplace_back(trim(line.substr(0, equals)), trim(line.substr(equals + 1)));
  }
  return pairs;
}

json::array& list_of(json::object& object, std::string_view name) {
  json::value& value = object[name];
  if (!value.is_array()) value = json::array();
  return value.as_array();
}

json::object& object_of(json::object& object, std::string_view name) {
  json::value& value = object[name];
  if (!value.is_object()) value = json::object();
  return value.as_object();
}

// [{"name": …, `member`: …}], replaced by name.
Result<void> put_pairs(json::object& container, std::string_view list, std::string_view member, std::string_view text,
                       std::string_view input) {
  const Result<Pairs> pairs = pairs_of(text, input);
  if (!pairs) return pairs.error();
  if (pairs->empty()) return ok();
  json::array& entries = list_of(container, list);
  for (const auto& [name, value] : *pairs) {
    const auto same = [&name = name](const json::value& entry) { return string_member(entry, "name") == name; };
    const auto found = std::find_if(entries.begin(), entries.end(), same);
    const json::object entry = {{"name", name}, {member, value}};
    if (found == entries.end()) {
      entries.push_back(entry);
    } else {
      *found = entry;
    }
  }
  return ok();
}

Result<void> put_map(json::object& into, std::string_view text, std::string_view input) {
  const Result<Pairs> pairs = pairs_of(text, input);
  if (!pairs) return pairs.error();
  for (const auto& [name, value] : *pairs) into[name] = value;
  return ok();
}

Result<void> put_log_configuration(json::object& container, const RenderInputs& inputs) {
  constexpr std::array<std::string_view, 9> drivers = {"json-file", "syslog",  "journald", "logentries", "gelf",
                                                       "fluentd",   "awslogs", "splunk",   "awsfirelens"};
  if (!inputs.log_driver.empty()) {
    if (std::find(drivers.begin(), drivers.end(), inputs.log_driver) == drivers.end()) {
      return make_error(errc::invalid,
                        fmt::format("the input 'log-configuration-log-driver' names no log driver of Amazon ECS: '{}'",
                                    inputs.log_driver));
    }
    object_of(container, "logConfiguration")["logDriver"] = inputs.log_driver;
  }
  if (inputs.log_options.empty()) return ok();
  return put_map(object_of(object_of(container, "logConfiguration"), "options"), inputs.log_options,
                 "log-configuration-options");
}

Result<void> change_container(json::object& container, const RenderInputs& inputs) {
  if (!inputs.image.empty()) container["image"] = inputs.image;
  if (!inputs.command.empty()) {
    json::array& words = container["command"].emplace_array();
    for (const std::string& word : split(inputs.command, ' ')) {
      if (!word.empty()) words.emplace_back(word);
    }
  }
  if (!inputs.env_files.empty()) {
    json::array& files = container["environmentFiles"].emplace_array();
    for (const std::string& file : lines_of(inputs.env_files)) {
      files.push_back(json::object{{"value", file}, {"type", "s3"}});
    }
  }
  if (const auto done =
          put_pairs(container, "environment", "value", inputs.environment_variables, "environment-variables");
      !done) {
    return done;
  }
  if (const auto done = put_pairs(container, "secrets", "valueFrom", inputs.secrets, "secrets"); !done) return done;
  if (const auto done = put_log_configuration(container, inputs); !done) return done;
  if (inputs.docker_labels.empty()) return ok();
  return put_map(object_of(container, "dockerLabels"), inputs.docker_labels, "docker-labels");
}

bool is_empty(const json::value& value) {
  return value.is_null() || (value.is_string() && value.as_string().empty()) ||
         (value.is_array() && value.as_array().empty()) || (value.is_object() && value.as_object().empty());
}

// Without quotes, numbers and booleans are what they look like.
json::value scalar_of(const workflow::YamlNode& node) {
  if (!node.plain) return json::value(node.text);
  if (node.text == "True" || node.text == "TRUE") return true;
  if (node.text == "False" || node.text == "FALSE") return false;
  const Result<json::value> value = parse_json(node.text);
  return value && (value->is_bool() || value->is_number()) ? *value : json::value(node.text);
}

json::value json_of(const workflow::YamlNode& node) {
  switch (node.kind) {
    case workflow::YamlKind::null:
      return {};
    case workflow::YamlKind::text:
      return scalar_of(node);
    case workflow::YamlKind::list: {
      json::array items;
      for (const workflow::YamlNode& item : node.items) items.push_back(json_of(item));
      return items;
    }
    case workflow::YamlKind::mapping: {
      json::object members;
      for (const workflow::YamlMember& member : node.members) members[member.key] = json_of(member.value);
      return members;
    }
  }
  return {};
}

// Each object of the list has these members; what it has not is an empty text.
void require_members(json::value* list, std::initializer_list<std::string_view> members) {
  if (list == nullptr || !list->is_array()) return;
  for (json::value& entry : list->as_array()) {
    if (!entry.is_object()) continue;
    for (const std::string_view member : members) {
      if (!entry.as_object().contains(member)) entry.as_object()[member] = "";
    }
  }
}

}  // namespace

Result<json::value> parse_task_definition(std::string_view text, std::string_view name) {
  const auto refused = [name](std::string_view why) {
    return make_error(errc::invalid, fmt::format("{} is no task definition: {}, expected an object with family and "
                                                 "containerDefinitions",
                                                 name, why));
  };
  if (trim(text).empty()) return refused("it is empty");
  Result<json::value> tree = parse_json(text);
  if (!tree) {
    workflow::Faults faults;
    const workflow::YamlNode root = workflow::read_yaml(text, faults);
    if (!faults.empty()) {
      return make_error(errc::invalid, fmt::format("{} is neither JSON ({}) nor YAML:\n{}", name, tree.error().message,
                                                   workflow::format_fault(name, faults.take().front())));
    }
    tree = json_of(root);
  }
  if (tree->is_object()) return tree;
  return refused(tree->is_array() ? "it is a list" : "it is a single value");
}

Result<json::value> render_task_definition(json::value definition, const RenderInputs& inputs) {
  json::value* containers =
      definition.is_object() ? definition.as_object().if_contains("containerDefinitions") : nullptr;
  if (containers == nullptr || !containers->is_array()) {
    return make_error(errc::invalid, "the task definition has no list containerDefinitions");
  }
  for (json::value& container : containers->as_array()) {
    if (!container.is_object() || string_member(container, "name") != inputs.container_name) continue;
    if (const Result<void> changed = change_container(container.as_object(), inputs); !changed) return changed.error();
    return definition;
  }
  return make_error(errc::invalid,
                    fmt::format("the task definition has no container named '{}'", inputs.container_name));
}

json::value without_answer_members(json::value definition, std::vector<std::string>& ignored) {
  constexpr std::array<std::string_view, 8> members = {
      "compatibilities", "taskDefinitionArn", "requiresAttributes", "revision",
      "status",          "registeredAt",      "deregisteredAt",     "registeredBy"};
  if (!definition.is_object()) return definition;
  for (const std::string_view member : members) {
    if (definition.as_object().erase(member) > 0) ignored.emplace_back(member);
  }
  return definition;
}

json::value with_required_values(json::value definition) {
  if (!definition.is_object()) return definition;
  json::value* proxy = definition.as_object().if_contains("proxyConfiguration");
  if (proxy != nullptr && string_member(*proxy, "type") == "APPMESH") {
    require_members(proxy->as_object().if_contains("properties"), {"name", "value"});
  }
  json::value* containers = definition.as_object().if_contains("containerDefinitions");
  if (containers == nullptr || !containers->is_array()) return definition;
  for (json::value& container : containers->as_array()) {
    if (container.is_object()) require_members(container.as_object().if_contains("environment"), {"value"});
  }
  return definition;
}

json::value without_empty(const json::value& value, const std::vector<std::string>& kept) {
  if (const json::array* items = value.if_array()) {
    json::array left;
    for (const json::value& item : *items) {
      json::value cleaned = without_empty(item, kept);
      if (!is_empty(cleaned)) left.push_back(std::move(cleaned));
    }
    return left;
  }
  if (const json::object* members = value.if_object()) {
    json::object left;
    for (const auto& [name, member] : *members) {
      json::value cleaned = without_empty(member, kept);
      const bool stays = std::find(kept.begin(), kept.end(), std::string_view(name)) != kept.end();
      if (stays || !is_empty(cleaned)) left[name] = std::move(cleaned);
    }
    return left;
  }
  return value;
}

}  // namespace kaapi::actions
