#include "audit/event.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "base/json.h"

namespace kaapi::audit {
namespace {

constexpr std::string_view root_name = "root";
constexpr std::size_t max_head_bytes = 256;  // of a line, up to its time

// "2026-07-01T09:30:00Z"; nullopt for anything else.
std::optional<Time> parse_event_time(std::string_view text) {
  const std::string copy(text.substr(0, 32));
  std::tm parts{};
  const char* end = ::strptime(copy.c_str(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return from_millis(static_cast<std::int64_t>(::timegm(&parts)) * 1000);
}

const json::value& part(const json::value& tree, std::string_view key) {
  static const json::value nothing;
  const json::value* found = find_member(tree, key);
  return found == nullptr ? nothing : *found;
}

void read_identity(const json::value& identity, Event& event) {
  event.principal_arn = string_member(identity, "arn");
  event.access_key_id = string_member(identity, "accessKeyId");
  event.user_name = string_member(identity, "userName");
  const std::string type = string_member(identity, "type");
  if (type == "Root") event.user_name = root_name;
  if (type == "AssumedRole" || type == "FederatedUser") {
    event.user_name = event.principal_arn.substr(event.principal_arn.rfind('/') + 1);
  }
  if (type == "AWSService") event.user_name = string_member(identity, "invokedBy");
  event.role_name = string_member(part(part(identity, "sessionContext"), "sessionIssuer"), "userName");
}

// What an ARN's text may be asked by: all of it, or what begins after a slash or a colon.
bool is_named(std::string_view arn, std::string_view name) {
  if (!arn.ends_with(name)) return false;
  if (arn.size() == name.size()) return true;
  const char before = arn[arn.size() - name.size() - 1];
  return before == '/' || before == ':';
}

bool is_who(const Event& event, std::string_view who) {
  return who == event.user_name || who == event.principal_arn || (!event.role_name.empty() && who == event.role_name) ||
         (!event.role_name.empty() && who == event.role_name + "/" + event.user_name);
}

// As it stands between quotes in JSON.
std::string escaped(std::string_view text) {
  std::string out;
  JsonWriter(out).value(text);
  return out.substr(1, out.size() - 2);
}

bool agrees(std::string_view wanted, std::string_view found) {
  return wanted.empty() || wanted == found;
}

}  // namespace

// It stands near the beginning (record.cpp), where no text of others comes before it.
std::optional<Time> time_of(std::string_view line) {
  constexpr std::string_view key = "\"eventTime\":\"";
  const std::size_t at = line.substr(0, max_head_bytes).find(key);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view text = line.substr(at + key.size());
  return parse_event_time(text.substr(0, text.find('"')));
}

Result<Event> parse_event(std::string_view line) {
  const Result<json::value> tree = parse_json(line);
  if (!tree) return tree.error();
  const std::optional<Time> time = parse_event_time(string_member(*tree, "eventTime"));
  if (!time) return make_error(errc::invalid, "the line has no eventTime, so it is no event");
  Event event;
  event.time = *time;
  event.id = string_member(*tree, "eventID");
  event.source = string_member(*tree, "eventSource");
  event.name = string_member(*tree, "eventName");
  event.source_ip = string_member(*tree, "sourceIPAddress");
  event.error_code = string_member(*tree, "errorCode");
  event.error_message = string_member(*tree, "errorMessage");
  event.read_only = bool_member(*tree, "readOnly");
  event.allowed = bool_member(part(*tree, "decision"), "allowed");
  event.reason = string_member(part(*tree, "decision"), "reason");
  read_identity(part(*tree, "userIdentity"), event);
  if (const json::array* resources = part(*tree, "resources").if_array()) {
    for (const json::value& resource : *resources) {
      event.resources.push_back({string_member(resource, "ARN"), string_member(resource, "type")});
    }
  }
  return event;
}

bool matches(const Filter& filter, const Event& event) {
  const auto any_resource = [&](auto condition) {
    return std::any_of(event.resources.begin(), event.resources.end(), condition);
  };
  const auto named = [&](const EventResource& resource) { return is_named(resource.arn, filter.resource); };
  const auto of_type = [&](const EventResource& resource) { return resource.type == filter.resource_type; };
  return agrees(filter.id, event.id) && agrees(filter.name, event.name) && agrees(filter.source, event.source) &&
         agrees(filter.access_key_id, event.access_key_id) && (filter.who.empty() || is_who(event, filter.who)) &&
         (filter.resource.empty() || any_resource(named)) && (filter.resource_type.empty() || any_resource(of_type)) &&
         filter.read_only.value_or(event.read_only) == event.read_only && !(filter.refused_only && event.allowed) &&
         filter.start.value_or(event.time) <= event.time && event.time <= filter.end.value_or(event.time);
}

std::vector<std::string> texts_of(const Filter& filter) {
  std::vector<std::string> texts;
  for (const std::string* text : {&filter.id, &filter.name, &filter.source, &filter.access_key_id, &filter.resource}) {
    if (!text->empty()) texts.push_back(escaped(*text));
  }
  if (!filter.resource_type.empty()) texts.push_back(escaped(filter.resource_type));
  // Of "ROLE/SESSION" only the ARN is written like that, and the root's name is not written at all.
  if (!filter.who.empty() && filter.who != root_name) texts.push_back(escaped(filter.who));
  return texts;
}

bool may_match(const std::vector<std::string>& texts, std::string_view line) {
  return std::all_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return line.find(text) != std::string_view::npos; });
}

}  // namespace kaapi::audit
