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

void write_address_plan(JsonWriter& writer, const NetworkSpec& spec) {
  if (spec.subnet.empty()) return;
  writer.key("IPAM");
  writer.begin_object();
  writer.key("Config");
  writer.begin_array();
  writer.begin_object();
  writer.key("Subnet");
  writer.value(spec.subnet);
  if (!spec.gateway.empty()) {
    writer.key("Gateway");
    writer.value(spec.gateway);
  }
  writer.end_object();
  writer.end_array();
  writer.end_object();
}

void write_driver_options(JsonWriter& writer, const NetworkSpec& spec) {
  if (!spec.internal && !spec.isolated) return;
  writer.key("Options");
  writer.begin_object();
  if (spec.internal) {
    writer.key("com.docker.network.bridge.enable_ip_masquerade");
    writer.value("false");
  }
  if (spec.isolated) {
    writer.key("com.docker.network.bridge.enable_icc");
    writer.value("false");
  }
  writer.end_object();
}

std::string create_network_body(const NetworkSpec& spec) {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.key("Name");
  writer.value(spec.name);
  writer.key("Driver");
  writer.value("bridge");
  writer.key("CheckDuplicate");
  writer.value(true);
  writer.key("Internal");
  writer.value(spec.internal);
  write_address_plan(writer, spec);
  write_driver_options(writer, spec);
  writer.key("Labels");
  writer.begin_object();
  for (const auto& [key, value] : spec.labels) {
    writer.key(key);
    writer.value(value);
  }
  writer.end_object();
  writer.end_object();
  return body;
}

std::string gateway_of(const json::value& network) {
  const json::value* plan = find_member(network, "IPAM");
  const json::value* ranges = plan == nullptr ? nullptr : find_member(*plan, "Config");
  if (ranges == nullptr || !ranges->is_array() || ranges->get_array().empty()) {
    return {};
  }
  return string_member(ranges->get_array().front(), "Gateway");
}

// Whether the network of this name, which somebody made at some time, will do.
Result<void> check_network(const json::value& network, const NetworkSpec& spec) {
  if (const std::string driver = string_member(network, "Driver"); driver != "bridge") {
    return make_error(
        errc::conflict,
        fmt::format("a network '{}' exists, but its driver is '{}' and not 'bridge': remove it or use another name",
                    spec.name, driver),
        409);
  }
  if (const std::string gateway = gateway_of(network); !spec.gateway.empty() && gateway != spec.gateway) {
    return make_error(errc::conflict,
                      fmt::format("a network '{}' exists, but its gateway is {} and not {}: remove it with 'docker "
                                  "network rm {}'",
                                  spec.name, gateway, spec.gateway, spec.name),
                      409);
  }
  return ok();
}

}  // namespace

Result<void> ensure_docker_network(DockerApi& api, const NetworkSpec& spec) {
  const std::chrono::milliseconds timeout = api.config().call_timeout;
  const auto inspect = [&] {
    return api.call_json("GET", "/networks/" + percent_encode(spec.name), {}, timeout, "inspect network " + spec.name);
  };
  const auto known = inspect();
  if (known && string_member(*known, "Name") == spec.name) {
    return check_network(*known, spec);
  }
  if (!known && known.error().code == errc::invalid && known.error().message.find("ambiguous") != std::string::npos) {
    return keep_one(api, spec.name);
  }
  if (!known && known.error().code != errc::not_found) {
    return known.error();
  }
  const auto created =
      api.call_json("POST", "/networks/create", create_network_body(spec), timeout, "create network " + spec.name);
  if (created) {
    return keep_one(api, spec.name);
  }
  if (created.error().code != errc::conflict) {
    return created.error();
  }
  // Somebody else was quicker, and has the name, or the subnet and in a moment the name.
  const auto other = inspect();
  return other && string_member(*other, "Name") == spec.name ? keep_one(api, spec.name) : Result<void>(created.error());
}

Result<void> connect_docker_network(DockerApi& api, const std::string& network, const std::string& container) {
  std::string body;
  JsonWriter writer(body);
  writer.begin_object();
  writer.key("Container");
  writer.value(container);
  writer.end_object();
  const auto connected = api.call("POST", "/networks/" + percent_encode(network) + "/connect", std::move(body),
                                  api.config().slow_call_timeout, "connect " + container + " to network " + network);
  if (connected || connected.error().message.find("already exists in network") != std::string::npos) {
    return ok();
  }
  return connected.error();
}

}  // namespace kaapi::containers
