#include "actions/docker/body_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "actions/docker/query.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

Result<void> own_labels(json::object& labels, const Owner& owner, bool always) {
  for (const auto& [name, value] : labels) {
    const std::string_view label = name;
    if (label.starts_with("kaapi.") && label != owner.label) {
      return refused(fmt::format("the label {} is the platform's", label));
    }
  }
  if (always || labels.contains(owner.label)) labels[owner.label] = owner.value;
  return ok();
}

// "kaapi-job-42" itself, or with a number behind it: the runner's.
bool is_own_name(std::string_view name, std::string_view own) {
  if (own.empty() || !name.starts_with(own)) return false;
  name.remove_prefix(own.size());
  return name.empty() || (name.front() == '-' && parse_number(name.substr(1)));
}

}  // namespace

bool is_empty(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return true;
    case json::kind::bool_:
      return !value.get_bool();
    case json::kind::int64:
      return value.get_int64() == 0;
    case json::kind::uint64:
      return value.get_uint64() == 0;
    case json::kind::double_:
      return value.get_double() == 0;
    case json::kind::string:
      return value.get_string().empty();
    case json::kind::array:
      return value.get_array().empty();
    case json::kind::object:
      return value.get_object().empty();
  }
  return false;
}

Result<json::object> object_in(std::string_view body) {
  Result<json::value> parsed = parse_json(body);
  if (!parsed) return parsed.error();
  if (!parsed->is_object()) return make_error(errc::invalid, "the body must be a JSON object");
  return std::move(parsed->as_object());
}

Result<void> keep_members(json::object& object, const Names& known, std::string_view where) {
  json::object kept;
  for (auto& [name, value] : object) {
    if (known.contains(std::string_view(name))) {
      kept[name] = std::move(value);
    } else if (!is_empty(value)) {
      return refused(fmt::format("jobs may not set {}{}{}", where, where.empty() ? "" : ".", std::string_view(name)));
    }
  }
  object = std::move(kept);
  return ok();
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(std::string_view(found->get_string())) : std::string();
}

json::object* member_object(json::object& object, std::string_view name) {
  json::value& member = object[name];
  if (member.is_null()) member = json::object();
  return member.if_object();
}

Error wrong_type(std::string_view member, std::string_view type) {
  return make_error(errc::invalid, fmt::format("{}: must be {}", member, type));
}

Error too_many(std::string_view member) {
  return refused(fmt::format("{}: a job may name {} of them, not more", member, max_listed));
}

Result<void> own(json::object& object, const Owner& owner) {
  json::object* labels = member_object(object, "Labels");
  if (labels == nullptr) return wrong_type("Labels", "an object");
  return own_labels(*labels, owner, true);
}

Result<std::string> check_labels(std::string_view labels, const Owner& owner) {
  Result<json::object> parsed = object_in(labels);
  if (!parsed) return make_error(errc::invalid, "labels: must be a JSON object");
  if (const Result<void> good = own_labels(*parsed, owner, false); !good) return good.error();
  return json::serialize(*parsed);
}

Result<void> check_name(std::string_view name) {
  if (is_reserved_name(name)) return refused(fmt::format("the name {}: names with kaapi- are the platform's", name));
  return ok();
}

Result<std::vector<std::string>> texts_in(const json::object& object, std::string_view name) {
  std::vector<std::string> texts;
  const json::value* list = object.if_contains(name);
  if (list == nullptr || list->is_null()) return texts;
  if (!list->is_array()) return wrong_type(name, "a list of texts");
  for (const json::value& item : list->get_array()) {
    if (!item.is_string()) return wrong_type(name, "a list of texts");
    texts.emplace_back(std::string_view(item.get_string()));
  }
  return texts;
}

Result<void> check_endpoint(json::object& endpoint, std::string_view where) {
  // No MAC address: it could be another container's of the network.
  if (const Result<void> known = keep_members(endpoint, {"Aliases", "IPAMConfig"}, where); !known) return known;
  json::object* addresses = member_object(endpoint, "IPAMConfig");
  if (addresses == nullptr) return wrong_type("IPAMConfig", "an object");
  if (addresses->empty()) {
    endpoint.erase("IPAMConfig");
    return ok();
  }
  return keep_members(*addresses, {"IPv4Address", "IPv6Address"}, fmt::format("{}.IPAMConfig", where));
}

Result<void> check_ulimits(const json::value& list) {
  if (list.is_null()) return ok();
  if (!list.is_array()) return wrong_type("Ulimits", "a list");
  for (const json::value& item : list.get_array()) {
    if (!item.is_object()) return wrong_type("Ulimits", "a list of objects");
    json::object limit = item.get_object();
    if (const Result<void> known = keep_members(limit, {"Name", "Soft", "Hard"}, "Ulimits"); !known) return known;
    const std::string name = lower(text_of(limit, "Name"));
    if (name == "rtprio" || name == "nice") {
      return refused(fmt::format("jobs may not set Ulimits {}: it takes the processor from others", name));
    }
  }
  return ok();
}

Result<void> check_memory_size(std::string_view member, std::int64_t bytes) {
  if (bytes >= 0 && bytes <= max_memory_size) return ok();
  return refused(fmt::format("jobs may not set {} to more than {} bytes", member, max_memory_size));
}

Result<std::string> check_exec(std::string_view body) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  const Names known = {"AttachStdin", "AttachStdout", "AttachStderr", "DetachKeys", "Detach",     "Tty",
                       "Env",         "Cmd",          "User",         "WorkingDir", "ConsoleSize"};
  if (const Result<void> good = keep_members(*parsed, known, ""); !good) return good.error();
  return json::serialize(*parsed);
}

Result<std::string> check_network(std::string_view body, const Owner& owner, std::string_view own_names) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  // The engine picks the addresses: a subnet of the job's choice could take the place of somebody else's.
  if (json::object* ipam = member_object(*parsed, "IPAM"); ipam != nullptr && text_of(*ipam, "Driver") == "default") {
    ipam->erase("Driver");
    if (const Result<void> known = keep_members(*ipam, {}, "IPAM"); !known) return known.error();
  }
  if (text_of(*parsed, "Scope") == "local") parsed->erase("Scope");
  const std::string driver = text_of(*parsed, "Driver");
  if (!driver.empty() && driver != "bridge") {
    return refused(fmt::format("a job's network may not have the driver {}: only bridge", driver));
  }
  const Names known = {"Name", "CheckDuplicate", "Driver", "Internal", "Attachable", "EnableIPv4", "Labels"};
  if (const Result<void> good = keep_members(*parsed, known, ""); !good) return good.error();
  if (const Result<void> labelled = own(*parsed, owner); !labelled) return labelled.error();
  const std::string name = text_of(*parsed, "Name");
  if (!is_own_name(name, own_names)) {
    if (const Result<void> free = check_name(name); !free) return free.error();
  }
  return json::serialize(*parsed);
}

Result<std::string> check_volume(std::string_view body, const Owner& owner) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  const std::string driver = text_of(*parsed, "Driver");
  if (!driver.empty() && driver != "local") {
    return refused(fmt::format("a job's volume may not have the driver {}: only local", driver));
  }
  if (const Result<void> known = keep_members(*parsed, {"Name", "Driver", "Labels"}, ""); !known) return known.error();
  if (const Result<void> labelled = own(*parsed, owner); !labelled) return labelled.error();
  if (const Result<void> free = check_name(text_of(*parsed, "Name")); !free) return free.error();
  return json::serialize(*parsed);
}

Result<MemberWish> check_member(std::string_view body) {
  Result<json::object> parsed = object_in(body);
  if (!parsed) return parsed.error();
  MemberWish wish;
  wish.container = text_of(*parsed, "Container");
  json::object* endpoint = member_object(*parsed, "EndpointConfig");
  if (endpoint == nullptr) return wrong_type("EndpointConfig", "an object");
  if (const Result<void> plain = check_endpoint(*endpoint, "EndpointConfig"); !plain) return plain.error();
  const Result<void> known = keep_members(*parsed, {"Container", "EndpointConfig", "Force"}, "");
  if (!known) return known.error();
  wish.body = std::move(*parsed);
  return wish;
}

bool is_reference(std::string_view text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           c == '-';
  };
  return !text.empty() && text.size() <= 255 && text.front() != '.' && std::all_of(text.begin(), text.end(), good);
}

bool is_reserved_name(std::string_view name) {
  return (name.starts_with('/') ? name.substr(1) : name).starts_with("kaapi-");
}

}  // namespace kaapi::actions::docker
