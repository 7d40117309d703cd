// A job's call of Docker: the first line is the method, a space and the target; the rest is the body.
//
// Properties: a path that reaches the engine has no "..", no "%", and nothing outside of what Docker's names are made
// of; the whole target has no control characters, and reading it again gives the same call; bodies have members of
// known spelling only, whatever upper and lower case; what is made has the job's label; nothing reaches further than it
// may.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "actions/docker/container_rules.h"
#include "actions/docker/relay.h"
#include "actions/docker/request.h"
#include "base/text.h"

using namespace kaapi;
using namespace kaapi::actions::docker;

namespace {

const Owner owner{"kaapi.job", "42.61184"};

void check(bool holds) {
  if (!holds) std::abort();
}

void check_target(std::string_view method, std::string_view target) {
  const std::size_t mark = target.find('?');
  const Result<Ruling> ruling = rule_of(method, target.substr(0, mark));
  Result<Query> query = parse_query(mark == std::string_view::npos ? "" : target.substr(mark + 1));
  if (!ruling || !query || !keep_known(*query, ruling->query)) return;
  if (ruling->rule == Rule::build && !check_build(*query, owner)) return;
  const std::string passed = target_of(*ruling, *query);
  const std::string path = passed.substr(0, passed.find('?'));
  for (const char c : passed) check(c > ' ' && c < 127);
  check(path.starts_with('/') && path.find('%') == std::string::npos && path.find("//") == std::string::npos);
  for (const std::string& segment : split(path, '/')) check(segment != "." && segment != "..");
  const Result<Ruling> again = rule_of(method, path);
  check(again && again->rule == ruling->rule && again->reference == ruling->reference);
  const Result<Query> reread = parse_query(passed.size() == path.size() ? "" : passed.substr(path.size() + 1));
  check(reread && *reread == *query);
  if (ruling->rule != Rule::build) return;
  for (const auto& [name, value] : *query) {
    check(name != "labels" || value.find("\"kaapi.task\"") == std::string::npos);
    check(name != "networkmode" || value != "host");
  }
}

const json::value& member(const json::value& value, std::string_view name) {
  static const json::value nothing;
  const json::value* found = find_member(value, name);
  return found == nullptr ? nothing : *found;
}

void check_labels_of(const json::value& body) {
  const json::value& labels = member(body, "Labels");
  check(string_member(labels, owner.label) == owner.value);
  for (const char* label : {"kaapi.instance", "kaapi.task", "kaapi.container"}) {
    check(string_member(labels, label).empty());
  }
}

// Docker reads members without regard to case: each must be there once, in the spelling that was looked at.
void check_spelling(const json::object& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object) {
    check(!name.empty() && name[0] >= 'A' && name[0] <= 'Z');
    names.push_back(lower(std::string_view(name)));
  }
  std::sort(names.begin(), names.end());
  check(std::adjacent_find(names.begin(), names.end()) == names.end());
}

void check_made(std::string_view body) {
  if (const Result<ContainerWish> wish = check_container(body, owner)) {
    const json::value made = wish->body;
    check_labels_of(made);
    check_spelling(wish->body);
    const json::object& host = wish->body.at("HostConfig").as_object();
    check_spelling(host);
    for (const char* never : {"Privileged", "Devices", "DeviceRequests", "DeviceCgroupRules", "MaskedPaths",
                              "ReadonlyPaths", "UsernsMode", "UTSMode", "CgroupParent", "Runtime", "PublishAllPorts"}) {
      check(!host.contains(never));
    }
    check(member(host, "NetworkMode") != "host" && member(host, "PidMode") != "host");
    check(member(member(host, "RestartPolicy"), "Name") != "always");
    check(wish->binds.size() == wish->bind_places.size() && wish->containers.size() == wish->container_places.size());
    ContainerWish filled = *wish;
    for (std::size_t i = 0; i < filled.binds.size(); ++i) filled.set_bind(i, "/pin");
    for (std::size_t i = 0; i < filled.containers.size(); ++i) filled.set_container(i, "id");
    filled.publish("80/tcp");
    for (const BindWish& bind : filled.binds) check(bind.source.starts_with('/'));
  }
  for (const Result<std::string>& made : {check_network(body, owner, "kaapi-job-42"), check_volume(body, owner)}) {
    if (made) check_labels_of(parse_json(*made).value());
  }
  if (const Result<std::string> exec = check_exec(body)) check(!bool_member(parse_json(*exec).value(), "Privileged"));
  (void)check_member(body);
  (void)check_labels(body, owner);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string_view call = input.substr(0, line);
  const std::string_view body = line == std::string_view::npos ? std::string_view() : input.substr(line + 1);
  const std::size_t space = call.find(' ');
  if (space != std::string_view::npos) check_target(call.substr(0, space), call.substr(space + 1));
  check_made(body);
  (void)with_label_filter(body, owner.label, owner.value);
  std::string left(body);
  RequestBody chunked = RequestBody::chunked();
  const Result<std::string> content = chunked.content(left);
  check(!content || chunked.whole() || left.empty());
  return 0;
}
