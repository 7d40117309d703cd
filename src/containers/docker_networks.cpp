#include "containers/docker_networks.h"

#include <fmt/format.h>

#include <set>

#include "base/json.h"
#include "base/text.h"
#include "containers/docker_json.h"

namespace kaapi::containers {
namespace {

// More than this many of one name at once would be somebody else's doing.
constexpr int max_settle_rounds = 10;

Result<std::set<std::string>> ids_of(DockerApi& api, const std::string& name) {
  const auto listed = api.call_json("GET", "/networks?filters=" + encode_filters({}, {{"name", {name}}}), {},
                                    api.config().call_timeout, "list networks");
  if (!listed) {
    return listed.error();
  }
  std::set<std::string> ids;
  if (listed->is_array()) {
    for (const json::value& entry : listed->get_array()) {
      if (string_member(entry, "Name") == name) {  // the filter also lets longer names pass
        ids.insert(string_member(entry, "Id"));
      }
    }
  }
  return ids;
}

// True: it is gone. False: containers use it.
Result<bool> remove_by_id(DockerApi& api, const std::string& id) {
  const auto removed = api.call("DELETE", "/networks/" + id, {}, api.config().call_timeout, "remove network " + id);
  if (removed || removed.error().code == errc::not_found) {
    return true;
  }
  return removed.error().code == errc::conflict ? Result<bool>(false) : removed.error();
}

// Whoever finds several networks of the name leaves one: that which is in use, else that of the smallest id. Everybody
// follows the same rule, so it does not matter who made which, nor who looks first.
Result<void> keep_one(DockerApi& api, const std::string& name) {
  for (int round = 0; round < max_settle_rounds; ++round) {
    const auto ids = ids_of(api, name);
    if (!ids) {
      return ids.error();
    }
    if (ids->size() <= 1) {
      return ok();
    }
    bool in_use = false;
    for (auto id = std::next(ids->begin()); id != ids->end(); ++id) {
      const auto removed = remove_by_id(api, *id);
      if (!removed) {
        return removed.error();
      }
      in_use = in_use || !*removed;
    }
    if (in_use) {
      const auto removed = remove_by_id(api, *ids->begin());
      if (!removed) {
        return removed.error();
      }
      if (!*removed) {
        break;
      }
    }
  }
  return make_error(errc::conflict,
                    fmt::format("several networks are called '{}' and are in use: remove all but one of them", name),
                    409);
}

std::string create_network_body(const std::string& name, const std::map<std::string, std::string>& labels) {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.key("Name");
  writer.value(name);
  writer.key("Driver");
  writer.value("bridge");
  writer.key("CheckDuplicate");
  writer.value(true);
  writer.key("Labels");
  writer.begin_object();
  for (const auto& [key, value] : labels) {
    writer.key(key);
    writer.value(value);
  }
  writer.end_object();
  writer.end_object();
  return body;
}

}  // namespace

Result<void> ensure_docker_network(DockerApi& api, const std::string& name,
                                   const std::map<std::string, std::string>& labels) {
  const std::chrono::milliseconds timeout = api.config().call_timeout;
  const auto known = api.call_json("GET", "/networks/" + percent_encode(name), {}, timeout, "inspect network " + name);
  if (known && string_member(*known, "Name") == name) {
    if (const std::string driver = string_member(*known, "Driver"); driver != "bridge") {
      return make_error(
          errc::conflict,
          fmt::format("a network '{}' exists, but its driver is '{}' and not 'bridge': remove it or use another name",
                      name, driver),
          409);
    }
    return ok();
  }
  if (!known && known.error().code == errc::invalid && known.error().message.find("ambiguous") != std::string::npos) {
    return keep_one(api, name);
  }
  if (!known && known.error().code != errc::not_found) {
    return known.error();
  }
  const auto created =
      api.call_json("POST", "/networks/create", create_network_body(name, labels), timeout, "create network " + name);
  if (created) {
    return keep_one(api, name);
  }
  // 409: somebody else was quicker.
  return created.error().code == errc::conflict && created.error().message.find("already exists") != std::string::npos
             ? keep_one(api, name)
             : Result<void>(created.error());
}

}  // namespace kaapi::containers
