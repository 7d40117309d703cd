#include "actions/docker/request.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/text.h"

namespace kaapi::actions::docker {
namespace {

struct Call {
  std::string_view method;
  // A segment "*" is a reference; "**" is an image's name, which has slashes.
  std::string_view path;
  Rule rule;
  bool takes_body = false;
  bool upgrades = false;
  bool needs_buildx = false;
};

// Every call that jobs have. Whatever is not here is refused: swarm, plugins, nodes, secrets, checkpoints, ...
constexpr std::array calls = {
    Call{"GET", "/_ping", Rule::pass},
    Call{"HEAD", "/_ping", Rule::pass},
    Call{"GET", "/version", Rule::pass},
    Call{"GET", "/info", Rule::pass},
    Call{"POST", "/auth", Rule::pass, true},
    Call{"GET", "/events", Rule::list},

    Call{"GET", "/containers/json", Rule::list},
    Call{"POST", "/containers/create", Rule::make_container, true},
    Call{"POST", "/containers/prune", Rule::list},
    Call{"GET", "/containers/*/json", Rule::container},
    Call{"GET", "/containers/*/top", Rule::container},
    Call{"GET", "/containers/*/logs", Rule::container},
    Call{"GET", "/containers/*/changes", Rule::container},
    Call{"GET", "/containers/*/export", Rule::container},
    Call{"GET", "/containers/*/stats", Rule::container},
    Call{"GET", "/containers/*/archive", Rule::container},
    Call{"HEAD", "/containers/*/archive", Rule::container},
    Call{"PUT", "/containers/*/archive", Rule::container, true},
    Call{"POST", "/containers/*/start", Rule::container},
    Call{"POST", "/containers/*/stop", Rule::container},
    Call{"POST", "/containers/*/restart", Rule::container},
    Call{"POST", "/containers/*/kill", Rule::container},
    Call{"POST", "/containers/*/pause", Rule::container},
    Call{"POST", "/containers/*/unpause", Rule::container},
    Call{"POST", "/containers/*/wait", Rule::container},
    Call{"POST", "/containers/*/rename", Rule::container},
    Call{"POST", "/containers/*/resize", Rule::container},
    Call{"POST", "/containers/*/attach", Rule::container, false, true},
    Call{"DELETE", "/containers/*", Rule::container},
    Call{"POST", "/containers/*/exec", Rule::make_exec, true},
    Call{"GET", "/exec/*/json", Rule::exec},
    Call{"POST", "/exec/*/start", Rule::exec, true, true},
    Call{"POST", "/exec/*/resize", Rule::exec},
    Call{"POST", "/commit", Rule::commit, true},

    Call{"GET", "/images/json", Rule::pass},
    Call{"GET", "/images/search", Rule::pass},
    Call{"GET", "/images/get", Rule::pass},
    Call{"GET", "/images/**/get", Rule::pass},
    Call{"GET", "/images/**/json", Rule::pass},
    Call{"GET", "/images/**/history", Rule::pass},
    Call{"POST", "/images/create", Rule::name_image, true},
    Call{"POST", "/images/load", Rule::pass, true},
    Call{"POST", "/images/prune", Rule::prune_images},
    Call{"POST", "/images/**/push", Rule::pass, true},
    Call{"POST", "/images/**/tag", Rule::name_image},
    Call{"DELETE", "/images/**", Rule::remove_image},
    Call{"GET", "/distribution/**/json", Rule::pass},

    Call{"POST", "/build", Rule::build, true},
    Call{"POST", "/build/prune", Rule::pass},
    Call{"POST", "/build/cancel", Rule::pass},
    Call{"POST", "/session", Rule::pass, false, true},
    // BuildKit's own protocol, which nobody looks into: only where the docker client cannot build without it.
    Call{"POST", "/grpc", Rule::pass, false, true, true},

    Call{"GET", "/networks", Rule::list},
    Call{"POST", "/networks/create", Rule::make_network, true},
    Call{"POST", "/networks/prune", Rule::list},
    Call{"GET", "/networks/*", Rule::network},
    Call{"DELETE", "/networks/*", Rule::network},
    Call{"POST", "/networks/*/connect", Rule::network_members, true},
    Call{"POST", "/networks/*/disconnect", Rule::network_members, true},

    Call{"GET", "/volumes", Rule::list},
    Call{"POST", "/volumes/create", Rule::make_volume, true},
    Call{"POST", "/volumes/prune", Rule::list},
    Call{"GET", "/volumes/*", Rule::volume},
    Call{"DELETE", "/volumes/*", Rule::volume},
};

constexpr std::size_t max_reference_bytes = 512;

bool is_alnum(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// "/v1.41" at the beginning of a path.
std::string_view version_in(std::string_view path) {
  if (!path.starts_with("/v")) return {};
  std::size_t at = 2;
  while (at < path.size() && ((path[at] >= '0' && path[at] <= '9') || path[at] == '.')) ++at;
  return at > 2 && at < path.size() && path[at] == '/' ? path.substr(0, at) : std::string_view();
}

// No empty segments, none that means another folder, and nothing but what names of Docker are made of.
bool is_plain(std::string_view path) {
  if (!path.starts_with('/') || path.ends_with('/') || path.size() > max_reference_bytes) return false;
  for (const std::string& segment : split(path.substr(1), '/')) {
    if (segment.empty() || segment == "." || segment == "..") return false;
  }
  return std::all_of(path.begin(), path.end(), [](char c) {
    return is_alnum(c) || std::string_view("/_.:@-").find(c) != std::string_view::npos;
  });
}

bool fits(const Call& call, std::string_view path, Ruling& ruling) {
  const std::size_t star = call.path.find('*');
  if (star == std::string_view::npos) return call.path == path;
  const std::string_view before = call.path.substr(0, star);
  std::string_view after = call.path.substr(star);
  const bool image = after.starts_with("**");
  after.remove_prefix(image ? 2 : 1);
  if (!path.starts_with(before) || !path.ends_with(after) || path.size() <= before.size() + after.size()) return false;
  const std::string_view reference = path.substr(before.size(), path.size() - before.size() - after.size());
  if (!image && reference.find_first_of("/:@") != std::string_view::npos) return false;
  ruling.before = before;
  ruling.reference = reference;
  ruling.after = after;
  return true;
}

}  // namespace

Error refused(std::string message) {
  return make_error("AccessDenied", std::move(message), 403);
}

Result<Ruling> rule_of(std::string_view method, std::string_view sent) {
  const std::optional<std::string> path = percent_decode(sent);
  const std::string_view version = path ? version_in(*path) : std::string_view();
  if (!path || !is_plain(std::string_view(*path).substr(version.size()))) {
    return make_error(errc::invalid, fmt::format("the path {} is none of Docker's", percent_encode(sent, true)));
  }
  const std::string_view rest = std::string_view(*path).substr(version.size());
  Ruling ruling;
  for (const Call& call : calls) {
    if (call.method != method || !fits(call, rest, ruling)) continue;
    ruling.rule = call.rule;
    ruling.version = version;
    if (ruling.reference.empty()) ruling.before = rest;
    ruling.takes_body = call.takes_body;
    ruling.upgrades = call.upgrades;
    ruling.needs_buildx = call.needs_buildx;
    return ruling;
  }
  return refused(fmt::format("jobs may not ask Docker for {} {}", method, rest));
}

Result<Query> parse_query(std::string_view text) {
  Query query;
  if (text.empty()) return query;
  for (const std::string& pair : split(text, '&')) {
    const std::size_t equals = pair.find('=');
    const auto name = percent_decode(std::string_view(pair).substr(0, equals), true);
    const auto value = equals == std::string::npos ? std::optional<std::string>("")
                                                   : percent_decode(std::string_view(pair).substr(equals + 1), true);
    if (!name || !value) return make_error(errc::invalid, "the query has a broken percent escape");
    query.emplace_back(*name, *value);
  }
  return query;
}

std::string to_text(const Query& query) {
  std::string text;
  for (const auto& [name, value] : query) {
    text += fmt::format("{}{}={}", text.empty() ? "" : "&", percent_encode(name), percent_encode(value));
  }
  return text;
}

std::string_view value_of(const Query& query, std::string_view name) {
  const auto found = std::find_if(query.begin(), query.end(), [&](const auto& one) { return one.first == name; });
  return found == query.end() ? std::string_view() : std::string_view(found->second);
}

void set_value(Query& query, std::string_view name, std::string value) {
  std::erase_if(query, [&](const auto& one) { return one.first == name; });
  query.emplace_back(name, std::move(value));
}

Result<std::string> with_label_filter(std::string_view filters, std::string_view label, std::string_view value) {
  json::value parsed = json::object();
  if (!filters.empty()) {
    Result<json::value> given = parse_json(filters);
    if (!given || !given->is_object()) return make_error(errc::invalid, "filters: must be a JSON object");
    parsed = std::move(*given);
  }
  json::object& all = parsed.as_object();
  const std::string wanted = fmt::format("{}={}", label, value);
  json::value& labels = all["label"];
  // Both forms that Docker reads: {"label": {"a=b": true}} and {"label": ["a=b"]}.
  if (labels.is_array()) {
    labels.as_array().emplace_back(wanted);
  } else if (labels.is_object()) {
    labels.as_object()[wanted] = true;
  } else if (labels.is_null()) {
    labels = json::object{{wanted, true}};
  } else {
    return make_error(errc::invalid, "filters: label must be an object or a list");
  }
  // An older spelling of prune's filter, and whatever differs in case only, would be another condition, not a wider
  // one: conditions narrow.
  return json::serialize(parsed);
}

Result<void> check_build(const Query& query) {
  for (const auto& [name, value] : query) {
    if (name == "networkmode" && value != "" && value != "default" && value != "bridge" && value != "none") {
      return refused(
          fmt::format("a job's build has no network mode {}: it would hear what others send on that network", value));
    }
    if (name == "cgroupparent" && !value.empty()) return refused("a job's build has no cgroup parent of its choice");
    if (name == "securityopt" && !value.empty() && value != "null" && value != "[]") {
      return refused("a job's build has no security options");
    }
  }
  return ok();
}

std::string whole_image_name(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::string_view last = slash == std::string_view::npos ? name : name.substr(slash + 1);
  return last.find_first_of(":@") == std::string_view::npos ? fmt::format("{}:latest", name) : std::string(name);
}

}  // namespace kaapi::actions::docker
