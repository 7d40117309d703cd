#include "aws/authorization.h"

#include <fmt/format.h>

#include <algorithm>

#include "aws/dispatch.h"
#include "base/text.h"

namespace kaapi::aws {
namespace {

// More resources than any operation takes: a request that names more is refused when it is decoded.
constexpr std::size_t max_resources = 1000;

struct Source {
  const CallContext& context;
  const json::value& request;
  const Authorizer& authorizer;
};

// The entries of a list: an array, or in a form the numbered members of `list.member` (or of the list itself).
std::vector<const json::value*> entries_of(const json::value& list) {
  std::vector<const json::value*> entries;
  if (const json::array* array = list.if_array()) {
    for (const json::value& each : *array) entries.push_back(&each);
  } else if (const json::object* object = list.if_object()) {
    if (const json::value* members = object->if_contains("member")) return entries_of(*members);
    for (const auto& [index, value] : *object) entries.push_back(&value);
  }
  return entries;
}

void collect(const json::value& at, std::string_view path, std::vector<std::string>& found) {
  if (found.size() >= max_resources) return;
  if (path.empty()) {
    if (const json::string* text = at.if_string()) found.emplace_back(*text);
    return;
  }
  std::string_view step = path.substr(0, path.find('.'));
  path.remove_prefix(std::min(path.size(), step.size() + 1));
  const bool each = step.ends_with("[]");
  if (each) step.remove_suffix(2);
  const json::value* member = find_member(at, step);
  if (member == nullptr) return;
  if (!each) return collect(*member, path, found);
  for (const json::value* entry : entries_of(*member)) collect(*entry, path, found);
}

std::string tail(std::string_view text) {
  return std::string(text.starts_with("arn:") ? text.substr(text.rfind('/') + 1) : text);
}

std::string filtered(const Source& source, std::string_view filter, std::string value) {
  if (filter.empty()) return value;
  if (filter == "tail") return tail(value);
  if (filter == "revision") {
    value = tail(value);
    return value.find(':') == std::string::npos ? value + ":*" : value;
  }
  if (filter == "log-group") {
    constexpr std::string_view mark = ":log-group:";
    const std::size_t at = value.starts_with("arn:") ? value.find(mark) : std::string::npos;
    if (at != std::string::npos) value.erase(0, at + mark.size());
    if (at != std::string::npos && value.ends_with(":*")) value.resize(value.size() - 2);
    return value;
  }
  if (filter == "host") {
    const std::size_t at = value.find("://");
    return at == std::string::npos ? value : value.substr(at + 3);
  }
  if (filter.starts_with('/')) return fmt::format("{}{}", filter, value);
  return source.authorizer.arn_of(source.context, filter, value);
}

// What stands between the braces of a template.
std::vector<std::string> placeholder(const Source& source, std::string_view text) {
  if (text == "region") return {source.context.region};
  if (text == "account") return {source.context.account_id};
  if (text == "caller") return {source.context.principal_arn};
  const std::size_t equals = text.find('=');
  std::string_view alternatives = text.substr(0, equals);
  while (!alternatives.empty()) {
    const std::string_view one = alternatives.substr(0, alternatives.find('|'));
    alternatives.remove_prefix(std::min(alternatives.size(), one.size() + 1));
    const std::size_t colon = one.find(':');
    std::vector<std::string> found;
    collect(source.request, one.substr(0, colon), found);
    std::erase(found, "");
    if (found.empty()) continue;
    const std::string_view filter = colon == std::string_view::npos ? std::string_view() : one.substr(colon + 1);
    for (std::string& value : found) value = filtered(source, filter, std::move(value));
    return found;
  }
  if (equals == std::string_view::npos) return {};
  const std::string_view otherwise = text.substr(equals + 1);
  return {otherwise == "@caller" ? source.context.principal_arn : std::string(otherwise)};
}

std::vector<std::string> expand(const Source& source, std::string_view text) {
  std::vector<std::string> expanded{""};
  while (!text.empty()) {
    const std::size_t open = text.find('{');
    for (std::string& each : expanded) each.append(text.substr(0, open));
    if (open == std::string_view::npos) break;
    const std::size_t close = text.find('}', open);
    const std::vector<std::string> values = placeholder(source, text.substr(open + 1, close - open - 1));
    text.remove_prefix(close + 1);
    if (values.size() == 1) {
      for (std::string& each : expanded) each.append(values.front());
      continue;
    }
    std::vector<std::string> grown;
    for (const std::string& each : expanded) {
      for (const std::string& value : values) {
        if (grown.size() < max_resources) grown.push_back(each + value);
      }
    }
    expanded = std::move(grown);
  }
  return expanded;
}

// The first member that is there, whatever its capitals: "tags" and "Tags".
const json::value* either(const json::value& from, std::string_view lower_name, std::string_view upper_name) {
  const json::value* found = find_member(from, lower_name);
  return found != nullptr ? found : find_member(from, upper_name);
}

void add_tag(std::string_view key, std::string_view value, ConditionValues& conditions) {
  conditions[fmt::format("aws:requesttag/{}", lower(key))] = {std::string(value)};
  conditions["aws:tagkeys"].emplace_back(key);
}

// aws:RequestTag/KEY and aws:TagKeys, from a list of keys and values, a map, or a list of keys alone.
void add_tags(const json::value& request, ConditionValues& conditions) {
  if (const json::value* tags = either(request, "tags", "Tags")) {
    const json::object* map = tags->if_object();
    const bool is_map = map != nullptr && std::all_of(map->begin(), map->end(),
                                                      [](const auto& each) { return each.value().is_string(); });
    if (is_map) {
      for (const auto& [key, value] : *map) add_tag(key, value.get_string(), conditions);
    } else {
      for (const json::value* tag : entries_of(*tags)) {
        const std::string key = string_member(*tag, "key", string_member(*tag, "Key"));
        if (!key.empty()) add_tag(key, string_member(*tag, "value", string_member(*tag, "Value")), conditions);
      }
    }
  }
  if (const json::value* keys = either(request, "tagKeys", "TagKeys")) {
    for (const json::value* key : entries_of(*keys)) {
      if (key->is_string()) conditions["aws:tagkeys"].emplace_back(key->get_string());
    }
  }
}

}  // namespace

std::vector<Access> accesses_of(std::string_view action, const PermissionRow& row, const CallContext& context,
                                const json::value& request, const Authorizer& authorizer) {
  const Source source{context, request, authorizer};
  ConditionValues conditions;
  for (const ConditionRow& condition : row.conditions) {
    std::vector<std::string> values = expand(source, condition.value);
    if (!values.empty()) conditions[lower(condition.key)] = std::move(values);
  }
  add_tags(request, conditions);

  std::vector<Access> accesses;
  std::vector<std::string> resources;
  if (!row.resource.empty()) resources = expand(source, row.resource);
  // A request that names nothing is refused by the operation, unless that means everything.
  if (resources.empty()) resources = {"*"};
  for (std::string& resource : resources) accesses.push_back({std::string(action), std::move(resource), conditions});
  for (const PassedRoleRow& passed : row.passes) {
    for (std::string& role : expand(source, passed.role)) {
      if (!role.empty()) {
        accesses.push_back({"iam:PassRole", std::move(role), {{"iam:passedtoservice", {std::string(passed.service)}}}});
      }
    }
  }
  return accesses;
}

}  // namespace kaapi::aws
