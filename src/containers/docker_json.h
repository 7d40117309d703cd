#pragma once
// Between our types and the Docker Engine API's JSON (version 1.41 to 1.43). Pure functions.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "containers/engine.h"

namespace kaapi::containers {

// The body of POST /containers/create.
std::string create_body(const ContainerSpec& spec);
// The `filters` parameter, percent-encoded: {"label":["a=b"],…}. `more` adds other filters.
std::string encode_filters(const std::map<std::string, std::string>& labels,
                           const std::map<std::string, std::vector<std::string>>& more = {});

Container parse_container(const json::value& inspected);  // GET /containers/ID/json
Container parse_list_entry(const json::value& entry);     // one of GET /containers/json
Image parse_image(const json::value& inspected);          // GET /images/NAME/json
std::map<std::string, std::string> parse_labels(const json::value* object);

// A container made from `wanted` carries these labels and those of its image. An empty set matches only an empty set:
// whoever gives no labels cannot recognise what it made.
bool carries_labels(const std::map<std::string, std::string>& present,
                    const std::map<std::string, std::string>& wanted);

// What to ask POST /images/create for: a digest wins over a tag, and "latest" stands for neither.
struct PullTarget {
  std::string name;
  std::string tag_or_digest;
};
PullTarget split_reference(std::string_view reference);
// X-Registry-Auth.
std::string encode_login(const RegistryLogin& login, std::string_view reference);

// The failure of a call, in the engine's own words. `body` is {"message": …} or plain text.
Error engine_error(int status, std::string_view body);
// The failure of a pull: what the registry said decides the code.
Error pull_error(std::string message, int status);

}  // namespace kaapi::containers
