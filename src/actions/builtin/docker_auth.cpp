#include "actions/builtin/docker_auth.h"

#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions {
namespace {

Result<json::object> parsed(std::string_view config) {
  if (trim(config).empty()) return json::object();
  Result<json::value> tree = parse_json(config);
  if (!tree || !tree->is_object()) {
    return make_error(errc::invalid, "the job's Docker configuration (config.json) is no JSON object");
  }
  return tree->as_object();
}

}  // namespace

Result<std::string> with_docker_login(std::string_view config, std::string_view registry, std::string_view user,
                                      std::string_view password) {
  Result<json::object> tree = parsed(config);
  if (!tree) return tree.error();
  json::value& auths = (*tree)["auths"];
  if (!auths.is_object()) auths = json::object();
  auths.as_object()[registry] = json::object{{"auth", base64_encode(fmt::format("{}:{}", user, password))}};
  // Docker would ask its helper and not look at what is written here.
  if (tree->contains("credsStore")) {
    json::value& helpers = (*tree)["credHelpers"];
    if (!helpers.is_object()) helpers = json::object();
    helpers.as_object()[registry] = "";
  }
  return json::serialize(*tree);
}

Result<std::string> without_docker_login(std::string_view config, std::string_view registry) {
  Result<json::object> tree = parsed(config);
  if (!tree) return tree.error();
  for (const std::string_view section : {"auths", "credHelpers"}) {
    json::value* entries = tree->if_contains(section);
    if (entries != nullptr && entries->is_object()) entries->as_object().erase(registry);
  }
  return json::serialize(*tree);
}

std::string registry_of(std::string_view proxy_endpoint) {
  const std::size_t scheme = proxy_endpoint.find("://");
  if (scheme != std::string_view::npos) proxy_endpoint.remove_prefix(scheme + 3);
  return std::string(proxy_endpoint.substr(0, proxy_endpoint.find('/')));
}

}  // namespace kaapi::actions
